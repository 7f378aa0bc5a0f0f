/* The tile program: every primitive against the double-precision evaluation, all paths byte for byte, and
 * random expressions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/expr/program.h"
#include "tests/unit/expr_random.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 160 };

static struct expr *parsed(const char *text)
{
    struct expr *expr;
    struct problem problem;
    if (expr_parse(text, &expr, &problem) != 0)
        fail_msg("%s: %s", text, problem.text);
    return expr;
}

/* Distance in units of the last place of the exact result; overflow and NaN must agree, and what is below
 * normal is 0. */
static double ulps(float got, double exact)
{
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (fabs(exact) > FLT_MAX || isinf(got))
        return (float)exact == got || (isinf(got) && fabs(exact) > 0.99999 * FLT_MAX) ? 0 : INFINITY;
    if (fabs(exact) < FLT_MIN)
        return fabs((double)got - exact) / 0x1p-149 < 0x1p23 ? 0 : INFINITY;
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)got - exact) / ldexp(1.0, exponent - 24);
}

/* Bounds over [−20, 20]. The slopes that are written as formulas of float operations lose a little more: that
 * of sin is cos, which is at its own zeros as good as sin is at its. That of sinc cancels between cos and
 * sinc near its zeros: there it is held to 2^−24 in size. */
struct bound {
    const char *name;
    double value, slope;
};
static const struct bound bounds[] = {
    {"sqrt", 0.5, 2},   {"log", 4, 0.5}, {"exp", 4, 4},   {"sin", 4, 4},  {"cos", 4, 4},  {"sinh", 4, 4},
    {"cosh", 4, 4},     {"tanh", 4, 4},  {"asinh", 4, 3}, {"atan", 4, 2}, {"sinc", 4, 4}, {"sigmoid", 4, 4},
    {"softplus", 4, 4}, {"erf", 4, 4},   {"^", 3, 4},     {"/", 0.5, 2},
};

static double bound_of(const char *name, bool slope)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (strcmp(bounds[i].name, name) == 0)
            return slope ? bounds[i].slope : bounds[i].value;
    return 0.5; /* one rounding, or none */
}

static float special[] = {0.0f,      -0.0f,     1.0f,     -1.0f,       INFINITY,    -INFINITY,    NAN,
                          1e-30f,    -1e-30f,   1e30f,    -1e30f,      88.5f,       -87.0f,       88.8f,
                          -103.0f,   -105.0f,   16384.0f, 16385.0f,    1e6f,        -1e6f,        FLT_MAX,
                          -FLT_MAX,  0.75f,     4.0f,     3.14159274f, 1.57079637f, -6.28318548f, 22.0f,
                          0.999999f, 1.000001f, 89.2f,    -89.2f};

