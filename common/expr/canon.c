/* The canonical form: operands of commutative primitives ordered, numbers folded, parameters renumbered in
 * order of appearance.
 *
 * The order must not depend on how the parameters were numbered, else b0*x+b1*x^2 and b1*x+b0*x^2 would not
 * meet, nor on the order of operands as written. So operands are compared first with all parameters alike.
 * Where that leaves a tie, parameters are told apart by where they stand: each has a colour, at first its
 * initial value, refined by the shape of the expression around it until nothing changes (as in the tests for
 * isomorphic graphs). Parameters that still share a colour are nearly always interchangeable; each choice of
 * one of them is tried, and the least result wins. A choice whose first result equals one already seen is an
 * automorphism and need not be explored. */
#include "common/expr/node.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEAVES = 512 }; /* of the search over ties; reached by no expression of a search space */

struct colours {
    uint64_t of[EXPR_MAX_BETAS];
};

/* ---- the order of operands ---- */

struct ordering {
    struct builder builder;
    int32_t *size; /* of the tree under each node, saturating */
    int size_capacity;
    const struct colours *colours; /* NULL: by number */
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static uint64_t number_key(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63; /* ordered as the numbers are, −0 before 0 */
}

/* tell_apart: whether different parameters are different. */
static int compare_nodes(const struct ordering *ordering, int i, int j, bool tell_apart)
{
    if (i == j)
        return 0;
    const struct node *a = &ordering->builder.nodes[i], *b = &ordering->builder.nodes[j];
    if (a->op != b->op)
        return ordering->size[i] != ordering->size[j] ? (ordering->size[i] < ordering->size[j] ? -1 : 1)
                                                      : (a->op < b->op ? -1 : 1);
    if (ordering->size[i] != ordering->size[j])
        return ordering->size[i] < ordering->size[j] ? -1 : 1;
    if (a->op == OP_BETA) {
        if (!tell_apart)
            return 0;
        const struct colours *colours = ordering->colours;
        return colours ? compare_u64(colours->of[a->index], colours->of[b->index])
                       : compare_u64((uint64_t)a->index, (uint64_t)b->index);
    }
    if (a->op == OP_NUMBER)
        return compare_u64(number_key(a->value), number_key(b->value));
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    for (int k = 0; k < op_rows[a->op].arity; k++) {
        int order = compare_nodes(ordering, a->operand[k], b->operand[k], tell_apart);
        if (order)
            return order;
    }
    return 0;
}

/* Where people put an operand: 2*x and b0*x, but x+1 and max(x,0). A sum within a sum comes first, and so
 * does a product within a product: no parentheses, and long chains do not nest. */
static int place(const struct node *node, enum op parent)
{
    enum syntax syntax = op_rows[parent].syntax;
    if (syntax != SYNTAX_CALL && op_rows[node->op].syntax == syntax)
        return 0;
    bool product = syntax == SYNTAX_PRODUCT;
    switch (node->op) {
    case OP_NUMBER:
        return product ? 1 : 5;
    case OP_BETA:
        return product ? 2 : 4;
    case OP_X:
        return product ? 3 : 1;
    default:
        return product ? 4 : 2;
    }
}

static bool in_order(const struct ordering *ordering, enum op parent, int i, int j)
{
    const struct node *nodes = ordering->builder.nodes;
    int order = place(&nodes[i], parent) - place(&nodes[j], parent);
    if (order == 0)
        order = compare_nodes(ordering, i, j, false);
    if (order == 0)
        order = compare_nodes(ordering, i, j, true);
    return order <= 0;
}

/* The node, or the number that it folds to. */
static int fold(struct builder *builder, const struct node *node)
{
    int arity = op_rows[node->op].arity;
    double value[2] = {0, 0};
    for (int k = 0; k < arity; k++) {
        if (builder->nodes[node->operand[k]].op != OP_NUMBER)
            return builder_op(builder, node->op, node->operand[0], node->operand[1], node->index);
        value[k] = builder->nodes[node->operand[k]].value;
    }
    double folded = node_value(node, value[0], value[1]);
    return isfinite(folded) ? builder_number(builder, folded)
                            : builder_op(builder, node->op, node->operand[0], node->operand[1], node->index);
}

static void note_size(struct ordering *ordering, int at)
{
    if (at >= ordering->size_capacity) {
        ordering->size_capacity = 2 * at + 16;
        ordering->size = xrealloc(ordering->size, (size_t)ordering->size_capacity, sizeof *ordering->size);
    }
    const struct node *node = &ordering->builder.nodes[at];
    int32_t size = 1;
    for (int k = 0; k < op_rows[node->op].arity; k++)
        if (__builtin_add_overflow(size, ordering->size[node->operand[k]], &size))
            size = INT32_MAX;
    ordering->size[at] = size;
}

/* expr with numbers folded and operands ordered; parameters keep their numbers. */
static struct expr *ordered(const struct expr *expr, const struct colours *colours)
{
    struct ordering ordering = {.builder = builder_new(INT32_MAX), .colours = colours};
    int32_t *number = xcalloc((size_t)expr->count, sizeof *number);
    for (int i = 0; i < expr->count; i++) {
        struct node node = expr->nodes[i];
        int arity = op_rows[node.op].arity;
        for (int k = 0; k < arity; k++)
            node.operand[k] = number[node.operand[k]];
        if (op_rows[node.op].property == PROPERTY_COMMUTATIVE &&
            !in_order(&ordering, node.op, node.operand[0], node.operand[1])) {
            int32_t first = node.operand[0];
            node.operand[0] = node.operand[1];
            node.operand[1] = first;
        }
        number[i] = arity ? fold(&ordering.builder, &node) : builder_add(&ordering.builder, node);
        note_size(&ordering, number[i]);
    }
    struct expr *result = builder_finish(&ordering.builder, number[expr->count - 1], expr);
    free(number);
    free(ordering.size);
    return result;
}

/* Parameters numbered as a reader meets them. The nodes are in the order of reading, so the order of first
 * parameters is too. */
static void renumber(struct expr *expr)
{
    double init[EXPR_MAX_BETAS];
    int number[EXPR_MAX_BETAS], betas = 0;
    memcpy(init, expr->beta_init, sizeof init);
    memset(number, -1, sizeof number);
    memset(expr->beta_init, 0, sizeof expr->beta_init);
    for (int i = 0; i < expr->count; i++) {
        struct node *node = &expr->nodes[i];
        if (node->op != OP_BETA)
            continue;
        if (number[node->index] < 0) {
            expr->beta_init[betas] = init[node->index];
            number[node->index] = betas++;
        }
        node->index = number[node->index];
    }
    expr->betas = betas;
}

/* ---- telling parameters apart ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 31;
    hash *= 0x94d049bb133111ebu;
    return hash ^ hash >> 29;
}

/* One round: a parameter's new colour is its old one and the shape of all places where it stands. */
static void refine_once(const struct expr *expr, struct colours *colours, uint64_t *shape, uint64_t *around)
{
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        uint64_t own =
            mix((uint64_t)node->op, node->op == OP_BETA ? colours->of[node->index] : (uint32_t)node->index);
        own = mix(own, number_key(node->value));
        uint64_t below[2] = {0, 0};
        for (int k = 0; k < op_rows[node->op].arity; k++)
            below[k] = shape[node->operand[k]];
        if (op_rows[node->op].property == PROPERTY_COMMUTATIVE && below[0] > below[1]) {
            uint64_t first = below[0];
            below[0] = below[1];
            below[1] = first;
        }
        shape[i] = mix(mix(own, below[0]), below[1]);
        around[i] = 0;
    }
    struct colours old = *colours;
    for (int i = expr->count - 1; i >= 0; i--) {
        const struct node *node = &expr->nodes[i];
        if (node->op == OP_BETA)
            colours->of[node->index] = mix(old.of[node->index], around[i]);
        bool commutative = op_rows[node->op].property == PROPERTY_COMMUTATIVE;
        for (int k = 0; k < op_rows[node->op].arity; k++)
            around[node->operand[k]] += mix(mix(around[i], shape[i]), commutative ? 0 : (uint64_t)k + 1);
    }
}

