#include "tests/unit/core_bench.h"

static void a_lease_is_on_disk_when_it_is_sent(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 2);
    assert_non_null(sent(&bench, 1, MSG_LEASE, 1));
    assert_null(sent(&bench, 1, MSG_LEASE, 2));
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_LEASED);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->state, TRIAL_LEASED);
    assert_string_equal(lease.activation, "relu(x)");
    assert_int_equal(lease.seed, trial_seed(7, 0));
    close_bench(&bench);
}

static void a_result_is_acknowledged_however_often_it_comes_and_counted_once(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    for (int i = 0; i < 3; i++) {
        say(&bench, 1, result_msg(&lease));
        turn(&bench);
        assert_int_equal(sent(&bench, 1, MSG_ACK, 0)->attempt, lease.attempt);
    }
    struct msg_result result = result_of(&lease);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->correct, result.correct);
    assert_int_equal(bench.disk.workers.items[0].results, 1);
    assert_int_equal(bench.disk.curves.count, 1);
    restart(&bench); /* and after a restart too */
    say(&bench, 5, hello_of("a", 1));
    say(&bench, 5, result_msg(&lease));
    turn(&bench);
    assert_int_equal(sent(&bench, 5, MSG_ACK, 0)->attempt, lease.attempt);
    close_bench(&bench);
}

static void a_parked_worker_gets_a_lease_as_soon_as_there_is_one(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=1",
                                             "search.batch=1", "search.references=relu(x)", NULL});
    struct msg_lease first = join(&bench, 1, "a", 2); /* the reference and the one candidate */
    say(&bench, 2, hello_of("b", 1));
    say(&bench, 2, request_of(1));
    turn(&bench);
    assert_null(sent(&bench, 2, MSG_LEASE, 0));
    say(&bench, 1,
        (struct msg){.type = MSG_RETURN, .return_ = {.attempt = first.attempt, .trial = first.trial}});
    turn(&bench);
    assert_int_equal(sent(&bench, 1, MSG_ACK, 0)->attempt, first.attempt);
    assert_int_equal(lease_in(&bench, sent(&bench, 2, MSG_LEASE, 0)).trial, first.trial);
    assert_int_equal(trial_on_disk(&bench, first.trial)->lost, 0);
    assert_int_equal(attempt_on_disk(&bench, first.attempt)->state, ATTEMPT_RETURNED);
    close_bench(&bench);
}

static void a_worker_never_holds_more_leases_than_slots(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    join(&bench, 1, "a", 3);
    for (int i = 0; i < 5; i++) {
        say(&bench, 1, request_of(3)); /* it had not heard of its leases when it asked */
        turn(&bench);
        assert_null(sent(&bench, 1, MSG_LEASE, 0));
    }
    close_bench(&bench);
}

static struct msg return_msg(const struct msg_lease *lease)
{
    return (struct msg){.type = MSG_RETURN, .return_ = {.attempt = lease->attempt, .trial = lease->trial}};
}

static void a_worker_that_claims_an_old_attempt_while_it_waits_gets_no_other(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=1",
                                             "search.batch=1", "search.references=relu(x)", NULL});
    struct msg_lease old = join(&bench, 1, "a", 1);
    bench.now_ms += bench.experiment->queue.lease_ms;
    struct msg_lease second = join(&bench, 2, "b", 1), third = join(&bench, 3, "c", 1);
    assert_int_equal(second.trial, old.trial);
    say(&bench, 1, hello_of("a", 1));
    say(&bench, 1, request_of(1)); /* nothing is ready: it waits */
    turn(&bench);
    say(&bench, 2, return_msg(&second));
    say(&bench, 1, (struct msg){.type = MSG_PROGRESS, .progress_ = {.attempt = old.attempt}});
    say(&bench, 3, return_msg(&third));
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, old.attempt)->state, ATTEMPT_LEASED);
    assert_null(sent(&bench, 1, MSG_LEASE, 0));
    close_bench(&bench);
}

