/* Compiles an expression to straight-line code over tiles, and runs it.
 *
 * A value is either uniform (it depends on numbers and β alone: one row, computed once a call) or varying (a
 * tile). Code has three sections: `before` on uniform values, once; `tile` on varying ones, for each tile;
 * `after` on uniform adjoints, once. The backward code is the forward values that slopes need, then the chain
 * rule from the root down. Each β's adjoint is summed over all rows first; what lies between β and the
 * varying part is then differentiated once, on the sums.
 *
 * Registers are assigned after the code is made: a tile is free again after its last use, so that most
 * programs work on a few tiles that stay in L1. */
#include "common/expr/program.h"

#include "common/expr/tile.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum place {
    PLACE_NONE,
    PLACE_X,       /* the caller's x */
    PLACE_DY,      /* the caller's dy */
    PLACE_RESULT,  /* the caller's y or dx */
    PLACE_NUMBER,  /* a row of the program */
    PLACE_BETA,    /* a row of the caller's β */
    PLACE_UNIFORM, /* a row of the scratch */
    PLACE_TILE,    /* a tile of the scratch */
};

struct ref {
    uint8_t place;
    uint16_t index;
};

enum section { SECTION_BEFORE, SECTION_TILE, SECTION_AFTER, SECTIONS };

enum {
    MAX_TILES = 3 * EXPR_MAX_NODES,    /* values, slopes and adjoints alive at once */
    MAX_UNIFORMS = 4 * EXPR_MAX_NODES, /* values, sums and adjoints */
    TILE_ROWS = 32,
    L1_FLOATS = 6144, /* 24 KiB for the tiles of a program: they and the caller's rows stay in L1 */
};

struct instruction {
    uint8_t kind; /* a member of struct tile_functions */
    uint8_t op;
    int16_t n;
    struct ref out, out_slope, operand[TILE_OPERANDS];
};

enum { KIND_VALUE, KIND_VALUE_SLOPE, KIND_SLOPE_A, KIND_SLOPE_B, KIND_COPY, KIND_SUM };

struct instructions {
    struct instruction *at;
    int count, capacity;
};

struct code {
    struct instructions section[SECTIONS];
    int tiles, uniforms;
    struct ref beta_sum[EXPR_MAX_BETAS]; /* of backward code: PLACE_NONE where f does not depend on it */
    int rows;                            /* of a tile */
};

struct program {
    int betas;
    int numbers;
    float *number; /* numbers × 16 */
    struct code forward, backward;
};

/* ---- making code ---- */

struct compiler {
    const struct expr *expr;
    struct program *program;
    struct code *code;
    double *constant;    /* the value of nodes that depend on nothing */
    uint8_t *dependence; /* 0 nothing, 1 β, 2 x */
    struct ref *value;   /* of each node, in the code being made */
    struct ref *slope;   /* of SHARED nodes computed with their slope */
    bool *needed;        /* by the code being made */
    bool *reached;       /* by adjoints, in backward code */
};

static const struct ref none = {PLACE_NONE, 0};

static bool is_tile(struct ref ref)
{
    return ref.place == PLACE_X || ref.place == PLACE_DY || ref.place == PLACE_TILE ||
           ref.place == PLACE_RESULT;
}

static struct instruction *emit(struct code *code, enum section section, int kind, int op)
{
    struct instructions *list = &code->section[section];
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->at = xrealloc(list->at, (size_t)list->capacity, sizeof *list->at);
    }
    struct instruction *instruction = &list->at[list->count++];
    memset(instruction, 0, sizeof *instruction);
    instruction->kind = (uint8_t)kind;
    instruction->op = (uint8_t)op;
    return instruction;
}

static struct ref new_tile(struct code *code)
{
    return (struct ref){PLACE_TILE, (uint16_t)code->tiles++};
}

static struct ref new_uniform(struct code *code)
{
    assert(code->uniforms < MAX_UNIFORMS);
    return (struct ref){PLACE_UNIFORM, (uint16_t)code->uniforms++};
}