static int distinct_colours(const struct colours *colours, int betas)
{
    int distinct = 0;
    for (int k = 0; k < betas; k++) {
        bool seen = false;
        for (int j = 0; j < k; j++)
            seen |= colours->of[j] == colours->of[k];
        distinct += !seen;
    }
    return distinct;
}

static void refine(const struct expr *expr, struct colours *colours)
{
    uint64_t *shape = xcalloc(2 * (size_t)expr->count, sizeof *shape);
    int before, after = 0;
    do {
        before = after;
        refine_once(expr, colours, shape, shape + expr->count);
        after = distinct_colours(colours, expr->betas);
    } while (after > before && after < expr->betas);
    free(shape);
}

/* The least colour that several parameters share; *ret_members has a bit for each. False where all differ. */
static bool find_tie(const struct colours *colours, int betas, unsigned *ret_members)
{
    bool found = false;
    uint64_t least = 0;
    for (int k = 0; k < betas; k++) {
        unsigned members = 0;
        for (int j = 0; j < betas; j++)
            members |= (unsigned)(colours->of[j] == colours->of[k]) << j;
        if ((members & (members - 1)) && (!found || colours->of[k] < least)) {
            found = true;
            least = colours->of[k];
            *ret_members = members;
        }
    }
    return found;
}

