/* The controller with its default settings finds x·σ(b·x) among the paper's 6,250 strings.
 * tests/bench/search_synthetic.c has the statistics over many seeds; here one of them is pinned. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/matrix.h"
#include "coordinator/search/search.h"

#include "tests/synthetic_reward.h"
#include "tests/unit/search_fixture.h"

static void the_controller_finds_swish_by_its_defaults(void **state)
{
    (void)state;
    struct experiment *experiment;
    struct problem problem = {0};
    struct space *space = space_of(1, "paper", "paper");
    assert_int_equal(
        experiment_parse("test",
                         "[experiment]\nseed = 3\n[search]\nalgorithm = rl\ncandidates = 1\nbatch = 20\n",
                         NULL, 0, &experiment, &problem),
        0);
    struct synthetic synthetic = synthetic_new(space);
    struct search *search = search_new(experiment, space);
    bool found = false;
    double first = 0, last = 0; /* mean rewards of the first five batches and of the latest five */
    for (int batch = 0; batch < 250 && !found; batch++) {
        struct proposal proposal[20];
        double sum = 0;
        for (int i = 0; i < 20; i++)
            assert_int_equal(search_next(search, &proposal[i]), SEARCH_PROPOSED);
        for (int i = 0; i < 20; i++) {
            size_t rank = synthetic_rank(&synthetic, proposal[i].tokens);
            found = found || synthetic.target[rank];
            sum += synthetic.reward[rank] / 20;
            search_report(search, proposal[i].number, synthetic.reward[rank]);
        }
        first = batch < 5 ? first + sum / 5 : first;
        last = batch < 5 ? first : 0.8 * last + 0.2 * sum;
    }
    assert_true(found);
    assert_true(last > 1.1 * first);
    search_destroy(&search);
    synthetic_release(&synthetic);
    space_destroy(&space);
    experiment_destroy(&experiment);
}

static void the_target_is_one_string_and_the_best_reward_is_one(void **state)
{
    (void)state;
    struct space *space = space_of(1, "paper", "paper");
    struct synthetic synthetic = synthetic_new(space);
    int targets = 0, usable = 0;
    assert_int_equal(synthetic.strings, 6250);
    for (size_t i = 0; i < synthetic.strings; i++) {
        assert_true(synthetic.reward[i] >= 0 && synthetic.reward[i] <= 1);
        usable += synthetic.reward[i] > 0;
        targets += synthetic.target[i];
        if (synthetic.target[i])
            assert_true(synthetic.reward[i] == 1);
    }
    assert_int_equal(targets, 1);
    assert_in_range(usable, 3000, 6000);
    synthetic_release(&synthetic);
    space_destroy(&space);
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_is_one_string_and_the_best_reward_is_one),
        cmocka_unit_test(the_controller_finds_swish_by_its_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
