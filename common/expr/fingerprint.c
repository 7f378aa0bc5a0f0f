#include "common/expr/fingerprint.h"

#include "common/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Spaced by 0.24391, none near 0 or a fraction where functions have kinks. */
static const double grid[FINGERPRINT_POINTS] = {
    -4.9067,  -4.66279, -4.41888, -4.17497, -3.93106, -3.68715, -3.44324, -3.19933, -2.95542,
    -2.71151, -2.4676,  -2.22369, -1.97978, -1.73587, -1.49196, -1.24805, -1.00414, -0.76023,
    -0.51632, -0.27241, -0.0285,  0.21541,  0.45932,  0.70323,  0.94714,  1.19105,  1.43496,
    1.67887,  1.92278,  2.16669,  2.4106,   2.65451,  2.89842,  3.14233,  3.38624,  3.63015,
    3.87406,  4.11797,  4.36188,  4.60579,  4.8497,
};

/* Away from 0, ½ and 1, where functions with a parameter meet functions without. */
static const double beta_common = 0.7382, beta_moved = 1.3671;

const double *fingerprint_grid(void)
{
    return grid;
}

const char *verdict_text(enum verdict verdict)
{
    static const char *const texts[] = {
#define VERDICT_ROW(name, text, meaning) text,
        VERDICT_TABLE(VERDICT_ROW)
#undef VERDICT_ROW
    };
    return texts[verdict];
}

enum { VALUE_TEXT = 20 };

/* Ten significant digits; −0 is 0, and all NaN are one. */
static void value_text(double value, char ret_text[VALUE_TEXT])
{
    if (isnan(value))
        strcpy(ret_text, "nan");
    else
        snprintf(ret_text, VALUE_TEXT, "%.9e", value == 0 ? 0.0 : value);
}

/* The function on the grid as one hash; `extra` joins it. */
static struct hash sample(const struct expr *expr, const double *beta, double extra)
{
    char text[(FINGERPRINT_POINTS + 1) * VALUE_TEXT];
    size_t used = 0;
    for (int i = 0; i <= FINGERPRINT_POINTS; i++) {
        value_text(i < FINGERPRINT_POINTS ? expr_eval(expr, grid[i], beta) : extra, text + used);
        used += strlen(text + used);
        text[used++] = ' ';
    }
    return hash_of(text, used);
}

/* With all parameters alike, and then for each one the function with that one moved, and its initial value.
 */
struct samples {
    struct hash base;
    struct hash moved[EXPR_MAX_BETAS];
};

static struct samples sample_all(const struct expr *expr)
{
    struct samples samples;
    double beta[EXPR_MAX_BETAS];
    int betas = expr_betas(expr);
    for (int k = 0; k < betas; k++)
        beta[k] = beta_common;
    samples.base = sample(expr, beta, 0.0);
    for (int k = 0; k < betas; k++) {
        beta[k] = beta_moved;
        samples.moved[k] = sample(expr, beta, expr_beta_init(expr, k));
        beta[k] = beta_common;
    }
    return samples;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash));
}

static enum verdict judge(const struct expr *expr)
{
    double beta[EXPR_MAX_BETAS], dbeta[EXPR_MAX_BETAS], slope[FINGERPRINT_POINTS];
    for (int k = 0; k < expr_betas(expr); k++)
        beta[k] = expr_beta_init(expr, k);
    bool constant = true, slope_finite = true;
    char first[VALUE_TEXT];
    for (int i = 0; i < FINGERPRINT_POINTS; i++) {
        char text[VALUE_TEXT];
        double y = expr_eval_gradient(expr, grid[i], beta, &slope[i], dbeta);
        if (!isfinite(y))
            return VERDICT_NOT_FINITE;
        value_text(y, i ? text : first);
        constant &= i == 0 || strcmp(text, first) == 0;
        slope_finite &= isfinite(slope[i]) != 0;
    }
    return constant ? VERDICT_CONSTANT : slope_finite ? VERDICT_USABLE : VERDICT_SLOPE_NOT_FINITE;
}

struct hash fingerprint_of(const struct expr *expr, enum verdict *ret_verdict)
{
    struct samples samples = sample_all(expr);
    size_t betas = (size_t)expr_betas(expr);
    qsort(samples.moved, betas, sizeof *samples.moved, compare_hashes);
    *ret_verdict = judge(expr);
    return hash_of(&samples, (1 + betas) * sizeof(struct hash));
}

/* ---- the confirmation ---- */

enum { TRIALS = 8, POINTS = 16, MAX_ORDERS = 1000 };

/* Rounding may differ, by much where terms cancel; two functions that differ do so by far more somewhere. */
static bool close_enough(double p, double q)
{
    if (isnan(p) || isnan(q) || isinf(p) || isinf(q))
        return (isnan(p) && isnan(q)) || p == q;
    double larger = fabs(p) > fabs(q) ? fabs(p) : fabs(q);
    return fabs(p - q) <= 1e-7 * larger + 1e-9;
}

/* Whether a with β and b with the same β in another order agree at random x and β, the same ones at each
 * call. */
static bool agree(const struct expr *a, const struct expr *b, const int *place)
{
    struct rng rng = rng_seed(0, "same function", 0);
    int betas = expr_betas(a);
    for (int trial = 0; trial < TRIALS; trial++) {
        double beta_a[EXPR_MAX_BETAS], beta_b[EXPR_MAX_BETAS];
        for (int k = 0; k < betas; k++) {
            beta_a[k] = 4.0 * rng_uniform(&rng) - 2.0;
            beta_b[place[k]] = beta_a[k];
        }
        for (int i = 0; i < POINTS; i++) {
            double x = 10.0 * rng_uniform(&rng) - 5.0;
            if (!close_enough(expr_eval(a, x, beta_a), expr_eval(b, x, beta_b)))
                return false;
        }
    }
    return true;
}

/* Finds a place in b for each parameter of a from number k on: only where their samples are equal. */
static bool match(const struct expr *a, const struct expr *b, const struct samples *in_a,
                  const struct samples *in_b, int k, int *place, unsigned taken, int *orders)
{
    if (k == expr_betas(a)) {
        ++*orders;
        return agree(a, b, place);
    }
    for (int j = 0; j < expr_betas(b) && *orders < MAX_ORDERS; j++) {
        if ((taken >> j & 1) || compare_hashes(&in_a->moved[k], &in_b->moved[j]) != 0)
            continue;
        place[k] = j;
        if (match(a, b, in_a, in_b, k + 1, place, taken | 1u << j, orders))
            return true;
    }
    return false;
}

bool expr_same_function(const struct expr *a, const struct expr *b)
{
    if (expr_betas(a) != expr_betas(b))
        return false;
    struct samples in_a = sample_all(a), in_b = sample_all(b);
    int place[EXPR_MAX_BETAS], orders = 0;
    return match(a, b, &in_a, &in_b, 0, place, 0, &orders);
}
