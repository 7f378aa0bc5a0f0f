/* The symbolic derivative, forward: each node's derivative from the slopes of its row, written in the
 * language.
 *
 * Simplified only where floating point gives the same value: 1·u, u·1, u/1, −1·u, −(−u), u−0, u^1, u^0, and
 * numbers folded. A term whose operand does not depend on the variable is not there at all (the rule of
 * differentiation, not 0·u = 0). */
#include "common/expr/node.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { NO_SLOPE = -2 }; /* the derivative is 0 everywhere, structurally */

static bool is_number(const struct builder *builder, int at, double value)
{
    return builder->nodes[at].op == OP_NUMBER && builder->nodes[at].value == value &&
           !signbit(builder->nodes[at].value);
}

static int simplified(struct builder *builder, enum op op, int a, int b, int index)
{
    const struct node *left = &builder->nodes[a], *right = b < 0 ? NULL : &builder->nodes[b];
    if (left->op == OP_NUMBER && (!right || right->op == OP_NUMBER)) {
        struct node node = {.op = op, .index = index};
        double value = node_value(&node, left->value, right ? right->value : 0);
        if (isfinite(value))
            return builder_number(builder, value);
    }
    if (op == OP_MUL && is_number(builder, a, 1))
        return b;
    if ((op == OP_MUL || op == OP_DIV) && is_number(builder, b, 1))
        return a;
    if (op == OP_MUL && (left->op == OP_NUMBER && left->value == -1))
        return simplified(builder, OP_NEG, b, -1, 0);
    if (op == OP_MUL && (right->op == OP_NUMBER && right->value == -1))
        return simplified(builder, OP_NEG, a, -1, 0);
    if (op == OP_SUB && is_number(builder, b, 0))
        return a;
    if (op == OP_NEG && left->op == OP_NEG)
        return left->operand[0];
    if (op == OP_POWER && index == 1)
        return a;
    if (op == OP_POWER && index == 0)
        return builder_number(builder, 1);
    return builder_op(builder, op, a, b, index);
}

/* The slope of a row, with u, v and y replaced by nodes. */
static int slope_from_text(struct builder *builder, const char *text, int u, int v, int y)
{
    static const char *const names[] = {"u", "v", "y"};
    const int bound[] = {u, v, y};
    struct expr *pattern;
    struct problem problem;
    int err = expr_template_parse(text, names, 3, &pattern, &problem);
    assert(err == 0);
    (void)err;
    int *number = xcalloc((size_t)pattern->count, sizeof *number);
    for (int i = 0; i < pattern->count; i++) {
        const struct node *node = &pattern->nodes[i];
        if (node->op == OP_NUMBER)
            number[i] = builder_number(builder, node->value);
        else if (node->op == OP_X)
            number[i] = bound[node->index];
        else
            number[i] = simplified(builder, node->op, number[node->operand[0]],
                                   node->operand[1] < 0 ? -1 : number[node->operand[1]], node->index);
    }
    int root = number[pattern->count - 1];
    free(number);
    expr_destroy(&pattern);
    return root;
}

/* ∂node/∂operand as a node: the row's text, or for the integer power n·u^(n−1), whose n the text cannot name.
 */
static int slope(struct builder *builder, const struct node *node, int operand, int y)
{
    if (node->op == OP_POWER)
        return simplified(builder, OP_MUL, builder_number(builder, node->index),
                          simplified(builder, OP_POWER, node->operand[0], -1, node->index - 1), 0);
    return slope_from_text(builder, op_rows[node->op].slope_text[operand], node->operand[0], node->operand[1],
                           y);
}

/* part·inner, and minus signs of the slope kept in front of the product. */
static int chain(struct builder *builder, int part, int inner)
{
    if (builder->nodes[part].op == OP_NEG)
        return simplified(builder, OP_NEG, chain(builder, builder->nodes[part].operand[0], inner), -1, 0);
    return simplified(builder, OP_MUL, part, inner, 0);
}

/* left + right, a difference where right is negated or a negative number: the same value. */
static int sum(struct builder *builder, int left, int right)
{
    if (left == NO_SLOPE)
        return right;
    if (builder->nodes[right].op == OP_NEG)
        return simplified(builder, OP_SUB, left, builder->nodes[right].operand[0], 0);
    if (builder->nodes[right].op == OP_NUMBER && signbit(builder->nodes[right].value))
        return simplified(builder, OP_SUB, left, builder_number(builder, -builder->nodes[right].value), 0);
    return simplified(builder, OP_ADD, left, right, 0);
}

struct expr *expr_derivative(const struct expr *expr, int wrt)
{
    assert(wrt >= EXPR_WRT_X && wrt < expr->betas);
    struct builder builder = builder_new(INT32_MAX);
    int *value = xcalloc((size_t)expr->count, sizeof *value);
    int *derivative = xcalloc((size_t)expr->count, sizeof *derivative);
    for (int i = 0; i < expr->count; i++) {
        struct node node = expr->nodes[i];
        for (int k = 0; k < op_rows[node.op].arity; k++)
            node.operand[k] = value[node.operand[k]];
        value[i] = builder_add(&builder, node);
        derivative[i] = NO_SLOPE;
        if ((node.op == OP_X && wrt == EXPR_WRT_X) || (node.op == OP_BETA && node.index == wrt))
            derivative[i] = builder_number(&builder, 1);
        if (node_is_flat(&node))
            continue;
        for (int k = 0; k < op_rows[node.op].arity; k++) {
            int inner = derivative[expr->nodes[i].operand[k]];
            if (inner != NO_SLOPE)
                derivative[i] =
                    sum(&builder, derivative[i], chain(&builder, slope(&builder, &node, k, value[i]), inner));
        }
    }
    int root = derivative[expr->count - 1];
    if (root == NO_SLOPE)
        root = builder_number(&builder, 0);
    free(value);
    free(derivative);
    return builder_finish(&builder, root, expr);
}
