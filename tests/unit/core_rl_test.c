/* Promises of the core around a search that learns: how far an asynchronous one runs ahead, and what is
 * written when. */
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

static void what_is_learnt_of_each_token_is_written_as_json(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "search.algorithm=evolution", "search.candidates=50", "search.batch=2",
        "search.proposals=50",        "search.references=",   "space.unary=x",
        "evolution.population=1",     "space.binary=x1*x2",   NULL};
    struct bench bench;
    open_bench(&bench, settings);
    turn(&bench);
    assert_string_equal(bench.disk.search.policy, "[]");
    run_to_the_end(&bench, 1);
    static const char *const tokens[] = {"input 1", "input 2", "unary 1", "unary 2", "binary"};
    struct buf wanted = {0};
    for (int i = 0; i < 5; i++)
        buf_printf(&wanted,
                   "%s{\"unit\":1,\"token\":\"%s\",\"choices\":1,\"choice\":\"%s\",\"probability\":1,"
                   "\"entropy\":0}",
                   i == 0 ? "[" : ",", tokens[i], i < 4 ? "x" : "x1*x2");
    buf_printf(&wanted, "]");
    assert_string_equal(bench.disk.search.policy, buf_text(&wanted));
    buf_release(&wanted);
    close_bench(&bench);
}

static void the_model_is_written_only_when_it_has_changed(void **state)
{
    (void)state;
    static const char *const settings[] = {"search.algorithm=rl", "search.candidates=40", "search.batch=4",
                                           "search.references=",  "rl.hidden=32",         NULL};
    struct bench bench;
    open_bench(&bench, settings);
    struct msg_lease lease = join(&bench, 1, "one", 1);
    int written = 0, turns = 0;
    while (!core_finished(bench.core)) {
        int64_t version = bench.disk.search.policy_version;
        core_receive(bench.core, 1, &(struct msg){.type = MSG_RESULT, .result_ = result_of(&lease)},
                     bench.now_ms);
        say(&bench, 1, request_of(1));
        core_advance(bench.core, bench.now_ms);
        const struct rows *rows = core_rows(bench.core);
        assert_true(rows->search_changed);
        assert_true(rows->search.state.size < 4000);
        assert_int_equal(rows->model_changed, rows->search.policy_version > version);
        if (rows->model_changed) {
            assert_int_equal(rows->model.policy_version, rows->search.policy_version);
            assert_true(rows->model.model.size > 100000);
        }
        written += rows->model_changed;
        turns++;
        disk_commit(&bench.disk, rows);
        size_t count;
        struct core_send *sends = core_sends(bench.core, &count);
        for (size_t i = 0; i < count; i++)
            if (sends[i].type == MSG_LEASE)
                lease = lease_in(&bench, &sends[i]);
        core_clear(bench.core, bench.now_ms);
    }
    assert_true(written > 5 && written < turns);
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_proposed_before_a_worker_waits),
        cmocka_unit_test(what_is_learnt_of_each_token_is_written_as_json),
        cmocka_unit_test(the_model_is_written_only_when_it_has_changed),
        cmocka_unit_test(repetitions_of_what_is_in_training_stop_until_a_reward_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
