/* fingerprint: an expression sampled at fixed points; equal fingerprints are treated as the same function (DESIGN 4.1).
 *
 * f in float64 on 41 points of [−5, 5] shifted off 0 and the kinks, 10 significant digits, first with all β equal, then with
 * each β moved alone, the results sorted: n + 1 evaluations, and renamed β give the same fingerprint. −0 counts as 0.
 */
#ifndef COMMON_EXPR_FINGERPRINT_H
#define COMMON_EXPR_FINGERPRINT_H

#include "common/expr/expr.h"
#include "common/hash.h"

enum { FINGERPRINT_POINTS = 41 };

/* Why a function is not worth a trial. */
#define VERDICT_TABLE(ROW)                                                                                   \
    ROW(USABLE, "usable", "f and f' are finite on the grid and f is not constant")                           \
    ROW(CONSTANT, "constant", "f has one value on the whole grid")                                           \
    ROW(NOT_FINITE, "not finite", "f is NaN or infinite somewhere on the working range")                     \
    ROW(SLOPE_NOT_FINITE, "slope not finite", "f' is NaN or infinite somewhere on the working range")        \
    ROW(TOO_LARGE, "too large", "the expression passes a bound of the language")

enum verdict {
#define VERDICT_ROW(name, text, meaning) VERDICT_##name,
    VERDICT_TABLE(VERDICT_ROW)
#undef VERDICT_ROW
        VERDICTS,
};
const char *verdict_text(enum verdict verdict);

/* The points, ascending; the same on every machine. Also the grid of the synthetic rewards. */
const double *fingerprint_grid(void);

/* The fingerprint, and whether the function is usable (β at their initial values). */
struct hash fingerprint_of(const struct expr *expr, enum verdict *ret_verdict);

/* Whether a and b, whose fingerprints are equal, agree at random x and β too (up to an order of the β). */
bool expr_same_function(const struct expr *a, const struct expr *b);

#endif
