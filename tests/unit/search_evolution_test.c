/* Promises of regularised evolution: who is a parent, who dies, and that its course hangs on the seed and the
 * rewards alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/search/search.h"

#include "tests/unit/search_fixture.h"

#include <math.h>
#include <string.h>

enum { BATCH = 8, POPULATION = 16, LONG = 20 * BATCH };

/* How many tokens of the two differ. */
static int distance(const struct proposal *a, const struct proposal *b)
{
    int differ = 0;
    for (int at = 0; at < SPACE_MAX_TOKENS; at++)
        differ += a->tokens[at] != b->tokens[at];
    return differ;
}

/* LONG proposals, rewarded batch by batch by reward_of, or by `reward` of the number where it is given. */
static void run_long(const struct experiment *experiment, const struct space *space,
                     double (*reward)(uint64_t number), struct proposal *ret_proposals)
{
    struct search *search = search_new(experiment, space);
    for (int first = 0; first < LONG; first += BATCH) {
        for (int i = first; i < first + BATCH; i++)
            assert_int_equal(search_next(search, &ret_proposals[i]), SEARCH_PROPOSED);
        for (int i = first; i < first + BATCH; i++)
            search_report(search, (uint64_t)i,
                          reward ? reward((uint64_t)i) : reward_of(space, ret_proposals[i].tokens));
    }
    search_destroy(&search);
}

static void a_child_differs_in_one_token_from_a_member_of_the_population(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 1);
    struct proposal proposals[LONG];
    run_long(&experiment, space, NULL, proposals);
    for (int i = POPULATION; i < LONG; i++) {
        int start = i / BATCH * BATCH; /* the population is that of the batches before */
        bool has_parent = false;
        for (int j = start - POPULATION; j < start; j++)
            has_parent = has_parent || distance(&proposals[i], &proposals[j]) == 1;
        assert_true(has_parent);
        assert_int_equal(proposals[i].policy_version, i / BATCH);
    }
    space_destroy(&space);
}

static double only_the_sixth(uint64_t number)
{
    return number == 5 ? 1 : 0;
}

static void the_oldest_dies_however_good_it_is(void **state)
{
    (void)state;
    struct space *space = small_space(SPACE_MAX_UNITS);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 1);
    experiment.evolution.sample = 1000; /* so that the best is among them */
    struct proposal proposals[LONG];
    run_long(&experiment, space, only_the_sixth, proposals);
    int died = POPULATION + BATCH, farther = 0; /* the first batch whose population lacks it */
    for (int i = POPULATION; i < died; i++)
        assert_int_equal(distance(&proposals[i], &proposals[5]), 1);
    for (int i = died; i < died + BATCH; i++)
        farther += distance(&proposals[i], &proposals[5]) > 1;
    assert_true(farther > BATCH / 2);
    space_destroy(&space);
}

static void nothing_is_proposed_again_while_it_is_in_the_population(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 3);
    struct proposal proposals[LONG];
    run_long(&experiment, space, NULL, proposals);
    for (int i = 0; i < LONG; i++) {
        int start = i / BATCH * BATCH - POPULATION;
        for (int j = start < 0 ? 0 : start; j < i; j++)
            assert_true(distance(&proposals[i], &proposals[j]) > 0);
    }
    space_destroy(&space);
}

static void a_space_smaller_than_the_population_goes_on(void **state)
{
    (void)state;
    struct space *space = space_of(1, "x", "x1+x2, x1*x2"), *one = space_of(1, "x", "x1+x2");
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 3);
    struct proposal proposals[LONG];
    run_long(&experiment, space, NULL, proposals);
    int count[2] = {0};
    for (int i = 0; i < LONG; i++)
        count[proposals[i].tokens[TOKEN_BINARY]]++;
    assert_true(count[0] > 0 && count[1] > 0);
    run_long(&experiment, one, only_the_sixth, proposals);
    space_destroy(&space);
    space_destroy(&one);
}

static void the_state_does_not_depend_on_the_order_of_the_reports(void **state)
{
    (void)state;
    check_order_of_reports(ALGORITHM_EVOLUTION);
}

static void a_batch_waits_for_its_last_reward(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 1);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    for (uint64_t version = 0; version < 4; version++) {
        for (uint64_t i = 0; i < BATCH; i++)
            assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
        for (uint64_t i = 0; i < BATCH; i++) {
            assert_int_equal(search_next(search, &proposal), SEARCH_WAIT);
            assert_int_equal(search_status(search).policy_version, version);
            search_report(search, version * BATCH + BATCH - 1 - i, 0.5);
        }
    }
    assert_true(search_status(search).baseline == 0.5);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_state_saved_at_any_moment_goes_on_bit_for_bit(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 7);
    struct search *a = search_new(&experiment, space);
    struct proposal proposal, open[BATCH];
    for (int moment = 0; moment < 5 * 2 * BATCH; moment++) { /* before each proposal and each report */
        struct search *b = twin_of(a, &experiment, space);
        assert_same_state(a, b);
        int at = moment % (2 * BATCH);
        if (at < BATCH) {
            assert_int_equal(search_next(a, &proposal), SEARCH_PROPOSED);
            assert_int_equal(search_next(b, &open[at]), SEARCH_PROPOSED);
            assert_memory_equal(proposal.tokens, open[at].tokens, sizeof proposal.tokens);
        } else {
            const struct proposal *p = &open[2 * BATCH - 1 - at];
            search_report(a, p->number, reward_of(space, p->tokens));
            search_report(b, p->number, reward_of(space, p->tokens));
        }
        assert_same_state(a, b);
        search_destroy(&a);
        a = b;
    }
    assert_int_equal(search_status(a).policy_version, 5);
    search_destroy(&a);
    space_destroy(&space);
}

