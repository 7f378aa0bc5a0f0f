/* export_text: what the exporters share: an expression as text by the rows of export.def. For
 * common/expr/export*.c only.
 */
#ifndef COMMON_EXPR_EXPORT_TEXT_H
#define COMMON_EXPR_EXPORT_TEXT_H

#include "common/buf.h"
#include "common/expr/export.h"
#include "common/expr/node.h"

struct export_row {
    const char *text[EXPORT_TARGETS];
    const char *c_slope[2];
};
/* A row for each primitive; none for the leaves. */
extern const struct export_row export_rows[OPS];

/* Writes an expression. A node with a number in `local` stands in a variable of its own, t and that number.
 */
struct export_writer {
    const struct expr *expr;
    enum export_target target;
    struct buf *out;
    int *local;         /* for each node; −1: it is written where it is used */
    const char *suffix; /* of C: "" or "f" */
    const char *prefix; /* of C: begins the names of helpers */
};

/* Where every operand is a number, so is the value (infinite and NaN too), and u^0 is 1: no target language
 * is then asked to divide numbers by zero. */
struct expr *export_folded(const struct expr *expr);

/* All nodes that are used more than once or are deep inside get variables. Owns `local` until
 * export_writer_release. */
void export_writer_locals(struct export_writer *writer);
void export_writer_release(struct export_writer *writer);

/* The node where an operand of a function stands; its variable, where it has one. */
void export_node(struct export_writer *writer, int at);
/* The node's formula, also where it has a variable. */
void export_formula(struct export_writer *writer, int at);
/* Any text with the marks of export.def; the node says what the operands are, and is −1 where there are none.
 */
void export_text(struct export_writer *writer, const char *text, int at);
/* A number as C and Python have it: with a point or an exponent. */
void export_number(struct export_writer *writer, double value);

/* Which nodes depend on x. malloc'd. */
bool *export_depends(const struct expr *expr);

/* One exporter for each target. `name` fits; `formula` is the expression as expr_print has it. */
struct export_job {
    const struct expr *expr; /* as it was given */
    enum export_target target;
    const char *name;
    const char *formula;
};
void export_python(const struct export_job *job, struct buf *ret_text);
void export_c(const struct export_job *job, struct buf *ret_text);
void export_latex(const struct export_job *job, struct buf *ret_text);

#endif
