/* A study: its file, the experiments that it becomes, what is made of their results, and the tables. */
#include "cli/study_print.h"

#include "cli/paired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char small[] = "[study]\n"
                            "name = small\n"
                            "seed = 7\n"
                            "functions = relu, swish, mine: atan(x)^2 - x\n"
                            "models = resnet-8, cnn\n"
                            "data = cifar-10, other.2\n"
                            "lrs = 0.1, 0.05\n"
                            "seeds = 3\n"
                            "against = swish\n"
                            "[child]\n"
                            "steps = 300\n"
                            "batch = 64\n"
                            "[data cifar-10]\n"
                            "augment = yes\n"
                            "batch = 32\n"
                            "[model resnet-8]\n"
                            "weight_decay = 0.0001\n"
                            "batch = 16\n"
                            "[model cnn]\n"
                            "lrs = 0.2\n"
                            "[queue]\n"
                            "lease = 2m\n";

static struct study *parsed(const char *text)
{
    struct study *study = NULL;
    struct problem problem = {0};
    if (study_parse("study.ini", text, NULL, 0, &study, &problem) != 0)
        fail_msg("%s", problem.text);
    return study;
}

/* ---- the file ------------------------------------------------------------------------------------------ */

static void a_study_is_one_experiment_for_each_data_set_network_and_rate(void **state)
{
    (void)state;
    static const char *const names[] = {"cifar-10+resnet-8+0.1", "cifar-10+resnet-8+0.05", "cifar-10+cnn+0.2",
                                        "other.2+resnet-8+0.1",  "other.2+resnet-8+0.05",  "other.2+cnn+0.2"};
    struct study *study = parsed(small);
    assert_int_equal(study->cell_count, 6);
    for (int i = 0; i < 6; i++) {
        const struct study_cell *cell = &study->cells[i];
        const struct experiment *experiment = cell->experiment;
        assert_string_equal(cell->name, names[i]);
        assert_int_equal(experiment->search.algorithm, ALGORITHM_NONE);
        assert_string_equal(experiment->search.references, "relu(x), x*sigmoid(b0*x), atan(x)^2-x");
        assert_string_equal(experiment->child.data, study->data[cell->data]);
        assert_string_equal(experiment->child.model, study->models[cell->model]);
        assert_true(experiment->child.lr == cell->lr && experiment->seed == 7 &&
                    experiment->child.seeds == 3);
        assert_int_equal(experiment->child.steps, 300);
        assert_int_equal(experiment->queue.lease_ms, 120000);
    }
    assert_int_equal(study->against, 1);
    study_destroy(&study);
}

static void the_network_counts_more_than_the_data_set_and_that_more_than_the_rest(void **state)
{
    (void)state;
    struct study *study = parsed(small);
    static const int batch[] = {16, 16, 32, 16, 16, 64};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(study->cells[i].experiment->child.batch, batch[i]);
        assert_true(study->cells[i].experiment->child.augment == (i < 3));
        assert_true(study->cells[i].experiment->child.weight_decay == (i % 3 < 2 ? 0.0001 : 0.0005));
    }
    study_destroy(&study);
}

static void the_text_of_a_cell_is_an_experiment_file(void **state)
{
    (void)state;
    struct study *study = parsed(small);
    for (int i = 0; i < study->cell_count; i++) {
        struct experiment *experiment = NULL;
        struct problem problem = {0};
        assert_int_equal(experiment_parse("cell", study->cells[i].text, NULL, 0, &experiment, &problem), 0);
        char *here = experiment_text(study->cells[i].experiment), *there = experiment_text(experiment);
        assert_string_equal(here, there);
        assert_int_equal(experiment->queue.lease_ms, 120000);
        free(here);
        free(there);
        experiment_destroy(&experiment);
    }
    study_destroy(&study);
}

static void the_rest_has_defaults(void **state)
{
    (void)state;
    struct study *study = parsed("[study]\nfunctions = relu, prelu\n[child]\nlr = 0.02\n");
    assert_int_equal(study->cell_count, 1);
    assert_int_equal(study->seeds, 5);
    assert_int_equal(study->against, 0);
    assert_string_equal(study->cells[0].name, "fashion-mnist+cnn+0.02");
    assert_string_equal(study->functions[1].label, "prelu");
    assert_non_null(strstr(study->functions[1].activation, "; b0=0.25"));
    study_destroy(&study);
}

