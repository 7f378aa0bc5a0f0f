/* What people ask of the core while it runs: to pause, to go on, to stop. */
#include "tests/unit/core_bench.h"

static void a_paused_search_gives_out_nothing_and_takes_what_comes(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "w", 1);
    assert_true(core_pause(bench.core, true, bench.now_ms));
    say(&bench, 1, result_msg(&lease));
    say(&bench, 1, request_of(1));
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_ACK, 0));
    assert_null(sent(&bench, 1, MSG_LEASE, 0));
    assert_int_equal(trial_on_disk(&bench, lease.trial)->closed_by, lease.attempt);
    assert_true(bench.disk.experiment.paused);
    assert_int_equal(events_on_disk(&bench, "pause"), 1);
    close_bench(&bench);
}

static void who_waited_through_the_pause_gets_work_without_asking_again(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    core_pause(bench.core, true, bench.now_ms);
    say(&bench, 1, hello_of("w", 1));
    say(&bench, 1, request_of(1));
    turn(&bench);
    assert_null(sent(&bench, 1, MSG_LEASE, 0));
    assert_true(core_pause(bench.core, false, bench.now_ms));
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_LEASE, 0));
    assert_false(bench.disk.experiment.paused);
    close_bench(&bench);
}

static void a_pause_survives_the_coordinator(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    core_pause(bench.core, true, bench.now_ms);
    turn(&bench);
    restart(&bench);
    assert_true(core_paused(bench.core));
    say(&bench, 1, hello_of("w", 1));
    say(&bench, 1, request_of(1));
    turn(&bench);
    assert_null(sent(&bench, 1, MSG_LEASE, 0));
    close_bench(&bench);
}

static void pausing_twice_is_pausing_once(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    assert_false(core_pause(bench.core, false, bench.now_ms));
    assert_true(core_pause(bench.core, true, bench.now_ms));
    assert_false(core_pause(bench.core, true, bench.now_ms));
    turn(&bench);
    assert_int_equal(events_on_disk(&bench, "pause"), 1);
    close_bench(&bench);
}

static void a_paused_coordinator_sleeps(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    core_pause(bench.core, true, bench.now_ms);
    say(&bench, 1, hello_of("w", 1));
    say(&bench, 1, request_of(1));
    turn(&bench);
    assert_true(core_next_ms(bench.core) > bench.now_ms);
    assert_int_equal(bench.disk.proposals.count, 0); /* and proposes nothing that nobody asks for */
    close_bench(&bench);
}

static void who_asks_each_heartbeat_is_not_missed_however_long_the_pause(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    core_pause(bench.core, true, bench.now_ms);
    say(&bench, 1, hello_of("w", 1));
    for (int hours = 0; hours < 10; hours++)
        for (int beats = 0; beats < 3600; beats++) {
            say(&bench, 1, request_of(1));
            turn(&bench);
            bench.now_ms += bench.experiment->queue.heartbeat_ms;
        }
    assert_int_equal(bench.disk.counters.workers, 1);
    core_pause(bench.core, false, bench.now_ms);
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_LEASE, 0));
    close_bench(&bench);
}

static void a_search_whose_last_trial_ends_in_a_pause_is_finished_and_not_paused(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *[]){"search.algorithm=random", "search.candidates=1",
                                        "search.references=", NULL});
    struct msg_lease lease = join(&bench, 1, "w", 1);
    core_pause(bench.core, true, bench.now_ms);
    say(&bench, 1, result_msg(&lease));
    turn(&bench);
    assert_non_null(core_finished(bench.core));
    assert_false(bench.disk.experiment.paused);
    assert_false(core_pause(bench.core, true, bench.now_ms)); /* there is nothing to pause any more */
    close_bench(&bench);
}

static void stop_tells_every_worker_to_leave_and_is_over_when_the_last_has(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease first = join(&bench, 1, "one", 1), second = join(&bench, 2, "two", 1);
    core_stop(bench.core, bench.now_ms);
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_LEAVE, 0));
    assert_non_null(sent(&bench, 2, MSG_LEAVE, 0));
    assert_false(core_stopped(bench.core));
    say(&bench, 1,
        (struct msg){.type = MSG_RETURN, .return_ = {.attempt = first.attempt, .trial = first.trial}});
    say(&bench, 1, (struct msg){.type = MSG_BYE});
    say(&bench, 2, result_msg(&second)); /* it was just done */
    turn(&bench);
    assert_non_null(sent(&bench, 2, MSG_ACK, 0));
    assert_false(core_stopped(bench.core));
    say(&bench, 2, (struct msg){.type = MSG_BYE});
    turn(&bench);
    assert_true(core_stopped(bench.core));
    assert_int_equal(attempt_on_disk(&bench, first.attempt)->state, ATTEMPT_RETURNED);
    assert_int_equal(trial_on_disk(&bench, first.trial)->lost, 0);
    assert_int_equal(trial_on_disk(&bench, second.trial)->closed_by, second.attempt);
    close_bench(&bench);
}

static void who_asks_for_work_while_it_is_stopped_is_told_to_leave_again(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    join(&bench, 1, "w", 2);
    core_stop(bench.core, bench.now_ms);
    turn_but(&bench, MSG_TYPES);
    say(&bench, 1, request_of(1)); /* the LEAVE was lost */
    say(&bench, 2, hello_of("late", 1));
    say(&bench, 2, request_of(1));
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_LEAVE, 0));
    assert_non_null(sent(&bench, 2, MSG_WELCOME, 0)); /* it may have something to hand back */
    assert_non_null(sent(&bench, 2, MSG_LEAVE, 0));
    assert_null(sent(&bench, 1, MSG_LEASE, 0));
    assert_null(sent(&bench, 2, MSG_LEASE, 0));
    close_bench(&bench);
}

static void a_start_after_a_stop_knows_nothing_of_it(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    core_stop(bench.core, bench.now_ms);
    turn(&bench);
    assert_true(core_stopped(bench.core)); /* nobody was there */
    restart(&bench);
    assert_false(core_stopped(bench.core));
    join(&bench, 1, "w", 1);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_paused_search_gives_out_nothing_and_takes_what_comes),
        cmocka_unit_test(who_waited_through_the_pause_gets_work_without_asking_again),
        cmocka_unit_test(a_pause_survives_the_coordinator),
        cmocka_unit_test(pausing_twice_is_pausing_once),
        cmocka_unit_test(a_paused_coordinator_sleeps),
        cmocka_unit_test(who_asks_each_heartbeat_is_not_missed_however_long_the_pause),
        cmocka_unit_test(a_search_whose_last_trial_ends_in_a_pause_is_finished_and_not_paused),
        cmocka_unit_test(stop_tells_every_worker_to_leave_and_is_over_when_the_last_has),
        cmocka_unit_test(who_asks_for_work_while_it_is_stopped_is_told_to_leave_again),
        cmocka_unit_test(a_start_after_a_stop_knows_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
