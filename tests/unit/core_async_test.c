/* Promises of the core with search.mode = async: how far a search that learns runs ahead. */
#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_bench.h"

#include "common/matrix.h"

static const char *const just_in_time[] = {"search.algorithm=rl",
                                           "search.mode=async",
                                           "search.candidates=50",
                                           "search.references=",
                                           "search.batch=4",
                                           "rl.hidden=8",
                                           NULL};

static void nothing_is_proposed_before_a_worker_waits(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, just_in_time);
    turn(&bench);
    assert_int_equal(core_counters(bench.core)->proposals, 0);
    struct msg_lease lease = join(&bench, 1, "one", 3);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(core_counters(bench.core)->leased, 3);
        assert_int_equal(core_counters(bench.core)->ready, 0);
        say(&bench, 1, result_msg(&lease));
        turn(&bench);
        assert_int_equal(core_counters(bench.core)->leased, 2);
        int64_t proposals = core_counters(bench.core)->proposals;
        turn(&bench);
        assert_int_equal(core_counters(bench.core)->proposals, proposals);
        say(&bench, 1, request_of(1));
        turn(&bench);
        lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    }
    close_bench(&bench);
}

static void repetitions_of_what_is_in_training_stop_until_a_reward_comes(void **state)
{
    (void)state;
    static const char *const two_functions[] = {"search.algorithm=rl",
                                                "search.mode=async",
                                                "search.candidates=50",
                                                "search.proposals=200",
                                                "search.references=",
                                                "search.batch=4",
                                                "rl.hidden=8",
                                                "space.unary=x",
                                                "space.binary=x1+x2, x1*x2",
                                                NULL};
    struct bench bench;
    open_bench(&bench, two_functions);
    struct msg_lease lease = join(&bench, 1, "one", 8);
    assert_non_null(sent(&bench, 1, MSG_LEASE, 1));
    struct msg_lease other = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 1));
    assert_int_equal(core_counters(bench.core)->proposals, 2 + 4); /* both, and a batch of repetitions */
    for (int i = 0; i < 5; i++)
        turn(&bench);
    assert_int_equal(core_counters(bench.core)->proposals, 2 + 4);
    say(&bench, 1, result_msg(&lease));
    turn(&bench);
    assert_true(core_counters(bench.core)->proposals > 2 + 4);
    assert_true(core_counters(bench.core)->proposals < 200);
    say(&bench, 1, result_msg(&other));
    turn(&bench);
    assert_int_equal(core_counters(bench.core)->proposals, 200);
    assert_string_equal(core_finished(bench.core), "search.proposals reached");
    assert_int_equal(bench.disk.search.rewards, 200);
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_proposed_before_a_worker_waits),
        cmocka_unit_test(repetitions_of_what_is_in_training_stop_until_a_reward_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
