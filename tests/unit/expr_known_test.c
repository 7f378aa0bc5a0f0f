/* The functions that have a name: the baselines of the paper and its own finds, against their textbook forms in
 * libm's double precision. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/expr/expr.h"
#include "common/expr/fingerprint.h"

#include <math.h>
#include <string.h>

/* What is trained stands at `b`; NaN: there is none. */
struct textbook {
    const char *name;
    double (*value)(double x, double b);
    double b;
};

static double relu(double x, double b)
{
    return (void)b, x > 0 ? x : 0;
}
static double leaky_relu(double x, double b)
{
    return (void)b, x > 0 ? x : 0.01 * x;
}
static double prelu(double x, double b)
{
    return x > 0 ? x : b * x;
}
static double softplus(double x, double b)
{
    return (void)b, log1p(exp(x));
}
static double elu(double x, double b)
{
    return (void)b, x > 0 ? x : expm1(x);
}
static double selu(double x, double b)
{
    return (void)b, 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
}
static double gelu(double x, double b)
{
    return (void)b, x * 0.5 * erfc(-x / sqrt(2));
}
static double swish(double x, double b)
{
    return x / (1 + exp(-b * x));
}
static double swish_1(double x, double b)
{
    return (void)b, swish(x, 1);
}
static double max_sigmoid(double x, double b)
{
    return (void)b, fmax(x, 1 / (1 + exp(-x)));
}
static double cos_minus(double x, double b)
{
    return (void)b, cos(x) - x;
}
static double min_sin(double x, double b)
{
    return (void)b, fmin(x, sin(x));
}
static double atan_squared_minus(double x, double b)
{
    return (void)b, pow(atan(x), 2) - x;
}
static double max_tanh(double x, double b)
{
    return (void)b, fmax(x, tanh(x));
}
static double sinc_plus(double x, double b)
{
    return (void)b, sin(x) / x + x;
}
static double x_asinh_squared(double x, double b)
{
    return (void)b, x * pow(asinh(x), 2);
}

static const struct textbook baselines[] = {
    {"relu", relu, NAN},    {"leaky_relu", leaky_relu, NAN},
    {"prelu", prelu, 0.25}, {"softplus", softplus, NAN},
    {"elu", elu, NAN},      {"selu", selu, NAN},
    {"gelu", gelu, NAN},    {"swish-1", swish_1, NAN},
    {"swish", swish, 1},
};
static const struct textbook finds[] = {
    {"swish", swish, 1},
    {"max_sigmoid", max_sigmoid, NAN},
    {"cos_minus", cos_minus, NAN},
    {"min_sin", min_sin, NAN},
    {"atan_squared_minus", atan_squared_minus, NAN},
    {"max_tanh", max_tanh, NAN},
    {"sinc_plus", sinc_plus, NAN},
    {"x_asinh_squared", x_asinh_squared, NAN},
};
enum { BASELINES = sizeof baselines / sizeof *baselines, FINDS = sizeof finds / sizeof *finds };

static struct expr *known(const char *name)
{
    struct expr *expr = NULL;
    struct problem problem;
    assert_non_null(expr_known_find(name));
    assert_int_equal(expr_parse(expr_known_text(name), &expr, &problem), 0);
    return expr;
}

static void check(const struct textbook *textbook)
{
    struct expr *expr = known(textbook->name);
    const bool trained = !isnan(textbook->b);
    assert_int_equal(expr_betas(expr), trained ? 1 : 0);
    if (trained)
        assert_true(expr_beta_init(expr, 0) == textbook->b);
    for (double b = 0.25; b < 3; b += 0.5)
        for (double x = -8.03; x < 8.03; x += 0.1) {
            const double value = expr_eval(expr, x, &b), expected = textbook->value(x, b);
            assert_true(fabs(value - expected) <= 1e-14 + 1e-13 * fabs(expected));
        }
    expr_destroy(&expr);
}

static void the_papers_baselines_have_their_names_and_their_values(void **state)
{
    (void)state;
    for (int i = 0; i < BASELINES; i++)
        check(&baselines[i]);
}

static void the_papers_eight_functions_have_names_and_their_values(void **state)
{
    (void)state;
    assert_int_equal(FINDS, 8);
    for (int i = 0; i < FINDS; i++)
        check(&finds[i]);
}

/* Functions are told apart on [−5, 5], where relu6 is relu. */
static void names_and_functions_are_one_to_one(void **state)
{
    (void)state;
    for (int i = 0; i < expr_known_count; i++) {
        struct expr *one = known(expr_known[i].name);
        enum verdict verdict;
        const struct hash fingerprint = fingerprint_of(one, &verdict);
        assert_int_equal(verdict, VERDICT_USABLE);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(expr_known[i].name, expr_known[k].name);
            struct expr *other = known(expr_known[k].name);
            const struct hash of_other = fingerprint_of(other, &verdict);
            const bool same = memcmp(&fingerprint, &of_other, sizeof fingerprint) == 0;
            assert_true(same == (strcmp(expr_known[i].name, "relu6") == 0 &&
                                 strcmp(expr_known[k].name, "relu") == 0));
            expr_destroy(&other);
        }
        expr_destroy(&one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_papers_baselines_have_their_names_and_their_values),
        cmocka_unit_test(the_papers_eight_functions_have_names_and_their_values),
        cmocka_unit_test(names_and_functions_are_one_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
