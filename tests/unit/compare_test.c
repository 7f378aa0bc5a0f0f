/* Two functions compared seed by seed: the arithmetic, and the comparison of a database that the store wrote.
 */
#include "cli/comparison.h"
#include "tests/unit/store_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- arithmetic ---------------------------------------------------------------------------------------- */

static void quantiles_are_those_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        int freedom;
        double part, t;
    } known[] = {{1, 0.95, 12.70620473617471}, {2, 0.95, 4.302652729749463},  {3, 0.95, 3.182446305284263},
                 {4, 0.99, 4.604094871349983}, {5, 0.95, 2.570581835636314},  {10, 0.95, 2.228138851986274},
                 {30, 0.9, 1.697260886593957}, {100, 0.95, 1.983971518523552}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_true(fabs(student_quantile(known[i].part, known[i].freedom) - known[i].t) < 1e-9 * known[i].t);
        assert_true(fabs(student_within(known[i].t, known[i].freedom) - known[i].part) < 1e-12);
    }
    assert_true(fabs(student_quantile(0.95, 100000) - 1.95996398) < 1e-4); /* nearly normal */
}

static void the_interval_is_that_of_the_paired_t_test(void **state)
{
    (void)state;
    static const double a[] = {0.90, 0.91, 0.93}, b[] = {0.88, 0.90, 0.90};
    const struct paired paired = paired_compare(a, b, 3);
    assert_true(fabs(paired.mean - 0.02) < 1e-12);
    assert_true(fabs(paired.sd - 0.01) < 1e-12);
    assert_true(fabs(paired.low - -0.004841377) < 1e-8);
    assert_true(fabs(paired.high - 0.044841377) < 1e-8);
    assert_true(fabs(paired.p - 0.0741799) < 1e-6);
    assert_int_equal(paired.better, 3);
    assert_int_equal(paired.worse + paired.equal, 0);
}

static void a_common_shift_of_both_changes_nothing(void **state)
{
    (void)state;
    static const double a[] = {0.1, 0.6, 0.9},
                        b[] = {0.09, 0.59, 0.89}; /* seeds differ far more than functions */
    const struct paired paired = paired_compare(a, b, 3);
    assert_true(paired.low > 0.0099 && paired.high < 0.0101);
}

static void one_pair_has_a_difference_and_no_interval(void **state)
{
    (void)state;
    const struct paired one = paired_compare((double[]){0.5}, (double[]){0.75}, 1);
    assert_true(one.mean == -0.25 && isnan(one.low) && isnan(one.high) && isnan(one.sd) && isnan(one.p));
    assert_int_equal(one.worse, 1);
    const struct paired none = paired_compare(NULL, NULL, 0);
    assert_true(isnan(none.mean) && isnan(none.low));
    const struct paired same = paired_compare((double[]){0.5, 0.25}, (double[]){0.5, 0.25}, 2);
    assert_true(same.mean == 0 && same.low == 0 && same.high == 0 && isnan(same.p));
    assert_int_equal(same.equal, 2);
}

/* ---- a database ---------------------------------------------------------------------------------------- */

static void add_candidate(struct rows *rows, int64_t id, const char *activation)
{
    struct candidate_row *row = rows_candidate(rows);
    *row = (struct candidate_row){.id = id, .activation = activation, .first_proposal = id, .steps = 20};
    row->accuracy_mean = row->accuracy_sd = row->validation_loss_mean = NAN;
    row->seconds = row->cost_ns = row->reward = NAN;
    row->fingerprint.bytes[0] = (uint8_t)id;
}

static void add_trial(struct rows *rows, int64_t candidate, int64_t replica, int64_t steps,
                      enum trial_state state, int64_t correct)
{
    const int64_t id = (int64_t)rows->trials.count + 1;
    struct trial_row *row = rows_trial(rows);
    *row = (struct trial_row){.id = id,
                              .candidate = candidate,
                              .replica = replica,
                              .seed = 1000 + replica,
                              .steps = steps,
                              .state = state,
                              .correct = correct,
                              .validation_count = state == TRIAL_DONE ? 100 : 0};
    row->validation_loss = row->train_loss = row->seconds = row->images_per_second = row->cost_ns = NAN;
}

