/* Puts instructions in order and gives their values places: the second half of the compiler.
 *
 * The order follows the accumulator: after each instruction one that uses its value is preferred, so that
 * most values are never stored. A value that is used again later goes to a slot before the accumulator is
 * overwritten; slots are free again after the last use, so that few of them are needed. */
#include "common/expr/program_code.h"

#include <assert.h>
#include <stdlib.h>

enum {
    WINDOW = 64,   /* instructions that are looked at for the next one */
    STRETCH = 100, /* steps that may be on the C stack where calls are no jumps (debug builds) */
};

/* What is known of a value of the section's own, by tile or uniform row. */
struct known {
    int uses;  /* by instructions that are not written yet */
    int slot;  /* −1 while it stands in the accumulator alone */
    bool made; /* computed, or of an earlier section */
};

struct assembler {
    struct code *code;
    enum section section;
    struct steps *steps;
    struct known *tile, *uniform;
    struct ref accumulator;
    int *idle;
    int idle_count;
};

static const struct ref nothing = {PLACE_NONE, 0};

static bool same(struct ref a, struct ref b)
{
    return a.place == b.place && a.index == b.index && a.place != PLACE_NONE;
}

static struct known *known_of(const struct assembler *assembler, struct ref ref)
{
    return ref.place == PLACE_TILE      ? &assembler->tile[ref.index]
           : ref.place == PLACE_UNIFORM ? &assembler->uniform[ref.index]
                                        : NULL;
}

static struct tile_at place_of(const struct assembler *assembler, struct ref ref)
{
    const int32_t row = ref.index * LANES;
    switch (ref.place) {
    case PLACE_X:
        return (struct tile_at){BASE_X, LANES, 0};
    case PLACE_DY:
        return (struct tile_at){BASE_DY, LANES, 0};
    case PLACE_BETA:
        return (struct tile_at){BASE_BETA, 0, row};
    case PLACE_UNIFORM:
        return (struct tile_at){BASE_UNIFORM, 0, row};
    case PLACE_TILE:
        assert(assembler->tile[ref.index].slot >= 0);
        return (struct tile_at){BASE_SLOT, LANES, assembler->tile[ref.index].slot * TILE_MAX_FLOATS};
    default: /* a number; also where there is no operand */
        return (struct tile_at){BASE_NUMBER, 0, row};
    }
}

/* ---- writing steps ---- */

static struct tile_step *write_step(struct steps *steps, enum tile_kind kind, int op)
{
    if (steps->count == steps->capacity) {
        steps->capacity = steps->capacity ? 2 * steps->capacity : 16;
        steps->at = xrealloc(steps->at, (size_t)steps->capacity, sizeof *steps->at);
    }
    struct tile_step *step = &steps->at[steps->count++];
    *step = (struct tile_step){.function = (uint16_t)((int)kind * OPS + op)};
    for (int k = 0; k < TILE_OPERANDS; k++)
        step->operand[k].base = BASE_NUMBER;
    return step;
}

static void start_stretch(struct assembler *assembler)
{
    struct steps *steps = assembler->steps;
    steps->start = xrealloc(steps->start, (size_t)steps->stretches + 1, sizeof *steps->start);
    steps->start[steps->stretches++] = steps->count;
    assembler->accumulator = nothing;
}

static void write_store(struct assembler *assembler, struct tile_at to)
{
    write_step(assembler->steps, STEP_STORE, 0)->out = to;
}

static int take_slot(struct assembler *assembler)
{
    return assembler->idle_count ? assembler->idle[--assembler->idle_count] : assembler->code->slots++;
}

/* Stores the accumulator's value if that is its only place and it is used beyond `uses_now`. */
static void keep_accumulator(struct assembler *assembler, int uses_now)
{
    if (assembler->accumulator.place != PLACE_TILE)
        return;
    struct known *known = known_of(assembler, assembler->accumulator);
    if (known->slot >= 0 || known->uses <= uses_now)
        return;
    known->slot = take_slot(assembler);
    write_store(assembler, place_of(assembler, assembler->accumulator));
}

static void load(struct assembler *assembler, struct ref ref)
{
    if (same(ref, assembler->accumulator))
        return;
    keep_accumulator(assembler, 0);
    write_step(assembler->steps, STEP_LOAD, 0)->operand[TILE_A] = place_of(assembler, ref);
    assembler->accumulator = ref;
}

/* One use less; a slot that nothing uses any more is idle. */
static void used(struct assembler *assembler, struct ref ref)
{
    struct known *known = known_of(assembler, ref);
    if (known && --known->uses == 0 && ref.place == PLACE_TILE && known->slot >= 0)
        assembler->idle[assembler->idle_count++] = known->slot;
}

