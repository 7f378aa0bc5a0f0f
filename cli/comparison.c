#include "cli/comparison.h"

#include "cli/table.h"
#include "common/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A training that diverged has accuracy 0. */
#define ACCURACY(trial)                                                                                      \
    "CASE WHEN " trial ".state = 'diverged' THEN 0.0 WHEN " trial ".state = 'done' AND " trial               \
    ".validation_count > 0 THEN 1.0 * " trial ".correct / " trial ".validation_count END"

static int fill_names(struct store_reader *reader, const char *const ids[2], struct comparison *comparison,
                      struct problem *problem)
{
    for (int i = 0; i < 2; i++) {
        struct answer answer = {0};
        const char *const parameters[] = {ids[i], NULL};
        int err = answer_query(reader, "SELECT activation FROM candidate WHERE id = ?1", parameters, &answer,
                               problem);
        if (!err && answer.rows)
            comparison->activation[i] = xstrdup(answer_text(&answer, 0, "activation"));
        answer_release(&answer);
        if (err)
            return err;
    }
    return 0;
}

static void compare_pairs(struct comparison *comparison)
{
    const struct answer *rows = &comparison->rows;
    double *a = xcalloc((size_t)rows->rows + 1, sizeof *a), *b = xcalloc((size_t)rows->rows + 1, sizeof *b);
    double sum_a = 0, sum_b = 0;
    int pairs = 0;
    for (int row = 0; row < rows->rows; row++) {
        if (!answer_text(rows, row, "a") || !answer_text(rows, row, "b"))
            continue;
        a[pairs] = answer_real(rows, row, "a");
        b[pairs] = answer_real(rows, row, "b");
        sum_a += a[pairs];
        sum_b += b[pairs++];
    }
    comparison->paired = paired_compare(a, b, pairs);
    comparison->mean[0] = pairs ? sum_a / pairs : NAN;
    comparison->mean[1] = pairs ? sum_b / pairs : NAN;
    free(a);
    free(b);
}

int comparison_make(struct store_reader *reader, const char *const ids[2], struct comparison *ret_comparison,
                    struct problem *problem)
{
    struct comparison comparison = {0};
    const char *const parameters[] = {ids[0], ids[1], NULL};
    int err = fill_names(reader, ids, &comparison, problem);
    if (!err)
        err = answer_query(reader,
                           "SELECT a.seed, a.steps, " ACCURACY("a") " AS a, " ACCURACY(
                               "b") " AS b FROM trial AS a JOIN trial "
                                    "AS b ON b.seed = a.seed AND b.steps = a.steps WHERE a.candidate = ?1 "
                                    "AND b.candidate = ?2 AND "
                                    "a.steps = (SELECT max(c.steps) FROM trial AS c JOIN trial AS d ON "
                                    "d.seed = c.seed AND d.steps = "
                                    "c.steps WHERE c.candidate = ?1 AND d.candidate = ?2) ORDER BY a.replica",
                           parameters, &comparison.rows, problem);
    if (err) {
        comparison_release(&comparison);
        return err;
    }
    comparison.steps = comparison.rows.rows ? (long long)answer_int(&comparison.rows, 0, "steps") : 0;
    compare_pairs(&comparison);
    *ret_comparison = comparison;
    return 0;
}

void comparison_release(struct comparison *comparison)
{
    free(comparison->activation[0]);
    free(comparison->activation[1]);
    answer_release(&comparison->rows);
    *comparison = (struct comparison){0};
}

/* ---- for people ---------------------------------------------------------------------------------------- */

static void accuracy_cell(struct table *table, const struct answer *rows, int row, const char *column)
{
    if (answer_text(rows, row, column))
        table_cell(table, "%.2f %%", 100 * answer_real(rows, row, column));
    else
        table_cell(table, "open");
}