static void check_op(int op, const char *text, double beta_value)
{
    struct expr *expr = parsed(text);
    struct program *program = program_new(expr);
    static float x[ROWS * LANES], y[ROWS * LANES], dx[ROWS * LANES],
        dy[ROWS * LANES] __attribute__((aligned(64)));
    float beta[EXPR_MAX_BETAS * LANES], dbeta[EXPR_MAX_BETAS * LANES] = {0};
    double betas[EXPR_MAX_BETAS], gradient[EXPR_MAX_BETAS], worst_value = 0, worst_slope = 0;
    float at_value = 0, at_slope = 0;
    for (int i = 0; i < EXPR_MAX_BETAS * LANES; i++)
        beta[i] = (float)(betas[i / LANES] = (double)(float)beta_value);
    size_t specials = sizeof special / sizeof *special;
    struct rng rng = rng_seed(1, text, 0);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < ROWS * LANES; i++) {
            x[i] = (float)(40.0 * rng_uniform(&rng) - 20.0);
            if (round == 0 && i < specials)
                x[i] = special[i];
            if (round == 1)
                x[i] = (float)(x[i] * exp2(-30 * rng_uniform(&rng)));
            dy[i] = 1.0f;
        }
        program_forward(program, x, beta, y, ROWS, NULL);
        program_backward(program, x, beta, dy, dx, dbeta, ROWS, NULL);
        for (size_t i = 0; i < ROWS * LANES; i++) {
            double slope, value = expr_eval_gradient(expr, x[i], betas, &slope, gradient);
            double value_ulps = ulps(y[i], value), slope_ulps = ulps(dx[i], slope);
            /* a square that overflows a float and not a double: the slope is 0 for less than 1e-38 */
            if (fabs(slope) < 1e-18 && dx[i] == 0)
                slope_ulps = 0;
            if (op == OP_SINC && fabs(dx[i] - slope) < 0x1p-24)
                slope_ulps = 0;
            if (value_ulps > worst_value)
                worst_value = value_ulps, at_value = x[i];
            if (slope_ulps > worst_slope)
                worst_slope = slope_ulps, at_slope = x[i];
        }
    }
    if (getenv("EXPR_ULPS"))
        printf("%-24s value %6.2f ulp at %g, slope %6.2f ulp at %g\n", text, worst_value, (double)at_value,
               worst_slope, (double)at_slope);
    if (worst_value > bound_of(op_rows[op].name, false))
        fail_msg("%s: value off by %g ulp at %.9g", text, worst_value, (double)at_value);
    if (worst_slope > bound_of(op_rows[op].name, true))
        fail_msg("%s: slope off by %g ulp at %.9g", text, worst_slope, (double)at_slope);
    program_destroy(&program);
    expr_destroy(&expr);
}

static void every_primitive_is_within_its_bound_of_the_double_evaluation(void **state)
{
    (void)state;
    for (int op = OP_BETA + 1; op < OPS; op++) {
        const struct op_row *row = &op_rows[op];
        char text[64];
        if (row->syntax == SYNTAX_SIGN)
            check_op(op, "-x", 1);
        else if (row->syntax == SYNTAX_POWER)
            for (int n = -3; n <= 3; n++) {
                snprintf(text, sizeof text, "x^%d", n);
                check_op(op, text, 1);
            }
        else if (row->arity == 1) {
            snprintf(text, sizeof text, "%s(x)", row->name);
            check_op(op, text, 1);
        } else
            for (int turned = 0; turned < 2; turned++)
                for (int i = 0; i < 3; i++) {
                    const char *a = turned ? "b0" : "x", *b = turned ? "x" : "b0";
                    snprintf(text, sizeof text, row->syntax == SYNTAX_CALL ? "%s(%s,%s)" : "%.0s%s%s%s",
                             row->name, a, row->syntax == SYNTAX_CALL ? b : row->name, b);
                    check_op(op, text, (double[]){0, 1, -2.5}[i]);
                }
    }
}

static void program_on_path(enum simd_path path, const struct program *program, const float *x,
                            const float *beta, const float *dy, float *y, float *dx, float *dbeta,
                            size_t rows)
{
    assert_int_equal(simd_force(path), 0);
    program_forward(program, x, beta, y, rows, NULL);
    program_backward(program, x, beta, dy, dx, dbeta, rows, NULL);
}

/* NaN has many spellings, and which one comes out is the compiler's choice of operand order. */
static void assert_same_bits(const char *text, const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s: element %zu: %a and %a", text, i, (double)a[i], (double)b[i]);
}

