/* The audit: chosen trials are trained again on another host, and whatever comes of it, the list and the end
 * are the same. */
#include "tests/unit/core_bench.h"

#include "coordinator/audit.h"
#include "coordinator/ledger.h"

static const char *const audited[] = {"search.algorithm=random", "search.candidates=6", "search.batch=4",
                                      "queue.audit=1",           "queue.attempts=2",    NULL};

static void the_share_is_chosen_by_number_alone(void **state)
{
    (void)state;
    int chosen = 0;
    for (int64_t trial = 1; trial <= 10000; trial++) {
        assert_false(audit_chooses(0, trial));
        assert_true(audit_chooses(1, trial));
        chosen += audit_chooses(0.1, trial);
        assert_true(!audit_chooses(0.1, trial) || audit_chooses(0.2, trial));
    }
    assert_in_range(chosen, 900, 1100);
}

static void a_trial_waits_for_another_host_and_the_lowest_goes_first(void **state)
{
    (void)state;
    struct audit audit = {.share = 1, .losses_max = 2};
    audit_add(&audit, 7, "one");
    audit_add(&audit, 5, "one");
    audit_add(&audit, 6, "two");
    assert_int_equal(audit.waiting, 3);
    assert_int_equal(audit_take(&audit, "one"), 6);
    assert_int_equal(audit_take(&audit, "one"), 0);
    assert_false(audit_has_for(&audit, "one"));
    assert_true(audit_has_for(&audit, "two"));
    assert_int_equal(audit_take(&audit, "three"), 5);
    assert_int_equal(audit.waiting, 1);
    assert_int_equal(audit.under_way, 2);
    assert_true(audit_lost(&audit, 5, "one", false));
    assert_true(audit_lost(&audit, 6, "two", true));
    assert_int_equal(audit_take(&audit, "one"), 6);
    assert_false(audit_lost(&audit, 6, "two", true));
    assert_int_equal(audit.waiting, 2);
    assert_int_equal(audit.under_way, 0);
    audit_settle(&audit, 5, "two"); /* it was not trained there */
    assert_int_equal(audit.waiting, 2);
    audit_settle(&audit, 5, "one");
    assert_int_equal(audit.waiting, 1);
    assert_int_equal(audit_take(&audit, "three"), 7);
    audit_release(&audit);
}

/* Worker "a" does the whole search; returns when all trials are closed. */
static void train_all(struct bench *bench, const char *const *overrides)
{
    open_bench(bench, overrides);
    say(bench, 1, hello_of("a", 2));
    say(bench, 1, request_of(2));
    for (int turns = 0; turns < 100; turns++) {
        turn(bench);
        for (int n = 0; sent(bench, 1, MSG_LEASE, n); n++) {
            struct msg_lease lease = lease_in(bench, sent(bench, 1, MSG_LEASE, n));
            say(bench, 1, result_msg(&lease));
        }
        say(bench, 1, request_of(2));
    }
    const struct counters_row *counters = &bench->disk.counters;
    assert_int_equal(counters->trials, counters->done + counters->diverged);
}

/* Holds the search open with a trial of its own, of another host, until all others are closed. */
static struct msg_lease join_first(struct bench *bench, const char *const *overrides)
{
    open_bench(bench, overrides);
    struct msg_lease lease = join(bench, 2, "b", 1);
    say(bench, 1, hello_of("a", 2));
    say(bench, 1, request_of(2));
    for (int turns = 0; turns < 100; turns++) {
        turn(bench);
        for (int n = 0; sent(bench, 1, MSG_LEASE, n); n++) {
            struct msg_lease other = lease_in(bench, sent(bench, 1, MSG_LEASE, n));
            say(bench, 1, result_msg(&other));
        }
        say(bench, 1, request_of(2));
        say(bench, 2, holding_msg(0, lease.attempt));
    }
    return lease;
}

static int attempts_in(const struct bench *bench, enum attempt_state state)
{
    int count = 0;
    for (size_t i = 0; i < bench->disk.attempts.count; i++)
        count += bench->disk.attempts.items[i].state == state;
    return count;
}

/* "b" reports what it holds and asks for more, and so on; what it reports goes through `change`. */
static void go_on(struct bench *bench, struct msg_lease lease, void (*change)(struct msg_result *result))
{
    for (int turns = 0; turns < 200 && !core_finished(bench->core); turns++) {
        struct msg msg = result_msg(&lease);
        if (change && !trial_is_open(trial_on_disk(bench, lease.trial)))
            change(&msg.result_);
        say(bench, 2, msg);
        say(bench, 2, request_of(1));
        say(bench, 1, request_of(2));
        turn(bench);
        for (int n = 0; sent(bench, 1, MSG_LEASE, n); n++) {
            struct msg_lease other = lease_in(bench, sent(bench, 1, MSG_LEASE, n));
            say(bench, 1, result_msg(&other));
        }
        if (sent(bench, 2, MSG_LEASE, 0))
            lease = lease_in(bench, sent(bench, 2, MSG_LEASE, 0));
    }
    assert_non_null(core_finished(bench->core));
}

static void check_every_audit_on_another_host(const struct bench *bench)
{
    for (size_t i = 0; i < bench->disk.attempts.count; i++) {
        const struct attempt_row *row = &bench->disk.attempts.items[i];
        if (row->state == ATTEMPT_AGREED || row->state == ATTEMPT_DIFFERED)
            assert_int_not_equal(attempt_on_disk(bench, trial_on_disk(bench, row->trial)->closed_by)->worker,
                                 row->worker);
    }
}