static struct ref number_ref(struct program *program, double value)
{
    float row[LANES];
    for (int lane = 0; lane < LANES; lane++)
        row[lane] = (float)value;
    for (int i = 0; i < program->numbers; i++)
        if (memcmp(program->number + i * LANES, row, sizeof row) == 0)
            return (struct ref){PLACE_NUMBER, (uint16_t)i};
    memcpy(program->number + program->numbers * LANES, row, sizeof row);
    return (struct ref){PLACE_NUMBER, (uint16_t)program->numbers++};
}

static void find_dependence(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        uint8_t most = node->op == OP_X ? 2 : node->op == OP_BETA ? 1 : 0;
        double operand[2] = {0, 0};
        for (int k = 0; k < op_rows[node->op].arity; k++) {
            int at = node->operand[k];
            most = compiler->dependence[at] > most ? compiler->dependence[at] : most;
            operand[k] = compiler->constant[at];
        }
        compiler->dependence[i] = most;
        if (most == 0)
            compiler->constant[i] =
                node->op == OP_NUMBER ? node->value : node_value(node, operand[0], operand[1]);
    }
}

/* The value of node i, all of whose operands have theirs. */
static void emit_value(struct compiler *compiler, int i)
{
    const struct node *node = &compiler->expr->nodes[i];
    struct code *code = compiler->code;
    if (compiler->dependence[i] == 0) {
        compiler->value[i] = number_ref(compiler->program, compiler->constant[i]);
    } else if (node->op == OP_X) {
        compiler->value[i] = (struct ref){PLACE_X, 0};
    } else if (node->op == OP_BETA) {
        compiler->value[i] = (struct ref){PLACE_BETA, (uint16_t)node->index};
    } else {
        bool varying = compiler->dependence[i] == 2;
        bool with_slope = varying && compiler->reached[i] && op_rows[node->op].property == PROPERTY_SHARED;
        struct instruction *instruction = emit(code, varying ? SECTION_TILE : SECTION_BEFORE,
                                               with_slope ? KIND_VALUE_SLOPE : KIND_VALUE, node->op);
        instruction->n = (int16_t)node->index;
        for (int k = 0; k < op_rows[node->op].arity; k++)
            instruction->operand[TILE_A + k] = compiler->value[node->operand[k]];
        instruction->out = varying ? new_tile(code) : new_uniform(code);
        if (with_slope)
            instruction->out_slope = compiler->slope[i] = new_tile(code);
        compiler->value[i] = instruction->out;
    }
}

static void emit_needed_values(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    for (int i = expr->count - 1; i >= 0; i--)
        for (int k = 0;
             compiler->needed[i] && compiler->dependence[i] && k < op_rows[expr->nodes[i].op].arity; k++)
            compiler->needed[expr->nodes[i].operand[k]] = true;
    for (int i = 0; i < expr->count; i++)
        if (compiler->needed[i])
            emit_value(compiler, i);
}

static void make_forward(struct compiler *compiler)
{
    int root = compiler->expr->count - 1;
    compiler->needed[root] = true;
    emit_needed_values(compiler);
    struct code *code = compiler->code;
    struct instructions *tile = &code->section[SECTION_TILE];
    if (compiler->value[root].place == PLACE_TILE)
        tile->at[tile->count - 1].out = (struct ref){PLACE_RESULT, 0};
    else {
        struct instruction *instruction = emit(code, SECTION_TILE, KIND_COPY, 0);
        instruction->operand[TILE_A] = compiler->value[root];
        instruction->out = (struct ref){PLACE_RESULT, 0};
    }
}

/* Whether the formula of a slope names a, b or y. */
static bool slope_uses(enum op op, int operand, char name)
{
    const char *formula = op_rows[op].slope_formula[operand];
    for (const char *at = formula; *at; at++)
        if (*at == name && !(at > formula && (isalnum((unsigned char)at[-1]) || at[-1] == '_')) &&
            !(isalnum((unsigned char)at[1]) || at[1] == '_'))
            return true;
    return false;
}