static void all_paths_give_the_same_bits(void **state)
{
    (void)state;
    struct rng rng = rng_seed(2, "paths", 0);
    enum simd_path widest = simd_path();
    static float x[ROWS * LANES], dy[ROWS * LANES], y[2][ROWS * LANES], dx[2][ROWS * LANES];
    for (int round = 0; round < 150; round++) {
        struct buf text = {0};
        if (round < OPS - OP_BETA - 1 && op_rows[OP_BETA + 1 + round].syntax == SYNTAX_CALL)
            buf_printf(&text, op_rows[OP_BETA + 1 + round].arity == 1 ? "%s(x)" : "%s(x,b0)",
                       op_rows[OP_BETA + 1 + round].name);
        else
            random_text(&rng, &text, 1 + (int)rng_below(&rng, 20), 3);
        struct expr *expr = parsed(buf_text(&text));
        struct program *program = program_new(expr);
        float beta[EXPR_MAX_BETAS * LANES];
        for (size_t i = 0; i < ROWS * LANES; i++) {
            x[i] = (float)(rng_normal(&rng) * (i % 7 ? 3.0 : 60.0));
            dy[i] = (float)rng_normal(&rng);
            if (round % 2 && i < sizeof special / sizeof *special)
                x[i] = special[i];
        }
        for (int i = 0; i < EXPR_MAX_BETAS * LANES; i++)
            beta[i] = (float)rng_normal(&rng);
        size_t rows = 1 + rng_below(&rng, ROWS);
        float first[EXPR_MAX_BETAS * LANES] = {0};
        program_on_path(SIMD_portable, program, x, beta, dy, y[0], dx[0], first, rows);
        for (int path = SIMD_portable + 1; path < SIMD_PATHS; path++) {
            float dbeta[EXPR_MAX_BETAS * LANES] = {0};
            if (!simd_has((enum simd_path)path))
                continue;
            program_on_path((enum simd_path)path, program, x, beta, dy, y[1], dx[1], dbeta, rows);
            assert_same_bits(buf_text(&text), y[0], y[1], rows * LANES);
            assert_same_bits(buf_text(&text), dx[0], dx[1], rows * LANES);
            assert_same_bits(buf_text(&text), first, dbeta, (size_t)expr_betas(expr) * LANES);
        }
        program_destroy(&program);
        expr_destroy(&expr);
        buf_release(&text);
    }
    simd_force(widest);
}

/* A random function may be ill-conditioned: x moved by a few units of the last place moves f. So a float
 * result is compared with the spread of the double results around x, β. */
static bool is_near(double got, double exact, double spread)
{
    if (!isfinite(exact) || fabs(exact) > 1e30 || !isfinite(spread))
        return true;
    return fabs(got - exact) <= 1e-4 * fabs(exact) + 1e-5 + 8 * spread;
}

/* Whether all values on the way stay where a float keeps its precision. */
static bool fits_floats(const struct expr *expr, double x, const double *beta)
{
    double value[EXPR_MAX_NODES];
    for (int i = 0; i < expr->count; i++) {
        const struct node *node = &expr->nodes[i];
        if (node->op == OP_NUMBER)
            value[i] = node->value;
        else if (node->op == OP_X)
            value[i] = x;
        else if (node->op == OP_BETA)
            value[i] = beta[node->index];
        else
            value[i] =
                node_value(node, value[node->operand[0]], node->operand[1] < 0 ? 0 : value[node->operand[1]]);
        if (!(fabs(value[i]) < 1e8) || (value[i] != 0 && fabs(value[i]) < 1e-8))
            return false;
    }
    return true;
}

