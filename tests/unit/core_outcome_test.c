/* What a whole search ends in, and what it goes on from. */
#include "tests/unit/core_bench.h"

static void it_ends_after_the_candidates_it_was_asked_for_and_says_bye(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    run_to_the_end(&bench, 3);
    assert_string_equal(core_finished(bench.core), "search.candidates reached");
    assert_string_equal(bench.disk.experiment.finished_because, "search.candidates reached");
    assert_true(sent(&bench, 1, MSG_BYE, 0)->finished);
    const struct counters_row *counters = &bench.disk.counters;
    assert_int_equal(counters->candidates, 6);
    assert_int_equal(counters->references, 2);
    assert_int_equal(counters->done + counters->diverged, 8);
    assert_int_equal(counters->proposals, counters->candidates + counters->duplicates + counters->rejected);
    for (size_t i = 0; i < bench.disk.proposals.count; i++)
        assert_false(isnan(bench.disk.proposals.items[i].reward));
    say(&bench, 7, hello_of("late", 1));
    turn(&bench);
    assert_true(sent(&bench, 7, MSG_BYE, 0)->finished);
    close_bench(&bench);
}

static void it_ends_after_its_proposals_where_it_repeats_itself(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench,
               (const char *const[]){"search.algorithm=random", "search.candidates=50", "search.proposals=60",
                                     "search.batch=4", "space.unary=x, -x", "space.binary=x1+x2", NULL});
    run_to_the_end(&bench, 1);
    assert_string_equal(core_finished(bench.core), "search.proposals reached");
    assert_int_equal(bench.disk.counters.proposals, 60);
    assert_true(bench.disk.counters.duplicates > 0);
    close_bench(&bench);
}

static void the_figures_of_a_candidate_do_not_depend_on_the_order_of_its_results(void **state)
{
    (void)state;
    struct candidate_row first = {0};
    for (int order = 0; order < 6; order++) {
        static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct bench bench;
        open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=2",
                                                 "search.batch=2", "child.seeds=3", NULL});
        join(&bench, 1, "a", 3);
        struct msg_lease leases[3];
        for (int i = 0; i < 3; i++)
            leases[i] = lease_in(&bench, sent(&bench, 1, MSG_LEASE, i));
        assert_int_not_equal(leases[0].seed, leases[1].seed);
        for (int i = 0; i < 3; i++) {
            assert_true(isnan(bench.disk.candidates.items[0].reward));
            struct msg result = result_msg(&leases[orders[order][i]]);
            result.result_.seconds = 0.1 * (1 + orders[order][i]);
            say(&bench, 1, result);
            turn(&bench);
        }
        struct candidate_row row = bench.disk.candidates.items[0];
        assert_int_equal(row.seeds, 3);
        assert_true(row.reward == row.accuracy_mean);
        row.activation = NULL;
        if (order == 0)
            first = row;
        assert_memory_equal(&row.accuracy_mean, &first.accuracy_mean, sizeof(double));
        assert_memory_equal(&row.accuracy_sd, &first.accuracy_sd, sizeof(double));
        assert_memory_equal(&row.validation_loss_mean, &first.validation_loss_mean, sizeof(double));
        assert_memory_equal(&row.seconds, &first.seconds, sizeof(double));
        close_bench(&bench);
    }
}

static void a_longer_search_goes_on_where_a_finished_one_ended(void **state)
{
    (void)state;
    struct bench bench, whole;
    open_bench(&bench, few);
    run_to_the_end(&bench, 2);
    struct experiment *longer = experiment_with(
        (const char *const[]){"search.algorithm=random", "search.candidates=12", "search.batch=4", NULL});
    experiment_destroy(&bench.experiment);
    bench.experiment = longer;
    restart(&bench);
    assert_null(core_finished(bench.core));
    run_to_the_end(&bench, 2);
    open_bench(&whole, (const char *const[]){"search.algorithm=random", "search.candidates=12",
                                             "search.batch=4", NULL});
    run_to_the_end(&whole, 5);
    assert_int_equal(bench.disk.candidates.count, whole.disk.candidates.count);
    for (size_t i = 0; i < whole.disk.candidates.count; i++)
        assert_string_equal(bench.disk.candidates.items[i].activation,
                            whole.disk.candidates.items[i].activation);
    assert_int_equal(bench.disk.counters.proposals, whole.disk.counters.proposals);
    close_bench(&bench);
    close_bench(&whole);
}

