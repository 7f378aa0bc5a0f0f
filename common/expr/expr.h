/* expr: scalar functions of x, constants and trainable per-channel parameters b0, b1, …
 *
 * An expression is an immutable value. Its nodes stand in one array in which operands come before the nodes
 * that use them; equal subtrees are one node. Parameters are numbered without gaps; each has an initial
 * value, part of the expression's identity.
 *
 * Grammar (docs/expressions.md):
 *   text    := sum (';' 'b' digits? '=' ['-'] number)*
 *   sum     := product (('+'|'-') product)*
 *   product := unary (('*'|'/') unary)*
 *   unary   := '-' unary | power
 *   power   := atom ('^' ['-'] integer)?
 *   atom    := number | 'x' | 'b' digits? | name '(' sum {',' sum} ')' | '(' sum ')'
 * `b` is b0; −x^2 is −(x²); sinc(0) = 1; relu′(0) = abs′(0) = 0; max′ and min′ at a tie are half of each; max
 * and min pass NaN on.
 */
#ifndef COMMON_EXPR_EXPR_H
#define COMMON_EXPR_EXPR_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EXPR_MAX_TEXT = 4096,  /* bytes of an activation string */
    EXPR_MAX_NODES = 1024, /* distinct nodes */
    EXPR_MAX_DEPTH = 200,  /* nested parentheses and calls */
    EXPR_MAX_BETAS = 16,   /* trainable parameters */
};

struct expr;

/* Parses an activation string. ERR_INPUT with problem->column (from 1) and what was expected; ERR_LIMIT past
 * a bound above. */
int expr_parse(const char *text, struct expr **ret_expr, struct problem *problem);
/* "text\n    ^ expected …": the problem of expr_parse with the string and a caret under the column.
 * malloc'd. */
char *expr_problem_text(const char *text, const struct problem *problem);

void expr_destroy(struct expr **expr);

/* The expression as text, fewest parentheses, numbers in the shortest form that reads back exactly. malloc'd.
 * expr_parse(expr_print(e)) equals e. */
char *expr_print(const struct expr *expr);
bool expr_equal(const struct expr *a, const struct expr *b);

/* The canonical form (DESIGN 4.1): commutative arguments ordered, finite constants folded, β renumbered in
 * order of appearance; nothing that floating point does not allow. Idempotent. */
struct expr *expr_canon(const struct expr *expr);

int expr_betas(const struct expr *expr);
double expr_beta_init(const struct expr *expr, int beta);

/* ∂expr/∂x (wrt = EXPR_WRT_X) or ∂expr/∂b_wrt as an expression, simplified where floating point allows. */
enum { EXPR_WRT_X = -1 };
struct expr *expr_derivative(const struct expr *expr, int wrt);

/* The value in double precision. beta: betas values. */
double expr_eval(const struct expr *expr, double x, const double *beta);
/* The value, and in *ret_dx and ret_dbeta[betas] the derivatives, by the numeric derivatives of the table
 * (reverse mode). */
double expr_eval_gradient(const struct expr *expr, double x, const double *beta, double *ret_dx,
                          double *ret_dbeta);

/* For common/space.c: an expression from a template, with x, x1, x2 replaced. `names`/`values` are `count`
 * pairs; each b of the template becomes beta number beta_base + its own number, with initial value beta_init
 * where the template gives none. */
struct expr_binding {
    const char *name; /* "x", "x1", "x2" */
    const struct expr *value;
};
int expr_template_parse(const char *text, const char *const *names, int name_count,
                        struct expr **ret_template, struct problem *problem);
/* Whether the template's value can depend on that name. */
bool expr_template_uses(const struct expr *pattern, const char *name);
/* ERR_LIMIT where the result would pass a bound. */
int expr_template_apply(const struct expr *pattern, const struct expr_binding *bindings, int binding_count,
                        int beta_base, double beta_init, struct expr **ret_expr);

/* Functions that have a name of their own (relu, swish, gelu, …; `expr --known`). */
struct expr_known {
    const char *name;
    const char *text;
    const char *source;
};
extern const struct expr_known expr_known[];
extern const int expr_known_count;
/* NULL where no function has that name. */
const struct expr_known *expr_known_find(const char *name);
/* The activation string that a person means: that of the name, else the text itself. Borrowed. */
const char *expr_known_text(const char *name_or_text);

#endif
