/* Values and derivatives: the settled semantics, the special points, and symbolic against numeric against
 * finite differences. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/expr_random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct expr *parsed(const char *text)
{
    struct expr *expr = NULL;
    struct problem problem;
    if (expr_parse(text, &expr, &problem) != 0)
        fail_msg("%s: %s", text, problem.text);
    return expr;
}

/* Equal to `ulp` parts in 2^53, and NaN where NaN. */
static bool agrees(double got, double expected, double ulp)
{
    if (isnan(expected) || isnan(got))
        return isnan(expected) && isnan(got);
    if (isinf(expected) || isinf(got))
        return got == expected;
    return fabs(got - expected) <= ulp * 0x1p-53 * fabs(expected);
}

static void values_and_slopes_are_right_at_the_special_points(void **state)
{
    static const struct {
        const char *text;
        double x, f, df;
    } rows[] = {
        {"-x^2", 3, -9, -6},
        {"(-x)^2", 3, 9, 6},
        {"x^0", 0, 1, 0},
        {"x^0", -INFINITY, 1, 0},
        {"x^1", -3, -3, 1},
        {"x^3", -2, -8, 12},
        {"x^-1", 4, 0.25, -0.0625},
        {"x^-2", -2, 0.25, 0.25},
        {"x^-1", 0, INFINITY, -INFINITY},
        {"x^1000", 1, 1, 1000},
        {"relu(x)", 0, 0, 0},
        {"relu(x)", -0.0, 0, 0},
        {"relu(x)", 1e-300, 1e-300, 1},
        {"relu(x)", NAN, NAN, NAN},
        {"abs(x)", 0, 0, 0},
        {"abs(x)", -3, 3, -1},
        {"sign(x)", 0, 0, 0},
        {"sign(x)", -7, -1, 0},
        {"step(x)", 0, 0, 0},
        {"step(x)", 5, 1, 0},
        {"max(x,0)", 0, 0, 0.5},
        {"max(0,x)", 0, 0, 0.5},
        {"min(x,0)", 0, 0, 0.5},
        {"max(x,0)", 2, 2, 1},
        {"min(x,0)", 2, 0, 0},
        {"max(x,x)", 2, 2, 1},
        {"max(x,-x)", 0, 0, 0},
        {"max(x,2*x)", 0, 0, 1.5},
        {"min(x^2,x)", 1, 1, 1.5},
        {"max(x,sqrt(-1))", 2, NAN, NAN},
        {"min(sqrt(-1),x)", 2, NAN, NAN},
        {"max(x,0)", NAN, NAN, NAN},
        {"max(x,0)", INFINITY, INFINITY, 1},
        {"max(x,1/0)", INFINITY, INFINITY, 0.5},
        {"sinc(x)", 0, 1, 0},
        {"sinc(x)", -0.0, 1, 0},
        {"sinc(x)", 1e-8, 1, -1e-8 / 3},
        {"sinc(x)", 1e-300, 1, -1e-300 / 3},
        {"sinc(x)", 0.5, 0x1.eaee8744b05f0p-1, -0.16253703063606656},
        {"sinc(x)", 1, 0.8414709848078965, -0.30116867893975674},
        {"sinc(x)", 1.5, 0.6649966577360363, -0.39617297071222224},
        {"sinc(x)", 2, 0.45464871341284085, -0.4353977749799916},
        {"sinc(x)", 3, 0.0470400026866224, -0.345677499762356},
        {"sigmoid(x)", 0, 0.5, 0.25},
        {"sigmoid(x)", 40, 1, 4.248354255291589e-18},
        {"sigmoid(x)", -40, 4.248354255291589e-18, 4.248354255291589e-18},
        {"sigmoid(x)", 1000, 1, 0},
        {"sigmoid(x)", -1000, 0, 0},
        {"sigmoid(x)", -INFINITY, 0, 0},
        {"softplus(x)", 1000, 1000, 1},
        {"softplus(x)", -40, 4.248354255291589e-18, 4.248354255291589e-18},
        {"softplus(x)", -1000, 0, 0},
        {"softplus(x)", 0, 0.6931471805599453, 0.5},
        {"tanh(x)", 20, 1, 1.6993417021166356e-17},
        {"tanh(x)", 1e-20, 1e-20, 1},
        {"tanh(x)", 1000, 1, 0},
        {"erf(x)", 0, 0, 1.1283791670955126},
        {"erf(x)", 6, 1, 2.6173012392492644e-16},
        {"erf(x)", 1e-20, 1.1283791670955126e-20, 1.1283791670955126},
        {"log(x)", 0, -INFINITY, INFINITY},
        {"log(x)", -1, NAN, -1},
        {"log(x)", 1, 0, 1},
        {"sqrt(x)", 0, 0, INFINITY},
        {"sqrt(x)", -1, NAN, NAN},
        {"sqrt(x)", 4, 2, 0.25},
        {"exp(x)", 1000, INFINITY, INFINITY},
        {"exp(x)", -1000, 0, 0},
        {"exp(x)", 1, 2.718281828459045, 2.718281828459045},
        {"atan(x)", INFINITY, 1.5707963267948966, 0},
        {"asinh(x)", 1e-20, 1e-20, 1},
        {"asinh(x)", 1e100, 230.9516564799645, 1e-100},
        {"sin(x)", INFINITY, NAN, NAN},
        {"sin(x)", 3.141592653589793, 1.2246467991473532e-16, -1},
        {"cos(x)", 0, 1, 0},
        {"sinh(x)", 1e-20, 1e-20, 1},
        {"cosh(x)", 0, 1, 0},
        {"1/(x+1e-6)", 0, 1000000, -1e12},
        {"log(abs(x)+1e-6)", 0, -13.815510557964274, 0},
        {"max(x,0)+(exp(min(x,0))-1)", 0, 0, 1}, /* ELU */
        {"relu(x)^2", 0, 0, 0},
        {"x*sigmoid(x)", 0, 0, 0.5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct expr *expr = parsed(rows[i].text);
        double df, f = expr_eval_gradient(expr, rows[i].x, NULL, &df, NULL);
        if (!agrees(f, rows[i].f, 6) || !agrees(df, rows[i].df, 12))
            fail_msg("%s at %g: %.17g and %.17g, expected %.17g and %.17g", rows[i].text, rows[i].x, f, df,
                     rows[i].f, rows[i].df);
        double value = expr_eval(expr, rows[i].x, NULL);
        assert_true(agrees(value, f, 0));
        expr_destroy(&expr);
    }
}

/* Where the language cannot say a slope: both operands of max or min infinite and equal, sinc at 0 (and some
 * digits near 0), and asinh and tanh so far out that the square or cosh overflows. Everywhere else the
 * printed derivative is the numeric one. */
static bool language_cannot_say(int op, double a, double b)
{
    switch (op) {
    case OP_MAX:
    case OP_MIN:
        return isinf(a) && a == b;
    case OP_SINC:
        return fabs(a) < 0.1;
    case OP_ASINH:
        return fabs(a) > 1e154;
    case OP_TANH:
        return fabs(a) > 350;
    case OP_POWER: /* n·u^(n−1) is n·1/u^(1−n) either way */
    default:
        return false;
    }
}

static void the_printed_slope_of_each_primitive_is_the_numeric_one(void **state)
{
    (void)state;
    static const double points[] = {0,     -0.0,  1,      -1,    0.5,    -0.5,     2,         -3,   1e-9,
                                    -1e-9, 0.05,  15,     -15,   40,     -40,      400,       -400, 1000,
                                    1e20,  1e160, -1e160, 1e300, -1e300, INFINITY, -INFINITY, NAN};
    const size_t count = sizeof points / sizeof *points;
    int cannot = 0;
    for (int op = OP_BETA + 1; op < OPS; op++) {
        const struct op_row *row = &op_rows[op];
        char text[64];
        for (int n = row->syntax == SYNTAX_POWER ? -3 : 0; n <= (row->syntax == SYNTAX_POWER ? 3 : 0); n++) {
            if (row->syntax == SYNTAX_CALL)
                snprintf(text, sizeof text, row->arity == 2 ? "%s(x,b0)" : "%s(x)", row->name);
            else if (row->syntax == SYNTAX_POWER)
                snprintf(text, sizeof text, "x^%d", n);
            else
                snprintf(text, sizeof text, row->arity == 2 ? "x%sb0" : "%sx", row->name);
            struct expr *expr = parsed(text), *by[2] = {expr_derivative(expr, EXPR_WRT_X), NULL};
            if (row->arity == 2)
                by[1] = expr_derivative(expr, 0);
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < (row->arity == 2 ? count : 1); j++) {
                    double numeric[2], b = points[j];
                    expr_eval_gradient(expr, points[i], &b, &numeric[0], &numeric[1]);
                    for (int k = 0; k < row->arity; k++) {
                        double symbolic = expr_eval(by[k], points[i], &b);
                        bool same = agrees(symbolic, numeric[k], 16);
                        if (!same && !language_cannot_say(op, points[i], b))
                            fail_msg("%s by operand %d at %g, %g: %.17g, but %.17g", text, k, points[i], b,
                                     symbolic, numeric[k]);
                        cannot += !same;
                    }
                }
            for (int k = 0; k < row->arity; k++)
                expr_destroy(&by[k]);
            expr_destroy(&expr);
        }
    }
    assert_true(cannot > 0); /* the exceptions are real */
}