/* The value is in the accumulator now. A uniform one has a row of its own. */
static void made(struct assembler *assembler, struct ref ref)
{
    known_of(assembler, ref)->made = true;
    assembler->accumulator = ref;
    if (ref.place == PLACE_UNIFORM)
        write_store(assembler, place_of(assembler, ref));
}

/* ---- one instruction ---- */

static bool is_binary(const struct instruction *instruction)
{
    return instruction->kind <= KIND_BOTH && op_rows[instruction->op].arity == 2;
}

static bool is_unary_both(const struct instruction *instruction)
{
    return instruction->kind == KIND_BOTH && op_rows[instruction->op].arity == 1;
}

/* Whether the operand may be the accumulator: steps with two results, and the slopes of binary primitives,
 * take theirs from memory. */
static bool takes_accumulator(const struct instruction *instruction, struct ref accumulator)
{
    if (is_unary_both(instruction) || (instruction->kind != KIND_VALUE && is_binary(instruction)))
        return false;
    return same(instruction->operand[TILE_A], accumulator) || same(instruction->operand[TILE_B], accumulator);
}

static int uses_of(const struct instruction *instruction, struct ref ref)
{
    int uses = 0;
    for (int k = 0; k < TILE_OPERANDS; k++)
        uses += same(instruction->operand[k], ref);
    return uses;
}

static void write_binary_value(struct assembler *assembler, const struct instruction *instruction)
{
    const struct ref *operand = instruction->operand, accumulator = assembler->accumulator;
    const bool a = same(operand[TILE_A], accumulator), b = same(operand[TILE_B], accumulator);
    keep_accumulator(assembler, a + b);
    struct tile_step *step = write_step(assembler->steps,
                                        a && b ? STEP_VALUE_AB
                                        : a    ? STEP_VALUE_A
                                        : b    ? STEP_VALUE_B
                                               : STEP_VALUE,
                                        instruction->op);
    if (!a)
        step->operand[TILE_A] = place_of(assembler, operand[TILE_A]);
    if (!b)
        step->operand[TILE_B] = place_of(assembler, operand[TILE_B]);
}

/* A place for what a step writes to memory. */
static struct tile_at take_place(struct assembler *assembler, struct ref ref)
{
    struct known *known = known_of(assembler, ref);
    known->made = true;
    if (ref.place == PLACE_TILE)
        known->slot = take_slot(assembler);
    return place_of(assembler, ref);
}

static void write_binary_slopes(struct assembler *assembler, const struct instruction *instruction)
{
    static const enum tile_kind kinds[] = {
        [KIND_SLOPE] = STEP_SLOPE, [KIND_SLOPE_B] = STEP_SLOPE_B, [KIND_BOTH] = STEP_BOTH};
    keep_accumulator(assembler, 0);
    struct tile_step *step = write_step(assembler->steps, kinds[instruction->kind], instruction->op);
    if (instruction->kind == KIND_BOTH)
        step->out_2 = take_place(assembler, instruction->out_2);
    for (int k = 0; k < TILE_OPERANDS; k++)
        step->operand[k] = place_of(assembler, instruction->operand[k]);
}

static void write_unary(struct assembler *assembler, const struct instruction *instruction)
{
    load(assembler, instruction->operand[TILE_A]);
    keep_accumulator(assembler, 1);
    write_step(assembler->steps, instruction->kind == KIND_VALUE ? STEP_VALUE : STEP_SLOPE, instruction->op);
}

/* From memory to memory. */
static void write_unary_both(struct assembler *assembler, const struct instruction *instruction)
{
    keep_accumulator(assembler, 0);
    struct tile_step *step = write_step(assembler->steps, STEP_BOTH, instruction->op);
    step->operand[TILE_A] = place_of(assembler, instruction->operand[TILE_A]);
    step->out = take_place(assembler, instruction->out);
    step->out_2 = take_place(assembler, instruction->out_2);
    assembler->accumulator = nothing;
}

static void write_instruction(struct assembler *assembler, const struct instruction *instruction)
{
    switch (instruction->kind) {
    case KIND_SUM:
        load(assembler, instruction->operand[TILE_A]);
        write_step(assembler->steps, STEP_SUM, 0)->out = place_of(assembler, instruction->out);
        break;
    case KIND_Y:
    case KIND_DX:
        load(assembler, instruction->operand[TILE_A]);
        write_store(assembler, (struct tile_at){instruction->kind == KIND_Y ? BASE_Y : BASE_DX, LANES, 0});
        break;
    default:
        if (is_unary_both(instruction)) {
            write_unary_both(assembler, instruction);
            break;
        }
        if (!is_binary(instruction))
            write_unary(assembler, instruction);
        else if (instruction->kind == KIND_VALUE)
            write_binary_value(assembler, instruction);
        else
            write_binary_slopes(assembler, instruction);
        made(assembler, instruction->out);
    }
    for (int k = 0; k < TILE_OPERANDS; k++)
        used(assembler, instruction->operand[k]);
}

