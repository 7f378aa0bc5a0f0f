/* The grammar: what strings mean, how they are printed, what is said about wrong ones, and the limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/expr_random.h"

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

static void strings_are_read_and_printed_as_the_grammar_says(void **state)
{
    static const struct {
        const char *text, *printed;
    } rows[] = {
        {"x", "x"},
        {" x ", "x"},
        {"b", "b0"},
        {"b0", "b0"},
        {"b*x+b1", "b0*x+b1"},
        {"b3*x", "b0*x"},
        {"b7*x+b2", "b1*x+b0"},
        {"-x^2", "-x^2"},
        {"(-x)^2", "(-x)^2"},
        {"-(x^2)", "-x^2"},
        {"(x^2)^3", "(x^2)^3"},
        {"x^-2", "x^-2"},
        {"x^0", "x^0"},
        {"x ^ - 2", "x^-2"},
        {"x^2.0", "x^2"},
        {"1-2-3", "1-2-3"},
        {"1-(2-3)", "1-(2-3)"},
        {"x/x/x", "x/x/x"},
        {"x/(x/x)", "x/(x/x)"},
        {"x*(x*x)", "x*(x*x)"},
        {"(x*x)*x", "x*x*x"},
        {"x*(x+1)", "x*(x+1)"},
        {"x*x+1", "x*x+1"},
        {"x+(x+1)", "x+(x+1)"},
        {"((((x))))", "x"},
        {"x*-x", "x*-x"},
        {"-x*x", "-x*x"},
        {"-(x*x)", "-(x*x)"},
        {"--x", "--x"},
        {"-2", "-2"},
        {"--2", "2"},
        {"-(2)", "-2"},
        {"-2^2", "-2^2"},
        {"(-2)^2", "(-2)^2"},
        {"x--2", "x--2"},
        {"x- 2", "x-2"},
        {"-0", "-0"},
        {".5", "0.5"},
        {"5.", "5"},
        {"1e3", "1000"},
        {"1E+3", "1000"},
        {"1e-6", "1e-6"},
        {"0.000001", "1e-6"},
        {"0.0001", "0.0001"},
        {"1e300", "1e300"},
        {"123456", "123456"},
        {"0.1", "0.1"},
        {"1.6732632423543772", "1.6732632423543772"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"5e-324", "5e-324"},
        {"sin(x)", "sin(x)"},
        {"sin ( x )", "sin(x)"},
        {"max(x , 0)", "max(x,0)"},
        {"max(x+1,-x)", "max(x+1,-x)"},
        {"-sin(x)^2", "-sin(x)^2"},
        {"exp(-b*(x-1)^2)", "exp(-b0*(x-1)^2)"},
        {"max(x,0)+b*min(x,0); b=0.25", "max(x,0)+b0*min(x,0); b0=0.25"},
        {"b0*x+b1;b1=-2;b0=1", "b0*x+b1; b1=-2"},
        {"b5*x; b5 = .5", "b0*x; b0=0.5"},
        {"1/(x+1e-6)", "1/(x+1e-6)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct expr *expr = parsed(rows[i].text);
        char *printed = expr_print(expr);
        assert_string_equal(printed, rows[i].printed);
        free(printed);
        expr_destroy(&expr);
    }
}

static void every_primitive_can_be_written_and_has_a_complete_row(void **state)
{
    (void)state;
    for (int op = OP_BETA + 1; op < OPS; op++) {
        const struct op_row *row = &op_rows[op];
        assert_true(row->arity == 1 || row->arity == 2);
        assert_true(strlen(row->meaning) > 2);
        assert_true(row->syntax != SYNTAX_LEAF);
        assert_true(row->property != PROPERTY_COMMUTATIVE || row->arity == 2);
        for (int k = 0; k < row->arity; k++)
            assert_true(strlen(row->slope_text[k]) > 0);
        char text[64];
        if (row->syntax == SYNTAX_CALL)
            snprintf(text, sizeof text, row->arity == 2 ? "%s(x,b0)" : "%s(x)", row->name);
        else if (row->arity == 2)
            snprintf(text, sizeof text, "x%sb0", row->name);
        else
            snprintf(text, sizeof text, row->syntax == SYNTAX_SIGN ? "%sx" : "x%s3", row->name);
        struct expr *expr = parsed(text);
        char *printed = expr_print(expr);
        assert_string_equal(printed, text);
        assert_int_equal(expr->nodes[expr->count - 1].op, op);
        free(printed);
        expr_destroy(&expr);
    }
}

static void printing_and_parsing_round_trip_on_random_expressions(void **state)
{
    (void)state;
    struct rng rng = rng_seed(1, "round trip", 0);
    for (int round = 0; round < 5000; round++) {
        struct buf text = {0};
        random_text(&rng, &text, (int)rng_below(&rng, 30), 4);
        struct expr *expr = parsed(buf_text(&text));
        char *printed = expr_print(expr);
        struct expr *again = parsed(printed);
        if (!expr_equal(expr, again))
            fail_msg("%s is not %s", buf_text(&text), printed);
        assert_true(strlen(printed) <= text.size);
        free(printed);
        expr_destroy(&expr);
        expr_destroy(&again);
        buf_release(&text);
    }
}

static void every_double_is_printed_so_that_it_reads_back(void **state)
{
    (void)state;
    struct rng rng = rng_seed(2, "numbers", 0);
    for (int round = 0; round < 5000; round++) {
        uint64_t bits = rng_u64(&rng);
        double value;
        if (round % 3 == 0)
            bits = (bits >> 52 << 52) | (uint64_t)(rng_below(&rng, 16) << 48);
        memcpy(&value, &bits, sizeof value);
        if (value - value != 0)
            continue;
        struct builder builder = builder_new(EXPR_MAX_NODES);
        struct expr like = {.name_count = 1, .names = {"x"}};
        struct expr *expr = builder_finish(&builder, builder_number(&builder, value), &like);
        char *printed = expr_print(expr);
        struct expr *again = parsed(printed);
        assert_true(expr_equal(expr, again));
        free(printed);
        expr_destroy(&expr);
        expr_destroy(&again);
    }
}

static void a_wrong_string_gets_its_column_and_what_was_expected(void **state)
{
    static const struct {
        const char *text;
        int err, column;
        const char *said;
    } rows[] = {
        {"", ERR_INPUT, 1, "expected a number, a name or '(', found the end"},
        {"   ", ERR_INPUT, 4, "found the end"},
        {"x+", ERR_INPUT, 3, "expected a number, a name or '(', found the end"},
        {"x+*2", ERR_INPUT, 3, "found '*'"},
        {"2x", ERR_INPUT, 2, "expected an operator, ';' or the end, found 'x'"},
        {"x x", ERR_INPUT, 3, "expected an operator"},
        {"sigmod(x)", ERR_INPUT, 1, "unknown function 'sigmod': did you mean 'sigmoid'?"},
        {"x+foobarbaz(x)", ERR_INPUT, 3, "expected one of abs sqrt log exp sin"},
        {"gelu(x)", ERR_INPUT, 1, "write 0.5*x*(1+erf(0.7071067811865476*x))"},
        {"y+1", ERR_INPUT, 1, "unknown name 'y': expected x, b0 to b15, a number or a function"},
        {"1+sin", ERR_INPUT, 6, "expected '(' after the name of a function, found the end"},
        {"sin x", ERR_INPUT, 5, "expected '(' after the name of a function, found 'x'"},
        {"sin()", ERR_INPUT, 5, "expected a number, a name or '(', found ')'"},
        {"sin(x", ERR_INPUT, 6, "expected an operator or ')'"},
        {"sin(x,x)", ERR_INPUT, 6, "the function takes one argument"},
        {"max(x)", ERR_INPUT, 6, "',' and the second argument"},
        {"max(x,1,2)", ERR_INPUT, 8, "the function takes two arguments"},
        {"(x", ERR_INPUT, 3, "expected an operator or ')', found the end"},
        {"x)", ERR_INPUT, 2, "found ')'"},
        {"x^", ERR_INPUT, 3, "expected an integer power"},
        {"x^y", ERR_INPUT, 3, "expected an integer power"},
        {"x^2.5", ERR_INPUT, 3, "expected an integer power"},
        {"x^(2)", ERR_INPUT, 3, "expected an integer power"},
        {"x^2^3", ERR_INPUT, 4, "a power of a power needs parentheses"},
        {"x^1001", ERR_LIMIT, 3, "at most 1000"},
        {"1e999", ERR_INPUT, 1, "expected a number below"},
        {"0x10", ERR_INPUT, 2, "expected an operator"},
        {"inf", ERR_INPUT, 1, "unknown name 'inf'"},
        {"nan", ERR_INPUT, 1, "unknown name 'nan'"},
        {"b16", ERR_LIMIT, 1, "expected b0 to b15"},
        {"b99999999999999999999", ERR_LIMIT, 1, "expected b0 to b15"},
        {"x;", ERR_INPUT, 3, "expected a parameter of the expression"},
        {"x; b=1", ERR_INPUT, 4, "expected a parameter of the expression"},
        {"b*x; b", ERR_INPUT, 7, "expected '=' and an initial value"},
        {"b*x; b=x", ERR_INPUT, 8, "expected a number"},
        {"b*x; b=1; b0=2", ERR_INPUT, 11, "already has an initial value"},
        {"x\nx", ERR_INPUT, 2, "a character outside of ASCII"},
        {"x+\xce\xb2", ERR_INPUT, 3, "a character outside of ASCII"},
        {"1..2", ERR_INPUT, 3, "expected an operator"},
        {"x**2", ERR_INPUT, 3, "found '*'"},
        {"Sin(x)", ERR_INPUT, 1, "did you mean 'sin'?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct expr *expr = (struct expr *)&expr;
        struct problem problem = {0};
        int err = expr_parse(rows[i].text, &expr, &problem);
        if (err != rows[i].err || problem.column != rows[i].column || !strstr(problem.text, rows[i].said))
            fail_msg("'%s': %d, column %d: %s", rows[i].text, err, problem.column, problem.text);
        assert_ptr_equal(expr, &expr); /* untouched */
    }
}