static void derivatives_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        int wrt;
        const char *derivative;
    } rows[] = {
        {"x", EXPR_WRT_X, "1"},
        {"3", EXPR_WRT_X, "0"},
        {"b", EXPR_WRT_X, "0"},
        {"b*x", 0, "x"},
        {"b*x", EXPR_WRT_X, "b0"},
        {"x^2", EXPR_WRT_X, "2*x"},
        {"x^3", EXPR_WRT_X, "3*x^2"},
        {"-x^2", EXPR_WRT_X, "-(2*x)"},
        {"1/x", EXPR_WRT_X, "-(1/x)/x"},
        {"relu(x)", EXPR_WRT_X, "step(x)"},
        {"abs(x)", EXPR_WRT_X, "sign(x)"},
        {"sin(2*x)", EXPR_WRT_X, "cos(2*x)*2"},
        {"cos(x)-x", EXPR_WRT_X, "-sin(x)-1"},
        {"sin(x)+3*-x", EXPR_WRT_X, "cos(x)-3"},
        {"3-x", EXPR_WRT_X, "-1"},
        {"exp(-x^2)", EXPR_WRT_X, "exp(-x^2)*-(2*x)"},
        {"max(x,0)", EXPR_WRT_X, "(1+sign(x))/2"},
        {"x*sigmoid(x)", EXPR_WRT_X, "sigmoid(x)+x*(sigmoid(x)*sigmoid(-x))"},
        {"sign(sin(x))", EXPR_WRT_X, "0"},
        {"x+sin(b)", EXPR_WRT_X, "1"},
        {"b0*x+b1", 1, "1"},
        {"sqrt(x)", EXPR_WRT_X, "0.5/sqrt(x)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct expr *expr = parsed(rows[i].text), *derivative = expr_derivative(expr, rows[i].wrt);
        char *printed = expr_print(derivative);
        assert_string_equal(printed, rows[i].derivative);
        free(printed);
        expr_destroy(&expr);
        expr_destroy(&derivative);
    }
}

