/* Compiles an expression to straight-line code over tiles.
 *
 * A value is either uniform (it depends on numbers and β alone: one row, computed once a call) or varying (a
 * tile). Code has three sections: `before` on uniform values, once; `tile` on varying ones, for each tile;
 * `after` on uniform adjoints, once. The backward code is the forward values that slopes need, then the chain
 * rule from the root down. Each β's adjoint is summed over all rows first; what lies between β and the
 * varying part is then differentiated once, on the sums.
 *
 * This file says what is computed; program_steps.c puts it in order and gives it places. */
#include "common/expr/program_code.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct compiler {
    const struct expr *expr;
    struct numbers *numbers;
    struct code *code;
    double *constant;    /* the value of nodes that depend on nothing */
    uint8_t *dependence; /* 0 nothing, 1 β, 2 x */
    struct ref *value;   /* of each node, in the code being made */
    struct ref *slope;   /* of SHARED nodes computed with their slope */
    bool *needed;        /* by the code being made */
    bool *reached;       /* by adjoints, in backward code */
};

static const struct ref none = {PLACE_NONE, 0};

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

static struct ref new_ref(struct code *code, enum section section)
{
    const bool tile = section == SECTION_TILE;
    const int index = tile ? code->tiles++ : code->uniforms++;
    assert(index <= UINT16_MAX);
    return (struct ref){tile ? PLACE_TILE : PLACE_UNIFORM, (uint16_t)index};
}

static bool is_tile(struct ref ref)
{
    return ref.place == PLACE_X || ref.place == PLACE_DY || ref.place == PLACE_TILE;
}

