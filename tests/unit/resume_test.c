#include "common/numerics.h"
#include "coordinator/resume.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The answer for a database begun with `before`, and an experiment with `now` (each one override). */
static int check(const char *before, const char *now, bool *ret_grown, struct problem *problem)
{
    static const char ini[] = "[search]\nalgorithm = random\ncandidates = 10\n";
    struct experiment *old = NULL, *new = NULL;
    assert_int_equal(experiment_parse("old", ini, &before, 1, &old, problem), 0);
    assert_int_equal(experiment_parse("new", ini, &now, 1, &new, problem), 0);
    char *text = experiment_text(old);
    struct experiment_row row = {.text = text, .numerics = NUMERICS};
    int err = resume_check(&row, new, ret_grown, problem);
    free(text);
    experiment_destroy(&old);
    experiment_destroy(&new);
    return err;
}

static void the_same_experiment_goes_on(void **state)
{
    (void)state;
    struct problem problem = {0};
    bool grown = true;
    assert_int_equal(check("child.steps=20", "child.steps=20", &grown, &problem), 0);
    assert_false(grown);
    assert_int_equal(check("queue.lease=20s", "queue.lease=30s", &grown, &problem), 0); /* operational */
    assert_false(grown);
}

static void a_search_may_grow_but_not_shrink(void **state)
{
    (void)state;
    struct problem problem = {0};
    bool grown = false;
    assert_int_equal(check("search.candidates=10", "search.candidates=20", &grown, &problem), 0);
    assert_true(grown);
    assert_int_equal(check("search.candidates=20", "search.candidates=10", &grown, &problem), ERR_CONFLICT);
}

static void finals_may_come_and_grow_but_not_shrink(void **state)
{
    (void)state;
    struct problem problem = {0};
    bool grown = false;
    assert_int_equal(check("finals.top=0", "finals.top=3", &grown, &problem), 0);
    assert_true(grown);
    grown = false;
    assert_int_equal(check("finals.seeds=9", "finals.seeds=2", &grown, &problem), 0); /* there were none */
    assert_int_equal(check("finals.top=3", "finals.top=4", &grown, &problem), 0);
    assert_true(grown);
    assert_int_equal(check("finals.top=4", "finals.top=3", &grown, &problem), ERR_CONFLICT);
    assert_int_equal(check("finals.top=4", "finals.top=0", &grown, &problem), ERR_CONFLICT);
}

static void halving_may_not_change(void **state)
{
    (void)state;
    struct problem problem = {0};
    bool grown = false;
    assert_int_equal(check("halving.rungs=2", "halving.rungs=3", &grown, &problem), ERR_CONFLICT);
    assert_int_equal(check("halving.eta=4", "halving.eta=3", &grown, &problem), ERR_CONFLICT);
}

/* The same for an experiment of nothing but references. */
static int check_study(const char *before, const char *now, bool *ret_grown)
{
    const char *old_lines[] = {"search.algorithm=none", "search.candidates=0", before};
    const char *new_lines[] = {"search.algorithm=none", "search.candidates=0", now};
    struct experiment *old = NULL, *new = NULL;
    struct problem problem = {0};
    assert_int_equal(experiment_parse("old", "", old_lines, 3, &old, &problem), 0);
    assert_int_equal(experiment_parse("new", "", new_lines, 3, &new, &problem), 0);
    char *text = experiment_text(old);
    struct experiment_row row = {.text = text, .numerics = NUMERICS};
    *ret_grown = false;
    int err = resume_check(&row, new, ret_grown, &problem);
    free(text);
    experiment_destroy(&old);
    experiment_destroy(&new);
    return err;
}

static void a_study_may_grow_in_functions_and_seeds_but_not_lose_any(void **state)
{
    (void)state;
    bool grown;
    assert_int_equal(
        check_study("search.references=relu, tanh(x)", "search.references=sin(x), tanh(x), relu(x)", &grown),
        0);
    assert_true(grown);
    assert_int_equal(check_study("search.references=relu, tanh(x)", "search.references=relu", &grown),
                     ERR_CONFLICT);
    assert_int_equal(check_study("child.seeds=2", "child.seeds=3", &grown), 0);
    assert_true(grown);
    assert_int_equal(check_study("child.seeds=3", "child.seeds=2", &grown), ERR_CONFLICT);
    assert_int_equal(check_study("child.lr=0.1", "child.lr=0.2", &grown), ERR_CONFLICT);
    assert_int_equal(check_study("child.lr=0.1", "child.lr=0.1", &grown), 0);
    assert_false(grown);
    struct problem problem = {0};
    assert_int_equal(check("search.references=relu", "search.references=relu, tanh(x)", &grown, &problem),
                     ERR_CONFLICT); /* a search */
    assert_int_equal(check("child.seeds=2", "child.seeds=3", &grown, &problem), ERR_CONFLICT);
}

static void a_changed_experiment_is_refused_with_the_difference(void **state)
{
    (void)state;
    struct problem problem = {0};
    bool grown = false;
    assert_int_equal(check("child.steps=20", "child.steps=30", &grown, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "child.steps: 20 -> 30"));
    assert_int_not_equal(problem.text[strlen(problem.text) - 1], '\n');
}

static void other_numerics_are_refused(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct experiment *experiment = NULL;
    const char *override = "search.candidates=1";
    assert_int_equal(experiment_parse("a", "", &override, 1, &experiment, &problem), 0);
    struct experiment_row row = {.text = "", .numerics = NUMERICS + 1};
    bool grown = false;
    assert_int_equal(resume_check(&row, experiment, &grown, &problem), ERR_VERSION);
    experiment_destroy(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_experiment_goes_on),
        cmocka_unit_test(a_search_may_grow_but_not_shrink),
        cmocka_unit_test(finals_may_come_and_grow_but_not_shrink),
        cmocka_unit_test(halving_may_not_change),
        cmocka_unit_test(a_study_may_grow_in_functions_and_seeds_but_not_lose_any),
        cmocka_unit_test(a_changed_experiment_is_refused_with_the_difference),
        cmocka_unit_test(other_numerics_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
