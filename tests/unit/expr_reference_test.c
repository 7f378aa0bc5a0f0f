/* tests/golden/expr.txt: several hundred functions with values and derivatives from a parser and an
 * arithmetic of their own (tests/reference/expr_reference.py). The numeric gradient, the printed derivative
 * and the tile program are held to them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/expr/expr.h"
#include "common/expr/program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of the file: expression, x, betas, f, df, dbetas; "-" for an empty list. */
struct point {
    char text[512];
    double x, beta[EXPR_MAX_BETAS], f, df, dbeta[EXPR_MAX_BETAS];
    int betas;
};

static int read_list(char *field, double *values)
{
    int count = 0;
    for (char *at = strcmp(field, "-") == 0 ? NULL : field; at; at = *at == ',' ? at + 1 : NULL) {
        assert_true(count < EXPR_MAX_BETAS);
        values[count++] = strtod(at, &at);
    }
    return count;
}

static bool read_point(FILE *file, struct point *point)
{
    char line[2048], *field[6], *rest = line;
    if (!fgets(line, sizeof line, file))
        return false;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 6; i++)
        assert_non_null(field[i] = strsep(&rest, "\t"));
    snprintf(point->text, sizeof point->text, "%s", field[0]);
    point->x = strtod(field[1], NULL);
    point->betas = read_list(field[2], point->beta);
    point->f = strtod(field[3], NULL);
    point->df = strtod(field[4], NULL);
    assert_int_equal(read_list(field[5], point->dbeta), point->betas);
    return true;
}

static void assert_close(const struct point *point, const char *what, double got, double expected,
                         double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%s at %g: %s is %.17g, expected %.17g", point->text, point->x, what, got, expected);
}

static void check_doubles(const struct expr *expr, const struct point *point)
{
    double df, dbeta[EXPR_MAX_BETAS];
    assert_int_equal(expr_betas(expr), point->betas);
    assert_close(point, "f", expr_eval_gradient(expr, point->x, point->beta, &df, dbeta), point->f, 1e-10);
    assert_close(point, "df/dx", df, point->df, 1e-10);
    for (int k = 0; k < point->betas; k++)
        assert_close(point, "df/db", dbeta[k], point->dbeta[k], 1e-10);
}

/* sinc's printed slope is 0/0 at 0: the language cannot say it (common/expr/ops.def). */
static void check_printed_derivative(const struct expr *expr, const struct point *point)
{
    for (int wrt = EXPR_WRT_X; wrt < point->betas; wrt++) {
        struct expr *derivative = expr_derivative(expr, wrt);
        const double got = expr_eval(derivative, point->x, point->beta);
        if (!isnan(got) || !strstr(point->text, "sinc"))
            assert_close(point, "the printed derivative", got, wrt < 0 ? point->df : point->dbeta[wrt], 1e-9);
        expr_destroy(&derivative);
    }
}

/* Floats lose what the function's own steepness makes of half a unit in the last place of x and of the values
 * on the way; where a rounded x moves f by much there is nothing to compare. */
static bool is_steep(const struct expr *expr, const struct point *point)
{
    double df, dbeta[EXPR_MAX_BETAS], most = 0;
    for (int side = -1; side <= 1; side += 2) {
        double beta[EXPR_MAX_BETAS];
        for (int k = 0; k < point->betas; k++)
            beta[k] = point->beta[k] * (1 + side * 1e-6);
        const double f = expr_eval_gradient(expr, point->x * (1 + side * 1e-6), beta, &df, dbeta);
        most = fmax(most, fabs(f - point->f) / (1 + fabs(point->f)));
        most = fmax(most, fabs(df - point->df) / (1 + fabs(point->df)));
        for (int k = 0; k < point->betas; k++)
            most = fmax(most, fabs(dbeta[k] - point->dbeta[k]) / (1 + fabs(point->dbeta[k])));
    }
    return !(most < 1e-4);
}

static void check_program(const struct expr *expr, const struct point *point)
{
    float x[LANES], dy[LANES], y[LANES], dx[LANES], beta[EXPR_MAX_BETAS * LANES];
    float dbeta[EXPR_MAX_BETAS * LANES] = {0};
    struct program *program = program_new(expr);
    for (int lane = 0; lane < LANES; lane++) {
        x[lane] = (float)point->x;
        dy[lane] = 1.0f;
        for (int k = 0; k < point->betas; k++)
            beta[k * LANES + lane] = (float)point->beta[k];
    }
    program_forward(program, x, beta, y, 1, NULL);
    program_backward(program, x, beta, dy, dx, dbeta, 1, NULL);
    assert_close(point, "the program's f", (double)y[0], point->f, 2e-3);
    assert_close(point, "the program's df/dx", (double)dx[0], point->df, 2e-3);
    for (int k = 0; k < point->betas; k++)
        assert_close(point, "the program's df/db", (double)dbeta[k * LANES], point->dbeta[k], 2e-3);
    program_destroy(&program);
}

static void every_function_has_the_values_that_the_reference_computes(void **state)
{
    (void)state;
    FILE *file = fopen("tests/golden/expr.txt", "r");
    assert_non_null(file);
    struct point point;
    int points = 0, compared = 0;
    while (read_point(file, &point)) {
        struct expr *expr;
        struct problem problem;
        if (expr_parse(point.text, &expr, &problem) != 0)
            fail_msg("%s: %s", point.text, problem.text);
        check_doubles(expr, &point);
        check_printed_derivative(expr, &point);
        points++;
        if (!is_steep(expr, &point)) {
            check_program(expr, &point);
            compared++;
        }
        expr_destroy(&expr);
    }
    fclose(file);
    assert_true(points > 2000 && compared > points * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_has_the_values_that_the_reference_computes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