/* +1 or −1 where the slope is that number, else 0. */
static int unit_slope(enum op op, int operand)
{
    const char *formula = op_rows[op].slope_formula[operand];
    return strcmp(formula, "K(1)") == 0 ? 1 : strcmp(formula, "K(-1)") == 0 ? -1 : 0;
}

/* A node's adjoint reaches an operand: it is not constant, and the slope is not 0. */
static bool flows(const struct compiler *compiler, int i, int k)
{
    const struct node *node = &compiler->expr->nodes[i];
    return k < op_rows[node->op].arity && !node_is_flat(node) && compiler->dependence[node->operand[k]] > 0;
}

/* What the slopes are made of. A SHARED node's slope comes with its value where something needs the value. */
static void find_needed(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    for (int i = expr->count - 1; i >= 0; i--) {
        const struct node *node = &expr->nodes[i];
        for (int k = 0; k < 2; k++) {
            if (!compiler->reached[i] || !flows(compiler, i, k) || unit_slope(node->op, k))
                continue;
            if (slope_uses(node->op, k, 'a'))
                compiler->needed[node->operand[0]] = true;
            if (slope_uses(node->op, k, 'b'))
                compiler->needed[node->operand[1]] = true;
            if (slope_uses(node->op, k, 'y'))
                compiler->needed[i] = true;
        }
    }
}

/* slope · adjoint of node i, for operand k. */
static struct ref emit_slope(struct compiler *compiler, int i, int k, struct ref adjoint)
{
    const struct node *node = &compiler->expr->nodes[i];
    struct code *code = compiler->code;
    enum section section = is_tile(adjoint) ? SECTION_TILE : SECTION_AFTER;
    int unit = unit_slope(node->op, k);
    if (unit > 0)
        return adjoint;
    struct instruction *instruction;
    if (unit < 0) {
        instruction = emit(code, section, KIND_VALUE, OP_NEG);
        instruction->operand[TILE_A] = adjoint;
    } else if (compiler->slope[i].place != PLACE_NONE) {
        instruction = emit(code, section, KIND_VALUE, OP_MUL);
        instruction->operand[TILE_A] = adjoint;
        instruction->operand[TILE_B] = compiler->slope[i];
    } else {
        instruction = emit(code, section, k == 0 ? KIND_SLOPE_A : KIND_SLOPE_B, node->op);
        instruction->n = (int16_t)node->index;
        instruction->operand[TILE_G] = adjoint;
        if (slope_uses(node->op, k, 'a'))
            instruction->operand[TILE_A] = compiler->value[node->operand[0]];
        if (slope_uses(node->op, k, 'b'))
            instruction->operand[TILE_B] = compiler->value[node->operand[1]];
        if (slope_uses(node->op, k, 'y'))
            instruction->operand[TILE_Y] = compiler->value[i];
    }
    instruction->out = section == SECTION_TILE ? new_tile(code) : new_uniform(code);
    return instruction->out;
}

static struct ref emit_sum(struct code *code, struct ref tile)
{
    struct instruction *instruction = emit(code, SECTION_TILE, KIND_SUM, 0);
    instruction->operand[TILE_A] = tile;
    instruction->out = new_uniform(code);
    return instruction->out;
}

/* What is already there and one part more. */
static struct ref emit_added(struct code *code, struct ref sum, struct ref part)
{
    if (sum.place == PLACE_NONE)
        return part;
    struct instruction *instruction =
        emit(code, is_tile(part) ? SECTION_TILE : SECTION_AFTER, KIND_VALUE, OP_ADD);
    instruction->operand[TILE_A] = sum;
    instruction->operand[TILE_B] = part;
    instruction->out = is_tile(part) ? new_tile(code) : new_uniform(code);
    return instruction->out;
}