static struct ref number_ref(struct numbers *numbers, double value)
{
    float row[LANES];
    for (int lane = 0; lane < LANES; lane++)
        row[lane] = (float)value;
    for (int i = 0; i < numbers->count; i++)
        if (memcmp(numbers->row + i * LANES, row, sizeof row) == 0)
            return (struct ref){PLACE_NUMBER, (uint16_t)i};
    numbers->row = xrealloc(numbers->row, (size_t)numbers->count + 1, sizeof row);
    memcpy(numbers->row + numbers->count * LANES, row, sizeof row);
    return (struct ref){PLACE_NUMBER, (uint16_t)numbers->count++};
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

/* Where ref is the negation of another value, that value. */
static bool is_negated(const struct code *code, enum section section, struct ref ref, struct ref *ret_plain)
{
    enum { RECENT = 64 };
    const struct instructions *list = &code->section[section];
    for (int i = list->count - 1; i >= 0 && i >= list->count - RECENT; i--)
        if (list->at[i].op == OP_NEG && list->at[i].kind == KIND_VALUE &&
            list->at[i].out.place == ref.place && list->at[i].out.index == ref.index) {
            *ret_plain = list->at[i].operand[TILE_A];
            return true;
        }
    return false;
}

static bool is_number(const struct compiler *compiler, struct ref ref, float value)
{
    return ref.place == PLACE_NUMBER && compiler->numbers->row[ref.index * LANES] == value;
}

/* Where an instruction belongs: what a tile's adjoints compute from uniform values alone is computed once,
 * before. */
static enum section section_of(enum section section, const struct ref *operand, int count)
{
    for (int k = 0; k < count; k++)
        if (is_tile(operand[k]))
            return section;
    return section == SECTION_TILE ? SECTION_BEFORE : section;
}

/* op(a, b) of two numbers. One rounding of the double result is what floats would give. */
static struct ref folded(struct compiler *compiler, enum op op, struct ref a, struct ref b)
{
    const float *row = compiler->numbers->row;
    const struct node node = {.op = op};
    double x = (double)row[a.index * LANES], y = b.place == PLACE_NUMBER ? (double)row[b.index * LANES] : 0.0;
    return number_ref(compiler->numbers, node_value(&node, x, y));
}

static struct ref emit_op(struct compiler *compiler, enum section section, enum op op, struct ref a,
                          struct ref b);

/* Moves signs to where they cost nothing, to the bit the same: −(−a) is a, −a·b is −(a·b), a + −b and a − −b
 * are a − b and a + b. What is not needed any more is dropped later. */
static bool emit_signed(struct compiler *compiler, enum section section, enum op op, struct ref a,
                        struct ref b, struct ref *ret_ref)
{
    struct ref plain;
    const bool a_negated = is_negated(compiler->code, section, a, &plain);
    if (op == OP_NEG && a_negated)
        *ret_ref = plain;
    else if (op == OP_ADD && a_negated)
        *ret_ref = emit_op(compiler, section, OP_SUB, b, plain);
    else if (op == OP_MUL && a_negated)
        *ret_ref = emit_op(compiler, section, OP_NEG, emit_op(compiler, section, OP_MUL, plain, b), none);
    else if (op == OP_ADD && is_negated(compiler->code, section, b, &plain))
        *ret_ref = emit_op(compiler, section, OP_SUB, a, plain);
    else if (op == OP_SUB && is_negated(compiler->code, section, b, &plain))
        *ret_ref = emit_op(compiler, section, OP_ADD, a, plain);
    else if (op == OP_MUL && is_negated(compiler->code, section, b, &plain))
        *ret_ref = emit_op(compiler, section, OP_NEG, emit_op(compiler, section, OP_MUL, a, plain), none);
    else
        return false;
    return true;
}

/* op(a, b) in the section, or before it. */
static struct ref emit_op(struct compiler *compiler, enum section section, enum op op, struct ref a,
                          struct ref b)
{
    if (a.place == PLACE_NUMBER && (b.place == PLACE_NUMBER || op == OP_NEG))
        return folded(compiler, op, a, b);
    if (op == OP_MUL && (is_number(compiler, a, 1) || is_number(compiler, b, 1)))
        return is_number(compiler, a, 1) ? b : a;
    if (op == OP_MUL && (is_number(compiler, a, -1) || is_number(compiler, b, -1)))
        return emit_op(compiler, section, OP_NEG, is_number(compiler, a, -1) ? b : a, none);
    section = section_of(section, (struct ref[]){a, b}, 2);
    struct ref out;
    if (emit_signed(compiler, section, op, a, b, &out))
        return out;
    struct instruction *instruction = emit(compiler->code, section, KIND_VALUE, op);
    instruction->operand[TILE_A] = a;
    instruction->operand[TILE_B] = b;
    return instruction->out = new_ref(compiler->code, section);
}

/* a^n by squaring: products, and one quotient where n is negative. */
static struct ref emit_power(struct compiler *compiler, enum section section, struct ref a, int n)
{
    struct ref one = number_ref(compiler->numbers, 1.0), y = none;
    for (unsigned rest = n < 0 ? 0u - (unsigned)n : (unsigned)n; rest; rest >>= 1) {
        if (rest & 1)
            y = y.place == PLACE_NONE ? a : emit_op(compiler, section, OP_MUL, y, a);
        if (rest > 1)
            a = emit_op(compiler, section, OP_MUL, a, a);
    }
    return n == 0 ? one : n < 0 ? emit_op(compiler, section, OP_DIV, one, y) : y;
}

/* The value of node i, all of whose operands have theirs. */
static void emit_value(struct compiler *compiler, int i)
{
    const struct node *node = &compiler->expr->nodes[i];
    struct code *code = compiler->code;
    if (compiler->dependence[i] == 0) {
        compiler->value[i] = number_ref(compiler->numbers, compiler->constant[i]);
    } else if (node->op == OP_X) {
        compiler->value[i] = (struct ref){PLACE_X, 0};
    } else if (node->op == OP_BETA) {
        compiler->value[i] = (struct ref){PLACE_BETA, (uint16_t)node->index};
    } else {
        enum section section = compiler->dependence[i] == 2 ? SECTION_TILE : SECTION_BEFORE;
        struct ref a = compiler->value[node->operand[0]];
        if (node->op == OP_POWER)
            compiler->value[i] = emit_power(compiler, section, a, node->index);
        else if (section == SECTION_TILE && compiler->reached[i] &&
                 op_rows[node->op].property == PROPERTY_SHARED) {
            struct instruction *instruction = emit(code, section, KIND_BOTH, node->op);
            instruction->operand[TILE_A] = a;
            compiler->value[i] = instruction->out = new_ref(code, section);
            compiler->slope[i] = instruction->out_2 = new_ref(code, section);
        } else
            compiler->value[i] =
                emit_op(compiler, section, node->op, a,
                        op_rows[node->op].arity == 2 ? compiler->value[node->operand[1]] : none);
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

/* ∂/∂a of a^n is n·a^(n−1). */
static struct ref emit_power_slope(struct compiler *compiler, enum section section, const struct node *node)
{
    struct ref rest = emit_power(compiler, section, compiler->value[node->operand[0]], node->index - 1);
    return emit_op(compiler, section, OP_MUL, number_ref(compiler->numbers, (double)node->index), rest);
}

/* What a formula of one letter names: the slopes of a product and of exp. */
static struct ref named_by(const struct compiler *compiler, int i, const char *formula)
{
    const struct node *node = &compiler->expr->nodes[i];
    if (strcmp(formula, "a") == 0)
        return compiler->value[node->operand[0]];
    if (strcmp(formula, "b") == 0)
        return compiler->value[node->operand[1]];
    return strcmp(formula, "y") == 0 ? compiler->value[i] : none;
}

/* ∂y/∂a of a unary primitive. */
static struct ref unary_slope(struct compiler *compiler, enum section section, int i)
{
    const struct node *node = &compiler->expr->nodes[i];
    if (compiler->slope[i].place != PLACE_NONE)
        return compiler->slope[i];
    if (node->op == OP_POWER)
        return emit_power_slope(compiler, section, node);
    struct ref named = named_by(compiler, i, op_rows[node->op].slope_formula[0]);
    if (named.place != PLACE_NONE)
        return named;
    struct instruction *instruction = emit(compiler->code, section, KIND_SLOPE, node->op);
    instruction->operand[TILE_A] =
        slope_uses(node->op, 0, 'y') ? compiler->value[i] : compiler->value[node->operand[0]];
    return instruction->out = new_ref(compiler->code, section);
}

/* g · ∂y/∂operand of a binary primitive, whose slopes may come together: then that of b, where the chain rule
 * goes on, is the one that stays in the accumulator. */
static void emit_binary_slopes(struct compiler *compiler, enum section section, int i, struct ref g,
                               const bool wanted[2], struct ref ret_part[2])
{
    const struct node *node = &compiler->expr->nodes[i];
    struct ref named[2];
    for (int k = 0; k < 2; k++)
        named[k] = named_by(compiler, i, op_rows[node->op].slope_formula[k]);
    if (named[0].place != PLACE_NONE && named[1].place != PLACE_NONE) {
        for (int k = 0; k < 2; k++)
            if (wanted[k])
                ret_part[k] = emit_op(compiler, section, OP_MUL, g, named[k]);
        return;
    }
    struct instruction new = {.kind = wanted[0] && wanted[1] ? KIND_BOTH
                                      : wanted[0]            ? KIND_SLOPE
                                                             : KIND_SLOPE_B};
    new.operand[TILE_G] = g;
    for (int k = 0; k < 2; k++) {
        if (wanted[k] && slope_uses(node->op, k, 'a'))
            new.operand[TILE_A] = compiler->value[node->operand[0]];
        if (wanted[k] && slope_uses(node->op, k, 'b'))
            new.operand[TILE_B] = compiler->value[node->operand[1]];
        if (wanted[k] && slope_uses(node->op, k, 'y'))
            new.operand[TILE_Y] = compiler->value[i];
    }
    section = section_of(section, new.operand, TILE_OPERANDS);
    struct instruction *instruction = emit(compiler->code, section, new.kind, node->op);
    memcpy(instruction->operand, new.operand, sizeof new.operand);
    for (int k = 0; k < 2; k++)
        if (wanted[k])
            ret_part[k] = *(k == 0 && wanted[1] ? &instruction->out_2 : &instruction->out) =
                new_ref(compiler->code, section);
}

/* adjoint · slope for the operands that are wanted. */
static void emit_parts(struct compiler *compiler, int i, struct ref adjoint, const bool wanted[2],
                       struct ref ret_part[2])
{
    const struct node *node = &compiler->expr->nodes[i];
    enum section section = compiler->dependence[i] == 2 ? SECTION_TILE : SECTION_AFTER;
    if (unit_slope(node->op, 0)) { /* of sums, differences and negations all slopes are */
        for (int k = 0; k < 2; k++)
            if (wanted[k])
                ret_part[k] =
                    unit_slope(node->op, k) > 0 ? adjoint : emit_op(compiler, section, OP_NEG, adjoint, none);
    } else if (op_rows[node->op].arity == 1) {
        ret_part[0] = emit_op(compiler, section, OP_MUL, adjoint, unary_slope(compiler, section, i));
    } else {
        emit_binary_slopes(compiler, section, i, adjoint, wanted, ret_part);
    }
}

static struct ref emit_sum(struct code *code, struct ref tile)
{
    struct instruction *instruction = emit(code, SECTION_TILE, KIND_SUM, 0);
    instruction->operand[TILE_A] = tile;
    return instruction->out = new_ref(code, SECTION_AFTER);
}

static void emit_result(struct code *code, enum instruction_kind kind, struct ref value)
{
    emit(code, SECTION_TILE, kind, 0)->operand[TILE_A] = value;
}

/* The chain rule from the root down; the values that slopes need are there. The adjoint of the root is 1: dy
 * comes in where adjoints leave the tile, at x and where a β begins to vary. */
static void emit_adjoints(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    const int root = expr->count - 1;
    const struct ref dy = {PLACE_DY, 0};
    struct ref *adjoint = xcalloc((size_t)expr->count, sizeof *adjoint);
    struct ref dx = number_ref(compiler->numbers, 0.0);
    if (compiler->reached[root])
        adjoint[root] = compiler->dependence[root] == 2 ? number_ref(compiler->numbers, 1.0)
                                                        : emit_sum(compiler->code, dy);
    for (int i = root; i >= 0; i--) {
        const struct node *node = &expr->nodes[i];
        if (!compiler->reached[i])
            continue;
        if (node->op == OP_X)
            dx = emit_op(compiler, SECTION_TILE, OP_MUL, adjoint[i], dy);
        if (node->op == OP_BETA)
            compiler->code->beta_sum[node->index] = adjoint[i];
        const bool wanted[2] = {flows(compiler, i, 0), flows(compiler, i, 1)};
        struct ref part[2];
        if (wanted[0] || wanted[1])
            emit_parts(compiler, i, adjoint[i], wanted, part);
        for (int k = 0; k < 2; k++) {
            if (!wanted[k])
                continue;
            const int operand = node->operand[k];
            const bool varies = compiler->dependence[operand] == 2;
            if (!varies && compiler->dependence[i] == 2)
                part[k] = emit_sum(compiler->code, emit_op(compiler, SECTION_TILE, OP_MUL, part[k], dy));
            adjoint[operand] = adjoint[operand].place == PLACE_NONE
                                   ? part[k]
                                   : emit_op(compiler, varies ? SECTION_TILE : SECTION_AFTER, OP_ADD,
                                             adjoint[operand], part[k]);
        }
    }
    emit_result(compiler->code, KIND_DX, dx);
    free(adjoint);
}

static void find_reached(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    bool *reached = compiler->reached;
    reached[expr->count - 1] = compiler->dependence[expr->count - 1] > 0;
    for (int i = expr->count - 1; i >= 0; i--)
        for (int k = 0; k < 2; k++)
            if (reached[i] && flows(compiler, i, k))
                reached[expr->nodes[i].operand[k]] = true;
}

void code_make(const struct expr *expr, enum what what, struct numbers *numbers, struct code *code)
{
    assert(expr->count <= EXPR_MAX_NODES);
    size_t count = (size_t)expr->count;
    struct compiler compiler = {
        .expr = expr,
        .numbers = numbers,
        .code = code,
        .constant = xcalloc(count, sizeof(double)),
        .dependence = xcalloc(count, sizeof(uint8_t)),
        .value = xcalloc(count, sizeof(struct ref)),
        .slope = xcalloc(count, sizeof(struct ref)),
        .needed = xcalloc(count, sizeof(bool)),
        .reached = xcalloc(count, sizeof(bool)),
    };
    find_dependence(&compiler);
    compiler.needed[count - 1] = what == WHAT_FORWARD;
    if (what == WHAT_BACKWARD) {
        find_reached(&compiler);
        find_needed(&compiler);
    }
    emit_needed_values(&compiler);
    if (what == WHAT_FORWARD)
        emit_result(code, KIND_Y, compiler.value[count - 1]);
    else
        emit_adjoints(&compiler);
    free(compiler.constant);
    free(compiler.dependence);
    free(compiler.value);
    free(compiler.slope);
    free(compiler.needed);
    free(compiler.reached);
}

void code_release(struct code *code)
{
    for (int s = 0; s < SECTIONS; s++) {
        free(code->section[s].at);
        free(code->steps[s].at);
        free(code->steps[s].start);
    }
}
