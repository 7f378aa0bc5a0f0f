/* The accuracy of each primitive over floats: a dense sample of [−20, 20] against long double.
 * docs/accuracy.md has the table of what is measured here; after a change write it anew with
 * build/release/tests/accuracy_test write */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/expr/node.h"
#include "common/expr/program.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, FLOATS = ROWS * LANES };
static const char document[] = "docs/accuracy.md";
static const char begin[] = "<!-- measured: begin -->\n", end[] = "<!-- measured: end -->\n";
static const double most_ulp = 4;

/* ---- exact values, and the size of what a slope is made of where that is not the slope's own ---- */

static const long double two_over_root_pi = 1.12837916709551257389615890312154517L;

static long double slope_of_sinc(long double a)
{
    if (fabsl(a) >= 0.5L)
        return (cosl(a) - sinl(a) / a) / a;
    long double sum = 1;
    for (int k = 14; k >= 1; k--)
        sum = 1 - a * a / (2 * k * (2 * k + 3.0L)) * sum;
    return -a / 3 * sum;
}

static long double sigmoid(long double a)
{
    return 1 / (1 + expl(-a));
}

static long double softplus(long double a)
{
    return fmaxl(a, 0) + log1pl(expl(-fabsl(a)));
}

#define EXACT(name, text, value, slope)                                                                      \
    static long double name##_value(long double a)                                                           \
    {                                                                                                        \
        return value;                                                                                        \
    }                                                                                                        \
    static long double name##_slope(long double a)                                                           \
    {                                                                                                        \
        (void)a;                                                                                             \
        return slope;                                                                                        \
    }
#define ROW(name, text, value, slope) {text, name##_value, name##_slope},
#define TABLE(X)                                                                                             \
    X(neg, "-x", -a, -1)                                                                                     \
    X(square, "x^2", a *a, 2 * a)                                                                            \
    X(cube, "x^3", a *a *a, 3 * a * a)                                                                       \
    X(inverse, "1/x", 1 / a, -1 / (a * a))                                                                   \
    X(abs, "abs(x)", fabsl(a), a > 0 ? 1 : a < 0 ? -1 : 0)                                                   \
    X(sqrt, "sqrt(x)", sqrtl(a), 0.5L / sqrtl(a))                                                            \
    X(log, "log(x)", logl(a), 1 / a)                                                                         \
    X(exp, "exp(x)", expl(a), expl(a))                                                                       \
    X(sin, "sin(x)", sinl(a), cosl(a))                                                                       \
    X(cos, "cos(x)", cosl(a), -sinl(a))                                                                      \
    X(sinh, "sinh(x)", sinhl(a), coshl(a))                                                                   \
    X(cosh, "cosh(x)", coshl(a), sinhl(a))                                                                   \
    X(tanh, "tanh(x)", tanhl(a), 1 / (coshl(a) * coshl(a)))                                                  \
    X(asinh, "asinh(x)", asinhl(a), 1 / sqrtl(1 + a * a))                                                    \
    X(atan, "atan(x)", atanl(a), 1 / (1 + a * a))                                                            \
    X(sinc, "sinc(x)", a == 0 ? 1 : sinl(a) / a, slope_of_sinc(a))                                           \
    X(sigmoid, "sigmoid(x)", sigmoid(a), expl(-fabsl(a)) * sigmoid(fabsl(a)) * sigmoid(fabsl(a)))            \
    X(softplus, "softplus(x)", softplus(a), sigmoid(a))                                                      \
    X(erf, "erf(x)", erfl(a), two_over_root_pi *expl(-a *a))                                                 \
    X(max, "max(x,0.5)", fmaxl(a, 0.5L), a > 0.5L ? 1 : a < 0.5L ? 0 : 0.5L)                                 \
    X(min, "min(x,0.5)", fminl(a, 0.5L), a<0.5L ? 1 : a> 0.5L ? 0 : 0.5L)                                    \
    X(relu, "relu(x)", fmaxl(a, 0), a > 0)
TABLE(EXACT)

static const struct {
    const char *text;
    long double (*value)(long double a), (*slope)(long double a);
} rows[] = {TABLE(ROW)};
enum { COUNT = sizeof rows / sizeof *rows };

/* ---- measuring ---- */

struct worst {
    double ulp;
    float at;
};

/* The distance in units of the last place of the exact result, or of `size` where that is larger. NaN must be
 * NaN; what is below the normal numbers may be 0. */
static void note(struct worst *worst, float x, float got, long double exact, long double size)
{
    double ulp = 0;
    if (isnan(exact) || fabsl(exact) > FLT_MAX)
        ulp = (isnan(exact) ? isnan(got) : got == (float)exact) ? 0 : INFINITY;
    else if (fabsl(exact) < FLT_MIN)
        ulp = fabsl((long double)got - exact) < FLT_MIN ? 0 : INFINITY;
    else {
        int exponent;
        frexpl(fmaxl(fabsl(exact), size), &exponent);
        ulp = (double)(fabsl((long double)got - exact) / ldexpl(1, exponent - 24));
    }
    if (!(ulp <= worst->ulp))
        *worst = (struct worst){ulp, x};
}