static void rows_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct problem problem = {0};
    struct core *core = NULL;
    open_bench(&bench, few);
    join(&bench, 1, "a", 1);
    struct rows rows = disk_read(&bench.disk);
    rows.attempts.items[0].state = ATTEMPT_LAPSED; /* but its trial is leased */
    assert_int_equal(core_new(bench.experiment, bench.space, &rows, 0, &core, &problem), ERR_CORRUPT);
    rows = disk_read(&bench.disk);
    rows.search_changed = false;
    assert_int_equal(core_new(bench.experiment, bench.space, &rows, 0, &core, &problem), ERR_CORRUPT);
    rows = disk_read(&bench.disk);
    rows.trials.items[0].candidate = 99;
    assert_int_equal(core_new(bench.experiment, bench.space, &rows, 0, &core, &problem), ERR_CORRUPT);
    assert_null(core);
    close_bench(&bench);
}

/* An attempt that lapsed and is handed back, or has failed, after all: told to do so by `report`. */
static void check_late_end(struct msg (*report)(const struct msg_lease *lease), enum attempt_state state,
                           int64_t lost)
{
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join(&bench, 1, "a", 1);
    bench.now_ms += bench.experiment->queue.lease_ms + 1;
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_LAPSED);
    say(&bench, 1, hello_of("a", 1));
    say(&bench, 1, report(&lease));
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, state);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, lost);
    say(&bench, 1, holding_msg(0, lease.attempt)); /* was said before, and arrives now */
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, state);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->state, TRIAL_READY);
    assert_int_equal(sent(&bench, 1, MSG_ACK, 0)->attempt, lease.attempt);
    close_bench(&bench);
}

static struct msg handed_back(const struct msg_lease *lease)
{
    return (struct msg){.type = MSG_RETURN, .return_ = {.attempt = lease->attempt, .trial = lease->trial}};
}

static struct msg failed(const struct msg_lease *lease)
{
    return failure_msg(lease, "it crashed");
}

static void what_ended_late_is_not_brought_back_by_a_request_from_before(void **state)
{
    (void)state;
    check_late_end(handed_back, ATTEMPT_RETURNED, 0);
    check_late_end(failed, ATTEMPT_FAILED, 1);
}

static struct msg progress_msg(int64_t attempt, int64_t step)
{
    return (struct msg){.type = MSG_PROGRESS, .progress_ = {.attempt = attempt, .step = step}};
}

static void a_worker_that_holds_a_trial_without_a_step_loses_it(void **state)
{
    (void)state;
    static const char *const settings[] = {"search.algorithm=random", "search.candidates=4",
                                           "queue.stall=60s", "child.steps=100", NULL};
    struct bench bench;
    open_bench(&bench, settings);
    const struct msg_lease lease = join(&bench, 1, "a", 1);
    for (int64_t step = 0; step < 12; step++) { /* beyond its last step nothing counts */
        say(&bench, 1, progress_msg(lease.attempt, step < 10 ? step : 100000 + step));
        say(&bench, 1, holding_msg(0, lease.attempt));
        turn(&bench);
        assert_null(sent(&bench, 1, MSG_CANCEL, 0));
        bench.now_ms += step < 10 ? 50000 : 5000;
    }
    say(&bench, 1, holding_msg(0, lease.attempt));
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_CANCEL, 0));
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_FAILED);
    assert_int_equal(trial_on_disk(&bench, lease.trial)->lost, 1);
    assert_int_equal(join(&bench, 2, "b", 1).trial, lease.trial);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_that_holds_a_trial_without_a_step_loses_it),
        cmocka_unit_test(it_ends_after_the_candidates_it_was_asked_for_and_says_bye),
        cmocka_unit_test(it_ends_after_its_proposals_where_it_repeats_itself),
        cmocka_unit_test(the_figures_of_a_candidate_do_not_depend_on_the_order_of_its_results),
        cmocka_unit_test(a_longer_search_goes_on_where_a_finished_one_ended),
        cmocka_unit_test(rows_that_contradict_each_other_are_refused),
        cmocka_unit_test(what_ended_late_is_not_brought_back_by_a_request_from_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