static void the_caret_stands_under_the_column(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"x+*2", "x+*2\n  ^ expected"},
        {"x+\xce\xb2", "x+\xce\xb2\n  ^ expected"},
        {"\xce\xb2", "\xce\xb2\n^ expected"},
        {"x\t+\t)", "x + )\n    ^ expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct expr *expr;
        struct problem problem;
        assert_int_not_equal(expr_parse(rows[i].text, &expr, &problem), 0);
        char *shown = expr_problem_text(rows[i].text, &problem);
        assert_int_equal(strncmp(shown, rows[i].shown, strlen(rows[i].shown)), 0);
        free(shown);
    }
    char text[1201];
    memset(text, '1', 1200);
    text[1200] = '\0';
    for (int i = 1; i < 1200; i += 2)
        text[i] = i == 801 ? '?' : '+';
    struct expr *expr;
    struct problem problem;
    assert_int_equal(expr_parse(text, &expr, &problem), ERR_INPUT);
    char *shown = expr_problem_text(text, &problem);
    char *line_end = strchr(shown, '\n'), *caret = strchr(line_end, '^');
    assert_true(line_end - shown < 120);
    assert_int_equal(shown[caret - line_end - 1], '?');
    free(shown);
}

static int parse_error(const char *text)
{
    struct expr *expr;
    struct problem problem;
    int err = expr_parse(text, &expr, &problem);
    if (err == 0)
        expr_destroy(&expr);
    return err;
}