static void random_programs_agree_with_the_double_gradient(void **state)
{
    (void)state;
    struct rng rng = rng_seed(3, "programs", 0);
    static float x[LANES], dy[LANES], y[LANES], dx[LANES];
    int compared = 0, finite = 0;
    for (int round = 0; round < 3000; round++) {
        struct buf text = {0};
        random_text(&rng, &text, 1 + (int)rng_below(&rng, 6), 3);
        struct expr *expr = parsed(buf_text(&text));
        struct program *program = program_new(expr);
        int betas = expr_betas(expr);
        float beta[EXPR_MAX_BETAS * LANES], dbeta[EXPR_MAX_BETAS * LANES] = {0};
        for (int lane = 0; lane < LANES; lane++) {
            x[lane] = (float)(4.0 * rng_uniform(&rng) - 2.0);
            dy[lane] = 1.0f;
        }
        for (int i = 0; i < EXPR_MAX_BETAS * LANES; i++)
            beta[i] = (float)(3.0 * rng_uniform(&rng) - 1.5);
        program_forward(program, x, beta, y, 1, NULL);
        program_backward(program, x, beta, dy, dx, dbeta, 1, NULL);
        for (int lane = 0; lane < LANES; lane++) {
            double exact_beta[EXPR_MAX_BETAS], moved_beta[EXPR_MAX_BETAS];
            double slope, gradient[EXPR_MAX_BETAS], moved_slope, moved_gradient[EXPR_MAX_BETAS];
            for (int k = 0; k < betas; k++)
                exact_beta[k] = beta[k * LANES + lane];
            double value = expr_eval_gradient(expr, x[lane], exact_beta, &slope, gradient);
            double value_spread = 0, slope_spread = 0, gradient_spread[EXPR_MAX_BETAS] = {0};
            for (int probe = 0; probe < 6; probe++) {
                double tilt = (probe % 2 ? 1 : -1) * 1e-6 * (1 + probe);
                for (int k = 0; k < betas; k++)
                    moved_beta[k] = exact_beta[k] * (1 + ((probe >> 1 ^ k) & 1 ? -tilt : tilt));
                double moved =
                    expr_eval_gradient(expr, x[lane] * (1 + tilt), moved_beta, &moved_slope, moved_gradient);
                value_spread = fmax(value_spread, isnan(moved) ? INFINITY : fabs(moved - value));
                slope_spread = fmax(slope_spread, isnan(moved_slope) ? INFINITY : fabs(moved_slope - slope));
                for (int k = 0; k < betas; k++)
                    gradient_spread[k] =
                        fmax(gradient_spread[k],
                             isnan(moved_gradient[k]) ? INFINITY : fabs(moved_gradient[k] - gradient[k]));
            }
            compared++;
            bool steep = value_spread > 1e-2 * (1 + fabs(value)); /* rounding within f may do anything here */
            for (int k = 0; k < betas; k++)
                steep |= gradient_spread[k] > 1e-2 * (1 + fabs(gradient[k]));
            steep |= slope_spread > 1e-2 * (1 + fabs(slope));
            if (steep || !isfinite(value) || !isfinite(slope) || !fits_floats(expr, x[lane], exact_beta))
                continue;
            finite++;
            if (!is_near(y[lane], value, value_spread))
                fail_msg("%s at %.9g: %.9g, expected %.9g", buf_text(&text), (double)x[lane], (double)y[lane],
                         value);
            if (!is_near(dx[lane], slope, slope_spread))
                fail_msg("%s slope at %.9g: %.9g, expected %.9g", buf_text(&text), (double)x[lane],
                         (double)dx[lane], slope);
            for (int k = 0; k < betas; k++)
                if (!is_near(dbeta[k * LANES + lane], gradient[k], gradient_spread[k]))
                    fail_msg("%s by b%d at %.9g: %.9g, expected %.9g", buf_text(&text), k, (double)x[lane],
                             (double)dbeta[k * LANES + lane], gradient[k]);
        }
        program_destroy(&program);
        expr_destroy(&expr);
        buf_release(&text);
    }
    assert_true(finite > compared / 4);
}

