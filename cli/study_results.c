#include "cli/study_results.h"

#include "cli/paired.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct study_series *series_at(const struct study_results *results, int cell, int function)
{
    return &results->series[cell * results->study->function_count + function];
}

static struct study_entry *entry_at(const struct study_results *results, int data, int model, int function)
{
    const struct study *study = results->study;
    return &results->entries[(data * study->model_count + model) * study->function_count + function];
}

const struct study_entry *study_entry_at(const struct study_results *results, int data, int model,
                                         int function)
{
    return entry_at(results, data, model, function);
}

struct study_results *study_results_new(const struct study *study)
{
    struct study_results *results = xcalloc(1, sizeof *results);
    const size_t functions = (size_t)study->function_count;
    results->study = study;
    results->series = xcalloc((size_t)study->cell_count * functions, sizeof *results->series);
    results->entries =
        xcalloc((size_t)(study->data_count * study->model_count) * functions, sizeof *results->entries);
    results->comparisons = xcalloc(functions, sizeof *results->comparisons);
    for (int cell = 0; cell < study->cell_count; cell++)
        for (int f = 0; f < study->function_count; f++) {
            struct study_series *series = series_at(results, cell, f);
            series->accuracy = xcalloc((size_t)study->seeds, sizeof(double));
            for (int64_t i = 0; i < study->seeds; i++)
                series->accuracy[i] = NAN;
        }
    return results;
}

void study_results_destroy(struct study_results **results)
{
    if (!*results)
        return;
    const struct study *study = (*results)->study;
    for (int i = 0; i < study->cell_count * study->function_count; i++)
        free((*results)->series[i].accuracy);
    free((*results)->series);
    free((*results)->entries);
    free((*results)->comparisons);
    free(*results);
    *results = NULL;
}

void study_results_add(struct study_results *results, int cell, const char *activation, int64_t replica,
                       double accuracy)
{
    const struct study *study = results->study;
    assert(cell >= 0 && cell < study->cell_count);
    for (int f = 0; f < study->function_count && replica >= 0 && replica < study->seeds; f++) {
        struct study_series *series = series_at(results, cell, f);
        if (strcmp(study->functions[f].activation, activation) != 0 || !isnan(series->accuracy[replica]))
            continue;
        series->accuracy[replica] = isnan(accuracy) ? 0 : accuracy;
        series->diverged += isnan(accuracy);
        series->count++;
    }
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *values, int count)
{
    if (count == 0)
        return NAN;
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static struct study_entry entry_of(const struct study_series *series, int64_t seeds, double lr)
{
    struct study_entry entry = {.series = series,
                                .lr = lr,
                                .count = series->count,
                                .diverged = series->diverged,
                                .median = NAN,
                                .low = NAN,
                                .high = NAN,
                                .mean = NAN,
                                .sd = NAN};
    if (series->count == 0)
        return entry;
    double *values = xcalloc((size_t)series->count, sizeof *values), sum = 0, squares = 0;
    int count = 0;
    for (int64_t i = 0; i < seeds; i++)
        if (!isnan(series->accuracy[i]))
            sum += values[count++] = series->accuracy[i];
    entry.mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - entry.mean) * (values[i] - entry.mean);
    if (count > 1)
        entry.sd = sqrt(squares / (count - 1));
    entry.median = median_of(values, count);
    entry.low = values[0];
    entry.high = values[count - 1];
    free(values);
    return entry;
}

/* A learning rate of which fewer seeds are there yet is not compared with one of more. */
static bool better_rate(const struct study_entry *one, const struct study_entry *than)
{
    if (one->count != than->count)
        return one->count > than->count;
    return one->median > than->median || (one->median == than->median && one->mean > than->mean);
}

static void choose_rates(struct study_results *results)
{
    const struct study *study = results->study;
    for (int c = 0; c < study->cell_count; c++)
        for (int f = 0; f < study->function_count; f++) {
            const struct study_cell *cell = &study->cells[c];
            const struct study_entry candidate = entry_of(series_at(results, c, f), study->seeds, cell->lr);
            struct study_entry *entry = entry_at(results, cell->data, cell->model, f);
            if (cell->rate == 0 || better_rate(&candidate, entry))
                *entry = candidate;
        }
}

static void mark_best(struct study_results *results, int data, int model)
{
    double highest = -1;
    bool all = true;
    for (int f = 0; f < results->study->function_count; f++) {
        const struct study_entry *entry = entry_at(results, data, model, f);
        all = all && entry->count > 0;
        highest = fmax(highest, entry->median);
    }
    for (int f = 0; f < results->study->function_count; f++) {
        struct study_entry *entry = entry_at(results, data, model, f);
        entry->best = all && entry->median == highest;
    }
}

/* ---- comparisons --------------------------------------------------------------------------------------- */

static void count_pair(struct study_sign *sign, double a, double b)
{
    sign->better += a > b;
    sign->equal += a == b;
    sign->worse += a < b;
}

static struct study_comparison compare(const struct study_results *results, int function)
{
    const struct study *study = results->study;
    struct study_comparison comparison = {0};
    for (int d = 0; d < study->data_count; d++)
        for (int m = 0; m < study->model_count; m++) {
            const struct study_entry *a = entry_at(results, d, m, study->against);
            const struct study_entry *b = entry_at(results, d, m, function);
            count_pair(&comparison.networks, a->median, b->median); /* NaN is none of the three */
            for (int64_t i = 0; i < study->seeds; i++)
                count_pair(&comparison.seeds, a->series->accuracy[i], b->series->accuracy[i]);
        }
    comparison.networks.p = sign_test(comparison.networks.better, comparison.networks.worse);
    comparison.seeds.p = sign_test(comparison.seeds.better, comparison.seeds.worse);
    return comparison;
}

void study_results_close(struct study_results *results)
{
    const struct study *study = results->study;
    choose_rates(results);
    for (int d = 0; d < study->data_count; d++)
        for (int m = 0; m < study->model_count; m++)
            mark_best(results, d, m);
    for (int f = 0; f < study->function_count; f++)
        results->comparisons[f] = compare(results, f);
}
