/* An experiment of nothing but references (search.algorithm = none): what `actsearch study` is made of. */
#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_bench.h"

static const char *const three[] = {"search.algorithm=none", "search.references=relu, swish, tanh(x)",
                                    "child.seeds=2", NULL};

/* The bench goes on with a larger experiment, as the next start of the coordinator would. */
static void grow(struct bench *bench, const char *const *overrides)
{
    core_destroy(&bench->core);
    experiment_destroy(&bench->experiment);
    bench->experiment = experiment_with(overrides);
    bench->core = core_on(bench->experiment, bench->space, &bench->disk, bench->now_ms);
    run_to_the_end(bench, 2);
    turn(bench);
}

static const struct candidate_row *candidate_on_disk(const struct bench *bench, const char *activation)
{
    for (size_t i = 0; i < bench->disk.candidates.count; i++)
        if (strcmp(bench->disk.candidates.items[i].activation, activation) == 0)
            return &bench->disk.candidates.items[i];
    return NULL;
}

static void all_seeds_of_all_references_are_trained_and_nothing_else(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, three);
    run_to_the_end(&bench, 2);
    assert_string_equal(core_finished(bench.core), "the references are trained");
    assert_int_equal(bench.disk.counters.references, 3);
    assert_int_equal(bench.disk.counters.proposals, 0);
    assert_int_equal(bench.disk.trials.count, 6);
    assert_int_equal(candidate_on_disk(&bench, "x*sigmoid(b0*x)")->seeds, 2); /* by its name */
    close_bench(&bench);
}

static void a_start_on_the_finished_database_trains_nothing(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, three);
    run_to_the_end(&bench, 2);
    turn(&bench);
    restart(&bench);
    assert_non_null(core_finished(bench.core));
    assert_int_equal(bench.disk.trials.count, 6);
    assert_int_equal(bench.disk.experiment.epoch, 1);
    close_bench(&bench);
}

static void functions_that_come_later_are_trained_and_the_others_stay(void **state)
{
    (void)state;
    static const char *const four[] = {
        "search.algorithm=none", "search.references=sin(x), relu, swish, tanh(x)", "child.seeds=2", NULL};
    struct bench bench;
    open_bench(&bench, three);
    run_to_the_end(&bench, 2);
    turn(&bench);
    const double before = candidate_on_disk(&bench, "relu(x)")->accuracy_mean;
    grow(&bench, four);
    assert_int_equal(bench.disk.counters.references, 4);
    assert_int_equal(bench.disk.trials.count, 8);
    assert_int_equal(candidate_on_disk(&bench, "sin(x)")->seeds, 2);
    assert_true(candidate_on_disk(&bench, "relu(x)")->accuracy_mean == before);
    restart(&bench); /* the rows fit together */
    close_bench(&bench);
}

static void seeds_that_come_later_count_with_the_others(void **state)
{
    (void)state;
    static const char *const five[] = {"search.algorithm=none", "search.references=relu, swish, tanh(x)",
                                       "child.seeds=5", NULL};
    struct bench bench;
    open_bench(&bench, three);
    run_to_the_end(&bench, 2);
    turn(&bench);
    grow(&bench, five);
    assert_int_equal(bench.disk.trials.count, 15);
    for (size_t i = 0; i < bench.disk.candidates.count; i++) {
        const struct candidate_row *candidate = &bench.disk.candidates.items[i];
        double sum = 0;
        int64_t replica = 0;
        for (size_t k = 0; k < bench.disk.trials.count; k++) {
            const struct trial_row *trial = &bench.disk.trials.items[k];
            if (trial->candidate != candidate->id)
                continue;
            assert_int_equal(trial->seed, (int64_t)trial_seed(7, (uint32_t)replica++));
            sum += (double)trial->correct / (double)trial->validation_count;
        }
        assert_int_equal(candidate->seeds, 5);
        assert_true(fabs(candidate->accuracy_mean - sum / 5) < 1e-12);
        assert_true(candidate->reward == candidate->accuracy_mean);
    }
    restart(&bench);
    assert_non_null(core_finished(bench.core));
    close_bench(&bench);
}

static void a_kill_between_two_seeds_that_came_later_does_no_harm(void **state)
{
    (void)state;
    static const char *const four_seeds[] = {"search.algorithm=none",
                                             "search.references=relu, swish, tanh(x)", "child.seeds=4", NULL};
    struct bench bench;
    open_bench(&bench, three);
    run_to_the_end(&bench, 2);
    turn(&bench);
    core_destroy(&bench.core);
    experiment_destroy(&bench.experiment);
    bench.experiment = experiment_with(four_seeds);
    bench.core = core_on(bench.experiment, bench.space, &bench.disk, bench.now_ms);
    struct msg_lease lease = join(&bench, 5, "later", 1);
    say(&bench, 5, result_msg(&lease));
    turn(&bench);
    restart(&bench);
    assert_null(core_finished(bench.core));
    run_to_the_end(&bench, 2);
    assert_int_equal(bench.disk.trials.count, 12);
    for (size_t i = 0; i < bench.disk.trials.count; i++)
        assert_int_not_equal(bench.disk.trials.items[i].closed_by, 0);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_seeds_of_all_references_are_trained_and_nothing_else),
        cmocka_unit_test(a_start_on_the_finished_database_trains_nothing),
        cmocka_unit_test(functions_that_come_later_are_trained_and_the_others_stay),
        cmocka_unit_test(seeds_that_come_later_count_with_the_others),
        cmocka_unit_test(a_kill_between_two_seeds_that_came_later_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