static char *repeated(const char *before, int count, const char *middle, const char *after)
{
    struct buf text = {0};
    for (int i = 0; i < count; i++)
        buf_printf(&text, "%s", before);
    buf_printf(&text, "%s", middle);
    for (int i = 0; i < count; i++)
        buf_printf(&text, "%s", after);
    char *result = xstrdup(buf_text(&text));
    buf_release(&text);
    return result;
}

static void what_passes_a_limit_is_refused_and_nothing_overflows(void **state)
{
    static const struct {
        const char *before, *middle, *after;
        int count, err;
    } rows[] = {
        {"(", "x", ")", 200, 0},
        {"(", "x", ")", 201, ERR_LIMIT},
        {"(", "x", ")", 2000, ERR_LIMIT},
        {"sin(", "x", ")", 200, 0},
        {"sin(", "x", ")", 600, ERR_LIMIT},
        {"-", "x", "", 200, 0},
        {"-", "x", "", 4000, ERR_LIMIT},
        {"max(1,", "x", ")", 500, ERR_LIMIT},
        {"x+", "x", "", 1000, 0},           /* x+x+x…: 1001 distinct nodes, no nesting */
        {"x+", "x", "", 1100, ERR_LIMIT},   /* too many distinct nodes */
        {"x*", "x", "", 2047, ERR_LIMIT},   /* 4095 characters */
        {"x*", "x", "", 2048, ERR_LIMIT},   /* 4097 characters */
        {"1+", "x", "", 100000, ERR_LIMIT}, /* far too long */
        {"(x+", "x", ")", 199, 0},
        {"(", "", "", 4096, ERR_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = repeated(rows[i].before, rows[i].count, rows[i].middle, rows[i].after);
        int err = parse_error(text);
        if (err != rows[i].err)
            fail_msg("%d times '%s': %d", rows[i].count, rows[i].before, err);
        if (err == 0) { /* then it prints, and its canonical form too, as something that can be read again */
            struct expr *expr = parsed(text), *canon = expr_canon(expr);
            char *printed = expr_print(expr), *canonical = expr_print(canon);
            assert_int_equal(parse_error(printed), 0);
            assert_int_equal(parse_error(canonical), 0);
            free(printed);
            free(canonical);
            expr_destroy(&expr);
            expr_destroy(&canon);
        }
        free(text);
    }
}

static void a_string_whose_canonical_form_would_be_too_long_is_refused(void **state)
{
    (void)state;
    /* Each 1/7 becomes a number of 18 digits: within the limit as written, past it in canonical form. */
    struct buf long_text = {0};
    buf_printf(&long_text, "x");
    for (int i = 0; i < 400; i++)
        buf_printf(&long_text, "+x*(1/%d)", i % 90 + 7);
    assert_true(long_text.size <= EXPR_MAX_TEXT);
    assert_int_equal(parse_error(buf_text(&long_text)), ERR_LIMIT);
    buf_release(&long_text);
}

static void templates_put_expressions_for_their_names(void **state)
{
    (void)state;
    static const char *const one[] = {"x"}, *const two[] = {"x1", "x2"};
    struct expr *unary, *binary, *x, *inner, *outer;
    struct problem problem;
    assert_int_equal(expr_template_parse("b*x; b=0.5", one, 1, &unary, &problem), 0);
    assert_int_equal(expr_template_parse("exp(-b*(x1-x2)^2)", two, 2, &binary, &problem), 0);
    x = parsed("x");
    struct expr_binding binding = {"x", x};
    assert_int_equal(expr_template_apply(unary, &binding, 1, 2, 1.5, &inner), 0);
    struct expr_binding pair[] = {{"x2", inner}, {"x1", x}};
    assert_int_equal(expr_template_apply(binary, pair, 2, 4, 1.5, &outer), 0);
    struct expr *canon = expr_canon(outer);
    char *printed = expr_print(canon);
    assert_string_equal(printed, "exp(-b0*(x-b1*x)^2); b0=1.5; b1=0.5");
    free(printed);
    expr_destroy(&inner);
    assert_int_equal(expr_template_apply(unary, &binding, 1, EXPR_MAX_BETAS, 1, &inner), ERR_LIMIT);
    assert_int_equal(expr_template_parse("x1+x", two, 2, &inner, &problem), ERR_INPUT);
    assert_int_equal(problem.column, 4);
    assert_non_null(strstr(problem.text, "expected x1, x2, b0 to b15"));
    struct expr *all[] = {unary, binary, x, outer, canon};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        expr_destroy(&all[i]);
}

static void a_template_applied_again_and_again_meets_the_limit_and_not_the_end_of_memory(void **state)
{
    (void)state;
    static const char *const two[] = {"x1", "x2"};
    struct expr *pattern, *expr = parsed("x"), *next;
    struct problem problem;
    assert_int_equal(expr_template_parse("sin(x1)*x2", two, 2, &pattern, &problem), 0);
    int err = 0, times = 0;
    while (err == 0 && times++ < 100) {
        struct expr_binding pair[] = {{"x1", expr}, {"x2", expr}};
        err = expr_template_apply(pattern, pair, 2, 0, 1, &next);
        if (err == 0) {
            expr_destroy(&expr);
            expr = next;
        }
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_true(times > 5 && times < 20);
    expr_destroy(&expr);
    expr_destroy(&pattern);
}

static void the_known_functions_can_be_read(void **state)
{
    (void)state;
    for (int i = 0; i < expr_known_count; i++) {
        struct expr *expr = parsed(expr_known[i].text);
        expr_destroy(&expr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_read_and_printed_as_the_grammar_says),
        cmocka_unit_test(every_primitive_can_be_written_and_has_a_complete_row),
        cmocka_unit_test(printing_and_parsing_round_trip_on_random_expressions),
        cmocka_unit_test(every_double_is_printed_so_that_it_reads_back),
        cmocka_unit_test(a_wrong_string_gets_its_column_and_what_was_expected),
        cmocka_unit_test(the_caret_stands_under_the_column),
        cmocka_unit_test(what_passes_a_limit_is_refused_and_nothing_overflows),
        cmocka_unit_test(a_string_whose_canonical_form_would_be_too_long_is_refused),
        cmocka_unit_test(templates_put_expressions_for_their_names),
        cmocka_unit_test(a_template_applied_again_and_again_meets_the_limit_and_not_the_end_of_memory),
        cmocka_unit_test(the_known_functions_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