/* The adjoint of x goes to dx by the last instruction: dx may be dy, and nothing may read dy after that. */
static void emit_result(struct code *code, struct ref adjoint, struct ref zero)
{
    struct instructions *tile = &code->section[SECTION_TILE];
    for (int i = 0; adjoint.place == PLACE_TILE && i < tile->count; i++)
        if (tile->at[i].kind != KIND_SUM && tile->at[i].out.place == PLACE_TILE &&
            tile->at[i].out.index == adjoint.index) {
            bool read = false;
            for (int j = i + 1; j < tile->count; j++)
                for (int k = 0; k < TILE_OPERANDS; k++)
                    read |= tile->at[j].operand[k].place == PLACE_TILE &&
                            tile->at[j].operand[k].index == adjoint.index;
            if (read)
                break;
            struct instruction last = tile->at[i];
            memmove(&tile->at[i], &tile->at[i + 1], (size_t)(tile->count - i - 1) * sizeof *tile->at);
            last.out = (struct ref){PLACE_RESULT, 0};
            tile->at[tile->count - 1] = last;
            return;
        }
    struct instruction *instruction = emit(code, SECTION_TILE, KIND_COPY, 0);
    instruction->operand[TILE_A] = adjoint.place == PLACE_NONE ? zero : adjoint;
    instruction->out = (struct ref){PLACE_RESULT, 0};
}

static void make_backward(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    struct code *code = compiler->code;
    int count = expr->count;
    struct ref *adjoint = xcalloc((size_t)count, sizeof *adjoint);
    bool *reached = compiler->reached;
    reached[count - 1] = compiler->dependence[count - 1] > 0;
    for (int i = count - 1; i >= 0; i--)
        for (int k = 0; k < 2; k++)
            if (reached[i] && flows(compiler, i, k))
                reached[expr->nodes[i].operand[k]] = true;
    find_needed(compiler);
    emit_needed_values(compiler);
    struct ref x_adjoint = none;
    if (reached[count - 1]) {
        struct ref dy = {PLACE_DY, 0};
        adjoint[count - 1] = compiler->dependence[count - 1] == 2 ? dy : emit_sum(code, dy);
    }
    for (int i = count - 1; i >= 0; i--) {
        const struct node *node = &expr->nodes[i];
        if (!reached[i])
            continue;
        if (node->op == OP_X)
            x_adjoint = adjoint[i];
        if (node->op == OP_BETA)
            code->beta_sum[node->index] = adjoint[i];
        for (int k = 0; k < 2; k++) {
            if (!flows(compiler, i, k))
                continue;
            int operand = node->operand[k];
            struct ref part = emit_slope(compiler, i, k, adjoint[i]);
            if (is_tile(part) && compiler->dependence[operand] == 1)
                part = emit_sum(code, part);
            adjoint[operand] = emit_added(code, adjoint[operand], part);
        }
    }
    emit_result(code, x_adjoint, number_ref(compiler->program, 0.0));
    free(adjoint);
}

/* ---- registers ---- */

