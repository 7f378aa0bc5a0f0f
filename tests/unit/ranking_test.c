/* The ranked list as it is printed, from a database that the store wrote. */
#include "cli/ranking.h"
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

static void add(struct rows *rows, const char *activation, double accuracy, double cost_ns, bool reference)
{
    const int64_t id = (int64_t)rows->candidates.count + 1;
    struct candidate_row *row = rows_candidate(rows);
    *row = (struct candidate_row){
        .id = id,
        .activation = activation,
        .reference = reference,
        .first_proposal = reference ? -1 : id,
        .steps = 20,
        .trials = 1,
        .seeds = 1,
        .accuracy_mean = accuracy,
        .accuracy_sd = NAN,
        .validation_loss_mean = 1 - accuracy,
        .parameters = 12345,
        .seconds = 2,
        .cost_ns = cost_ns,
        .reward = accuracy,
    };
    row->fingerprint.bytes[0] = (uint8_t)id;
}

static int make_database(void **state)
{
    if (enter_folder(state) != 0)
        return -1;
    struct experiment *experiment = experiment_with((const char *const[]){"search.candidates=9", NULL});
    struct store *store = open_store("a.db", experiment);
    struct rows rows = {0};
    add(&rows, "relu(x)", 0.80, 0.1, true);
    add(&rows, "sin(x)", 0.85, 1.5, false);
    add(&rows, "x*sigmoid(b0*x)", 0.90, 2.5, false);
    add(&rows, "tanh(x)", 0.70, 1.0, false);
    add(&rows, "exp(x)", 0.85, 0.5, false); /* as good as sin(x), and cheaper */
    add(&rows, "x^3", 0.0, NAN, false);     /* diverged: its cost is not known */
    write_store(store, &rows);
    rows_release(&rows);
    store_close(&store);
    experiment_destroy(&experiment);
    return 0;
}

/* What ranking_print prints. malloc'd. */
static char *printed(struct ranking_options options)
{
    struct store_reader *reader = NULL;
    struct problem problem;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (store_reader_open("a.db", &reader, &problem) != 0 ||
        ranking_print(reader, &options, out, &problem) != 0)
        fail_msg("%s", problem.text);
    fclose(out);
    store_reader_close(&reader);
    return text;
}

static void csv_has_the_columns_of_the_view_and_empty_fields_for_what_is_not_there(void **state)
{
    (void)state;
    char *text = printed((struct ranking_options){.format = RANKING_CSV, .limit = 2});
    assert_string_equal(text, "rank,activation,accuracy_mean,accuracy_sd,seeds,trials,steps,parameters,"
                              "seconds,cost_ns,distinct_from_next\n"
                              "1,\"x*sigmoid(b0*x)\",0.9,,1,1,20,12345,2,2.5,\n"
                              "2,\"exp(x)\",0.85,,1,1,20,12345,2,0.5,\n");
    free(text);
}

static void stable_leaves_out_what_is_measured(void **state)
{
    (void)state;
    char *text = printed((struct ranking_options){.format = RANKING_TEXT, .stable = true, .limit = 1});
    assert_string_equal(text,
                        "rank\tactivation\taccuracy_mean\taccuracy_sd\tseeds\ttrials\tsteps\tparameters\n"
                        "1\tx*sigmoid(b0*x)\t0.9\t\t1\t1\t20\t12345\n");
    free(text);
}

static void json_has_null_for_what_is_not_there(void **state)
{
    (void)state;
    char *text = printed((struct ranking_options){.format = RANKING_JSON, .limit = 1});
    assert_string_equal(text,
                        "[{\"rank\":1,\"activation\":\"x*sigmoid(b0*x)\",\"accuracy_mean\":0.9,\"accuracy_"
                        "sd\":null,\"seeds\":1,"
                        "\"trials\":1,\"steps\":20,\"parameters\":12345,\"seconds\":2,\"cost_ns\":2.5,"
                        "\"distinct_from_next\":null}]\n");
    free(text);
}

static void pareto_keeps_what_nothing_both_better_and_cheaper_beats(void **state)
{
    (void)state;
    char *text = printed((struct ranking_options){.format = RANKING_CSV, .pareto = true});
    assert_non_null(strstr(text, "x*sigmoid(b0*x)"));
    assert_non_null(strstr(text, "exp(x)"));
    assert_non_null(strstr(text, "sin(x)")); /* exp(x) is cheaper, but not better */
    assert_non_null(strstr(text, "relu(x)"));
    assert_null(strstr(text, "tanh(x)")); /* relu(x) is better and cheaper */
    assert_null(strstr(text, "x^3"));
    free(text);
}

static void a_reference_is_in_the_table_wherever_it_stands(void **state)
{
    (void)state;
    char *text = printed((struct ranking_options){.format = RANKING_TABLE, .limit = 1});
    const char *best = strstr(text, "x*sigmoid(b0*x)"), *gap = strstr(text, "…"),
               *relu = strstr(text, "relu(x)");
    assert_true(best && gap && relu && best < gap && gap < relu);
    assert_null(strstr(text, "tanh(x)"));
    assert_non_null(strstr(relu, "<- relu, reference"));
    assert_non_null(strstr(best, "swish"));
    assert_non_null(strstr(text, "6 functions have a rank"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_has_the_columns_of_the_view_and_empty_fields_for_what_is_not_there),
        cmocka_unit_test(stable_leaves_out_what_is_measured),
        cmocka_unit_test(json_has_null_for_what_is_not_there),
        cmocka_unit_test(pareto_keeps_what_nothing_both_better_and_cheaper_beats),
        cmocka_unit_test(a_reference_is_in_the_table_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, make_database, leave_folder);
}
