/* Columns, pictures and sparklines of the command line: what a person sees. */
#include "cli/picture.h"
#include "cli/table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_print(table, out);
    fclose(out);
    return text;
}

static void columns_are_aligned_by_characters_not_bytes(void **state)
{
    (void)state;
    struct table *table = table_new("rll");
    table_row(table);
    table_cell(table, "rank"), table_cell(table, "± sd"), table_cell(table, "activation");
    table_row(table);
    table_cell(table, "%d", 7), table_cell(table, "± 0.25"), table_cell(table, "x");
    char *text = printed(table);
    assert_string_equal(text, "rank  ± sd    activation\n"
                              "   7  ± 0.25  x\n");
    free(text);
    table_destroy(&table);
    assert_null(table);
}

static void a_row_ends_with_its_last_cell_that_holds_something(void **state)
{
    (void)state;
    struct table *table = table_new("lrl");
    table_row(table);
    table_cell(table, "…");
    table_row(table);
    table_cell(table, "a"), table_cell(table, "12"), table_cell(table, "%s", "");
    char *text = printed(table);
    assert_string_equal(text, "…\na  12\n");
    free(text);
    table_destroy(&table);
}

static void levels_are_on_the_scale_that_is_given(void **state)
{
    (void)state;
    struct buf text = {0};
    picture_levels((const double[]){0, 0.5, 1, 2, -1, NAN}, 6, 0, 1, &text);
    assert_string_equal(buf_text(&text), "▁▅██▁!");
    buf_release(&text);
}

static void a_sparkline_spans_lowest_to_highest_and_marks_what_is_not_finite(void **state)
{
    (void)state;
    struct buf text = {0};
    picture_sparkline((const double[]){0, 7, 3.5, NAN, INFINITY}, 5, &text);
    assert_string_equal(buf_text(&text), "▁█▅!!");
    buf_clear(&text);
    picture_sparkline((const double[]){2, 2}, 2, &text);
    assert_string_equal(buf_text(&text), "▁▁");
    buf_release(&text);
}

static struct expr *parsed(const char *text)
{
    struct problem problem;
    struct expr *expr = NULL;
    assert_int_equal(expr_parse(text, &expr, &problem), 0);
    return expr;
}

static void a_picture_shows_f_and_its_derivative(void **state)
{
    (void)state;
    struct expr *relu = parsed("max(x,0)");
    struct buf text = {0};
    picture_functions(relu, &text);
    const char *first = buf_text(&text), *end = strchr(first, '\n');
    assert_int_equal(strncmp(first, "  5.00 ", 7), 0);
    assert_int_equal(end[-1], '*'); /* f(5) = 5 stands in the upper right corner */
    int lines = 0, f = 0, slope = 0, both = 0;
    for (const char *at = first; *at && lines < PICTURE_HEIGHT; at++) {
        lines += *at == '\n';
        f += *at == '*', slope += *at == 'o', both += *at == '@';
    }
    assert_int_equal(lines, PICTURE_HEIGHT);
    assert_in_range(f, PICTURE_WIDTH / 4, PICTURE_WIDTH);
    assert_in_range(slope, PICTURE_WIDTH / 4, PICTURE_WIDTH); /* 1 on the right */
    assert_in_range(both, PICTURE_WIDTH / 4, PICTURE_WIDTH);  /* 0 on the left */
    buf_release(&text);
    expr_destroy(&relu);
}

static void a_picture_survives_values_that_are_not_finite(void **state)
{
    (void)state;
    static const char *const wild[] = {"1/x", "log(x)", "exp(exp(x^2))", "sqrt(x)-sqrt(x)",
                                       "b0*x+b1; b1=1e300"};
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        struct expr *expr = parsed(wild[i]);
        struct buf text = {0};
        picture_functions(expr, &text);
        assert_true(text.size > PICTURE_WIDTH * PICTURE_HEIGHT);
        buf_release(&text);
        expr_destroy(&expr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_by_characters_not_bytes),
        cmocka_unit_test(a_row_ends_with_its_last_cell_that_holds_something),
        cmocka_unit_test(levels_are_on_the_scale_that_is_given),
        cmocka_unit_test(a_sparkline_spans_lowest_to_highest_and_marks_what_is_not_finite),
        cmocka_unit_test(a_picture_shows_f_and_its_derivative),
        cmocka_unit_test(a_picture_survives_values_that_are_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
