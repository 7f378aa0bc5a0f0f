/* function: how the commands read a function that a person names, and what they say about one. */
#ifndef CLI_FUNCTION_H
#define CLI_FUNCTION_H

#include "common/expr/expr.h"
#include "common/expr/fingerprint.h"

/* An activation string, or the name of a known function ("swish"). ERR_… of expr_parse. */
int function_read(const char *text, struct expr **ret_expr, struct problem *problem);

/* The name under which people know the function, however it is spelt; NULL where it has none. */
const char *function_known_name(const struct expr *expr);

/* ∂f/∂x (EXPR_WRT_X) or ∂f/∂b_wrt, as text. malloc'd. */
char *function_derivative(const struct expr *expr, int wrt);

/* "f has one value on the whole grid" */
const char *verdict_meaning(enum verdict verdict);

#endif