/* All of the sample: even steps, and steps of the bits so that small arguments get their share. */
static size_t next_sample(float *x, uint32_t *state)
{
    enum { EVEN = 200000, BIT_STEP = 7919 };
    size_t count = 0;
    while (count < FLOATS) {
        const uint32_t index = (*state)++;
        if (index <= EVEN) {
            x[count++] = (float)(-20.0 + 40.0 / EVEN * index);
            continue;
        }
        const uint32_t bits = (index - EVEN) / 2 * BIT_STEP;
        if (bits > 0x41a00000) /* 20 */
            break;
        float size;
        memcpy(&size, &bits, sizeof size);
        if (size == 0 || size >= FLT_MIN)
            x[count++] = index & 1 ? size : -size;
    }
    return count;
}

static void measure(int row, struct worst *value, struct worst *slope)
{
    static float x[FLOATS], y[FLOATS], dx[FLOATS], dy[FLOATS];
    struct expr *expr;
    struct problem problem;
    assert_int_equal(expr_parse(rows[row].text, &expr, &problem), 0);
    struct program *program = program_new(expr);
    for (int i = 0; i < FLOATS; i++)
        dy[i] = 1.0f;
    uint32_t state = 0;
    *value = *slope = (struct worst){0, 0};
    for (size_t count; (count = next_sample(x, &state)) > 0;) {
        program_forward(program, x, NULL, y, (count + LANES - 1) / LANES, NULL);
        program_backward(program, x, NULL, dy, dx, NULL, (count + LANES - 1) / LANES, NULL);
        for (size_t i = 0; i < count; i++) {
            const long double a = (long double)x[i];
            const bool is_sinc = rows[row].value == sinc_value;
            note(value, x[i], y[i], rows[row].value(a), 0);
            note(slope, x[i], dx[i], rows[row].slope(a), is_sinc && fabsl(a) > 2 ? 1 / fabsl(a) : 0);
        }
    }
    program_destroy(&program);
    expr_destroy(&expr);
}

/* The measured table, which takes some seconds: once for all tests. */
static const char *measured(void)
{
    static struct buf table;
    if (table.size)
        return buf_text(&table);
    buf_printf(&table, "| function | f, ulp | at | f′, ulp | at |\n|---|---|---|---|---|\n");
    for (int row = 0; row < COUNT; row++) {
        struct worst value, slope;
        measure(row, &value, &slope);
        buf_printf(&table, "| `%s` | %.2f | %.9g | %.2f | %.9g |\n", rows[row].text, value.ulp,
                   (double)value.at, slope.ulp, (double)slope.at);
        if (!(value.ulp <= most_ulp) || !(slope.ulp <= most_ulp))
            fail_msg("%s: f off by %g ulp at %.9g, its slope by %g ulp at %.9g", rows[row].text, value.ulp,
                     (double)value.at, slope.ulp, (double)slope.at);
    }
    return buf_text(&table);
}

/* The document up to the table, the table, the rest. malloc'd. */
static char *document_read(void)
{
    FILE *file = fopen(document, "r");
    assert_non_null(file);
    char *text = xcalloc(1 << 16, 1);
    text[fread(text, 1, (1 << 16) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void f_and_its_slope_are_within_4_ulp_of_the_exact_ones(void **state)
{
    (void)state;
    assert_true(strlen(measured()) > 0);
}

static void every_primitive_with_a_slope_is_measured(void **state)
{
    (void)state;
    for (int op = OP_BETA + 1; op < OPS; op++) {
        bool found =
            op_rows[op].property == PROPERTY_FLAT || op_rows[op].syntax == SYNTAX_SUM || op == OP_MUL;
        for (int row = 0; row < COUNT && !found; row++)
            found = strstr(rows[row].text, op_rows[op].name) != NULL;
        if (!found)
            fail_msg("%s is not measured", op_rows[op].name);
    }
}

static void the_document_has_the_measured_table(void **state)
{
    (void)state;
    char *text = document_read(), *from = strstr(text, begin), *to = strstr(text, end);
    assert_true(from && to && to > from);
    *to = '\0';
    assert_string_equal(from + sizeof begin - 1, measured());
    free(text);
}

static int document_write(void)
{
    char *text = document_read(), *from = strstr(text, begin), *to = strstr(text, end);
    const char *table = measured();
    FILE *file = from && to ? fopen(document, "w") : NULL;
    if (!file)
        return 1;
    fprintf(file, "%.*s%s%s", (int)(from + sizeof begin - 1 - text), text, table, to);
    free(text);
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "write") == 0)
        return document_write();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f_and_its_slope_are_within_4_ulp_of_the_exact_ones),
        cmocka_unit_test(every_primitive_with_a_slope_is_measured),
        cmocka_unit_test(the_document_has_the_measured_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
