/* The promises of common/trial_table.h, and of worker/answers.h, which takes a table's word for a training. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/numerics.h"
#include "common/source.h"
#include "common/trial_table.h"
#include "worker/answers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EXPERIMENT                                                                                           \
    "[experiment]\nname = made-up\n[search]\nalgorithm = exhaustive\n[child]\nsteps = 100\nwarmup = 20\n"

static struct trial_table *table_of(const char *experiment, int64_t numerics, const char *data_hash)
{
    struct trial_table *table;
    struct problem problem;
    if (trial_table_new(experiment, numerics, "actsearch", data_hash, &table, &problem) != 0)
        fail_msg("%s", problem.text);
    return table;
}

static struct table_trial trial_of(const char *activation, int64_t steps, int64_t seed)
{
    return (struct table_trial){.activation = activation,
                                .steps = steps,
                                .seed = seed,
                                .step = steps,
                                .correct = 3000 + seed,
                                .validation_count = 5000,
                                .validation_loss = 0.1 + 1e-17 * (double)steps + 1.0 / 3,
                                .train_loss = 2.0 / 3,
                                .parameters = 16794,
                                .betas = 96,
                                .seconds = 1.25,
                                .images_per_second = 12100,
                                .cost_ns = 0.303,
                                .curve_points = 2,
                                .curve_step = {steps / 2, steps},
                                .curve_loss = {1.5, 0.6667}};
}

static struct table_trial diverged(const char *activation)
{
    struct table_trial trial = trial_of(activation, 100, 1);
    trial.diverged = true;
    trial.step = 7;
    trial.correct = 0;
    trial.validation_loss = trial.train_loss = trial.cost_ns = NAN;
    trial.curve_points = 0;
    return trial;
}

/* Not in order. */
static struct trial_table *filled(void)
{
    struct trial_table *table = table_of(EXPERIMENT, NUMERICS, HASH);
    struct problem problem;
    const struct table_trial trials[] = {
        trial_of("x*sigmoid(b0*x)", 100, 2), trial_of("relu(x)", 400, 1), trial_of("relu(x)", 100, 12),
        trial_of("relu(x)", 100, 9),         diverged("exp(x)"),          trial_of("x*sigmoid(b0*x)", 25, 9)};
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        trial_table_add(table, &trials[i]);
    assert_int_equal(trial_table_settle(table, &problem), 0);
    return table;
}

static char *text_of(const struct trial_table *table)
{
    struct buf text = {0};
    trial_table_print(table, &text);
    return (char *)text.data;
}

/* ---- text ---- */

static void what_was_printed_is_read_again_bit_for_bit(void **state)
{
    (void)state;
    struct trial_table *table = filled(), *again;
    struct problem problem;
    char *text = text_of(table);
    if (trial_table_parse(text, strlen(text), &again, &problem) != 0)
        fail_msg("%d: %s", problem.line, problem.text);
    assert_int_equal(again->count, table->count);
    assert_int_equal(again->numerics, NUMERICS);
    assert_string_equal(again->trainer, "actsearch");
    assert_string_equal(again->data_hash, HASH);
    assert_string_equal(again->experiment->name, "made-up");
    for (size_t i = 0; i < table->count; i++) {
        const struct table_trial *a = &table->trials[i], *b = &again->trials[i];
        assert_string_equal(a->activation, b->activation);
        assert_true(trial_table_same_outcome(a, b));
        assert_int_equal(a->curve_points, b->curve_points);
        for (int j = 0; j < a->curve_points; j++)
            assert_true(a->curve_step[j] == b->curve_step[j] && a->curve_loss[j] == b->curve_loss[j]);
        assert_true(a->seconds == b->seconds && a->images_per_second == b->images_per_second);
    }
    char *second = text_of(again);
    assert_string_equal(text, second);
    free(text);
    free(second);
    trial_table_destroy(&table);
    trial_table_destroy(&again);
}

/* Where `from` stands in the text of a table, `to` takes its place: what is said about it, and in which line. */
static int parse_changed(const char *from, const char *to, struct problem *problem)
{
    struct trial_table *table = filled(), *again = NULL;
    char *text = text_of(table), *at = strstr(text, from);
    assert_non_null(at);
    char *changed = xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    *problem = (struct problem){0};
    int err = trial_table_parse(changed, strlen(changed), &again, problem);
    if (err)
        assert_null(again);
    trial_table_destroy(&again);
    trial_table_destroy(&table);
    free(changed);
    free(text);
    return err;
}

