/* What becomes of each string of a search space. */
#include "cli/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct space *space_of(const char *unary, const char *binary)
{
    const struct space_settings settings = {
        .units = 1, .unary = unary, .binary = binary, .beta_init = 1, .epsilon = 1e-6};
    struct space *space = NULL;
    struct problem problem;
    assert_int_equal(space_new(&settings, &space, &problem), 0);
    return space;
}

static void whole(struct survey *survey, const struct space *space)
{
    survey_start(survey, space);
    const uint64_t strings = space_strings(space, &(bool){false}, &(double){0});
    for (uint64_t i = 0; i < strings; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        char *own_text = NULL;
        space_unrank(space, i, tokens);
        survey_add(survey, tokens, &own_text);
        free(own_text);
    }
}

static void each_string_is_usable_a_duplicate_or_rejected(void **state)
{
    (void)state;
    struct space *space = space_of("x, -x, sqrt(x), b", "x1 + x2, x1 - x2");
    struct survey survey;
    whole(&survey, space);
    /* x+x, (-x)+(-x), x+b, (-x)+b, b-x is (-x)+b, x-b is not x+b; x-x, b+b, b-b are constant */
    assert_int_equal(survey.strings, 32);
    assert_int_equal(survey.strings, survey.usable + survey.duplicates + survey.rejected[VERDICT_CONSTANT] +
                                         survey.rejected[VERDICT_NOT_FINITE] +
                                         survey.rejected[VERDICT_SLOPE_NOT_FINITE]);
    assert_int_equal(survey.rejected[VERDICT_NOT_FINITE], 14); /* sqrt(x) on either side */
    assert_int_equal(survey.rejected[VERDICT_CONSTANT], 6);    /* x+(-x) twice, x-x, (-x)-(-x), b+b, b-b */
    assert_true(survey_distinct(&survey) > survey.usable);
    survey_release(&survey);
    space_destroy(&space);
}

static void another_spelling_names_the_one_that_came_first(void **state)
{
    (void)state;
    struct space *space = space_of("x, max(x, 0), relu(x)", "x1 + x2");
    struct survey survey;
    survey_start(&survey, space);
    static const uint16_t first[] = {0, 0, 0, 1, 0}, again[] = {0, 0, 2, 0, 0};
    char *own_text = NULL;
    struct survey_item item = survey_add(&survey, first, &own_text);
    assert_int_equal(item.status, SURVEY_USABLE);
    assert_null(own_text);
    char *came_first = xstrdup(item.activation);
    item = survey_add(&survey, again, &own_text);
    assert_int_equal(item.status, SURVEY_DUPLICATE);
    assert_string_equal(item.of, came_first);
    char *status = survey_status_text(&item);
    assert_memory_equal(status, "duplicate of ", strlen("duplicate of "));
    assert_string_equal(status + strlen("duplicate of "), came_first);
    free(status);
    free(own_text);
    free(came_first);
    survey_release(&survey);
    space_destroy(&space);
}

static void a_rejected_string_is_rejected_each_time_it_comes(void **state)
{
    (void)state;
    struct space *space = space_of("x", "x1 - x2");
    struct survey survey;
    survey_start(&survey, space);
    static const uint16_t tokens[] = {0, 0, 0, 0, 0};
    for (int i = 1; i <= 3; i++) {
        char *own_text = NULL;
        struct survey_item item = survey_add(&survey, tokens, &own_text);
        char *status = survey_status_text(&item);
        assert_string_equal(status, "rejected: constant");
        assert_int_equal(survey.rejected[VERDICT_CONSTANT], i);
        free(status);
        free(own_text);
    }
    assert_int_equal(survey_distinct(&survey), 1);
    survey_release(&survey);
    space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_string_is_usable_a_duplicate_or_rejected),
        cmocka_unit_test(another_spelling_names_the_one_that_came_first),
        cmocka_unit_test(a_rejected_string_is_rejected_each_time_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