static void each_chosen_trial_is_compared_before_the_end(void **state)
{
    (void)state;
    struct bench bench;
    struct msg_lease lease = join_first(&bench, audited);
    assert_int_equal(attempts_in(&bench, ATTEMPT_AGREED),
                     0); /* "a" has trained all but one: it audits none of these */
    go_on(&bench, lease, NULL);
    assert_int_equal(attempts_in(&bench, ATTEMPT_AGREED), bench.disk.counters.trials);
    assert_int_equal(events_on_disk(&bench, "difference"), 0);
    check_every_audit_on_another_host(&bench);
    close_bench(&bench);
}

static void one_more_is_right(struct msg_result *result)
{
    result->correct = result->diverged ? 0 : (result->correct + 1) % 5001;
    result->step++;
}

/* The last event says that nothing was decided. */
static void two_hosts_alone_decide_nothing_and_both_are_named(void **state)
{
    (void)state;
    struct bench undisturbed, bench;
    train_all(&undisturbed, few);
    struct msg_lease lease = join_first(&bench, audited);
    go_on(&bench, lease, one_more_is_right);
    assert_true(attempts_in(&bench, ATTEMPT_DIFFERED) > 3);
    assert_int_equal(attempts_in(&bench, ATTEMPT_DIFFERED) + 1, events_on_disk(&bench, "difference"));
    int named = 0;
    for (size_t i = 0; i < bench.disk.events.count; i++) {
        const struct event_row *event = &bench.disk.events.items[i];
        named += strcmp(event->kind, "difference") == 0 && strstr(event->text, "host-a") &&
                 strstr(event->text, "host-b");
    }
    assert_int_equal(named + 1, events_on_disk(&bench, "difference"));
    for (size_t i = 0; i < bench.disk.workers.count; i++)
        assert_int_equal(bench.disk.workers.items[i].shut_out_ms, 0);
    assert_int_equal(bench.disk.candidates.count, undisturbed.disk.candidates.count);
    for (size_t i = 0; i < bench.disk.candidates.count; i++) {
        const struct candidate_row *row = &bench.disk.candidates.items[i],
                                   *other = &undisturbed.disk.candidates.items[i];
        assert_string_equal(row->activation, other->activation);
        assert_memory_equal(&row->reward, &other->reward, sizeof row->reward);
    }
    close_bench(&bench);
    close_bench(&undisturbed);
}

static void where_there_is_one_host_the_end_does_not_wait(void **state)
{
    (void)state;
    struct bench bench;
    train_all(&bench, audited);
    assert_non_null(core_finished(bench.core));
    assert_int_equal(attempts_in(&bench, ATTEMPT_AGREED), 0);
    close_bench(&bench);
}

static void a_start_goes_on_with_the_audits(void **state)
{
    (void)state;
    struct bench bench;
    struct msg_lease lease = join_first(&bench, audited);
    say(&bench, 2, result_msg(&lease));
    say(&bench, 2, request_of(1));
    turn(&bench);
    lease = lease_in(&bench, sent(&bench, 2, MSG_LEASE, 0));
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_LEASED);
    struct msg_lease other = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    say(&bench, 1, result_msg(&other));
    turn(&bench);
    restart(&bench);
    say(&bench, 1, hello_of("a", 2));
    say(&bench, 2, hello_of("b", 1));
    say(&bench, 2, holding_msg(0, lease.attempt));
    turn(&bench);
    go_on(&bench, lease, NULL);
    assert_int_equal(attempts_in(&bench, ATTEMPT_AGREED), bench.disk.counters.trials);
    assert_int_equal(attempts_in(&bench, ATTEMPT_UNCLAIMED), 0);
    close_bench(&bench);
}

static void an_audit_that_is_lost_too_often_is_given_up(void **state)
{
    (void)state;
    struct bench bench;
    struct msg_lease lease = join_first(&bench, audited);
    say(&bench, 2, result_msg(&lease));
    for (int turns = 0; turns < 4000 && !core_finished(bench.core); turns++) {
        bench.now_ms += bench.experiment->queue.heartbeat_ms; /* it rests between its failures */
        say(&bench, 1, request_of(2));
        say(&bench, 2, request_of(1));
        turn(&bench);
        for (int n = 0; sent(&bench, 2, MSG_LEASE, n); n++) {
            struct msg_lease lost = lease_in(&bench, sent(&bench, 2, MSG_LEASE, n));
            say(&bench, 2, failure_msg(&lost, "it crashed"));
        }
        for (int n = 0; sent(&bench, 1, MSG_LEASE, n); n++) {
            struct msg_lease other = lease_in(&bench, sent(&bench, 1, MSG_LEASE, n));
            say(&bench, 1, result_msg(&other));
        }
    }
    assert_non_null(core_finished(bench.core));
    const struct counters_row *counters = &bench.disk.counters;
    assert_int_equal(counters->done + counters->diverged, counters->trials); /* no trial has failed */
    assert_int_equal(events_on_disk(&bench, "failure"), counters->trials - 1);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_is_chosen_by_number_alone),
        cmocka_unit_test(a_trial_waits_for_another_host_and_the_lowest_goes_first),
        cmocka_unit_test(each_chosen_trial_is_compared_before_the_end),
        cmocka_unit_test(two_hosts_alone_decide_nothing_and_both_are_named),
        cmocka_unit_test(where_there_is_one_host_the_end_does_not_wait),
        cmocka_unit_test(a_start_goes_on_with_the_audits),
        cmocka_unit_test(an_audit_that_is_lost_too_often_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
