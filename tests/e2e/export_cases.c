/* export_cases: functions for tests/e2e/export.sh, with their values and slopes as the trainer has them.
 *
 * Prints lines of: number of the function, its text, its β (or -), x, f, f'. First those that have a name,
 * then some at their special points, then random ones, at points where a relative change of 1e-11 of x and β
 * hardly changes f and f': elsewhere the last bits of a library's functions would decide. */
#include "common/json.h"
#include "tests/unit/expr_random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM = 300, POINTS = 7 };
static const double points[POINTS] = {-3.7, -1.25, -0.3, 0, 0.05, 0.8, 2.9};

static void put_real(char end, double value)
{
    char text[REAL_TEXT];
    real_text(value, text);
    printf("%s%c", text, end);
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-8 * (1 + fabs(b));
}

/* Whether the values are finite, of moderate size, and, where `strict`, hardly change with x and β. */
static bool is_tame(const struct expr *expr, double x, const double *beta, bool strict)
{
    double df, near_df, unused[EXPR_MAX_BETAS], near_beta[EXPR_MAX_BETAS];
    const double f = expr_eval_gradient(expr, x, beta, &df, unused);
    if (!isfinite(f) || !isfinite(df) || fabs(f) > 1e6 || fabs(df) > 1e6)
        return false;
    for (int sign = -1; strict && sign <= 1; sign += 2) {
        const double factor = 1 + sign * 1e-11;
        for (int k = 0; k < expr_betas(expr); k++)
            near_beta[k] = beta[k] * factor;
        const double near_f = expr_eval_gradient(expr, x * factor, near_beta, &near_df, unused);
        if (!is_near(near_f, f) || !is_near(near_df, df))
            return false;
    }
    return true;
}

/* Returns how many lines were printed. */
static int put_case(int number, const char *text, const double *at, int count, bool strict)
{
    struct expr *expr = NULL;
    struct problem problem;
    int lines = 0;
    if (expr_parse(text, &expr, &problem) != 0)
        return 0;
    double beta[EXPR_MAX_BETAS], unused[EXPR_MAX_BETAS];
    for (int k = 0; k < expr_betas(expr); k++)
        beta[k] = expr_beta_init(expr, k) == 1 ? 0.75 + 0.5 * k : expr_beta_init(expr, k);
    for (int i = 0; i < count; i++) {
        if (!is_tame(expr, at[i], beta, strict))
            continue;
        double df;
        const double f = expr_eval_gradient(expr, at[i], beta, &df, unused);
        printf("%d\t%s\t%s", number, text, expr_betas(expr) ? "" : "-\t");
        for (int k = 0; k < expr_betas(expr); k++)
            put_real(k + 1 < expr_betas(expr) ? ',' : '\t', beta[k]);
        put_real('\t', at[i]);
        put_real('\t', f);
        put_real('\n', df);
        lines++;
    }
    expr_destroy(&expr);
    return lines;
}

int main(void)
{
    static const char *const special[] = {
        "relu(x)",
        "abs(x)",
        "max(x,0)",
        "min(x,0)",
        "max(x,1)",
        "max(1,x)",
        "min(x,b0); b0=2",
        "sinc(x)",
        "sinc(x)*x",
        "sign(x)+x",
        "step(x)+x",
        "x^-3",
        "x^3",
        "(-x)^3",
        "-x^2",
        "(x^2)^3",
        "x-(x-1)",
        "x/(x/3)",
        "max(x,-x)",
        "min(abs(x),2)",
        "softplus(30*x)",
        "sigmoid(40*x)",
        "tanh(20*x)+erf(x)",
        "x^0+x",
        "sin(2)*x+1/3",
        "b0",
        "b1*x+b0",
        "log(0)*0+x*b0",
        "max(x,1/0)",
        "relu(x)^2*step(x)",
        "sign(1/x)+x",
        "x",
        "-x",
        "2",
        "x-2--3*x",
        "sinh(x)/cosh(x)",
        "asinh(10*x)",
        "atan(x)^2-x",
        "sqrt(abs(x)+1e-6)",
        "log(abs(x)+1e-06)",
    };
    static const double special_points[] = {-2, -1, 0, 1, 2, 1e-9, 0.02, -0.999, 1.001, 3};
    int number = 0;
    for (int i = 0; i < expr_known_count; i++)
        number += put_case(number, expr_known[i].text, points, POINTS, false) > 0;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        number += put_case(number, special[i], special_points, sizeof special_points / sizeof *special_points,
                           false) > 0;
    struct rng rng = rng_seed(2024, "export cases", 0);
    struct buf text = {0};
    for (int last = number + RANDOM; number < last;) {
        buf_clear(&text);
        random_text(&rng, &text, 1 + (int)rng_below(&rng, 9), (int)rng_below(&rng, 3));
        number += put_case(number, buf_text(&text), points, POINTS, true) > 0;
    }
    buf_release(&text);
    return 0;
}
