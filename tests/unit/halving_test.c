/* Successive halving in the core: who climbs, and what the search is told. */
#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_bench.h"

#define HALVING                                                                                              \
    "search.algorithm=random", "search.candidates=25", "search.batch=8", "child.seeds=2", "halving.eta=2",   \
        "halving.rungs=3", "child.steps=40", "queue.attempts=1000", "queue.lease=5s", "queue.heartbeat=1s"

static const char *const settings[] = {HALVING, NULL};

/* The mean accuracy of the candidate in its trials of that many steps; −1: there are none. */
static double accuracy_at(const struct rows *disk, int64_t candidate, int64_t steps)
{
    double sum = 0;
    int64_t count = 0;
    for (size_t i = 0; i < disk->trials.count; i++) {
        const struct trial_row *row = &disk->trials.items[i];
        if (row->candidate != candidate || row->steps != steps)
            continue;
        sum += row->state == TRIAL_DONE ? (double)row->correct / (double)row->validation_count : 0;
        count++;
    }
    return count > 0 ? sum / (double)count : -1;
}

/* Of the candidates of each batch that were trained at `steps`, the best ⌈n/2⌉ and no others were trained at
 * twice as many. */
static void check_promotions(const struct rows *disk, int64_t steps)
{
    size_t batches = 0;
    for (size_t first = 0; first < disk->candidates.count;) {
        int64_t batch = disk->candidates.items[first].first_proposal / 8;
        int64_t there = 0, promoted = 0, able = 0;
        double worst_promoted = 2, best_left = -1;
        size_t end = first;
        for (; end < disk->candidates.count && disk->candidates.items[end].first_proposal / 8 == batch &&
               disk->candidates.items[end].reference == disk->candidates.items[first].reference;
             end++) {
            double accuracy = accuracy_at(disk, (int64_t)end + 1, steps);
            bool up = accuracy_at(disk, (int64_t)end + 1, 2 * steps) >= 0;
            there += accuracy >= 0;
            able += accuracy > 0;
            promoted += up;
            if (up)
                worst_promoted = fmin(worst_promoted, accuracy);
            else
                best_left = fmax(best_left, accuracy);
        }
        if (!disk->candidates.items[first].reference) {
            batches++;
            assert_int_equal(promoted, (there + 1) / 2 < able ? (there + 1) / 2 : able);
            assert_true(worst_promoted >= best_left);
        }
        first = end;
    }
    assert_true(batches > 2);
}

static void the_best_of_each_batch_climb_and_no_others(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, settings);
    run_to_the_end(&bench, 4);
    const struct rows *disk = &bench.disk;
    check_promotions(disk, 10);
    check_promotions(disk, 20);
    close_bench(&bench);
}

static void the_search_is_told_of_the_lowest_rung_alone(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, settings);
    run_to_the_end(&bench, 4);
    const struct rows *disk = &bench.disk;
    bool differs = false;
    for (size_t i = 0; i < disk->candidates.count; i++) {
        const struct candidate_row *row = &disk->candidates.items[i];
        double first = accuracy_at(disk, row->id, 10);
        assert_memory_equal(&row->reward, &first, sizeof first);
        differs = differs || row->reward != row->accuracy_mean;
    }
    assert_true(differs);
    close_bench(&bench);
}

static void the_figures_of_a_candidate_are_those_of_its_highest_rung(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, settings);
    run_to_the_end(&bench, 4);
    const struct rows *disk = &bench.disk;
    int64_t by_rung[3] = {0};
    for (size_t i = 0; i < disk->candidates.count; i++) {
        const struct candidate_row *row = &disk->candidates.items[i];
        double mean = accuracy_at(disk, row->id, row->steps);
        assert_memory_equal(&row->accuracy_mean, &mean, sizeof mean);
        assert_int_equal(row->steps, 10 << row->rung);
        assert_int_equal(row->seeds, 2);
        assert_int_equal(row->trials, row->reference ? 4 : 2 * (row->rung + 1));
        if (row->reference)
            assert_int_equal(row->rung, 2);
        by_rung[row->rung]++;
    }
    for (int rung = 0; rung < 3; rung++)
        assert_true(by_rung[rung] > 0);
    close_bench(&bench);
}

static void a_lease_says_the_steps_and_the_warm_up_of_its_rung(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){HALVING, "child.warmup=8", NULL});
    struct msg_lease lease = join(&bench, 1, "a", 1);
    struct child child;
    struct problem problem = {0};
    assert_int_equal(child_parse(lease.child, &child, &problem), 0);
    assert_int_equal(child.steps, 10);
    assert_int_equal(child.warmup, 2);
    close_bench(&bench);
}

/* Of a batch that diverges as a whole nothing climbs, and the search ends all the same. */
static void what_diverges_goes_no_further(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench,
               (const char *const[]){"search.algorithm=random", "search.candidates=4", "search.batch=4",
                                     "halving.rungs=2", "search.references=", NULL});
    struct msg_lease lease = join(&bench, 1, "a", 1);
    for (int i = 0; i < 4; i++) {
        struct msg result = result_msg(&lease);
        result.result_.diverged = true;
        say(&bench, 1, result);
        say(&bench, 1, request_of(1));
        turn(&bench);
        if (i < 3)
            lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    }
    assert_string_equal(bench.disk.experiment.finished_because, "search.candidates reached");
    assert_int_equal(bench.disk.counters.trials, 4);
    close_bench(&bench);
}

