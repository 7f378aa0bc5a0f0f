/* Promises of search.mode = async: no proposal waits, rewards count as they come, and a saved state loses
 * nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/matrix.h"
#include "coordinator/search/search.h"

#include "tests/unit/search_fixture.h"

#include <string.h>

enum { OPEN = 40 }; /* proposals that are out at a time */

static const enum algorithm learning[] = {ALGORITHM_EVOLUTION, ALGORITHM_RL};

static struct experiment async_experiment(enum algorithm algorithm, uint64_t seed)
{
    struct experiment experiment = small_experiment(algorithm, seed);
    experiment.search.mode = MODE_ASYNC;
    return experiment;
}

/* A world with OPEN workers, where the next to report is any. */
struct world {
    struct space *space;
    struct search *search;
    struct rng rng;
    struct proposal open[OPEN];
    double sum; /* of rewards */
};

static void start_world(struct world *world, const struct experiment *experiment, int units)
{
    *world = (struct world){.space = small_space(units), .rng = rng_seed(1, "world", 0)};
    world->search = search_new(experiment, world->space);
    for (int i = 0; i < OPEN; i++)
        assert_int_equal(search_next(world->search, &world->open[i]), SEARCH_PROPOSED);
}

static void end_world(struct world *world)
{
    search_destroy(&world->search);
    space_destroy(&world->space);
}

/* One reports, and gets the next. */
static void step_world(struct world *world)
{
    struct proposal *proposal = &world->open[rng_below(&world->rng, OPEN)];
    double reward = reward_of(world->space, proposal->tokens);
    world->sum += reward;
    search_report(world->search, proposal->number, reward);
    assert_int_equal(search_next(world->search, proposal), SEARCH_PROPOSED);
}

static void no_proposal_waits_for_a_reward(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    for (size_t i = 0; i < sizeof learning / sizeof *learning; i++) {
        struct experiment experiment = async_experiment(learning[i], 1);
        struct search *search = search_new(&experiment, space);
        struct proposal proposal;
        assert_true(search_asynchronous(search));
        for (uint64_t number = 0; number < 500; number++) {
            assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
            assert_int_equal(proposal.number, number);
            assert_int_equal(proposal.policy_version, 0);
        }
        search_destroy(&search);
    }
    space_destroy(&space);
}

static void what_does_not_learn_is_the_same_as_synchronously(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    for (int algorithm = ALGORITHM_EXHAUSTIVE; algorithm <= ALGORITHM_RANDOM; algorithm++) {
        struct experiment sync = small_experiment((enum algorithm)algorithm, 1);
        struct experiment async = async_experiment((enum algorithm)algorithm, 1);
        struct search *a = search_new(&sync, space), *b = search_new(&async, space);
        struct proposal of_a, of_b;
        assert_false(search_asynchronous(b));
        for (int i = 0; i < 40; i++) {
            assert_int_equal(search_next(a, &of_a), SEARCH_PROPOSED);
            assert_int_equal(search_next(b, &of_b), SEARCH_PROPOSED);
            assert_memory_equal(of_a.tokens, of_b.tokens, sizeof of_a.tokens);
        }
        search_destroy(&a);
        search_destroy(&b);
    }
    space_destroy(&space);
}

static void the_controller_is_updated_whenever_a_batch_of_rewards_is_in(void **state)
{
    (void)state;
    struct experiment experiment = async_experiment(ALGORITHM_RL, 1);
    struct world world;
    struct proposal proposal;
    start_world(&world, &experiment, 2);
    for (int i = 0; i < OPEN; i++) { /* the last first */
        const struct proposal *p = &world.open[OPEN - 1 - i];
        uint64_t version = (uint64_t)i / 8;
        assert_int_equal(search_status(world.search).policy_version, version);
        assert_int_equal(search_next(world.search, &proposal), SEARCH_PROPOSED);
        assert_int_equal(proposal.policy_version, version);
        search_report(world.search, p->number, reward_of(world.space, p->tokens));
    }
    assert_int_equal(search_status(world.search).policy_version, OPEN / 8);
    end_world(&world);
}