/* Gives each tile a register until its last use. */
static void assign_tiles(struct code *code)
{
    struct instructions *tile = &code->section[SECTION_TILE];
    int values = code->tiles;
    int *last_use = xcalloc((size_t)values + 1, sizeof *last_use);
    uint16_t *assigned = xcalloc((size_t)values + 1, sizeof *assigned);
    uint16_t *idle = xcalloc((size_t)values + 1, sizeof *idle);
    int idle_count = 0;
    for (int i = 0; i < tile->count; i++)
        for (int k = 0; k < TILE_OPERANDS; k++)
            if (tile->at[i].operand[k].place == PLACE_TILE)
                last_use[tile->at[i].operand[k].index] = i;
    code->tiles = 0;
    for (int i = 0; i < tile->count; i++) {
        struct instruction *instruction = &tile->at[i];
        struct ref *outs[] = {&instruction->out, &instruction->out_slope};
        for (int k = 0; k < TILE_OPERANDS; k++) {
            struct ref *ref = &instruction->operand[k];
            if (ref->place != PLACE_TILE)
                continue;
            /* The loops write a vector after they have read it: an operand that ends here may be the result's
             * register. */
            if (last_use[ref->index] == i) {
                idle[idle_count++] = assigned[ref->index];
                last_use[ref->index] = -1; /* once, where it is both operands */
            }
            ref->index = assigned[ref->index];
        }
        for (int k = 0; k < 2; k++)
            if (outs[k]->place == PLACE_TILE) {
                uint16_t to = idle_count ? idle[--idle_count] : (uint16_t)code->tiles++;
                assigned[outs[k]->index] = to;
                outs[k]->index = to;
            }
    }
    assert(code->tiles <= MAX_TILES);
    code->rows = code->tiles ? L1_FLOATS / (LANES * code->tiles) : TILE_ROWS;
    code->rows = code->rows < 1 ? 1 : code->rows > TILE_ROWS ? TILE_ROWS : code->rows;
    free(last_use);
    free(assigned);
    free(idle);
}

static void make_code(struct compiler *compiler, struct code *code, void (*make)(struct compiler *))
{
    memset(compiler->needed, 0, (size_t)compiler->expr->count * sizeof *compiler->needed);
    compiler->code = code;
    make(compiler);
    assign_tiles(code);
}

struct program *program_new(const struct expr *expr)
{
    assert(expr->count <= EXPR_MAX_NODES);
    size_t count = (size_t)expr->count;
    struct program *program = xcalloc(1, sizeof *program);
    program->betas = expr->betas;
    program->number = aligned_alloc(SIMD_ALIGN, (count + 1) * LANES * sizeof(float));
    if (!program->number)
        abort();
    struct compiler compiler = {
        .expr = expr,
        .program = program,
        .constant = xcalloc(count, sizeof(double)),
        .dependence = xcalloc(count, sizeof(uint8_t)),
        .value = xcalloc(count, sizeof(struct ref)),
        .slope = xcalloc(count, sizeof(struct ref)),
        .needed = xcalloc(count, sizeof(bool)),
        .reached = xcalloc(count, sizeof(bool)),
    };
    find_dependence(&compiler);
    make_code(&compiler, &program->forward, make_forward);
    make_code(&compiler, &program->backward, make_backward);
    free(compiler.constant);
    free(compiler.dependence);
    free(compiler.value);
    free(compiler.slope);
    free(compiler.needed);
    free(compiler.reached);
    return program;
}

void program_destroy(struct program **program)
{
    if (!*program)
        return;
    for (int s = 0; s < SECTIONS; s++) {
        free((*program)->forward.section[s].at);
        free((*program)->backward.section[s].at);
    }
    free((*program)->number);
    free(*program);
    *program = NULL;
}

int program_betas(const struct program *program)
{
    return program->betas;
}

/* ---- running it ---- */

struct run {
    const struct program *program;
    const struct tile_functions *functions;
    const float *x, *beta, *dy;
    float *result;
    float *tiles, *uniforms;
    size_t tile_floats;
};

static struct tile_operand resolve(const struct run *run, struct ref ref)
{
    switch (ref.place) {
    case PLACE_X:
        return (struct tile_operand){(float *)(uintptr_t)run->x, LANES};
    case PLACE_DY:
        return (struct tile_operand){(float *)(uintptr_t)run->dy, LANES};
    case PLACE_RESULT:
        return (struct tile_operand){run->result, LANES};
    case PLACE_BETA:
        return (struct tile_operand){(float *)(uintptr_t)(run->beta + (size_t)ref.index * LANES), 0};
    case PLACE_UNIFORM:
        return (struct tile_operand){run->uniforms + (size_t)ref.index * LANES, 0};
    case PLACE_TILE:
        return (struct tile_operand){run->tiles + ref.index * run->tile_floats, LANES};
    default: /* a number; also for operands that the loop never looks at, which still are loaded from in debug
                builds */
        return (struct tile_operand){run->program->number + (size_t)ref.index * LANES, 0};
    }
}

