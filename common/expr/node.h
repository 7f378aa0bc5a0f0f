/* node: how an expression is stored, for the files of common/expr only.
 *
 * Invariants of a finished struct expr: operands stand before their users; equal nodes are one node; the
 * order is that of a depth-first walk, left before right, so that equal expressions are equal arrays; the
 * last node is the root; a negated number is a negative number, never a NEG node. `betas` counts parameter
 * numbers in use: without gaps in what expr_parse and expr_canon return, possibly with gaps in what
 * expr_template_apply and expr_derivative return.
 */
#ifndef COMMON_EXPR_NODE_H
#define COMMON_EXPR_NODE_H

#include "common/expr/expr.h"

#include <stddef.h>

enum op {
    OP_NUMBER, /* value */
    OP_X,      /* the variable number `index`: x, or a name of a template */
    OP_BETA,   /* the parameter number `index` */
#define OP(id, ...) OP_##id,
#include "common/expr/ops.def"
#undef OP
    OPS,
};

enum syntax { SYNTAX_LEAF, SYNTAX_SUM, SYNTAX_PRODUCT, SYNTAX_SIGN, SYNTAX_POWER, SYNTAX_CALL };
enum property { PROPERTY_PLAIN, PROPERTY_COMMUTATIVE, PROPERTY_FLAT, PROPERTY_SHARED };

struct op_row {
    const char *name;
    int arity;
    enum syntax syntax;
    enum property property;
    const char *slope_text[2];
    const char *slope_formula[2]; /* as in ops.def, for asking what it uses */
    const char *meaning;
};
/* A row for each enum op; the leaves have arity 0. */
extern const struct op_row op_rows[OPS];

struct node {
    enum op op;
    int32_t operand[2]; /* −1 where there is none */
    int32_t index;      /* of OP_X, OP_BETA; the integer of OP_POWER; 0 otherwise */
    double value;       /* of OP_NUMBER; 0 otherwise */
};

enum { EXPR_MAX_NAMES = 4, EXPR_MAX_NAME = 8, EXPR_MAX_POWER = 1000 };

struct expr {
    int count;
    int betas;
    double beta_init[EXPR_MAX_BETAS]; /* NaN in a template: not given */
    int name_count;
    char names[EXPR_MAX_NAMES][EXPR_MAX_NAME]; /* of the variables */
    struct node nodes[];
};

/* Collects nodes, each one once. Index −1 stands for "no node": the builder was full, and stays so. */
struct builder {
    struct node *nodes;
    int count, capacity, limit;
    int32_t *slots; /* hash table of indices + 1 */
    int slot_count;
};

struct builder builder_new(int limit);
void builder_release(struct builder *builder);
int builder_add(struct builder *builder, struct node node);
int builder_number(struct builder *builder, double value);
int builder_leaf(struct builder *builder, enum op op, int index);
/* b is −1 for one operand; index is the power of OP_POWER. Negates numbers at once. */
int builder_op(struct builder *builder, enum op op, int a, int b, int index);
/* The nodes under `root` as an expression with like's parameters and names; the builder is released. */
struct expr *builder_finish(struct builder *builder, int root, const struct expr *like);

/* Whether the text of expr and of its canonical form can be parsed again. */
bool expr_fits(const struct expr *expr);
/* Like expr_print; NULL where it would have more than `limit` bytes. *ret_depth: nesting as the parser counts
 * it. */
char *expr_print_bounded(const struct expr *expr, size_t limit, int *ret_depth);

/* Whether ∂node/∂operand is 0 everywhere, so that nothing flows back. */
bool node_is_flat(const struct node *node);
/* One primitive in double precision; b is ignored where there is one operand. */
double node_value(const struct node *node, double a, double b);
double node_slope(const struct node *node, int operand, double a, double b, double y);

#endif
