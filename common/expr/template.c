#include "common/expr/node.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool expr_template_uses(const struct expr *pattern, const char *name)
{
    for (int i = 0; i < pattern->count; i++)
        if (pattern->nodes[i].op == OP_X && strcmp(pattern->names[pattern->nodes[i].index], name) == 0)
            return true;
    return false;
}

static const struct expr *bound_value(const char *name, const struct expr_binding *bindings, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(bindings[i].name, name) == 0)
            return bindings[i].value;
    assert(!"a binding for each name of the template");
    return NULL;
}

/* Copies the nodes of an expression over x into the builder; returns its root. */
static int graft(struct builder *builder, const struct expr *expr)
{
    int32_t *number = xcalloc((size_t)expr->count, sizeof *number);
    for (int i = 0; i < expr->count; i++) {
        struct node node = expr->nodes[i];
        bool missing = false;
        for (int k = 0; k < op_rows[node.op].arity; k++) {
            node.operand[k] = number[node.operand[k]];
            missing |= node.operand[k] < 0;
        }
        number[i] = missing ? -1 : builder_add(builder, node);
    }
    int root = number[expr->count - 1];
    free(number);
    return root;
}

/* The parameters of the result: those of the values, and the template's own from `base` on. */
static int collect_betas(const struct expr *pattern, const struct expr_binding *bindings, int count, int base,
                         double init, struct expr *like)
{
    for (int k = 0; k < EXPR_MAX_BETAS; k++)
        like->beta_init[k] = NAN;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < bindings[i].value->betas; k++) {
            if (isnan(like->beta_init[k]))
                like->beta_init[k] = bindings[i].value->beta_init[k];
            if (like->betas <= k)
                like->betas = k + 1;
        }
    for (int k = 0; k < pattern->betas; k++) {
        if (base + k >= EXPR_MAX_BETAS)
            return ERR_LIMIT;
        if (like->betas <= base + k)
            like->betas = base + k + 1;
        else if (!isnan(like->beta_init[base + k]))
            continue; /* shared with a value that has it already */
        like->beta_init[base + k] = isnan(pattern->beta_init[k]) ? init : pattern->beta_init[k];
    }
    for (int k = 0; k < like->betas; k++)
        if (isnan(like->beta_init[k]))
            like->beta_init[k] = 1.0;
    return 0;
}

int expr_template_apply(const struct expr *pattern, const struct expr_binding *bindings, int binding_count,
                        int beta_base, double beta_init, struct expr **ret_expr)
{
    struct expr like = {.name_count = 1, .names = {"x"}};
    int err = collect_betas(pattern, bindings, binding_count, beta_base, beta_init, &like);
    if (err)
        return err;
    struct builder builder = builder_new(EXPR_MAX_NODES);
    int32_t number[EXPR_MAX_NODES];
    bool full = false;
    for (int i = 0; i < pattern->count && !full; i++) {
        const struct node *node = &pattern->nodes[i];
        if (node->op == OP_NUMBER)
            number[i] = builder_number(&builder, node->value);
        else if (node->op == OP_BETA)
            number[i] = builder_leaf(&builder, OP_BETA, beta_base + node->index);
        else if (node->op == OP_X)
            number[i] = graft(&builder, bound_value(pattern->names[node->index], bindings, binding_count));
        else
            number[i] = builder_op(&builder, node->op, number[node->operand[0]],
                                   node->operand[1] < 0 ? -1 : number[node->operand[1]], node->index);
        full = number[i] < 0;
    }
    if (full) {
        builder_release(&builder);
        return ERR_LIMIT;
    }
    struct expr *expr = builder_finish(&builder, number[pattern->count - 1], &like);
    if (!expr_fits(expr)) {
        expr_destroy(&expr);
        return ERR_LIMIT;
    }
    *ret_expr = expr;
    return 0;
}