static tile_function *function_of(const struct tile_functions *functions,
                                  const struct instruction *instruction)
{
    switch (instruction->kind) {
    case KIND_VALUE:
        return functions->value[instruction->op];
    case KIND_VALUE_SLOPE:
        return functions->value_slope[instruction->op];
    case KIND_SLOPE_A:
        return functions->slope[0][instruction->op];
    case KIND_SLOPE_B:
        return functions->slope[1][instruction->op];
    case KIND_COPY:
        return functions->copy;
    default:
        return functions->sum;
    }
}

static void run_section(const struct run *run, const struct instructions *section, size_t rows)
{
    for (int i = 0; i < section->count; i++) {
        const struct instruction *instruction = &section->at[i];
        struct tile_work work = {.n = instruction->n, .rows = rows};
        work.out = resolve(run, instruction->out).at;
        work.out_slope = resolve(run, instruction->out_slope).at;
        for (int k = 0; k < TILE_OPERANDS; k++)
            work.operand[k] = resolve(run, instruction->operand[k]);
        function_of(run->functions, instruction)(&work);
    }
}

/* Scratch as large as the code needs: most programs get by with a little of the stack, the longest take the
 * heap. */
enum { SMALL_UNIFORMS = 64 };

static void run_code(struct run *run, const struct code *code, size_t rows, float *dbeta)
{
    float small_tiles[L1_FLOATS] __attribute__((aligned(SIMD_ALIGN)));
    float small_uniforms[SMALL_UNIFORMS * LANES] __attribute__((aligned(SIMD_ALIGN)));
    run->functions = tile_functions_of[simd_path()];
    run->tile_floats = (size_t)code->rows * LANES;
    run->tiles = small_tiles;
    run->uniforms = small_uniforms;
    if ((size_t)code->tiles * run->tile_floats > L1_FLOATS)
        run->tiles = aligned_alloc(SIMD_ALIGN, (size_t)code->tiles * run->tile_floats * sizeof(float));
    if (code->uniforms > SMALL_UNIFORMS)
        run->uniforms = aligned_alloc(SIMD_ALIGN, (size_t)code->uniforms * LANES * sizeof(float));
    if (!run->tiles || !run->uniforms)
        abort();
    memset(run->uniforms, 0, (size_t)code->uniforms * LANES * sizeof(float)); /* the sums start at 0 */

    run_section(run, &code->section[SECTION_BEFORE], 1);
    for (size_t row = 0; row < rows; row += (size_t)code->rows) {
        size_t some = rows - row < (size_t)code->rows ? rows - row : (size_t)code->rows;
        run_section(run, &code->section[SECTION_TILE], some);
        run->x += some * LANES;
        run->dy = run->dy ? run->dy + some * LANES : NULL;
        run->result += some * LANES;
    }
    run_section(run, &code->section[SECTION_AFTER], 1);
    for (int k = 0; dbeta && k < run->program->betas; k++)
        for (int lane = 0; code->beta_sum[k].place != PLACE_NONE && lane < LANES; lane++)
            dbeta[k * LANES + lane] += resolve(run, code->beta_sum[k]).at[lane];

    if (run->tiles != small_tiles)
        free(run->tiles);
    if (run->uniforms != small_uniforms)
        free(run->uniforms);
}

void program_forward(const struct program *program, const float *x, const float *beta, float *y, size_t rows)
{
    struct run run = {.program = program, .x = x, .beta = beta, .result = y};
    run_code(&run, &program->forward, rows, NULL);
}

void program_backward(const struct program *program, const float *x, const float *beta, const float *dy,
                      float *dx, float *dbeta, size_t rows)
{
    struct run run = {.program = program, .x = x, .beta = beta, .dy = dy, .result = dx};
    run_code(&run, &program->backward, rows, dbeta);
}
