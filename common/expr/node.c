#include "common/expr/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct op_row op_rows[OPS] = {
    [OP_NUMBER] = {.name = "number"},
    [OP_X] = {.name = "x"},
    [OP_BETA] = {.name = "b"},
#define OP(id, name, arity, syntax, properties, length, range, value, slope_a, slope_b, text_a, text_b,      \
           meaning)                                                                                          \
    [OP_##id] =                                                                                              \
        {name,   arity, SYNTAX_##syntax, PROPERTY_##properties, {text_a, text_b}, {#slope_a, #slope_b},      \
         meaning},
#include "common/expr/ops.def"
#undef OP
};

struct builder builder_new(int limit)
{
    struct builder builder = {.capacity = 32, .limit = limit, .slot_count = 64};
    builder.nodes = xcalloc((size_t)builder.capacity, sizeof *builder.nodes);
    builder.slots = xcalloc((size_t)builder.slot_count, sizeof *builder.slots);
    return builder;
}

void builder_release(struct builder *builder)
{
    free(builder->nodes);
    free(builder->slots);
    *builder = (struct builder){0};
}

static uint64_t node_hash(const struct node *node)
{
    uint64_t bits;
    memcpy(&bits, &node->value, sizeof bits);
    const uint64_t words[] = {(uint64_t)node->op, (uint32_t)node->operand[0], (uint32_t)node->operand[1],
                              (uint32_t)node->index, bits};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
    return hash;
}

static bool node_equal(const struct node *a, const struct node *b)
{
    return a->op == b->op && a->operand[0] == b->operand[0] && a->operand[1] == b->operand[1] &&
           a->index == b->index && memcmp(&a->value, &b->value, sizeof a->value) == 0;
}

static int32_t *builder_slot(struct builder *builder, const struct node *node)
{
    uint64_t mask = (uint64_t)builder->slot_count - 1;
    uint64_t at = node_hash(node) & mask;
    while (builder->slots[at] && !node_equal(&builder->nodes[builder->slots[at] - 1], node))
        at = (at + 1) & mask;
    return &builder->slots[at];
}

static void builder_grow(struct builder *builder)
{
    builder->capacity *= 2;
    builder->nodes = xrealloc(builder->nodes, (size_t)builder->capacity, sizeof *builder->nodes);
    builder->slot_count = 2 * builder->capacity;
    free(builder->slots);
    builder->slots = xcalloc((size_t)builder->slot_count, sizeof *builder->slots);
    for (int i = 0; i < builder->count; i++)
        *builder_slot(builder, &builder->nodes[i]) = i + 1;
}

int builder_add(struct builder *builder, struct node node)
{
    int32_t *slot = builder_slot(builder, &node);
    if (*slot)
        return *slot - 1;
    if (builder->count == builder->limit)
        return -1;
    if (builder->count == builder->capacity) {
        builder_grow(builder);
        slot = builder_slot(builder, &node);
    }
    builder->nodes[builder->count] = node;
    *slot = ++builder->count;
    return builder->count - 1;
}

int builder_number(struct builder *builder, double value)
{
    return builder_add(builder, (struct node){.op = OP_NUMBER, .operand = {-1, -1}, .value = value});
}

int builder_leaf(struct builder *builder, enum op op, int index)
{
    return builder_add(builder, (struct node){.op = op, .operand = {-1, -1}, .index = index});
}

int builder_op(struct builder *builder, enum op op, int a, int b, int index)
{
    if (a < 0 || (op_rows[op].arity == 2 && b < 0))
        return -1;
    if (op == OP_NEG && builder->nodes[a].op == OP_NUMBER)
        return builder_number(builder, -builder->nodes[a].value);
    return builder_add(
        builder, (struct node){.op = op, .operand = {a, op_rows[op].arity == 2 ? b : -1}, .index = index});
}

/* Numbers the nodes under `root` in the order of a depth-first walk; the stack holds what is begun and not
 * yet numbered. */
static int walk(const struct builder *builder, int root, int32_t *order, int32_t *number)
{
    int32_t *stack = xcalloc((size_t)builder->count + 1, sizeof *stack);
    int depth = 0, count = 0;
    stack[depth++] = root;
    while (depth) {
        int at = stack[depth - 1];
        const struct node *node = &builder->nodes[at];
        int next = -1;
        for (int k = 0; k < op_rows[node->op].arity && next < 0; k++)
            if (number[node->operand[k]] < 0)
                next = node->operand[k];
        if (next >= 0) {
            stack[depth++] = next;
            continue;
        }
        depth--;
        number[at] = count;
        order[count++] = at;
    }
    free(stack);
    return count;
}

struct expr *builder_finish(struct builder *builder, int root, const struct expr *like)
{
    assert(root >= 0 && root < builder->count);
    int32_t *order = xcalloc((size_t)builder->count, sizeof *order);
    int32_t *number = xcalloc((size_t)builder->count, sizeof *number);
    for (int i = 0; i < builder->count; i++)
        number[i] = -1;
    int count = walk(builder, root, order, number);
    struct expr *expr = xcalloc(1, sizeof *expr + (size_t)count * sizeof *expr->nodes);
    *expr = *like;
    expr->count = count;
    for (int i = 0; i < count; i++) {
        struct node node = builder->nodes[order[i]];
        for (int k = 0; k < op_rows[node.op].arity; k++)
            node.operand[k] = number[node.operand[k]];
        expr->nodes[i] = node;
    }
    free(order);
    free(number);
    builder_release(builder);
    return expr;
}

void expr_destroy(struct expr **expr)
{
    free(*expr);
    *expr = NULL;
}

bool expr_equal(const struct expr *a, const struct expr *b)
{
    if (a->count != b->count || a->betas != b->betas || a->name_count != b->name_count)
        return false;
    for (int i = 0; i < a->name_count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    for (int i = 0; i < a->count; i++)
        if (!node_equal(&a->nodes[i], &b->nodes[i]))
            return false;
    return memcmp(a->beta_init, b->beta_init, (size_t)a->betas * sizeof *a->beta_init) == 0;
}

int expr_betas(const struct expr *expr)
{
    return expr->betas;
}

double expr_beta_init(const struct expr *expr, int beta)
{
    assert(beta >= 0 && beta < expr->betas);
    return expr->beta_init[beta];
}

bool node_is_flat(const struct node *node)
{
    return op_rows[node->op].property == PROPERTY_FLAT || (node->op == OP_POWER && node->index == 0);
}
