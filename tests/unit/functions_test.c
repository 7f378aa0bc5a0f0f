/* The set of distinct functions: one function by whatever spelling, in the order of first appearance. */
#include "common/functions.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct function *add(struct functions *functions, const char *text, bool *ret_new)
{
    struct expr *expr = NULL;
    struct problem problem = {0};
    if (expr_parse(text, &expr, &problem) != 0)
        fail_msg("%s: %s", text, problem.text);
    const struct function *function = functions_add(functions, expr, ret_new);
    expr_destroy(&expr);
    return function;
}

static void one_function_has_one_id_by_whatever_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t id;
    } rows[] = {
        {"relu(x)", 0},
        {"max(0,x)", 0}, /* by its values */
        {"0.5*(x+abs(x))", 0},
        {"x*sigmoid(b*x)", 1},
        {"sigmoid(b3*x)*x", 1},       /* by its canonical text */
        {"x*sigmoid(x)", 2},          /* without b it is another function */
        {"x*sigmoid(b*x); b=0.5", 3}, /* and with another initial value */
        {"relu(x)", 0},
    };
    struct functions *functions = functions_new();
    int64_t count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is_new;
        const struct function *function = add(functions, rows[i].text, &is_new);
        assert_int_equal(function->id, rows[i].id);
        assert_int_equal(is_new, rows[i].id == count);
        count += is_new;
        assert_ptr_equal(function, functions_at(functions, rows[i].id));
    }
    assert_int_equal(functions_count(functions), count);
    assert_string_equal(functions_at(functions, 0)->text, "relu(x)"); /* the first spelling stands for it */
    functions_destroy(&functions);
    assert_null(functions);
}

static void what_is_not_usable_is_told_apart_by_text_alone(void **state)
{
    (void)state;
    struct functions *functions = functions_new();
    assert_int_equal(add(functions, "3", NULL)->verdict, VERDICT_CONSTANT);
    assert_int_equal(add(functions, "b", NULL)->verdict, VERDICT_CONSTANT);
    assert_int_equal(add(functions, "log(x)", NULL)->verdict, VERDICT_NOT_FINITE);
    assert_int_equal(add(functions, "log(-x)", NULL)->verdict, VERDICT_NOT_FINITE);
    assert_int_equal(add(functions, "sqrt(x-10)", NULL)->verdict, VERDICT_NOT_FINITE);
    assert_int_equal(functions_count(functions), 5);
    bool is_new = true;
    assert_int_equal(add(functions, "log(x)", &is_new)->id, 2);
    assert_false(is_new);
    functions_destroy(&functions);
}

static void the_canonical_texts_in_order_rebuild_the_set(void **state)
{
    (void)state;
    struct functions *functions = functions_new(), *again = functions_new();
    char text[64];
    for (int i = 0; i < 600; i++) { /* past the first sizes of its tables */
        bool is_new;
        snprintf(text, sizeof text, "x+%d*sin(x)%s", i / 2, i % 2 ? "*1+0" : "");
        add(functions, text, &is_new);
    }
    assert_int_equal(functions_count(functions), 300);
    for (int64_t id = 0; id < functions_count(functions); id++) {
        const struct function *function = functions_at(functions, id);
        bool is_new;
        assert_int_equal(add(again, function->text, &is_new)->id, id);
        assert_true(is_new);
        assert_memory_equal(&functions_at(again, id)->fingerprint, &function->fingerprint,
                            sizeof function->fingerprint);
    }
    functions_destroy(&functions);
    functions_destroy(&again);
}

static int any_usable(const char *unary, struct problem *problem)
{
    const struct space_settings settings = {
        .units = 1, .unary = unary, .binary = "x1+x2", .beta_init = 1, .epsilon = 1e-6};
    struct space *space = NULL;
    assert_int_equal(space_new(&settings, &space, problem), 0);
    const int err = functions_any_usable(space, 7, problem);
    space_destroy(&space);
    return err;
}

static void a_space_of_which_nothing_can_be_trained_is_refused(void **state)
{
    (void)state;
    struct problem problem = {0};
    assert_int_equal(any_usable("x, x-x", &problem), 0);
    assert_int_equal(any_usable("paper", &problem), 0);
    assert_int_equal(any_usable("x-x, 1/(x-x)", &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "none of its 4 functions"));
    assert_non_null(strstr(problem.text, "constant: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_space_of_which_nothing_can_be_trained_is_refused),
        cmocka_unit_test(one_function_has_one_id_by_whatever_spelling),
        cmocka_unit_test(what_is_not_usable_is_told_apart_by_text_alone),
        cmocka_unit_test(the_canonical_texts_in_order_rebuild_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
