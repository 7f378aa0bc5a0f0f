/* The controller and evolution with their default settings find x·σ(b·x) among the paper's 6,250 strings.
 * tests/bench/search_synthetic.c has the statistics over many seeds; here one of them is pinned. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/matrix.h"
#include "coordinator/search/search.h"

#include "tests/synthetic_reward.h"
#include "tests/synthetic_scores.h"
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
            struct synthetic_function function =
                synthetic_at(&synthetic, synthetic_function(&synthetic, proposal[i].tokens));
            found = found || function.target;
            sum += function.reward / 20;
            search_report(search, proposal[i].number, function.reward);
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

/* Whether evolution with its default settings proposes the target within so many proposals. */
static bool evolution_finds(int units, uint64_t seed, int proposals)
{
    struct experiment *experiment;
    struct problem problem = {0};
    struct space *space = space_of(units, "paper", "paper");
    assert_int_equal(experiment_parse("test", "[search]\nalgorithm = evolution\ncandidates = 1\nbatch = 20\n",
                                      NULL, 0, &experiment, &problem),
                     0);
    assert_int_equal(experiment->evolution.population, 100);
    assert_int_equal(experiment->evolution.sample, 25);
    experiment->seed = seed;
    struct synthetic synthetic = synthetic_new(space);
    struct search *search = search_new(experiment, space);
    bool found = false;
    for (int batch = 0; batch < proposals / 20 && !found; batch++) {
        struct proposal proposal[20];
        for (int i = 0; i < 20; i++)
            assert_int_equal(search_next(search, &proposal[i]), SEARCH_PROPOSED);
        for (int i = 0; i < 20; i++) {
            struct synthetic_function function =
                synthetic_at(&synthetic, synthetic_function(&synthetic, proposal[i].tokens));
            found = found || function.target;
            search_report(search, proposal[i].number, function.reward);
        }
    }
    search_destroy(&search);
    synthetic_release(&synthetic);
    space_destroy(&space);
    experiment_destroy(&experiment);
    return found;
}

static void evolution_finds_swish_by_its_defaults(void **state)
{
    (void)state;
    int found = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        found += evolution_finds(1, seed, 1200);
    assert_in_range(found, 4, 5);
}

static void evolution_finds_swish_among_two_units(void **state)
{
    (void)state;
    assert_true(evolution_finds(2, 1, 2000) || evolution_finds(2, 2, 2000) || evolution_finds(2, 3, 2000));
}

static void the_target_is_one_string_and_the_best_reward_is_one(void **state)
{
    (void)state;
    struct space *space = space_of(1, "paper", "paper");
    struct synthetic synthetic = synthetic_new(space);
    int targets = 0, usable = 0;
    assert_int_equal(synthetic.strings, 6250);
    for (size_t i = 0; i < synthetic.strings; i++) {
        struct synthetic_function function = synthetic_at(&synthetic, synthetic.string[i]);
        assert_true(function.reward >= 0 && function.reward <= 1);
        usable += function.usable;
        targets += function.target;
        if (function.target)
            assert_true(function.reward == 1);
    }
    assert_int_equal(targets, 1);
    assert_in_range(usable, 3000, 6000);
    synthetic_release(&synthetic);
    space_destroy(&space);
}

/* Every string of a small space, some of whose functions ignore their arguments. */
static void the_hidden_scores_have_the_optimum_that_they_say(void **state)
{
    (void)state;
    for (int units = 1; units <= 2; units++) {
        struct space *space = space_of(units, "x, sin(x), b", "x1*x2, x1, x2");
        struct scores scores = scores_new(space, (uint64_t)units);
        bool exact;
        double best = -INFINITY, worst = INFINITY, ignored;
        uint64_t strings = space_strings(space, &exact, &ignored);
        assert_true(exact);
        for (uint64_t i = 0; i < strings; i++) {
            uint16_t tokens[SPACE_MAX_TOKENS];
            space_unrank(space, i, tokens);
            best = fmax(best, scores_of(&scores, tokens));
            worst = fmin(worst, scores_of(&scores, tokens));
            assert_in_range((int)(1000 * scores_reward(&scores, tokens)), 0, 1000);
        }
        assert_true(fabs(best - scores.best) < 1e-9);
        assert_true(fabs(worst - scores.worst) < 1e-9);
        scores_release(&scores);
        space_destroy(&space);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_is_one_string_and_the_best_reward_is_one),
        cmocka_unit_test(the_hidden_scores_have_the_optimum_that_they_say),
        cmocka_unit_test(the_controller_finds_swish_by_its_defaults),
        cmocka_unit_test(evolution_finds_swish_by_its_defaults),
        cmocka_unit_test(evolution_finds_swish_among_two_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