static void overrides_take_the_place_of_lines(void **state)
{
    (void)state;
    static const char *const overrides[] = {"study.seeds=9",          "child.steps=10",
                                            "model resnet-8.batch=8", "data other.2.lrs=0.3",
                                            "queue.lease=3m",         "model resnet-8.batch=4"};
    struct study *study = NULL;
    struct problem problem = {0};
    assert_int_equal(study_parse("study.ini", small, overrides, 6, &study, &problem), 0);
    assert_int_equal(study->seeds, 9);
    assert_int_equal(study->cells[0].experiment->child.steps, 10);
    assert_int_equal(study->cells[0].experiment->child.batch, 4);
    assert_int_equal(study->cells[0].experiment->queue.lease_ms, 180000);
    assert_string_equal(study->cells[3].name, "other.2+resnet-8+0.3");
    study_destroy(&study);
    static const char *const narrow[] = {"study.models=mlp"}; /* what is said of the others rests */
    assert_int_equal(study_parse("study.ini", small, narrow, 1, &study, &problem), 0);
    assert_int_equal(study->cell_count, 4);
    study_destroy(&study);
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
    (void)state;
#define STUDY "[study]\nfunctions = relu, swish\n"
    static const struct {
        const char *text, *says;
    } refused[] = {
        {"", "study.functions: expected a list"},
        {"[studdy]\nseed = 1\n", "study.ini:2: there is no section [studdy]"},
        {"[study]\nfuncions = relu\n",
         "study.ini:2: [study] has no key 'funcions'; did you mean 'functions'?"},
        {STUDY "seeds = 0\n", "study.ini:3: study.seeds: expected"},
        {STUDY "functions = gelu\n", "study.ini:3: study.functions stands there twice, first in line 2"},
        {"[study]\nfunctions = relu, max(x, 0)\n",
         "study.ini:2: study.functions: relu and max(x, 0) are the same"},
        {"[study]\nfunctions = relu, x*sigmod(x)\n", "unknown function 'sigmod'"},
        {"[study]\nfunctions = a: x^2, a: x^3\n", "two are called a"},
        {"[study]\nfunctions = : x^2\n", "expected a label"},
        {STUDY "against = gelu\n", "study.ini:3: study.against: expected one of study.functions, not 'gelu'"},
        {STUDY "models = cnn, cnn\n", "study.ini:3: study.models: 'cnn' stands there twice"},
        {STUDY "models = a/b\n", "study.ini:3: study.models: "},
        {STUDY "lrs = 0.1, 0.10\n", "study.ini:3: study.lrs: 0.10 stands there twice"},
        {STUDY "lrs = fast\n", "study.ini:3: study.lrs: "},
        {STUDY "[child]\nstep = 3\n", "study.ini:4: [child] has no key 'step'; did you mean 'steps'?"},
        {STUDY "[child]\nmodel = mlp\n", "study.ini:4: child.model: a study has study.models"},
        {STUDY "[child]\nseeds = 3\n", "a study has study.seeds"},
        {STUDY "[model mlp]\nsteps = 3\n", "study.ini:4: [model mlp]: study.models has no 'mlp'"},
        {STUDY "[data mnist]\nsteps = 3\n", "study.data has no 'mnist'"},
        {STUDY "[child]\nsteps = 3\nsteps = 4\n",
         "study.ini:5: child.steps stands there twice, first in line 4"},
        {STUDY "[child]\nsteps = 3\nwarmup = 4\n",
         "study.ini: fashion-mnist+cnn+0.1: child.warmup: expected at most child.steps"},
        {STUDY "[queue]\nlease = 2s\n", "queue.heartbeat"},
        {STUDY "[search]\nalgorithm = rl\n", "there is no section [search] in a study"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct study *study = NULL;
        struct problem problem = {0};
        assert_int_not_equal(study_parse("study.ini", refused[i].text, NULL, 0, &study, &problem), 0);
        assert_null(study);
        if (!strstr(problem.text, refused[i].says))
            fail_msg("'%s' says: %s", refused[i].text, problem.text);
    }
    static const char *const wrong[] = {"study.seeds=many", "study.seed", "child.steps=x", "nothing.x=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct study *study = NULL;
        struct problem problem = {0};
        assert_int_equal(study_parse("study.ini", small, &wrong[i], 1, &study, &problem), ERR_USAGE);
        assert_non_null(strstr(problem.text, wrong[i]));
    }
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static void the_sign_test_is_the_binomial_one(void **state)
{
    (void)state;
    static const struct {
        int better, worse;
        double p;
    } known[] = {{0, 0, 1},
                 {5, 0, 1.0 / 32},
                 {0, 5, 1},
                 {8, 1, 10.0 / 512},
                 {9, 0, 1.0 / 512},
                 {3, 2, 0.5},
                 {7, 3, 176.0 / 1024},
                 {15, 5, 21700.0 / 1048576},
                 {60, 40, 0.02844396682049039}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(fabs(sign_test(known[i].better, known[i].worse) - known[i].p) < 1e-12);
    assert_true(fabs(sign_test(5000, 5000) - 0.503989) < 1e-5); /* 2^-10000 alone is 0 */
    assert_true(sign_test(2000, 0) >= 0);
}

static void the_median_is_the_middle_or_between_the_two(void **state)
{
    (void)state;
    assert_true(isnan(median_of(NULL, 0)));
    assert_true(median_of((double[]){3}, 1) == 3);
    assert_true(median_of((double[]){3, 1, 2}, 3) == 2);
    assert_true(median_of((double[]){4, 1, 3, 2}, 4) == 2.5);
}

static const char two[] =
    "[study]\nname = two\nfunctions = relu, swish, 50%_|x: x*tanh(x)\nmodels = cnn, mlp\n"
    "lrs = 0.1, 0.05\nseeds = 3\nagainst = swish\n";

/* relu is better with 0.1, swish with 0.05, the third diverges once. Cells: cnn 0.1, cnn 0.05, mlp 0.1, mlp 0.05. */
static struct study_results *results_of(const struct study *study)
{
    static const double accuracy[4][3][3] = {
        {{0.80, 0.82, 0.81}, {0.70, 0.71, 0.72}, {0.50, NAN, 0.60}},
        {{0.70, 0.70, 0.70}, {0.84, 0.83, 0.81}, {0.40, 0.40, 0.40}},
        {{0.60, 0.61, 0.62}, {0.50, 0.50, 0.50}, {0.30, 0.30, 0.30}},
        {{0.10, 0.90, 0.60}, {0.61, 0.60, 0.62}, {0.30, 0.30, 0.30}},
    };
    struct study_results *results = study_results_new(study);
    for (int cell = 0; cell < 4; cell++)
        for (int f = 0; f < 3; f++)
            for (int seed = 2; seed >= 0; seed--)
                study_results_add(results, cell, study->functions[f].activation, seed,
                                  accuracy[cell][f][seed]);
    study_results_add(results, 0, "cosh(x)", 0, 1);                      /* another function */
    study_results_add(results, 0, study->functions[0].activation, 3, 1); /* another seed */
    study_results_close(results);
    return results;
}

static void each_function_has_the_rate_that_is_best_for_it(void **state)
{
    (void)state;
    struct study *study = parsed(two);
    struct study_results *results = results_of(study);
    const struct study_entry *relu = study_entry_at(results, 0, 0, 0),
                             *swish = study_entry_at(results, 0, 0, 1);
    const struct study_entry *third = study_entry_at(results, 0, 0, 2);
    assert_true(relu->lr == 0.1 && relu->median == 0.81 && relu->low == 0.80 && relu->high == 0.82);
    assert_true(fabs(relu->mean - 0.81) < 1e-12 && fabs(relu->sd - 0.01) < 1e-12);
    assert_true(swish->lr == 0.05 && swish->median == 0.83 && swish->best && !relu->best);
    assert_true(third->lr == 0.1 && third->median == 0.5 && third->low == 0 && third->diverged == 1);
    const struct study_entry *tied = study_entry_at(results, 0, 1, 2);
    assert_true(tied->lr == 0.1); /* both are the same: the first */
    study_results_destroy(&results);
    study_destroy(&study);
}

static void pairs_are_counted_by_network_and_by_seed(void **state)
{
    (void)state;
    struct study *study = parsed(two);
    struct study_results *results = results_of(study);
    const struct study_comparison *relu = &results->comparisons[0], *third = &results->comparisons[2];
    assert_int_equal(relu->networks.better, 1); /* cnn; equal medians of 0.61 in the other */
    assert_int_equal(relu->networks.equal, 1);
    assert_int_equal(relu->networks.worse, 0);
    assert_true(relu->networks.p == 0.5);
    assert_int_equal(relu->seeds.better, 3); /* 0.84 > 0.80, 0.83 > 0.82, 0.61 > 0.60 */
    assert_int_equal(relu->seeds.equal, 2);
    assert_int_equal(relu->seeds.worse, 1);
    assert_true(fabs(relu->seeds.p - 5.0 / 16) < 1e-12);
    assert_int_equal(third->seeds.better, 6);
    study_results_destroy(&results);
    study_destroy(&study);
}

static void what_is_not_there_yet_is_neither_best_nor_compared(void **state)
{
    (void)state;
    struct study *study = parsed(two);
    struct study_results *results = study_results_new(study);
    study_results_add(results, 0, "relu(x)", 0, 0.9);
    study_results_add(results, 1, "relu(x)", 0, 0.5);
    study_results_add(results, 1, "relu(x)", 1, 0.6); /* of this rate more is there */
    study_results_close(results);
    const struct study_entry *relu = study_entry_at(results, 0, 0, 0);
    assert_true(relu->lr == 0.05 && relu->count == 2 && !relu->best);
    assert_true(isnan(study_entry_at(results, 0, 0, 1)->median));
    assert_int_equal(results->comparisons[0].seeds.worse + results->comparisons[0].networks.equal, 0);
    study_results_destroy(&results);
    study_destroy(&study);
}

/* ---- tables -------------------------------------------------------------------------------------------- */

static char *printed(enum study_format format)
{
    struct study *study = parsed(two);
    struct study_results *results = results_of(study);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    study_print(results, format, out);
    fclose(out);
    study_results_destroy(&results);
    study_destroy(&study);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

static void each_format_marks_the_best_and_escapes_what_it_must(void **state)
{
    (void)state;
    static const struct {
        enum study_format format;
        const char *parts[6];
    } expected[] = {
        {STUDY_TEXT,
         {"swish          83.00 (81.00-84.00) lr 0.05 *", "81.00 (80.00-82.00) lr 0.1 ", "lr 0.1, 1 diverged",
          "swish against", "0.31"}},
        {STUDY_MARKDOWN,
         {"| swish | **83.00 (81.00–84.00) lr 0.05** |", "|---|---|---|\n", "| 50%\\_\\|x |"}},
        {STUDY_LATEX,
         {"swish & \\textbf{83.00 (81.00--84.00) lr 0.05} &", "50\\%\\_|x &", "\\\\\n\\hline",
          "accuracy in \\%"}},
        {STUDY_CSV, {"fashion-mnist,cnn,swish,x*sigmoid(b0*x),0.05,3,0,0.83,0.81,0.84,", ",1\n"}},
        {STUDY_JSON,
         {"\"function\":\"swish\",\"activation\":\"x*sigmoid(b0*x)\",\"lr\":0.05,\"seeds\":3",
          "\"accuracies\":[0.84,0.83,0.81]", "\"against\":\"swish\"", "\"p\":0.31"}},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char *text = printed(expected[i].format);
        for (int k = 0; k < 6 && expected[i].parts[k]; k++)
            assert_has(text, expected[i].parts[k]);
        free(text);
    }
    assert_int_equal(study_format_find("latex"), STUDY_LATEX);
    assert_int_equal(study_format_find("word"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_is_one_experiment_for_each_data_set_network_and_rate),
        cmocka_unit_test(the_network_counts_more_than_the_data_set_and_that_more_than_the_rest),
        cmocka_unit_test(the_text_of_a_cell_is_an_experiment_file),
        cmocka_unit_test(the_rest_has_defaults),
        cmocka_unit_test(overrides_take_the_place_of_lines),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
        cmocka_unit_test(the_sign_test_is_the_binomial_one),
        cmocka_unit_test(the_median_is_the_middle_or_between_the_two),
        cmocka_unit_test(each_function_has_the_rate_that_is_best_for_it),
        cmocka_unit_test(pairs_are_counted_by_network_and_by_seed),
        cmocka_unit_test(what_is_not_there_yet_is_neither_best_nor_compared),
        cmocka_unit_test(each_format_marks_the_best_and_escapes_what_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