static void a_silent_worker_loses_its_lease_and_a_late_result_is_taken_all_the_same(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease old = join(&bench, 1, "a", 1);
    bench.now_ms += bench.experiment->queue.lease_ms;
    assert_true(core_next_ms(bench.core) <= bench.now_ms);
    struct msg_lease renewed = join(&bench, 2, "b", 1);
    assert_int_equal(renewed.trial, old.trial);
    assert_true(renewed.attempt > old.attempt);
    assert_int_equal(attempt_on_disk(&bench, old.attempt)->state, ATTEMPT_LAPSED);
    assert_int_equal(trial_on_disk(&bench, old.trial)->lost, 1);

    say(&bench, 1, result_msg(&old)); /* silent for so long that its connection counts as gone */
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_WHO, 0));
    say(&bench, 1, hello_of("a", 1));
    say(&bench, 1, result_msg(&old));
    turn(&bench);
    assert_int_equal(sent(&bench, 1, MSG_ACK, 0)->attempt, old.attempt);
    assert_int_equal(sent(&bench, 2, MSG_CANCEL, 0)->attempt, renewed.attempt);
    assert_int_equal(trial_on_disk(&bench, old.trial)->closed_by, old.attempt);
    assert_int_equal(attempt_on_disk(&bench, renewed.attempt)->state, ATTEMPT_CANCELLED);

    say(&bench, 2, result_msg(&renewed)); /* crossed the CANCEL on the way: the same bits */
    turn(&bench);
    assert_int_equal(sent(&bench, 2, MSG_STALE, 0)->attempt, renewed.attempt);
    assert_int_equal(attempt_on_disk(&bench, renewed.attempt)->state, ATTEMPT_AGREED);
    assert_int_equal(events_on_disk(&bench, "difference"), 0);
    close_bench(&bench);
}

static void two_attempts_that_report_other_bits_make_an_event(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease old = join(&bench, 1, "a", 1);
    bench.now_ms += bench.experiment->queue.lease_ms;
    struct msg_lease renewed = join(&bench, 2, "b", 1);
    say(&bench, 2, result_msg(&renewed));
    say(&bench, 1, hello_of("a", 1));
    struct msg other = result_msg(&old);
    other.result_.validation_loss = nextafter(other.result_.validation_loss, 100);
    say(&bench, 1, other);
    say(&bench, 1, other); /* said twice, recorded once */
    turn(&bench);
    assert_int_equal(sent(&bench, 1, MSG_STALE, 0)->attempt, old.attempt);
    assert_int_equal(attempt_on_disk(&bench, old.attempt)->state, ATTEMPT_DIFFERED);
    assert_int_equal(events_on_disk(&bench, "difference"), 1);
    assert_int_equal(trial_on_disk(&bench, old.trial)->closed_by, renewed.attempt);
    close_bench(&bench);
}

static void a_result_of_an_attempt_that_was_never_leased_to_this_worker_is_stale(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    join(&bench, 2, "b", 1);
    say(&bench, 2, result_msg(&lease));
    struct msg_lease unknown = lease;
    unknown.attempt += 1000;
    say(&bench, 2, result_msg(&unknown));
    struct msg_lease other_trial = lease;
    other_trial.trial += 1;
    say(&bench, 1, result_msg(&other_trial));
    turn(&bench);
    assert_int_equal(sent(&bench, 2, MSG_STALE, 0)->attempt, lease.attempt);
    assert_int_equal(sent(&bench, 2, MSG_STALE, 1)->attempt, unknown.attempt);
    assert_int_equal(sent(&bench, 1, MSG_STALE, 0)->attempt, lease.attempt);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->state, TRIAL_LEASED);
    close_bench(&bench);
}

static void a_trial_that_is_lost_too_often_has_failed_with_its_reasons(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=2",
                                             "search.batch=2", "queue.attempts=3", NULL});
    struct msg_lease lease = join(&bench, 1, "a", 1);
    int64_t trial = lease.trial;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lease.trial, trial);
        say(&bench, 1, failure_msg(&lease, "out of memory"));
        say(&bench, 1, failure_msg(&lease, "out of memory")); /* twice: counted once */
        bench.now_ms += bench.experiment->queue.heartbeat_ms * 2;
        say(&bench, 1, request_of(1));
        turn(&bench);
        assert_int_equal(sent(&bench, 1, MSG_ACK, 0)->attempt, lease.attempt);
        assert_string_equal(attempt_on_disk(&bench, lease.attempt)->reason, "out of memory");
        lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    }
    assert_int_not_equal(lease.trial, trial); /* the search goes on */
    assert_int_equal(trial_on_disk(&bench, trial)->state, TRIAL_FAILED);
    assert_int_equal(trial_on_disk(&bench, trial)->lost, 3);
    assert_true(bench.disk.candidates.items[0].reward == 0);
    assert_int_equal(bench.disk.candidates.items[0].seeds, 0);
    assert_int_equal(events_on_disk(&bench, "failure"), 1);
    close_bench(&bench);
}

static void a_worker_on_which_everything_fails_rests_and_others_go_on(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    int64_t rest_ms = bench.experiment->queue.heartbeat_ms;
    for (int failures = 1; failures <= 4; failures++) {
        say(&bench, 1, failure_msg(&lease, "out of memory"));
        say(&bench, 1, request_of(1));
        turn(&bench);
        if (failures > 1) {
            assert_null(sent(&bench, 1, MSG_LEASE, 0));
            bench.now_ms += rest_ms - 1;
            say(&bench, 1, request_of(1));
            turn(&bench);
            assert_null(sent(&bench, 1, MSG_LEASE, 0));
            bench.now_ms += 1;
            say(&bench, 1, request_of(1));
            turn(&bench);
            rest_ms *= 2;
        }
        lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    }
    say(&bench, 1, result_msg(&lease)); /* it works again */
    turn(&bench);
    say(&bench, 1, request_of(1));
    turn(&bench);
    lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    say(&bench, 1, failure_msg(&lease, "once"));
    say(&bench, 1, request_of(1));
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_LEASE, 0));
    close_bench(&bench);
}