static double finite_difference(const struct expr *expr, double x, double *beta, int wrt, double step)
{
    double *moved = wrt < 0 ? &x : &beta[wrt], at = *moved;
    *moved = at + step;
    double above = expr_eval(expr, x, beta);
    *moved = at - step;
    double below = expr_eval(expr, x, beta);
    *moved = at;
    return (above - below) / (2 * step);
}

/* Symbolic and numeric agree but for rounding wherever all values on the way are of everyday size; a finite
 * difference agrees where it is itself stable (the same for two steps). */
static void symbolic_numeric_and_finite_differences_agree_on_random_expressions(void **state)
{
    (void)state;
    struct rng rng = rng_seed(5, "derivative", 0);
    int compared = 0, stable = 0;
    for (int round = 0; round < 3000; round++) {
        struct buf text = {0};
        random_text(&rng, &text, 1 + (int)rng_below(&rng, 7), 2);
        struct expr *expr = parsed(buf_text(&text));
        for (int wrt = EXPR_WRT_X; wrt < expr_betas(expr); wrt++) {
            struct expr *derivative = expr_derivative(expr, wrt);
            char *printed = expr_print(derivative);
            for (int i = 0; i < 4; i++) {
                double x = 6 * rng_uniform(&rng) - 3,
                       beta[EXPR_MAX_BETAS] = {2 * rng_uniform(&rng) - 0.7, 2 * rng_uniform(&rng) - 1.1};
                double numeric[1 + EXPR_MAX_BETAS];
                double value = expr_eval_gradient(expr, x, beta, &numeric[0], numeric + 1);
                double symbolic = expr_eval(derivative, x, beta);
                double expected = numeric[1 + wrt];
                if (!isfinite(value) || fabs(value) > 1e6 || !isfinite(expected) || fabs(expected) > 1e6)
                    continue;
                compared++;
                if (isfinite(symbolic) && fabs(symbolic - expected) > 1e-6 * (1 + fabs(expected)))
                    fail_msg("%s by %d at %g: numeric %.12g, but %s = %.12g", buf_text(&text), wrt, x,
                             expected, printed, symbolic);
                double coarse = finite_difference(expr, x, beta, wrt, 2e-5),
                       fine = finite_difference(expr, x, beta, wrt, 1e-5);
                if (!isfinite(coarse) || fabs(coarse - fine) > 1e-6 * (1 + fabs(fine)))
                    continue;
                stable++;
                if (fabs(fine - expected) > 1e-4 * (1 + fabs(fine)))
                    fail_msg("%s by %d at %g: %.12g, but differences give %.12g", buf_text(&text), wrt, x,
                             expected, fine);
            }
            free(printed);
            expr_destroy(&derivative);
        }
        expr_destroy(&expr);
        buf_release(&text);
    }
    assert_true(compared > 10000 && stable > compared / 2);
}

static void the_derivative_of_a_long_expression_is_found_without_trouble(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 199; i++)
        buf_printf(&text, "sigmoid(x*");
    buf_printf(&text, "x");
    for (int i = 0; i < 199; i++)
        buf_printf(&text, ")");
    struct expr *expr = parsed(buf_text(&text)), *derivative = expr_derivative(expr, EXPR_WRT_X);
    double df;
    expr_eval_gradient(expr, 0.3, NULL, &df, NULL);
    assert_true(agrees(expr_eval(derivative, 0.3, NULL), df, 1e4));
    char *printed = expr_print(derivative);
    assert_true(strlen(printed) > EXPR_MAX_TEXT);
    free(printed);
    expr_destroy(&derivative);
    expr_destroy(&expr);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_slopes_are_right_at_the_special_points),
        cmocka_unit_test(the_printed_slope_of_each_primitive_is_the_numeric_one),
        cmocka_unit_test(derivatives_read_as_people_write_them),
        cmocka_unit_test(symbolic_numeric_and_finite_differences_agree_on_random_expressions),
        cmocka_unit_test(the_derivative_of_a_long_expression_is_found_without_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
