/* The finals: who is in them, what they are trained for, and that they come to the same however often they
 * are interrupted or enlarged. */
#include "tests/unit/core_bench.h"

#define SEARCH "search.algorithm=random", "search.candidates=12", "search.batch=4", "child.steps=20"

static int64_t trials_of(const struct rows *disk, int64_t candidate, int64_t steps)
{
    int64_t count = 0;
    for (size_t i = 0; i < disk->trials.count; i++)
        count += disk->trials.items[i].candidate == candidate && disk->trials.items[i].steps == steps;
    return count;
}

/* How many candidates that are no references are better by the reward that the search was told. */
static int64_t better(const struct rows *disk, const struct candidate_row *row)
{
    int64_t count = 0;
    for (size_t i = 0; i < disk->candidates.count; i++)
        count += !disk->candidates.items[i].reference && disk->candidates.items[i].reward > row->reward;
    return count;
}

static void the_best_and_the_references_are_trained_again(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench,
               (const char *const[]){SEARCH, "finals.top=3", "finals.seeds=4", "finals.steps=50", NULL});
    run_to_the_end(&bench, 3);
    const struct rows *disk = &bench.disk;
    for (size_t i = 0; i < disk->candidates.count; i++) {
        const struct candidate_row *row = &disk->candidates.items[i];
        bool invited = row->reference || better(disk, row) < 3;
        assert_int_equal(trials_of(disk, row->id, 50), invited ? 4 : 0);
        assert_int_equal(row->steps, invited ? 50 : 20);
        assert_int_equal(row->seeds, invited ? 4 : 1);
        assert_int_equal(row->trials, invited ? 5 : 1);
        assert_int_equal(row->rung, 0);
    }
    assert_int_equal(disk->counters.finals, 5 * 4);
    assert_int_equal(disk->counters.finals_open, 0);
    assert_string_equal(disk->experiment.finished_because, "search.candidates reached");
    close_bench(&bench);
}

static void the_search_is_not_told_of_them(void **state)
{
    (void)state;
    struct bench with, without;
    open_bench(&with, (const char *const[]){SEARCH, "finals.top=3", NULL});
    open_bench(&without, (const char *const[]){SEARCH, NULL});
    run_to_the_end(&with, 3);
    run_to_the_end(&without, 3);
    assert_int_equal(with.disk.candidates.count, without.disk.candidates.count);
    for (size_t i = 0; i < with.disk.candidates.count; i++)
        assert_memory_equal(&with.disk.candidates.items[i].reward, &without.disk.candidates.items[i].reward,
                            sizeof(double));
    close_bench(&with);
    close_bench(&without);
}

static void where_they_are_as_long_as_the_search_its_trials_are_their_first_seeds(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench,
               (const char *const[]){SEARCH, "child.seeds=2", "finals.top=3", "finals.seeds=5", NULL});
    run_to_the_end(&bench, 3);
    assert_int_equal(bench.disk.counters.finals, 5 * 3);
    int finalists = 0;
    for (size_t i = 0; i < bench.disk.candidates.count; i++) {
        const struct candidate_row *row = &bench.disk.candidates.items[i];
        assert_int_equal(row->steps, 20);
        assert_int_equal(row->trials, row->seeds);
        assert_true(row->seeds == 2 || row->seeds == 5);
        finalists += row->seeds == 5;
    }
    assert_int_equal(finalists, 5);
    close_bench(&bench);
}

/* With longer finals, then more seeds and more places, on a database that was finished: as if they had been
 * so from the start. */
static void they_grow_on_a_finished_database(void **state)
{
    (void)state;
    static const char *const grown[] = {SEARCH, "finals.top=4", "finals.seeds=3", "finals.steps=50", NULL};
    struct bench bench, whole;
    open_bench(&bench, (const char *const[]){SEARCH, NULL});
    run_to_the_end(&bench, 2);
    const char *const *const stages[] = {
        (const char *const[]){SEARCH, "finals.top=2", "finals.seeds=2", "finals.steps=50", NULL}, grown};
    for (int i = 0; i < 2; i++) {
        experiment_destroy(&bench.experiment);
        bench.experiment = experiment_with(stages[i]);
        restart(&bench);
        assert_null(core_finished(bench.core));
        run_to_the_end(&bench, 2);
    }
    open_bench(&whole, grown);
    run_to_the_end(&whole, 5);
    assert_int_equal(bench.disk.counters.trials, whole.disk.counters.trials); /* nothing twice */
    for (size_t i = 0; i < whole.disk.candidates.count; i++) {
        const struct candidate_row *a = &bench.disk.candidates.items[i], *b = &whole.disk.candidates.items[i];
        assert_string_equal(a->activation, b->activation);
        assert_int_equal(a->steps, b->steps);
        assert_int_equal(a->seeds, b->seeds);
        assert_memory_equal(&a->accuracy_mean, &b->accuracy_mean, sizeof(double));
        assert_memory_equal(&a->accuracy_sd, &b->accuracy_sd, sizeof(double));
    }
    close_bench(&bench);
    close_bench(&whole);
}

static void a_restart_in_the_finals_trains_nothing_again(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench,
               (const char *const[]){SEARCH, "finals.top=3", "finals.seeds=2", "finals.steps=50", NULL});
    struct msg_lease lease = join(&bench, 1, "a", 1);
    int64_t closed = 0;
    while (!core_finished(bench.core)) {
        say(&bench, 1, result_msg(&lease));
        say(&bench, 1, request_of(1));
        turn(&bench);
        closed++;
        assert_int_equal(bench.disk.counters.done + bench.disk.counters.diverged, closed);
        restart(&bench);
        if (core_finished(bench.core))
            break;
        say(&bench, 1, hello_of("a", 1));
        say(&bench, 1, request_of(1));
        bench.now_ms += bench.experiment->queue.lease_ms; /* nobody claims what was leased before */
        turn(&bench);
        say(&bench, 1, hello_of("a", 1));
        say(&bench, 1, request_of(1));
        turn(&bench);
        lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
        assert_true(closed < 100);
    }
    assert_int_equal(closed, 14 + 2 * 5);
    close_bench(&bench);
}

static void a_search_that_goes_on_holds_them_anew(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, (const char *const[]){SEARCH, "finals.top=2", "finals.steps=50", NULL});
    run_to_the_end(&bench, 2);
    int64_t before = bench.disk.counters.finals;
    experiment_destroy(&bench.experiment);
    bench.experiment = experiment_with(
        (const char *const[]){SEARCH, "search.candidates=60", "finals.top=2", "finals.steps=50", NULL});
    restart(&bench);
    run_to_the_end(&bench, 2);
    assert_int_equal(bench.disk.counters.candidates, 60);
    assert_true(bench.disk.counters.finals > before); /* better ones were found */
    for (size_t i = 0; i < bench.disk.candidates.count; i++) {
        const struct candidate_row *row = &bench.disk.candidates.items[i];
        if (!row->reference && better(&bench.disk, row) < 2)
            assert_int_equal(row->steps, 50);
    }
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_and_the_references_are_trained_again),
        cmocka_unit_test(the_search_is_not_told_of_them),
        cmocka_unit_test(where_they_are_as_long_as_the_search_its_trials_are_their_first_seeds),
        cmocka_unit_test(they_grow_on_a_finished_database),
        cmocka_unit_test(a_restart_in_the_finals_trains_nothing_again),
        cmocka_unit_test(a_search_that_goes_on_holds_them_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
