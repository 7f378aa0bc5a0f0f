/* export: a function as source code of another language, with the values and slopes that the trainer
 * computes.
 *
 * What is written how stands in export.def, a row for each primitive. The code is whole (it brings the
 * helpers that it needs) and shows the formula. Parameters keep their numbers and begin with their initial
 * values.
 */
#ifndef COMMON_EXPR_EXPORT_H
#define COMMON_EXPR_EXPORT_H

#include "common/expr/expr.h"

#include <stdbool.h>

#define EXPORT_TARGET_TABLE(ROW)                                                                             \
    ROW(PYTORCH, "pytorch", "a torch.nn.Module with one trainable b per channel")                            \
    ROW(JAX, "jax", "a function of x and the b")                                                             \
    ROW(TENSORFLOW, "tensorflow", "a function of x and the b; with b also a Keras layer, which trains them") \
    ROW(C, "c", "f and f' in double and float, for a header; needs <math.h> alone")                          \
    ROW(LATEX, "latex", "the formula and its derivative, for amsmath")

enum export_target {
#define EXPORT_ROW(id, name, meaning) EXPORT_##id,
    EXPORT_TARGET_TABLE(EXPORT_ROW)
#undef EXPORT_ROW
        EXPORT_TARGETS,
};

enum { EXPORT_MAX_NAME = 64 };
/* A name as all target languages take it: a letter, then letters, digits and single '_'. */
bool export_name_fits(const char *name);

/* The code, under the name `name` (which fits). malloc'd. */
char *expr_export(const struct expr *expr, enum export_target target, const char *name);

#endif
