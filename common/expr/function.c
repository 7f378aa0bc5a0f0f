#include "common/expr/function.h"

#include <stdlib.h>
#include <string.h>

static struct hash fingerprint_alone(const struct expr *expr)
{
    enum verdict verdict;
    return fingerprint_of(expr, &verdict);
}

const char *function_known_name(const struct expr *expr)
{
    const struct hash fingerprint = fingerprint_alone(expr);
    const char *name = NULL;
    for (int i = 0; i < expr_known_count && !name; i++) {
        struct expr *known = NULL;
        struct problem problem;
        if (expr_parse(expr_known[i].text, &known, &problem) != 0)
            continue;
        const struct hash other = fingerprint_alone(known);
        if (memcmp(&other, &fingerprint, sizeof other) == 0 && expr_same_function(known, expr))
            name = expr_known[i].name;
        expr_destroy(&known);
    }
    return name;
}

char *function_derivative(const struct expr *expr, int wrt)
{
    struct expr *derivative = expr_derivative(expr, wrt);
    char *text = expr_print(derivative);
    expr_destroy(&derivative);
    return text;
}

const char *verdict_meaning(enum verdict verdict)
{
    static const char *const meanings[] = {
#define VERDICT_ROW(name, text, meaning) meaning,
        VERDICT_TABLE(VERDICT_ROW)
#undef VERDICT_ROW
    };
    return meanings[verdict];
}