static struct colours set_apart(const struct expr *expr, struct colours colours, int beta)
{
    colours.of[beta] = mix(colours.of[beta], 1);
    refine(expr, &colours);
    return colours;
}

static struct expr *result_of(const struct expr *expr, const struct colours *colours)
{
    struct expr *result = ordered(expr, colours);
    renumber(result);
    return result;
}

static int compare_results(const struct expr *a, const struct expr *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = 0; i < a->count; i++) {
        const struct node *p = &a->nodes[i], *q = &b->nodes[i];
        const int64_t left[] = {p->op, p->operand[0], p->operand[1], p->index};
        const int64_t right[] = {q->op, q->operand[0], q->operand[1], q->index};
        for (int k = 0; k < 4; k++)
            if (left[k] != right[k])
                return left[k] < right[k] ? -1 : 1;
        int order = compare_u64(number_key(p->value), number_key(q->value));
        if (order)
            return order;
    }
    for (int k = 0; k < a->betas; k++) {
        int order = compare_u64(number_key(a->beta_init[k]), number_key(b->beta_init[k]));
        if (order)
            return order;
    }
    return 0;
}

/* The result of taking the first parameter of each tie. */
static struct expr *first_result(const struct expr *expr, struct colours colours)
{
    unsigned members;
    while (find_tie(&colours, expr->betas, &members))
        colours = set_apart(expr, colours, __builtin_ctz(members));
    return result_of(expr, &colours);
}

static struct expr *least_result(const struct expr *expr, const struct colours *colours, int *leaves)
{
    unsigned members;
    if (!find_tie(colours, expr->betas, &members)) {
        ++*leaves;
        return result_of(expr, colours);
    }
    int first = __builtin_ctz(members);
    struct colours chosen = set_apart(expr, *colours, first);
    struct expr *reference = first_result(expr, chosen);
    struct expr *least = least_result(expr, &chosen, leaves);
    for (int k = first + 1; k < expr->betas && *leaves < MAX_LEAVES; k++) {
        if (!(members >> k & 1))
            continue;
        chosen = set_apart(expr, *colours, k);
        struct expr *candidate = first_result(expr, chosen);
        ++*leaves;
        if (compare_results(candidate, reference) != 0) {
            expr_destroy(&candidate);
            candidate = least_result(expr, &chosen, leaves);
        }
        if (compare_results(candidate, least) < 0) {
            struct expr *worse = least;
            least = candidate;
            candidate = worse;
        }
        expr_destroy(&candidate);
    }
    expr_destroy(&reference);
    return least;
}

struct expr *expr_canon(const struct expr *expr)
{
    /* Ordered by number first: operands equal up to their order become one node, whatever the numbers are. */
    struct expr *merged = ordered(expr, NULL);
    struct colours colours;
    for (int k = 0; k < EXPR_MAX_BETAS; k++)
        colours.of[k] = k < expr->betas ? mix(0, number_key(expr->beta_init[k])) : 0;
    bool used[EXPR_MAX_BETAS] = {false};
    for (int i = 0; i < merged->count; i++)
        if (merged->nodes[i].op == OP_BETA)
            used[merged->nodes[i].index] = true;
    for (int k = 0; k < merged->betas; k++)
        if (!used[k])
            colours.of[k] = (uint64_t)k; /* in nobody's way: it does not occur */
    refine(merged, &colours);
    int leaves = 0;
    struct expr *canon = least_result(merged, &colours, &leaves);
    expr_destroy(&merged);
    return canon;
}
