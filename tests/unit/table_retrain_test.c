/* The tables of docs/results say what this build's trainer does: a few rows of each, drawn by a hash of the file, are trained again, and
 * come to the same bits. ACTSEARCH_TABLE_SEED=N draws others, ACTSEARCH_TABLE=FILE takes another table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/numerics.h"
#include "common/rng.h"
#include "common/trial_table.h"
#include "worker/nn/train.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5 };

/* What train_run made of it, as a row of a table. */
static struct table_trial row_of(const struct table_trial *key, const struct train_result *result)
{
    struct table_trial row = {.activation = key->activation,
                              .steps = key->steps,
                              .seed = key->seed,
                              .diverged = result->diverged,
                              .step = result->step,
                              .correct = result->correct,
                              .validation_count = result->validation_count,
                              .validation_loss = result->validation_loss,
                              .train_loss = result->train_loss,
                              .parameters = result->parameters,
                              .betas = result->betas};
    trial_table_put_curve(&row, result->curve_step, result->curve_loss, result->curve_points);
    return row;
}

static void assert_same(const struct table_trial *stored, const struct table_trial *again)
{
    if (!trial_table_same_outcome(stored, again))
        fail_msg("%s, %lld steps, seed %lld: the table has %lld of %lld correct, loss %.17g; trained again: "
                 "%lld of "
                 "%lld, loss %.17g",
                 stored->activation, (long long)stored->steps, (long long)stored->seed,
                 (long long)stored->correct, (long long)stored->validation_count, stored->validation_loss,
                 (long long)again->correct, (long long)again->validation_count, again->validation_loss);
    assert_int_equal(stored->curve_points, again->curve_points);
    for (int i = 0; i < stored->curve_points; i++) {
        assert_int_equal(stored->curve_step[i], again->curve_step[i]);
        assert_true(stored->curve_loss[i] == again->curve_loss[i] || again->diverged);
    }
}

static void train_again(const struct trial_table *table, const struct table_trial *trial,
                        const struct data *data)
{
    const struct child child = child_of_steps(&table->experiment->child, trial->steps);
    struct expr *activation;
    struct train_result result;
    struct problem problem;
    if (expr_parse(trial->activation, &activation, &problem) != 0)
        fail_msg("%s: %s", trial->activation, problem.text);
    struct train_job job = {
        .activation = activation, .child = &child, .seed = (uint64_t)trial->seed, .data = data};
    if (train_run(&job, NULL, NULL, &result, &problem) != 0)
        fail_msg("%s: %s", trial->activation, problem.text);
    struct table_trial again = row_of(trial, &result);
    print_message("  %-40s %5lld steps, seed %16lld: %lld of %lld\n", trial->activation,
                  (long long)trial->steps, (long long)trial->seed, (long long)result.correct,
                  (long long)result.validation_count);
    assert_same(trial, &again);
    expr_destroy(&activation);
}

/* The same as long as the file is the same. */
static uint64_t seed_of(const struct trial_table *table)
{
    const char *given = getenv("ACTSEARCH_TABLE_SEED");
    struct buf text = {0};
    if (given)
        return strtoull(given, NULL, 10);
    trial_table_print(table, &text);
    uint64_t seed = hash64(text.data, text.size);
    buf_release(&text);
    return seed;
}

/* False: the data set is not here. */
static bool train_some_again(const char *path)
{
    struct trial_table *table;
    struct data *data;
    struct problem problem;
    if (trial_table_read(path, &table, &problem) != 0)
        fail_msg("%s", problem.text);
    char *cache = data_cache_dir(NULL), hash[HASH_HEX];
    const bool here = data_open(cache, table->experiment->child.data, &data, &problem) == 0;
    free(cache);
    if (here) {
        hash_hex(&data->hash, hash);
        if (trial_table_fits(table, &table->experiment->child, hash, &problem) != 0)
            fail_msg("%s: %s", path, problem.text);
        assert_true(table->count >= ROWS);
        const uint64_t seed = seed_of(table);
        struct rng rng = rng_seed(seed, "rows", 0);
        print_message("%s: %zu trainings, rows drawn with ACTSEARCH_TABLE_SEED=%llu\n", path, table->count,
                      (unsigned long long)seed);
        for (int i = 0; i < ROWS; i++)
            train_again(table, &table->trials[rng_below(&rng, table->count)], data);
        data_close(&data);
    } else {
        print_message("%s\n", problem.text);
    }
    trial_table_destroy(&table);
    return here;
}

static void rows_of_the_tables_in_docs_results_are_trained_again_with_the_same_bits(void **state)
{
    const char *given = getenv("ACTSEARCH_TABLE");
    glob_t files;
    bool trained = false;
    (void)state;
    if (glob(given ? given : "docs/results/*.gz", 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++)
            trained |= train_some_again(files.gl_pathv[i]);
        globfree(&files);
    }
    if (!trained)
        skip(); /* no table, or no data set */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_tables_in_docs_results_are_trained_again_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