static void buffers_may_be_the_same_and_sums_add_up(void **state)
{
    (void)state;
    const char *const texts[] = {"x",
                                 "x*sigmoid(b0*x)",
                                 "-x",
                                 "b0",
                                 "b0*x+b1",
                                 "3",
                                 "x+b0*exp(b1)*x",
                                 "max(x,b0)",
                                 "sin(x)*sin(x)+x",
                                 "tanh(x)+b0*x",
                                 "x*x*x",
                                 "b0+x",
                                 "x-exp(b0)/b1",
                                 "relu(x)+x"};
    struct rng rng = rng_seed(4, "buffers", 0);
    static float x[ROWS * LANES], dy[ROWS * LANES], y[ROWS * LANES], dx[ROWS * LANES], both[ROWS * LANES];
    for (size_t i = 0; i < ROWS * LANES; i++) {
        x[i] = (float)rng_normal(&rng);
        dy[i] = (float)rng_normal(&rng);
    }
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct expr *expr = parsed(texts[t]);
        struct program *program = program_new(expr);
        float beta[EXPR_MAX_BETAS * LANES], once[EXPR_MAX_BETAS * LANES] = {0},
                                                                  again[EXPR_MAX_BETAS * LANES] = {0};
        for (int i = 0; i < EXPR_MAX_BETAS * LANES; i++)
            beta[i] = (float)rng_uniform(&rng) + 0.5f;
        program_forward(program, x, beta, y, ROWS, NULL);
        memcpy(both, x, sizeof x);
        program_forward(program, both, beta, both, ROWS, NULL);
        assert_same_bits(texts[t], y, both, ROWS * LANES);
        program_backward(program, x, beta, dy, dx, once, ROWS, NULL);
        memcpy(both, dy, sizeof dy);
        program_backward(program, x, beta, both, both, again, ROWS, NULL);
        assert_same_bits(texts[t], dx, both, ROWS * LANES);
        assert_same_bits(texts[t], once, again, (size_t)expr_betas(expr) * LANES);
        program_backward(program, x, beta, dy, dx, again, ROWS, NULL);
        for (int k = 0; k < expr_betas(expr); k++)
            for (int lane = 0; lane < LANES; lane++) {
                double exact = 0, exact_beta[EXPR_MAX_BETAS], slope, gradient[EXPR_MAX_BETAS];
                for (int j = 0; j < expr_betas(expr); j++)
                    exact_beta[j] = beta[j * LANES + lane];
                for (int row = 0; row < ROWS; row++) {
                    expr_eval_gradient(expr, x[row * LANES + lane], exact_beta, &slope, gradient);
                    exact += dy[row * LANES + lane] * gradient[k];
                }
                assert_true(fabs(once[k * LANES + lane] - exact) < 1e-3 * (1 + fabs(exact)));
                assert_true(again[k * LANES + lane] == 2 * once[k * LANES + lane]);
            }
        program_destroy(&program);
        expr_destroy(&expr);
    }
}

static void the_longest_expressions_run_too(void **state)
{
    (void)state;
    /* right-leaning, so that many tiles are alive at once; then one with many uniform values */
    for (int kind = 0; kind < 2; kind++) {
        struct buf text = {0};
        for (int i = 0; i < 190; i++)
            buf_printf(&text, kind ? "sin(b0+%d)+(" : "sin(%d*x)*(", i % 97);
        buf_printf(&text, "x");
        for (int i = 0; i < 190; i++)
            buf_printf(&text, ")");
        struct expr *expr = parsed(buf_text(&text));
        struct program *program = program_new(expr);
        float x[3 * LANES], y[3 * LANES], dx[3 * LANES], beta[LANES], dbeta[LANES] = {0};
        for (int i = 0; i < 3 * LANES; i++)
            x[i] = (float)i / 50;
        for (int i = 0; i < LANES; i++)
            beta[i] = 0.5f;
        program_forward(program, x, beta, y, 3, NULL);
        program_backward(program, x, beta, y, dx, dbeta, 3, NULL);
        double one = 0.5;
        for (int i = 0; i < 3 * LANES; i++) {
            double exact = expr_eval(expr, x[i], &one);
            assert_true(fabs(y[i] - exact) < 1e-3 * (1 + fabs(exact)));
        }
        program_destroy(&program);
        expr_destroy(&expr);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_primitive_is_within_its_bound_of_the_double_evaluation),
        cmocka_unit_test(all_paths_give_the_same_bits),
        cmocka_unit_test(random_programs_agree_with_the_double_gradient),
        cmocka_unit_test(buffers_may_be_the_same_and_sums_add_up),
        cmocka_unit_test(the_longest_expressions_run_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