static int make_database(void **state)
{
    if (enter_folder(state) != 0)
        return -1;
    struct experiment *experiment = experiment_with((const char *const[]){"search.candidates=9", NULL});
    struct store *store = open_store("a.db", experiment);
    struct rows rows = {0};
    static const int64_t first[] = {90, 91, 93, 50}, second[] = {88, 90, 90, 0};
    add_candidate(&rows, 1, "tanh(x)");
    add_candidate(&rows, 2, "sin(x)");
    add_candidate(&rows, 3, "exp(x)");
    add_candidate(&rows, 4, "erf(x)");
    for (int i = 0; i < 4; i++) {
        add_trial(&rows, 1, i, 20, TRIAL_DONE, first[i]);
        add_trial(&rows, 2, i, 20, i < 3 ? TRIAL_DONE : TRIAL_LEASED, second[i]);
    }
    add_trial(&rows, 3, 0, 20, TRIAL_DONE, 10);
    add_trial(&rows, 3, 1, 20, TRIAL_DIVERGED, 0);
    add_trial(&rows, 4, 7, 20, TRIAL_DONE, 10); /* a seed that no other has */
    write_store(store, &rows);
    rows_release(&rows);
    store_close(&store);
    experiment_destroy(&experiment);
    return 0;
}

/* malloc'd */
static char *printed(const char *a, const char *b, bool json)
{
    struct store_reader *reader = NULL;
    struct comparison comparison;
    struct problem problem;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (store_reader_open("a.db", &reader, &problem) != 0 ||
        comparison_make(reader, (const char *const[]){a, b}, &comparison, &problem) != 0)
        fail_msg("%s", problem.text);
    json ? comparison_print_json(&comparison, out) : comparison_print(&comparison, out);
    fclose(out);
    comparison_release(&comparison);
    store_reader_close(&reader);
    return text;
}

static void seeds_that_both_have_are_compared(void **state)
{
    (void)state;
    char *text = printed("1", "2", false);
    assert_non_null(strstr(text, "difference  +2.00 points, A - B, 95 % interval -0.48 to +4.48"));
    assert_non_null(strstr(text, "over 3 seeds, paired t test p = 0.074"));
    assert_non_null(strstr(text, "A is better on 3, worse on 0, equal on 0"));
    assert_non_null(strstr(text, "do not tell the two apart"));
    assert_non_null(strstr(text, "1001  91.00 %  90.00 %  +1.00\n"));
    assert_non_null(strstr(text, "1003  50.00 %     open\n")); /* not in the figures */
    assert_non_null(strstr(text, "91.33 %  tanh(x)"));
    free(text);
}

static void the_other_way_round_the_signs_change(void **state)
{
    (void)state;
    char *text = printed("2", "1", true);
    assert_non_null(strstr(text, "\"a\":\"sin(x)\",\"b\":\"tanh(x)\",\"steps\":20,\"pairs\":3"));
    assert_non_null(strstr(text, "\"difference\":-0.02"));
    assert_non_null(strstr(text, "\"better\":0,\"worse\":3,\"equal\":0"));
    assert_non_null(strstr(text, "{\"seed\":1003,\"a\":null,\"b\":0.5}"));
    free(text);
}

static void a_diverged_training_counts_as_none_right(void **state)
{
    (void)state;
    char *text = printed("1", "3", false);
    assert_non_null(strstr(text, "1001  91.00 %   0.00 %  +91.00\n"));
    assert_non_null(strstr(text, "A is better on 2"));
    assert_non_null(strstr(text, "A is better: the interval does not hold 0."));
    free(text);
}

static void without_a_common_seed_it_says_so(void **state)
{
    (void)state;
    char *text = printed("1", "4", false);
    assert_non_null(strstr(text, "no seed yet on which both have an outcome"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_tables),
        cmocka_unit_test(the_interval_is_that_of_the_paired_t_test),
        cmocka_unit_test(a_common_shift_of_both_changes_nothing),
        cmocka_unit_test(one_pair_has_a_difference_and_no_interval),
        cmocka_unit_test(seeds_that_both_have_are_compared),
        cmocka_unit_test(the_other_way_round_the_signs_change),
        cmocka_unit_test(a_diverged_training_counts_as_none_right),
        cmocka_unit_test(without_a_common_seed_it_says_so),
    };
    return cmocka_run_group_tests(tests, make_database, leave_folder);
}