static void a_longer_search_completes_the_batch_that_the_shorter_one_ended_in(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){HALVING, "search.candidates=3", NULL});
    run_to_the_end(&bench, 2);
    assert_int_equal(bench.disk.counters.candidates, 3);
    struct experiment *longer = experiment_with((const char *const[]){HALVING, "search.candidates=30", NULL});
    experiment_destroy(&bench.experiment);
    bench.experiment = longer;
    restart(&bench);
    run_to_the_end(&bench, 2);
    assert_int_equal(bench.disk.counters.candidates, 30);
    struct rows rows = disk_read(&bench.disk);
    struct core *again =
        core_from(bench.experiment, bench.space, rows, bench.now_ms); /* they are consistent */
    core_destroy(&again);
    for (size_t i = 0; i < bench.disk.candidates.count; i++)
        assert_int_equal(bench.disk.candidates.items[i].seeds, 2);
    close_bench(&bench);
}

/* ---- search.mode = async ------------------------------------------------------------------------------- */

#define ASYNC HALVING, "search.mode=async", "search.candidates=60"

/* Whether each candidate that is among the best ⌈n/2⌉ of those trained at `steps` was trained at twice as
 * many. */
static void check_best_are_promoted(const struct rows *disk, int64_t steps)
{
    int64_t there = 0, promoted = 0;
    for (size_t i = 0; i < disk->candidates.count; i++) {
        const struct candidate_row *row = &disk->candidates.items[i];
        if (row->reference || accuracy_at(disk, row->id, steps) < 0)
            continue;
        there++;
        int64_t better = 0;
        for (size_t k = 0; k < disk->candidates.count; k++)
            better += !disk->candidates.items[k].reference &&
                      accuracy_at(disk, (int64_t)k + 1, steps) > accuracy_at(disk, row->id, steps);
        bool up = accuracy_at(disk, row->id, 2 * steps) >= 0;
        promoted += up;
        if (accuracy_at(disk, row->id, steps) > 0)
            assert_true(up || 2 * better + 1 >= there - 1);
    }
    assert_true(promoted >= there / 2 - 1 && promoted < there);
}

static void asynchronously_the_best_of_each_rung_end_promoted(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){ASYNC, NULL});
    run_to_the_end(&bench, 3);
    assert_int_equal(bench.disk.counters.candidates, 60);
    check_best_are_promoted(&bench.disk, 10);
    check_best_are_promoted(&bench.disk, 20);
    close_bench(&bench);
}

/* With evolution nothing is in stock, so that a waiting worker is served by a promotion, or by a new
 * proposal. */
static void asynchronously_no_worker_waits_and_promotions_come_before_the_end(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){ASYNC, "search.algorithm=evolution", NULL});
    struct msg_lease lease = join(&bench, 1, "a", 1);
    bool promoted = false;
    for (int i = 0; bench.disk.counters.candidates < 60; i++) {
        assert_true(i < 1000);
        say(&bench, 1, result_msg(&lease));
        say(&bench, 1, request_of(1));
        turn(&bench);
        lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0)); /* there always is one */
        const struct trial_row *trial = trial_on_disk(&bench, lease.trial);
        promoted =
            promoted || (trial->rung == 2 && !bench.disk.candidates.items[trial->candidate - 1].reference);
    }
    assert_true(promoted);
    close_bench(&bench);
}

static void asynchronously_a_restart_promotes_nothing_twice(void **state)
{
    (void)state;
    struct bench bench, undisturbed;
    open_bench(&undisturbed, (const char *const[]){ASYNC, NULL});
    run_to_the_end(&undisturbed, 1);
    open_bench(&bench, (const char *const[]){ASYNC, NULL});
    for (int turns = 0; turns < 10000 && !core_finished(bench.core); turns++) {
        say(&bench, 1, hello_of("runner", 1));
        say(&bench, 1, request_of(1));
        turn(&bench);
        for (int n = 0; sent(&bench, 1, MSG_LEASE, n); n++) {
            struct msg_lease lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, n));
            say(&bench, 1, result_msg(&lease));
        }
        turn(&bench);
        if (!core_finished(bench.core))
            restart(&bench);
        bench.now_ms += 10;
    }
    assert_non_null(core_finished(bench.core));
    assert_int_equal(bench.disk.counters.trials,
                     undisturbed.disk.counters.trials); /* in the same order, the same */
    for (size_t i = 0; i < undisturbed.disk.trials.count; i++) {
        assert_int_equal(bench.disk.trials.items[i].candidate, undisturbed.disk.trials.items[i].candidate);
        assert_int_equal(bench.disk.trials.items[i].rung, undisturbed.disk.trials.items[i].rung);
    }
    close_bench(&bench);
    close_bench(&undisturbed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_of_each_batch_climb_and_no_others),
        cmocka_unit_test(the_search_is_told_of_the_lowest_rung_alone),
        cmocka_unit_test(the_figures_of_a_candidate_are_those_of_its_highest_rung),
        cmocka_unit_test(a_lease_says_the_steps_and_the_warm_up_of_its_rung),
        cmocka_unit_test(what_diverges_goes_no_further),
        cmocka_unit_test(a_longer_search_completes_the_batch_that_the_shorter_one_ended_in),
        cmocka_unit_test(asynchronously_the_best_of_each_rung_end_promoted),
        cmocka_unit_test(asynchronously_no_worker_waits_and_promotions_come_before_the_end),
        cmocka_unit_test(asynchronously_a_restart_promotes_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
