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

/* out = op(a, b), in the section that `section` says. Signs go where they cost nothing: −(−a) is a, a + −b and
 * a − −b are a − b and a + b, to the bit. What is not needed any more is dropped later. */
static struct ref emit_op(struct code *code, enum section section, enum op op, struct ref a, struct ref b)
{
    struct ref plain;
    if (op == OP_NEG && is_negated(code, section, a, &plain))
        return plain;
    if ((op == OP_ADD || op == OP_SUB) && is_negated(code, section, b, &plain)) {
        op = op == OP_ADD ? OP_SUB : OP_ADD;
        b = plain;
    } else if (op == OP_ADD && is_negated(code, section, a, &plain)) {
        op = OP_SUB;
        a = b;
        b = plain;
    }
    struct instruction *instruction = emit(code, section, KIND_VALUE, op);
    instruction->operand[TILE_A] = a;
    instruction->operand[TILE_B] = b;
    return instruction->out = new_ref(code, section);
}

/* a^n by squaring: products, and one quotient where n is negative. */
static struct ref emit_power(struct compiler *compiler, enum section section, struct ref a, int n)
{
    struct ref one = number_ref(compiler->numbers, 1.0), y = none;
    for (unsigned rest = n < 0 ? 0u - (unsigned)n : (unsigned)n; rest; rest >>= 1) {
        if (rest & 1)
            y = y.place == PLACE_NONE ? a : emit_op(compiler->code, section, OP_MUL, y, a);
        if (rest > 1)
            a = emit_op(compiler->code, section, OP_MUL, a, a);
    }
    return n == 0 ? one : n < 0 ? emit_op(compiler->code, section, OP_DIV, one, y) : y;
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
                emit_op(code, section, node->op, a,
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

/* g · d, where d may be the number 1. */
static struct ref emit_product(struct compiler *compiler, enum section section, struct ref g, struct ref d)
{
    struct ref one = number_ref(compiler->numbers, 1.0);
    if (d.place == one.place && d.index == one.index)
        return g;
    return emit_op(compiler->code, section, OP_MUL, g, d);
}

/* ∂/∂a of a^n is n·a^(n−1). */
static struct ref emit_power_slope(struct compiler *compiler, enum section section, const struct node *node)
{
    struct ref rest = emit_power(compiler, section, compiler->value[node->operand[0]], node->index - 1);
    return node->index == 1 ? rest
                            : emit_op(compiler->code, section, OP_MUL,
                                      number_ref(compiler->numbers, (double)node->index), rest);
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

/* g · ∂y/∂operand of a binary primitive, whose slopes may come together. */
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
                ret_part[k] = emit_product(compiler, section, g, named[k]);
        return;
    }
    struct instruction *instruction = emit(compiler->code, section,
                                           wanted[0] && wanted[1] ? KIND_BOTH
                                           : wanted[0]            ? KIND_SLOPE
                                                                  : KIND_SLOPE_B,
                                           node->op);
    instruction->operand[TILE_G] = g;
    for (int k = 0; k < 2; k++) {
        if (!wanted[k])
            continue;
        if (slope_uses(node->op, k, 'a'))
            instruction->operand[TILE_A] = compiler->value[node->operand[0]];
        if (slope_uses(node->op, k, 'b'))
            instruction->operand[TILE_B] = compiler->value[node->operand[1]];
        if (slope_uses(node->op, k, 'y'))
            instruction->operand[TILE_Y] = compiler->value[i];
        struct ref *out = k == 1 && wanted[0] ? &instruction->out_2 : &instruction->out;
        ret_part[k] = *out = new_ref(compiler->code, section);
    }
}

/* adjoint · slope for the operands that are wanted. */
static void emit_parts(struct compiler *compiler, int i, struct ref adjoint, const bool wanted[2],
                       struct ref ret_part[2])
{
    const struct node *node = &compiler->expr->nodes[i];
    enum section section = is_tile(adjoint) ? SECTION_TILE : SECTION_AFTER;
    if (unit_slope(node->op, 0)) { /* of sums, differences and negations all slopes are */
        for (int k = 0; k < 2; k++)
            if (wanted[k])
                ret_part[k] = unit_slope(node->op, k) > 0
                                  ? adjoint
                                  : emit_op(compiler->code, section, OP_NEG, adjoint, none);
    } else if (op_rows[node->op].arity == 1) {
        ret_part[0] = emit_product(compiler, section, adjoint, unary_slope(compiler, section, i));
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

/* What is already there and one part more. */
static struct ref emit_added(struct code *code, struct ref sum, struct ref part)
{
    return sum.place == PLACE_NONE
               ? part
               : emit_op(code, is_tile(part) ? SECTION_TILE : SECTION_AFTER, OP_ADD, sum, part);
}

static void emit_result(struct code *code, enum instruction_kind kind, struct ref value)
{
    emit(code, SECTION_TILE, kind, 0)->operand[TILE_A] = value;
}

/* The chain rule from the root down; the values that slopes need are there. */
static void emit_adjoints(struct compiler *compiler)
{
    const struct expr *expr = compiler->expr;
    struct code *code = compiler->code;
    int count = expr->count;
    struct ref *adjoint = xcalloc((size_t)count, sizeof *adjoint);
    bool *reached = compiler->reached;
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
        const bool wanted[2] = {flows(compiler, i, 0), flows(compiler, i, 1)};
        struct ref part[2];
        if (wanted[0] || wanted[1])
            emit_parts(compiler, i, adjoint[i], wanted, part);
        for (int k = 0; k < 2; k++) {
            if (!wanted[k])
                continue;
            int operand = node->operand[k];
            if (is_tile(part[k]) && compiler->dependence[operand] == 1)
                part[k] = emit_sum(code, part[k]);
            adjoint[operand] = emit_added(code, adjoint[operand], part[k]);
        }
    }
    emit_result(code, KIND_DX,
                x_adjoint.place == PLACE_NONE ? number_ref(compiler->numbers, 0.0) : x_adjoint);
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

void code_make(const struct expr *expr, int what, struct numbers *numbers, struct code *code)
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
    compiler.needed[count - 1] = what & WHAT_FORWARD;
    if (what & WHAT_BACKWARD) {
        find_reached(&compiler);
        find_needed(&compiler);
    }
    emit_needed_values(&compiler);
    if (what & WHAT_FORWARD)
        emit_result(code, KIND_Y, compiler.value[count - 1]);
    if (what & WHAT_BACKWARD)
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