static void a_reward_makes_a_parent_at_once(void **state)
{
    (void)state;
    struct experiment experiment = async_experiment(ALGORITHM_EVOLUTION, 1);
    experiment.evolution.sample = 1000; /* so that the best is among them */
    struct world world;
    struct proposal proposal;
    start_world(&world, &experiment, SPACE_MAX_UNITS);
    for (int i = 0; i < 5; i++) {
        search_report(world.search, (uint64_t)(30 - i), 0.1 * (i + 1));
        assert_int_equal(search_next(world.search, &proposal), SEARCH_PROPOSED);
        int differ = 0;
        for (int at = 0; at < SPACE_MAX_TOKENS; at++)
            differ += proposal.tokens[at] != world.open[30 - i].tokens[at];
        assert_int_equal(differ, 1);
    }
    end_world(&world);
}

static void a_known_optimum_is_learnt_from_late_rewards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof learning / sizeof *learning; i++) {
        struct experiment experiment = async_experiment(learning[i], 2);
        experiment.rl.repeats = true;
        experiment.search.batch = 20;
        experiment.evolution.population = 40;
        experiment.evolution.sample = 10;
        struct world world;
        start_world(&world, &experiment, 3);
        for (int step = 0; step < 200; step++)
            step_world(&world);
        double first = world.sum / 200;
        for (int step = 0; step < 3000; step++)
            step_world(&world);
        world.sum = 0;
        for (int step = 0; step < 200; step++)
            step_world(&world);
        assert_true(first < 0.6);
        assert_true(world.sum / 200 > 0.75);
        end_world(&world);
    }
}

static void a_state_saved_at_any_moment_goes_on_bit_for_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof learning / sizeof *learning; i++) {
        struct experiment experiment = async_experiment(learning[i], 7);
        struct world world;
        start_world(&world, &experiment, 2);
        for (int step = 0; step < 60; step++) {
            struct world twin = world;
            twin.search = twin_of(world.search, &experiment, world.space);
            assert_same_state(world.search, twin.search);
            for (int ahead = 0; ahead < 12; ahead++)
                step_world(&twin);
            for (int ahead = 0; ahead < 12; ahead++)
                step_world(&world);
            assert_same_state(world.search, twin.search);
            assert_memory_equal(world.open, twin.open, sizeof world.open);
            search_destroy(&twin.search);
        }
        end_world(&world);
    }
}

static void a_damaged_or_forged_state_is_refused_or_read_within_bounds(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 2, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7ff8000000000000)};
    for (size_t i = 0; i < sizeof learning / sizeof *learning; i++) {
        struct experiment experiment = async_experiment(learning[i], 7);
        struct world world;
        start_world(&world, &experiment, 1);
        for (int step = 0; step < 13; step++)
            step_world(&world);
        struct buf saved = state_of(world.search), model = model_of(world.search);
        assert_int_equal(load_fresh(&experiment, world.space, &model, saved.data, saved.size), 0);
        for (size_t at = 0; at < saved.size - 16; at += at < 400 || at > saved.size - 4000 ? 4 : 1003) {
            saved.data[at] ^= 1;
            assert_int_equal(load_fresh(&experiment, world.space, &model, saved.data, saved.size),
                             ERR_CORRUPT);
            saved.data[at] ^= 1;
            for (size_t j = 0; j < sizeof values / sizeof *values; j++)
                load_forged(&experiment, world.space, &model, &saved, at, values[j]);
        }
        experiment.search.mode = MODE_SYNC;
        assert_int_equal(load_fresh(&experiment, world.space, &model, saved.data, saved.size), ERR_CORRUPT);
        buf_release(&saved);
        buf_release(&model);
        end_world(&world);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proposal_waits_for_a_reward),
        cmocka_unit_test(what_does_not_learn_is_the_same_as_synchronously),
        cmocka_unit_test(the_controller_is_updated_whenever_a_batch_of_rewards_is_in),
        cmocka_unit_test(a_reward_makes_a_parent_at_once),
        cmocka_unit_test(a_known_optimum_is_learnt_from_late_rewards),
        cmocka_unit_test(a_state_saved_at_any_moment_goes_on_bit_for_bit),
        cmocka_unit_test(a_damaged_or_forged_state_is_refused_or_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
