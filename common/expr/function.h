/* function: what people are told about a function. */
#ifndef COMMON_EXPR_FUNCTION_H
#define COMMON_EXPR_FUNCTION_H

#include "common/expr/expr.h"
#include "common/expr/fingerprint.h"

/* The name under which people know the function, however it is spelt; NULL where it has none. */
const char *function_known_name(const struct expr *expr);

/* ∂f/∂x (EXPR_WRT_X) or ∂f/∂b_wrt, as text. malloc'd. */
char *function_derivative(const struct expr *expr, int wrt);

/* "f has one value on the whole grid" */
const char *verdict_meaning(enum verdict verdict);

#endif