static void after_a_restart_workers_claim_what_they_run_and_keep_it(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    restart(&bench);
    say(&bench, 9, request_of(0));
    turn(&bench);
    assert_non_null(sent(&bench, 9, MSG_WHO, 0));
    say(&bench, 9, hello_of("a", 1));
    say(&bench, 9, holding_msg(0, lease.attempt));
    bench.now_ms += bench.experiment->queue.lease_ms - 1;
    say(&bench, 9, (struct msg){.type = MSG_PROGRESS, .progress_ = {.attempt = lease.attempt, .step = 5}});
    bench.now_ms += bench.experiment->queue.lease_ms - 1;
    say(&bench, 9, result_msg(&lease));
    turn(&bench);
    assert_int_equal(sent(&bench, 9, MSG_ACK, 0)->attempt, lease.attempt);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->closed_by, lease.attempt);
    assert_int_equal(bench.disk.workers.count, 1);
    close_bench(&bench);
}

static void what_nobody_claims_after_a_restart_is_queued_again_and_counts_as_no_loss(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    restart(&bench);
    bench.now_ms += bench.experiment->queue.lease_ms;
    struct msg_lease again = join(&bench, 2, "b", 1);
    assert_int_equal(again.trial, lease.trial);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_UNCLAIMED);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, 0);
    assert_int_equal(attempt_on_disk(&bench, again.attempt)->id >> 32, 2);
    close_bench(&bench);
}

static void a_lease_believed_lost_goes_on_when_its_worker_still_holds_it(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    bench.now_ms += bench.experiment->queue.lease_ms;
    turn(&bench);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->state, TRIAL_READY);
    say(&bench, 1, hello_of("a", 1));
    say(&bench, 1, holding_msg(0, lease.attempt));
    turn(&bench);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->state, TRIAL_LEASED);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, 0);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_LEASED);
    close_bench(&bench);
}

static void what_a_worker_holds_in_vain_is_cancelled(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease old = join(&bench, 1, "a", 1);
    bench.now_ms += bench.experiment->queue.lease_ms;
    struct msg_lease renewed = join(&bench, 2, "b", 1);
    say(&bench, 2, result_msg(&renewed));
    say(&bench, 1, hello_of("a", 1));
    say(&bench, 1, holding_msg(0, old.attempt));
    say(&bench, 1, holding_msg(0, old.attempt + 12345));
    turn(&bench);
    assert_int_equal(sent(&bench, 1, MSG_CANCEL, 0)->attempt, old.attempt);
    assert_int_equal(sent(&bench, 1, MSG_CANCEL, 1)->attempt, old.attempt + 12345);
    close_bench(&bench);
}

static void a_lease_that_cannot_be_sent_is_taken_back_at_once(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    say(&bench, 1, hello_of("a", 1));
    say(&bench, 1, request_of(1));
    turn_but(&bench, MSG_LEASE);
    struct msg_lease lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    struct msg_lease again = join(&bench, 2, "b", 1);
    assert_int_equal(again.trial, lease.trial);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_RETURNED);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, 0);
    assert_false(bench.disk.workers.items[0].connected);
    close_bench(&bench);
}

static void a_worker_that_does_not_fit_is_told_why(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg old = hello_of("a", 1), bits = hello_of("b", 1), trainer = hello_of("c", 1);
    old.hello_.version = PROTO_VERSION + 1;
    bits.hello_.numerics = NUMERICS + 1;
    snprintf(trainer.hello_.trainer, sizeof trainer.hello_.trainer, "torch");
    say(&bench, 1, old);
    say(&bench, 2, bits);
    turn(&bench);
    assert_non_null(strstr(sent(&bench, 1, MSG_BYE, 0)->reason, "protocol version 3"));
    assert_non_null(strstr(sent(&bench, 2, MSG_BYE, 0)->reason, "numerics 2"));
    assert_false(sent(&bench, 1, MSG_BYE, 0)->finished);
    assert_int_equal(events_on_disk(&bench, "refusal"), 2);
    join(&bench, 4, "d", 1); /* pins the trainer and the data set */
    say(&bench, 3, trainer);
    turn(&bench);
    assert_non_null(strstr(sent(&bench, 3, MSG_BYE, 0)->reason, "torch"));
    close_bench(&bench);
}