static void a_damaged_or_forged_state_is_refused_or_read_within_bounds(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 7);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    for (int i = 0; i < 3; i++)
        run_batch(search, space, BATCH, NULL);
    for (int i = 0; i < 3; i++)
        search_next(search, &proposal);
    search_report(search, 3 * BATCH + 1, 0.5);
    struct buf saved = state_of(search), none = {0};
    assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), 0);
    for (size_t size = 0; size < saved.size; size++)
        assert_int_equal(load_fresh(&experiment, space, &none, saved.data, size), ERR_CORRUPT);
    static const uint64_t values[] = {0, 1, 2, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7ff8000000000000)};
    for (size_t at = 0; at < saved.size - 16; at += 4) {
        saved.data[at] ^= 1;
        assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), ERR_CORRUPT);
        saved.data[at] ^= 1;
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            load_forged(&experiment, space, &none, &saved, at, values[i]);
    }
    enum { MEMBERS = 8 + 8 + 8 + 8 + 2 * 8 };
    assert_int_equal(load_forged(&experiment, space, &none, &saved, MEMBERS, POPULATION + 1), ERR_CORRUPT);
    assert_int_equal(load_forged(&experiment, space, &none, &saved, MEMBERS, POPULATION - 1), ERR_CORRUPT);
    assert_int_equal(load_forged(&experiment, space, &none, &saved, MEMBERS + 16, UINT64_MAX),
                     ERR_CORRUPT); /* tokens out of range */
    experiment.evolution.sample++;
    assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), ERR_CORRUPT);
    experiment.evolution.sample--;
    experiment.evolution.population++;
    assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), ERR_CORRUPT);
    buf_release(&saved);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_reward_with_a_known_optimum_is_climbed(void **state)
{
    (void)state;
    struct space *space = small_space(3);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 2);
    experiment.evolution.population = 40;
    experiment.evolution.sample = 10;
    struct search *search = search_new(&experiment, space);
    double first = run_batch(search, space, BATCH, NULL), last = 0;
    for (int i = 0; i < 60; i++)
        last = run_batch(search, space, BATCH, NULL);
    assert_true(first < 0.6);
    assert_true(last > 0.75);
    assert_true(search_status(search).baseline > 0.75);
    search_destroy(&search);
    space_destroy(&space);
}

static void how_often_each_choice_stands_in_the_population_is_visible(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_EVOLUTION, 3);
    struct search *search = search_new(&experiment, space);
    struct proposal proposals[BATCH];
    assert_int_equal(search_status(search).tokens, 0);
    for (int i = 0; i < BATCH; i++)
        search_next(search, &proposals[i]);
    for (int i = 0; i < BATCH; i++)
        search_report(search, (uint64_t)i, 0.5);
    struct search_status status = search_status(search);
    double sum = 0;
    assert_int_equal(status.tokens, 5);
    for (int at = 0; at < 5; at++) {
        int times[4] = {0}, most = 0;
        double entropy = 0;
        for (int i = 0; i < BATCH; i++)
            times[proposals[i].tokens[at]]++;
        for (int choice = 0; choice < 4; choice++) {
            double share = times[choice] / (double)BATCH;
            entropy -= share > 0 ? share * log(share) : 0;
            most = times[choice] > most ? times[choice] : most;
        }
        assert_true(fabs(status.token[at].entropy - entropy) < 1e-12);
        assert_true(status.token[at].probability == most / (double)BATCH);
        assert_int_equal(times[status.token[at].likeliest], most);
        sum += entropy;
    }
    assert_true(fabs(status.entropy - sum / 3) < 1e-12); /* the inputs have no choice */
    search_destroy(&search);
    space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_differs_in_one_token_from_a_member_of_the_population),
        cmocka_unit_test(the_oldest_dies_however_good_it_is),
        cmocka_unit_test(nothing_is_proposed_again_while_it_is_in_the_population),
        cmocka_unit_test(a_space_smaller_than_the_population_goes_on),
        cmocka_unit_test(the_state_does_not_depend_on_the_order_of_the_reports),
        cmocka_unit_test(a_batch_waits_for_its_last_reward),
        cmocka_unit_test(a_state_saved_at_any_moment_goes_on_bit_for_bit),
        cmocka_unit_test(a_damaged_or_forged_state_is_refused_or_read_within_bounds),
        cmocka_unit_test(how_often_each_choice_stands_in_the_population_is_visible),
        cmocka_unit_test(a_reward_with_a_known_optimum_is_climbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
