#include "common/expr/node.h"
#include "common/expr/scalar.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define F(function) scalar_##function
#define K(constant) (double)(constant)

double node_value(const struct node *node, double a, double b)
{
    (void)b;
    int n = node->index;
    switch (node->op) {
#define OP(id, name, arity, syntax, properties, length, range, value, ...)                                   \
    case OP_##id:                                                                                            \
        return value;
#include "common/expr/ops.def"
#undef OP
    default:
        assert(!"a primitive");
        return n;
    }
}

double node_slope(const struct node *node, int operand, double a, double b, double y)
{
    (void)b, (void)y;
    int n = node->index;
    switch (node->op) {
#define OP(id, name, arity, syntax, properties, length, range, value, slope_a, slope_b, ...)                 \
    case OP_##id:                                                                                            \
        return operand == 0 ? slope_a : slope_b;
#include "common/expr/ops.def"
#undef OP
    default:
        assert(!"a primitive");
        return n;
    }
}

enum { SMALL = 256 }; /* nodes whose values stand on the stack */

/* The value of each node. */
static void eval_nodes(const struct expr *expr, double x, const double *beta, double *value)
{
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        if (node->op == OP_NUMBER)
            value[i] = node->value;
        else if (node->op == OP_X)
            value[i] = x;
        else if (node->op == OP_BETA)
            value[i] = beta[node->index];
        else
            value[i] =
                node_value(node, value[node->operand[0]], node->operand[1] < 0 ? 0 : value[node->operand[1]]);
    }
}

double expr_eval(const struct expr *expr, double x, const double *beta)
{
    double small[SMALL];
    double *value = expr->count <= SMALL ? small : xcalloc((size_t)expr->count, sizeof *value);
    eval_nodes(expr, x, beta, value);
    double y = value[expr->count - 1];
    if (value != small)
        free(value);
    return y;
}

double expr_eval_gradient(const struct expr *expr, double x, const double *beta, double *ret_dx,
                          double *ret_dbeta)
{
    double small[2 * SMALL];
    double *value = expr->count <= SMALL ? small : xcalloc(2 * (size_t)expr->count, sizeof *value);
    double *adjoint = value + expr->count;
    bool *reached = xcalloc((size_t)expr->count, sizeof *reached);
    eval_nodes(expr, x, beta, value);
    double y = value[expr->count - 1];
    *ret_dx = 0.0;
    for (int k = 0; k < expr->betas; k++)
        ret_dbeta[k] = 0.0;
    adjoint[expr->count - 1] = 1.0;
    reached[expr->count - 1] = true;
    for (int i = expr->count - 1; i >= 0; i--) {
        const struct node *node = &expr->nodes[i];
        if (!reached[i])
            continue;
        if (node->op == OP_X)
            *ret_dx = adjoint[i];
        if (node->op == OP_BETA)
            ret_dbeta[node->index] = adjoint[i];
        if (node_is_flat(node))
            continue;
        double a = op_rows[node->op].arity > 0 ? value[node->operand[0]] : 0;
        double b = op_rows[node->op].arity > 1 ? value[node->operand[1]] : 0;
        for (int k = 0; k < op_rows[node->op].arity; k++) {
            int operand = node->operand[k];
            double part = adjoint[i] * node_slope(node, k, a, b, value[i]);
            adjoint[operand] = reached[operand] ? adjoint[operand] + part : part;
            reached[operand] = true;
        }
    }
    free(reached);
    if (value != small)
        free(value);
    return y;
}