/* ---- the order ---- */

static bool is_ready(const struct assembler *assembler, const struct instruction *instruction)
{
    for (int k = 0; k < TILE_OPERANDS; k++) {
        const struct known *known = known_of(assembler, instruction->operand[k]);
        if (known && !known->made)
            return false;
    }
    return true;
}

/* How well an instruction goes with the accumulator: sums and results leave it as it is; better its last use
 * than not. */
static int merit(const struct assembler *assembler, const struct instruction *instruction)
{
    const struct ref accumulator = assembler->accumulator;
    if (!takes_accumulator(instruction, accumulator))
        return 0;
    if (instruction->kind == KIND_SUM || instruction->kind == KIND_Y)
        return 3;
    const struct known *known = known_of(assembler, accumulator);
    return known && known->uses == uses_of(instruction, accumulator) ? 2 : 1;
}

/* The next of `order` (the first is always ready: instructions stand after those whose values they use). dx
 * may be dy, so it is written after all else; y is not written before its last operand is read. */
static int pick(const struct assembler *assembler, const struct instruction *const *order, int count)
{
    int best = 0, best_merit = -1;
    for (int i = 0; i < count && i < WINDOW; i++) {
        if ((i > 0 && order[i]->kind == KIND_DX) || !is_ready(assembler, order[i]))
            continue;
        int this_merit = merit(assembler, order[i]);
        if (this_merit > best_merit)
            best = i, best_merit = this_merit;
    }
    return best;
}

/* Whether nothing uses what the instruction makes; later uses are counted already. */
static bool is_idle(const struct assembler *assembler, const struct instruction *instruction)
{
    if (assembler->section != SECTION_TILE || instruction->kind > KIND_BOTH)
        return false;
    const struct known *second = known_of(assembler, instruction->out_2);
    return known_of(assembler, instruction->out)->uses == 0 && !(second && second->uses);
}

/* The instructions that are needed, in order; their uses are counted and what they make is not made yet. */
static int select_needed(struct assembler *assembler, const struct instructions *list,
                         const struct instruction **order)
{
    int first = list->count;
    for (int i = list->count - 1; i >= 0; i--) {
        const struct instruction *instruction = &list->at[i];
        if (is_idle(assembler, instruction))
            continue;
        order[--first] = instruction;
        for (int k = 0; k < TILE_OPERANDS; k++) {
            struct known *known = known_of(assembler, instruction->operand[k]);
            if (known)
                known->uses++;
        }
        const struct ref outs[] = {instruction->out, instruction->out_2};
        for (int k = 0; k < 2; k++)
            if (known_of(assembler, outs[k]))
                known_of(assembler, outs[k])->made = false;
    }
    return first;
}

static void assemble_section(struct code *code, enum section section)
{
    const struct instructions *list = &code->section[section];
    struct assembler assembler = {.code = code, .section = section, .steps = &code->steps[section]};
    assembler.tile = xcalloc((size_t)code->tiles + 1, sizeof *assembler.tile);
    assembler.uniform = xcalloc((size_t)code->uniforms + 1, sizeof *assembler.uniform);
    assembler.idle = xcalloc((size_t)code->tiles + 1, sizeof *assembler.idle);
    for (int i = 0; i < code->tiles; i++)
        assembler.tile[i].slot = -1;
    for (int i = 0; i < code->uniforms; i++)
        assembler.uniform[i].made = true;
    const struct instruction **order = xcalloc((size_t)list->count + 1, sizeof *order);
    const int first = select_needed(&assembler, list, order);
    const struct instruction **rest = order + first;
    int count = list->count - first;
    while (count > 0) {
        const struct steps *steps = assembler.steps;
        if (steps->stretches == 0 || steps->count - steps->start[steps->stretches - 1] >= STRETCH) {
            if (steps->stretches) {
                keep_accumulator(&assembler, 0);
                write_step(assembler.steps, STEP_END, 0);
            }
            start_stretch(&assembler);
        }
        int picked = pick(&assembler, rest, count);
        const struct instruction *instruction = rest[picked];
        for (int i = picked; i > 0; i--)
            rest[i] = rest[i - 1];
        rest++, count--;
        write_instruction(&assembler, instruction);
    }
    if (assembler.steps->stretches)
        write_step(assembler.steps, STEP_END, 0);
    free(order);
    free(assembler.tile);
    free(assembler.uniform);
    free(assembler.idle);
}

void code_assemble(struct code *code)
{
    for (int section = 0; section < SECTIONS; section++)
        assemble_section(code, (enum section)section);
}