static void a_changed_text_is_refused_with_the_line_and_the_reason(void **state)
{
    static const struct {
        const char *from, *to, *says;
        int err;
    } changes[] = {
        {"actsearch table 1", "actsearch table 2", "newer actsearch", ERR_VERSION},
        {"actsearch table 1", "activations", "no table", ERR_INPUT},
        {"numerics = ", "numerics=", "numerics", ERR_INPUT},
        {"trainer = actsearch", "trainer = ", "trainer", ERR_INPUT},
        {"data_hash = 0", "data_hash = 00", "data_hash", ERR_INPUT},
        {"[trials]", "[trails]", "expected a line '[trials]'", ERR_INPUT},
        {"lr = 0.1", "lr = fast", "lr", ERR_INPUT},
        {"activation\tsteps", "activation\tsteps\tmore", "titles", ERR_INPUT},
        {"exp(x)\t", "exp(\t", "exp(", ERR_INPUT},
        {"exp(x)\t", "zero(x)\t", "zero", ERR_INPUT},
        {"\t100\t9\t0\t100", "\t0\t9\t0\t100", "steps", ERR_INPUT},
        {"\t100\t9\t0\t100", "\t100\t9\t2\t100", "diverged", ERR_INPUT},
        {"\t100\t9\t0\t100", "\t100\t9\t0\t101", "step 101 of 100", ERR_INPUT},
        {"\t100\t9\t0\t100", "\t100\t13\t0\t100", "not in order", ERR_INPUT},
        {"\t100\t9\t0\t100", "\t100\t12\t0\t100", "not in order", ERR_INPUT},
        {"\t3009\t5000", "\t5001\t5000", "5001 of 5000", ERR_INPUT},
        {"\t3009\t5000", "\t3009\t0", "validation_count", ERR_INPUT},
        {"\t3009\t5000", "\t3009", "", ERR_INPUT},
        {"\t0\t5000\t-", "\t1\t5000\t-", "diverged", ERR_INPUT},
        {"0.6666666666666666", "nan", "train_loss", ERR_INPUT},
        {"50=1.5", "50", "curve", ERR_INPUT},
        {"50=1.5", "100=1.5", "curve", ERR_INPUT},
        {"50=1.5", "1=1 2=1 3=1 4=1 5=1 6=1 7=1 8=1 9=1", "curve", ERR_INPUT},
        {"\t96\t", "\t96\t1\t", "", ERR_INPUT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct problem problem;
        int err = parse_changed(changes[i].from, changes[i].to, &problem);
        if (err != changes[i].err || !strstr(problem.text, changes[i].says))
            fail_msg("%s -> %s: %d, line %d: %s", changes[i].from, changes[i].to, err, problem.line,
                     problem.text);
    }
}

/* ---- order ---- */

static void the_order_of_adding_changes_nothing_and_a_training_is_there_once(void **state)
{
    (void)state;
    struct trial_table *table = filled(), *other = table_of(EXPERIMENT, NUMERICS, HASH);
    struct problem problem;
    for (size_t i = table->count; i-- > 0;)
        for (int twice = 0; twice < 2; twice++)
            trial_table_add(other, &table->trials[i]);
    assert_int_equal(trial_table_settle(other, &problem), 0);
    char *text = text_of(table), *same = text_of(other);
    assert_string_equal(text, same);
    free(text);
    free(same);
    trial_table_destroy(&table);
    trial_table_destroy(&other);
}

static void every_training_is_found_and_no_other(void **state)
{
    (void)state;
    struct trial_table *table = filled(), *empty = table_of(EXPERIMENT, NUMERICS, HASH);
    for (size_t i = 0; i < table->count; i++) {
        const struct table_trial *trial = &table->trials[i];
        assert_ptr_equal(trial_table_find(table, trial->activation, trial->steps, trial->seed), trial);
        assert_null(trial_table_find(table, trial->activation, trial->steps, trial->seed + 1000));
        assert_null(trial_table_find(table, trial->activation, trial->steps + 1, trial->seed));
    }
    assert_null(trial_table_find(table, "sin(x)", 100, 9));
    assert_null(trial_table_find(empty, "relu(x)", 100, 9));
    trial_table_destroy(&table);
    trial_table_destroy(&empty);
}

/* ---- merging ---- */

static void another_table_completes_it(void **state)
{
    (void)state;
    struct trial_table *table = filled(), *other = table_of(EXPERIMENT, NUMERICS, HASH);
    struct problem problem;
    struct table_trial more = trial_of("cos(x)-x", 100, 9), known = trial_of("relu(x)", 100, 9);
    known.seconds = 99; /* measured again: no contradiction */
    trial_table_add(other, &known);
    trial_table_add(other, &more);
    const size_t count = table->count;
    assert_int_equal(trial_table_merge(table, other, &problem), 0);
    assert_int_equal(table->count, count + 1);
    assert_non_null(trial_table_find(table, "cos(x)-x", 100, 9));
    assert_true(trial_table_find(table, "relu(x)", 100, 9)->seconds == 1.25);
    trial_table_destroy(&table);
    trial_table_destroy(&other);
}

static void another_outcome_of_the_same_training_is_a_conflict(void **state)
{
    (void)state;
    struct trial_table *table = filled(), *other = table_of(EXPERIMENT, NUMERICS, HASH);
    struct problem problem;
    struct table_trial wrong = trial_of("relu(x)", 100, 9);
    wrong.validation_loss = nextafter(wrong.validation_loss, 1);
    trial_table_add(other, &wrong);
    assert_int_equal(trial_table_merge(table, other, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "relu(x)"));
    trial_table_destroy(&table);
    trial_table_destroy(&other);
}

static void assert_no_merge(const char *experiment, int64_t numerics, const char *data_hash, const char *says)
{
    struct trial_table *table = filled(), *other = table_of(experiment, numerics, data_hash);
    struct problem problem;
    assert_int_equal(trial_table_merge(table, other, &problem), ERR_CONFLICT);
    if (!strstr(problem.text, says))
        fail_msg("%s", problem.text);
    trial_table_destroy(&table);
    trial_table_destroy(&other);
}

static void what_was_trained_in_another_way_does_not_go_into_it(void **state)
{
    (void)state;
    assert_no_merge(EXPERIMENT "lr = 0.2\n", NUMERICS, HASH, "child.lr: 0.1 -> 0.2");
    assert_no_merge(EXPERIMENT, NUMERICS + 1, HASH, "numerics");
    assert_no_merge(EXPERIMENT, NUMERICS, OTHER, "data set");
}

static void other_steps_and_more_seeds_are_no_other_way(void **state)
{
    (void)state;
    struct trial_table *table = filled();
    struct trial_table *other = table_of(
        "[search]\nalgorithm = exhaustive\n[child]\nsteps = 25\nwarmup = 5\nseeds = 3\n", NUMERICS, HASH);
    struct problem problem;
    if (trial_table_merge(table, other, &problem) != 0)
        fail_msg("%s", problem.text);
    trial_table_destroy(&table);
    trial_table_destroy(&other);
}

/* ---- the file ---- */

static void a_file_is_read_again_and_one_that_is_cut_short_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/actsearch-table-test-XXXXXX";
    close(mkstemp(path));
    struct trial_table *table = filled(), *again = NULL;
    struct problem problem;
    assert_int_equal(trial_table_write(table, path, &problem), 0);
    assert_int_equal(trial_table_read(path, &again, &problem), 0);
    assert_int_equal(again->count, table->count);
    trial_table_destroy(&again);
    assert_int_equal(truncate(path, 300), 0);
    assert_int_equal(trial_table_read(path, &again, &problem), ERR_CORRUPT);
    assert_non_null(strstr(problem.text, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(trial_table_read(path, &again, &problem), ERR_NOT_FOUND);
    assert_int_equal(trial_table_write(table, "/nowhere/there", &problem), ERR_IO);
    trial_table_destroy(&table);
}

static void a_curve_keeps_evenly_spaced_points_and_the_last(void **state)
{
    (void)state;
    struct table_trial trial = {0};
    int64_t steps[64];
    double losses[64];
    for (int i = 0; i < 64; i++) {
        steps[i] = 10 * (i + 1);
        losses[i] = 1.0 / (i + 1);
    }
    trial_table_put_curve(&trial, steps, losses, 64);
    assert_int_equal(trial.curve_points, TRIAL_TABLE_CURVE);
    assert_int_equal(trial.curve_step[0], 80);
    assert_int_equal(trial.curve_step[TRIAL_TABLE_CURVE - 1], 640);
    assert_true(trial.curve_loss[TRIAL_TABLE_CURVE - 1] == 0.01562);
    trial_table_put_curve(&trial, steps, losses, 3);
    assert_int_equal(trial.curve_points, 3);
    assert_int_equal(trial.curve_step[0], 10);
}

static void its_page_explains_every_column(void **state)
{
    struct source *page;
    struct buf text = {0};
    struct problem problem;
    size_t size;
    (void)state;
    assert_int_equal(source_open("docs/table.md", &page, &problem), 0);
    assert_int_equal(source_read(page, 1 << 20, &text, &size, &problem), 0);
    source_close(&page);
#define ROW_INT(name, low, high, meaning) "| `" #name "` | " meaning " |\n",
#define ROW_REAL(name, digits, meaning)   "| `" #name "` | " meaning " |\n",
    static const char *const rows[] = {TRIAL_TABLE_COLUMNS(ROW_INT, ROW_REAL)};
#undef ROW_INT
#undef ROW_REAL
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strstr(buf_text(&text), rows[i]))
            fail_msg("docs/table.md lacks: %s", rows[i]);
    buf_release(&text);
}

/* ---- answers ---- */

static struct msg_lease lease_of(const char *activation, int64_t steps, int64_t seed, double lr)
{
    struct child child = child_defaults();
    struct msg_lease lease = {.attempt = 11, .trial = 22, .seed = seed};
    struct buf text = {0};
    child.warmup = 20;
    child.lr = lr;
    child.seeds = 5;
    child = child_of_steps(&child, steps);
    child_print(&child, &text);
    snprintf(lease.activation, sizeof lease.activation, "%s", activation);
    snprintf(lease.child, sizeof lease.child, "%s", buf_text(&text));
    buf_release(&text);
    return lease;
}

static void a_trial_in_the_table_is_answered_with_its_bits_and_no_other(void **state)
{
    (void)state;
    struct trial_table *table = filled();
    struct msg *outcome = xcalloc(1, sizeof *outcome);
    struct problem problem;
    struct msg_lease lease = lease_of("relu(x)", 100, 9, 0.1);
    assert_int_equal(answers_find(table, &lease, HASH, outcome, &problem), 1);
    const struct table_trial *trial = trial_table_find(table, "relu(x)", 100, 9);
    assert_int_equal(outcome->type, MSG_RESULT);
    assert_int_equal(outcome->result_.attempt, 11);
    assert_int_equal(outcome->result_.trial, 22);
    assert_int_equal(outcome->result_.correct, trial->correct);
    assert_memory_equal(&outcome->result_.validation_loss, &trial->validation_loss, sizeof(double));
    assert_string_equal(outcome->result_.data_hash, HASH);
    assert_int_equal(outcome->result_.curve_step_count, 2);
    struct buf bytes = {0};
    msg_encode(outcome, &bytes); /* it asserts the bounds of a RESULT */
    buf_release(&bytes);
    lease = lease_of("relu(x)", 100, 10, 0.1);
    assert_int_equal(answers_find(table, &lease, HASH, outcome, &problem), 0);
    lease = lease_of("x", 100, 9, 0.1);
    assert_int_equal(answers_find(table, &lease, HASH, outcome, &problem), 0);
    trial_table_destroy(&table);
    free(outcome);
}

static void a_trial_of_another_kind_is_a_conflict_and_not_a_training_to_be_done(void **state)
{
    (void)state;
    struct trial_table *table = filled();
    struct msg *outcome = xcalloc(1, sizeof *outcome);
    struct problem problem;
    struct msg_lease lease = lease_of("relu(x)", 100, 9, 0.05);
    assert_int_equal(answers_find(table, &lease, HASH, outcome, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "child.lr"));
    lease = lease_of("relu(x)", 100, 9, 0.1);
    assert_int_equal(answers_find(table, &lease, OTHER, outcome, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "data set"));
    trial_table_destroy(&table);
    free(outcome);
}

static void a_table_of_another_arithmetic_is_not_opened(void **state)
{
    (void)state;
    char path[] = "/tmp/actsearch-table-test-XXXXXX";
    close(mkstemp(path));
    struct trial_table *table = table_of(EXPERIMENT, NUMERICS + 1, HASH), *opened = NULL;
    struct problem problem;
    assert_int_equal(trial_table_write(table, path, &problem), 0);
    assert_int_equal(answers_open(path, &opened, &problem), ERR_CONFLICT);
    assert_null(opened);
    assert_non_null(strstr(problem.text, "numerics"));
    unlink(path);
    trial_table_destroy(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_printed_is_read_again_bit_for_bit),
        cmocka_unit_test(a_changed_text_is_refused_with_the_line_and_the_reason),
        cmocka_unit_test(the_order_of_adding_changes_nothing_and_a_training_is_there_once),
        cmocka_unit_test(every_training_is_found_and_no_other),
        cmocka_unit_test(another_table_completes_it),
        cmocka_unit_test(another_outcome_of_the_same_training_is_a_conflict),
        cmocka_unit_test(what_was_trained_in_another_way_does_not_go_into_it),
        cmocka_unit_test(other_steps_and_more_seeds_are_no_other_way),
        cmocka_unit_test(a_file_is_read_again_and_one_that_is_cut_short_is_refused),
        cmocka_unit_test(a_curve_keeps_evenly_spaced_points_and_the_last),
        cmocka_unit_test(its_page_explains_every_column),
        cmocka_unit_test(a_trial_in_the_table_is_answered_with_its_bits_and_no_other),
        cmocka_unit_test(a_trial_of_another_kind_is_a_conflict_and_not_a_training_to_be_done),
        cmocka_unit_test(a_table_of_another_arithmetic_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