static void a_worker_that_is_refused_again_and_again_does_not_fill_the_disk(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg old = hello_of("a", 1);
    old.hello_.version = PROTO_VERSION + 1;
    for (int minute = 0; minute < 2; minute++) {
        for (int i = 0; i < 100; i++) {
            say(&bench, 1, old);
            turn(&bench);
            assert_non_null(sent(&bench, 1, MSG_BYE, 0)); /* it is told each time */
        }
        assert_int_equal(events_on_disk(&bench, "refusal"), 10 * (minute + 1));
        bench.now_ms += 60000;
    }
    close_bench(&bench);
}

static void a_worker_with_other_data_is_told_so_and_gets_nothing(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    join(&bench, 1, "a", 1);
    assert_string_equal(bench.disk.experiment.data_hash, DATA_HASH);
    struct msg request = request_of(1);
    request.request_.data_hash[0] = 'f';
    say(&bench, 2, hello_of("b", 1));
    say(&bench, 2, request);
    turn(&bench);
    assert_non_null(strstr(sent(&bench, 2, MSG_BYE, 0)->reason, "content hash"));
    assert_null(sent(&bench, 2, MSG_LEASE, 0));
    close_bench(&bench);
}

static void a_worker_without_its_data_yet_gets_nothing_and_pins_nothing(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg request = request_of(1);
    request.request_.data_hash[0] = '\0';
    say(&bench, 2, hello_of("b", 1));
    say(&bench, 2, request);
    turn(&bench);
    assert_null(sent(&bench, 2, MSG_LEASE, 0));
    assert_string_equal(bench.disk.experiment.data_hash, "");
    close_bench(&bench);
}

static void an_impossible_result_counts_as_a_lost_attempt(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    struct msg result = result_msg(&lease);
    result.result_.correct = result.result_.validation_count + 1;
    say(&bench, 1, result);
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_FAILED);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, 1);
    close_bench(&bench);
}

static void messages_of_a_stranger_are_answered_who(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    say(&bench, 1, request_of(1));
    say(&bench, 2, (struct msg){.type = MSG_RESULT});
    say(&bench, 3, (struct msg){.type = MSG_BYE});
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_WHO, 0));
    assert_non_null(sent(&bench, 2, MSG_WHO, 0));
    assert_null(sent(&bench, 3, MSG_WHO, 0));
    close_bench(&bench);
}

static void a_worker_that_says_bye_hands_everything_back(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 2);
    say(&bench, 1, (struct msg){.type = MSG_BYE});
    turn(&bench);
    assert_int_equal(bench.disk.counters.leased, 0);
    assert_int_equal(bench.disk.counters.workers, 0);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, 0);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_on_disk_when_it_is_sent),
        cmocka_unit_test(a_result_is_acknowledged_however_often_it_comes_and_counted_once),
        cmocka_unit_test(a_parked_worker_gets_a_lease_as_soon_as_there_is_one),
        cmocka_unit_test(a_worker_never_holds_more_leases_than_slots),
        cmocka_unit_test(a_worker_that_claims_an_old_attempt_while_it_waits_gets_no_other),
        cmocka_unit_test(a_silent_worker_loses_its_lease_and_a_late_result_is_taken_all_the_same),
        cmocka_unit_test(two_attempts_that_report_other_bits_make_an_event),
        cmocka_unit_test(a_result_of_an_attempt_that_was_never_leased_to_this_worker_is_stale),
        cmocka_unit_test(a_trial_that_is_lost_too_often_has_failed_with_its_reasons),
        cmocka_unit_test(a_worker_on_which_everything_fails_rests_and_others_go_on),
        cmocka_unit_test(after_a_restart_workers_claim_what_they_run_and_keep_it),
        cmocka_unit_test(what_nobody_claims_after_a_restart_is_queued_again_and_counts_as_no_loss),
        cmocka_unit_test(a_lease_believed_lost_goes_on_when_its_worker_still_holds_it),
        cmocka_unit_test(what_a_worker_holds_in_vain_is_cancelled),
        cmocka_unit_test(a_lease_that_cannot_be_sent_is_taken_back_at_once),
        cmocka_unit_test(a_worker_that_does_not_fit_is_told_why),
        cmocka_unit_test(a_worker_that_is_refused_again_and_again_does_not_fill_the_disk),
        cmocka_unit_test(a_worker_with_other_data_is_told_so_and_gets_nothing),
        cmocka_unit_test(a_worker_without_its_data_yet_gets_nothing_and_pins_nothing),
        cmocka_unit_test(an_impossible_result_counts_as_a_lost_attempt),
        cmocka_unit_test(messages_of_a_stranger_are_answered_who),
        cmocka_unit_test(a_worker_that_says_bye_hands_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