static void print_seeds(const struct comparison *comparison, FILE *out)
{
    const struct answer *rows = &comparison->rows;
    struct table *table = table_new("rrrr");
    table_row(table);
    table_cell(table, "seed");
    table_cell(table, "A");
    table_cell(table, "B");
    table_cell(table, "A - B");
    for (int row = 0; row < rows->rows; row++) {
        table_row(table);
        table_cell(table, "%s", answer_text(rows, row, "seed"));
        accuracy_cell(table, rows, row, "a");
        accuracy_cell(table, rows, row, "b");
        if (answer_text(rows, row, "a") && answer_text(rows, row, "b"))
            table_cell(table, "%+.2f", 100 * (answer_real(rows, row, "a") - answer_real(rows, row, "b")));
    }
    table_print(table, out);
    table_destroy(&table);
}

static void print_verdict(const struct paired *paired, FILE *out)
{
    if (paired->pairs == 0) {
        fprintf(out, "There is no seed yet on which both have an outcome.\n");
        return;
    }
    fprintf(out, "difference  %+.2f points, A - B", 100 * paired->mean);
    if (paired->pairs == 1) {
        fprintf(out, "\n\nOne seed is not enough to say how sure that is: an interval needs two, and five "
                     "are better.\n"
                     "Set child.seeds in the experiment file (with another database).\n");
        return;
    }
    fprintf(out, ", 95 %% interval %+.2f to %+.2f\n", 100 * paired->low, 100 * paired->high);
    fprintf(out, "            sd %.2f over %d seeds", 100 * paired->sd, paired->pairs);
    if (isfinite(paired->p))
        fprintf(out, ", paired t test p = %.2g", paired->p);
    fprintf(out, "\nsigns       A is better on %d, worse on %d, equal on %d\n\n", paired->better,
            paired->worse, paired->equal);
    if (paired->low > 0 || paired->high < 0)
        fprintf(out, "%s is better: the interval does not hold 0.\n", paired->low > 0 ? "A" : "B");
    else
        fprintf(out, "These seeds do not tell the two apart: the interval holds 0.\n");
}

void comparison_print(const struct comparison *comparison, FILE *out)
{
    for (int i = 0; i < 2; i++) {
        fprintf(out, "%c           ", 'A' + i);
        if (isfinite(comparison->mean[i]))
            fprintf(out, "%.2f %%  ", 100 * comparison->mean[i]);
        fprintf(out, "%s\n", comparison->activation[i]);
    }
    if (comparison->rows.rows) {
        fprintf(out, "\nvalidation accuracy after %lld steps\n", comparison->steps);
        print_seeds(comparison, out);
    }
    fputc('\n', out);
    print_verdict(&comparison->paired, out);
}

/* ---- for programs -------------------------------------------------------------------------------------- */

void comparison_print_json(const struct comparison *comparison, FILE *out)
{
    const struct paired *paired = &comparison->paired;
    const struct answer *rows = &comparison->rows;
    struct json json = {0};
    json_object(&json, NULL);
    json_text(&json, "a", comparison->activation[0]);
    json_text(&json, "b", comparison->activation[1]);
    json_int(&json, "steps", comparison->steps);
    json_int(&json, "pairs", paired->pairs);
    json_real(&json, "accuracy_a", comparison->mean[0]);
    json_real(&json, "accuracy_b", comparison->mean[1]);
    json_real(&json, "difference", paired->mean);
    json_real(&json, "sd", paired->sd);
    json_real(&json, "low", paired->low);
    json_real(&json, "high", paired->high);
    json_real(&json, "p", paired->p);
    json_int(&json, "better", paired->better);
    json_int(&json, "worse", paired->worse);
    json_int(&json, "equal", paired->equal);
    json_array(&json, "seeds");
    for (int row = 0; row < rows->rows; row++) {
        json_object(&json, NULL);
        json_int(&json, "seed", answer_int(rows, row, "seed"));
        json_real(&json, "a", answer_real(rows, row, "a"));
        json_real(&json, "b", answer_real(rows, row, "b"));
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    fprintf(out, "%s\n", buf_text(&json.out));
    buf_release(&json.out);
}
