#include "common/trial_table.h"

#include "common/json.h"
#include "common/numerics.h"
#include "common/source.h"
#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a number that is not there looks like, and a curve without points. */
#define NOTHING "-"

static const struct column {
    const char *name;
    size_t at; /* in struct table_trial */
    bool is_real;
    int digits;
    int64_t low, high;
} columns[] = {
#define TRIAL_INT(name, low, high, meaning) {#name, offsetof(struct table_trial, name), false, 0, low, high},
#define TRIAL_REAL(name, digits, meaning)   {#name, offsetof(struct table_trial, name), true, digits, 0, 0},
    TRIAL_TABLE_COLUMNS(TRIAL_INT, TRIAL_REAL)
#undef TRIAL_INT
#undef TRIAL_REAL
};
enum { COLUMNS = sizeof columns / sizeof *columns, CURVE_DIGITS = 4 };

static int64_t *int_at(const struct table_trial *trial, const struct column *column)
{
    return (int64_t *)((char *)trial + column->at);
}

static double *real_at(const struct table_trial *trial, const struct column *column)
{
    return (double *)((char *)trial + column->at);
}

/* ---- life ---- */

/* Something that fits in a line of its own. */
static bool is_word(const char *text, size_t most)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ')
            return false;
    return length > 0 && length <= most;
}

int trial_table_new(const char *experiment_text, int64_t numerics, const char *trainer, const char *data_hash,
                    struct trial_table **ret_table, struct problem *problem)
{
    struct experiment *experiment;
    if (!is_word(trainer, TRIAL_TABLE_NAME - 1) || !is_word(data_hash, HASH_HEX - 1))
        return problem_set(problem, ERR_INPUT, "the name of the trainer or the hash of the data is not one");
    int err = experiment_parse("the table's experiment", experiment_text, NULL, 0, &experiment, problem);
    if (err)
        return err;
    struct trial_table *table = xcalloc(1, sizeof *table);
    table->experiment = experiment;
    table->numerics = numerics;
    snprintf(table->trainer, sizeof table->trainer, "%s", trainer);
    snprintf(table->data_hash, sizeof table->data_hash, "%s", data_hash);
    *ret_table = table;
    return 0;
}

void trial_table_destroy(struct trial_table **table)
{
    if (!*table)
        return;
    for (size_t i = 0; i < (*table)->count; i++)
        free((char *)(*table)->trials[i].activation);
    free((*table)->trials);
    experiment_destroy(&(*table)->experiment);
    free(*table);
    *table = NULL;
}

/* ---- order ---- */

void trial_table_add(struct trial_table *table, const struct table_trial *trial)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
        table->trials = xrealloc(table->trials, table->capacity, sizeof *table->trials);
    }
    struct table_trial *own = &table->trials[table->count++];
    *own = *trial;
    own->activation = xstrdup(trial->activation);
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *a, const void *b)
{
    const struct table_trial *one = a, *other = b;
    int order = strcmp(one->activation, other->activation);
    if (order == 0)
        order = compare_numbers(one->steps, other->steps);
    return order != 0 ? order : compare_numbers(one->seed, other->seed);
}

static bool same_real(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

bool trial_table_same_outcome(const struct table_trial *a, const struct table_trial *b)
{
    return a->diverged == b->diverged && a->step == b->step && a->correct == b->correct &&
           a->validation_count == b->validation_count && same_real(a->validation_loss, b->validation_loss) &&
           same_real(a->train_loss, b->train_loss) && a->parameters == b->parameters && a->betas == b->betas;
}

int trial_table_settle(struct trial_table *table, struct problem *problem)
{
    int err = 0;
    size_t kept = 0;
    if (table->count > 1)
        qsort(table->trials, table->count, sizeof *table->trials, compare);
    for (size_t i = 0; i < table->count; i++) {
        const struct table_trial *trial = &table->trials[i];
        struct table_trial *last = kept > 0 ? &table->trials[kept - 1] : NULL;
        if (!last || compare(last, trial) != 0) {
            table->trials[kept++] = *trial;
            continue;
        }
        if (!err && !trial_table_same_outcome(last, trial))
            err = problem_set(problem, ERR_CONFLICT,
                              "%.200s, %" PRId64 " steps, seed %" PRId64 ": two outcomes, %" PRId64
                              " of %" PRId64 " correct and %" PRId64 " of %" PRId64
                              ": one of them was computed by another build, or on bad memory",
                              trial->activation, trial->steps, trial->seed, last->correct,
                              last->validation_count, trial->correct, trial->validation_count);
        free((char *)trial->activation);
    }
    table->count = kept;
    return err;
}

/* ---- what belongs together ---- */

/* `other` trains as the table does, but for activation, steps and seed. */
static int same_training(const struct trial_table *table, const struct child *other, struct problem *problem)
{
    struct child own = child_of_steps(&table->experiment->child, other->steps);
    own.seeds = other->seeds; /* how many of them is not what one of them is */
    struct buf own_text = {0}, text = {0};
    buf_printf(&own_text, "[child]\n");
    buf_printf(&text, "[child]\n");
    child_print(&own, &own_text);
    child_print(other, &text);
    char *difference = experiment_difference(buf_text(&own_text), buf_text(&text));
    int err = 0;
    if (*difference)
        err = problem_set(problem, ERR_CONFLICT,
                          "the table's trainings are of another kind (the table -> here): %.*s",
                          (int)strcspn(difference, "\n"), difference);
    free(difference);
    buf_release(&own_text);
    buf_release(&text);
    return err;
}

static int same_makers(const struct trial_table *table, int64_t numerics, const char *trainer,
                       const char *data_hash, struct problem *problem)
{
    if (table->numerics != numerics)
        return problem_set(problem, ERR_CONFLICT,
                           "the table was computed with numerics %" PRId64 ", not with numerics %" PRId64,
                           table->numerics, numerics);
    if (strcmp(table->trainer, trainer) != 0)
        return problem_set(problem, ERR_CONFLICT, "the table is the trainer '%.80s's, not '%.80s's",
                           table->trainer, trainer);
    if (data_hash && strcmp(table->data_hash, data_hash) != 0)
        return problem_set(problem, ERR_CONFLICT,
                           "the table's data set '%.80s' has the hash %.16s, the one here %.16s",
                           table->experiment->child.data, table->data_hash, data_hash);
    return 0;
}

int trial_table_merge(struct trial_table *table, const struct trial_table *other, struct problem *problem)
{
    int err = same_makers(table, other->numerics, other->trainer, other->data_hash, problem);
    if (!err)
        err = same_training(table, &other->experiment->child, problem);
    if (err)
        return err;
    for (size_t i = 0; i < other->count; i++)
        trial_table_add(table, &other->trials[i]);
    return trial_table_settle(table, problem);
}

int trial_table_fits(const struct trial_table *table, const struct child *child, const char *data_hash,
                     struct problem *problem)
{
    int err = same_makers(table, NUMERICS, BUILT_IN_TRAINER, data_hash, problem);
    return err ? err : same_training(table, child, problem);
}

/* ---- curves, and one training ---- */

/* As it is written and read again. */
static double rounded(double value, int digits)
{
    char text[REAL_TEXT];
    snprintf(text, sizeof text, "%.*g", digits, value);
    return isfinite(value) ? strtod(text, NULL) : NAN;
}

void trial_table_put_curve(struct table_trial *trial, const int64_t *steps, const double *losses, int points)
{
    const int kept = points < TRIAL_TABLE_CURVE ? points : TRIAL_TABLE_CURVE;
    trial->curve_points = kept;
    for (int i = 0; i < kept; i++) {
        const int point = (i + 1) * points / kept - 1;
        trial->curve_step[i] = steps[point];
        trial->curve_loss[i] = rounded(losses[point], CURVE_DIGITS);
    }
}

const struct table_trial *trial_table_find(const struct trial_table *table, const char *activation,
                                           int64_t steps, int64_t seed)
{
    const struct table_trial wanted = {.activation = activation, .steps = steps, .seed = seed};
    if (table->count == 0)
        return NULL;
    return bsearch(&wanted, table->trials, table->count, sizeof *table->trials, compare);
}

/* ---- as text ---- */

static void put_real(struct buf *text, double value, int digits)
{
    char exact[REAL_TEXT];
    if (!isfinite(value)) {
        buf_printf(text, NOTHING);
    } else if (digits == 17) {
        real_text(value, exact);
        buf_printf(text, "%s", exact);
    } else {
        buf_printf(text, "%.*g", digits, value);
    }
}

static void print_trial(const struct table_trial *trial, struct buf *text)
{
    buf_printf(text, "%s", trial->activation);
    for (int i = 0; i < COLUMNS; i++) {
        buf_printf(text, "\t");
        if (columns[i].is_real)
            put_real(text, *real_at(trial, &columns[i]), columns[i].digits);
        else
            buf_printf(text, "%" PRId64, *int_at(trial, &columns[i]));
    }
    buf_printf(text, "\t");
    for (int i = 0; i < trial->curve_points; i++) {
        buf_printf(text, "%s%" PRId64 "=", i ? " " : "", trial->curve_step[i]);
        put_real(text, trial->curve_loss[i], CURVE_DIGITS);
    }
    buf_printf(text, "%s\n", trial->curve_points ? "" : NOTHING);
}

static char *title_line(void)
{
    struct buf text = {0};
    buf_printf(&text, "activation");
    for (int i = 0; i < COLUMNS; i++)
        buf_printf(&text, "\t%s", columns[i].name);
    buf_printf(&text, "\tcurve");
    return (char *)text.data;
}

void trial_table_print(const struct trial_table *table, struct buf *ret_text)
{
    char *experiment = experiment_text(table->experiment), *titles = title_line();
    buf_printf(ret_text, "actsearch table %d\nnumerics = %" PRId64 "\ntrainer = %s\ndata_hash = %s\n\n",
               TRIAL_TABLE_FORMAT, table->numerics, table->trainer, table->data_hash);
    buf_printf(ret_text, "%s\n[trials]\n%s\n", experiment, titles);
    for (size_t i = 0; i < table->count; i++)
        print_trial(&table->trials[i], ret_text);
    free(experiment);
    free(titles);
}

/* ---- from text: the lines are cut in a copy ---- */

struct reader {
    char *rest; /* NULL: no line is left */
    int line;   /* of what was taken last */
    struct problem *problem;
};

/* The next line without its end; NULL after the last. */
static char *next_line(struct reader *reader)
{
    char *line = reader->rest;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    if (end)
        *end = '\0';
    reader->rest = end ? end + 1 : NULL;
    reader->line++;
    return line;
}

static int wrong(const struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(const struct reader *reader, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return problem_at(reader->problem, ERR_INPUT, reader->line, 0, "%s", text);
}

/* The value of a line "key = value". */
static int take_value(struct reader *reader, const char *key, size_t most, const char **ret_value)
{
    char *line = next_line(reader);
    const size_t length = strlen(key);
    if (!line || strncmp(line, key, length) != 0 || strncmp(line + length, " = ", 3) != 0 ||
        strlen(line + length + 3) > most)
        return wrong(reader, "expected '%s = …'", key);
    *ret_value = line + length + 3;
    return 0;
}

/* The cell up to the next tab; NULL where there is none. */
static char *next_cell(char **rest)
{
    char *cell = *rest;
    if (!cell)
        return NULL;
    char *end = strchr(cell, '\t');
    if (end)
        *end = '\0';
    *rest = end ? end + 1 : NULL;
    return cell;
}

static int read_real(const struct reader *reader, const char *what, const char *text, double *ret_value)
{
    struct problem problem = {0};
    if (strcmp(text, NOTHING) == 0)
        *ret_value = NAN;
    else if (text_real(text, -INFINITY, INFINITY, ret_value, &problem) != 0)
        return wrong(reader, "%s: %s", what, problem.text);
    return 0;
}

static int read_column(const struct reader *reader, const struct column *column, char *cell,
                       struct table_trial *trial)
{
    struct problem problem = {0};
    if (!cell)
        return wrong(reader, "the line ends before '%s'", column->name);
    if (column->is_real)
        return read_real(reader, column->name, cell, real_at(trial, column));
    if (text_int(cell, column->low, column->high, int_at(trial, column), &problem) != 0)
        return wrong(reader, "%s: %s", column->name, problem.text);
    return 0;
}

/* "13=1.59 25=1.47" */
static int read_curve(const struct reader *reader, char *text, struct table_trial *trial)
{
    struct problem problem = {0};
    int err = 0;
    if (!text)
        return wrong(reader, "the line ends before 'curve'");
    if (strcmp(text, NOTHING) == 0)
        return 0;
    for (char *point = text, *end; !err && point; point = end) {
        end = strchr(point, ' ');
        if (end)
            *end++ = '\0';
        char *equals = strchr(point, '=');
        if (!equals || trial->curve_points == TRIAL_TABLE_CURVE)
            return wrong(reader, "curve: expected at most %d times STEP=LOSS", TRIAL_TABLE_CURVE);
        *equals = '\0';
        const int64_t low = trial->curve_points ? trial->curve_step[trial->curve_points - 1] + 1 : 0;
        if (text_int(point, low, trial->steps, &trial->curve_step[trial->curve_points], &problem) != 0)
            return wrong(reader, "curve: %s", problem.text);
        err = read_real(reader, "curve", equals + 1, &trial->curve_loss[trial->curve_points]);
        trial->curve_points++;
    }
    return err;
}

static int check_trial(const struct reader *reader, const struct table_trial *trial,
                       const struct table_trial *last)
{
    if (trial->step > trial->steps)
        return wrong(reader, "step %" PRId64 " of %" PRId64, trial->step, trial->steps);
    if (trial->correct > trial->validation_count)
        return wrong(reader, "%" PRId64 " of %" PRId64 " correct", trial->correct, trial->validation_count);
    if (trial->diverged ? trial->correct != 0 : isnan(trial->validation_loss))
        return wrong(reader, trial->diverged ? "it diverged, and has an accuracy"
                                             : "it did not diverge, and has no validation loss");
    if (last && compare(last, trial) >= 0)
        return wrong(reader, "not in order: activations by their bytes, then steps, then seeds");
    if (last && strcmp(last->activation, trial->activation) == 0)
        return 0;
    struct expr *expr;
    struct problem problem = {0};
    if (expr_parse(trial->activation, &expr, &problem) != 0)
        return wrong(reader, "%.100s: %.250s", trial->activation, problem.text);
    expr_destroy(&expr);
    return 0;
}

static int read_trial(struct reader *reader, char *line, struct trial_table *table)
{
    struct table_trial trial = {0};
    char *rest = line;
    int err = 0;
    trial.activation = next_cell(&rest);
    for (int i = 0; i < COLUMNS && !err; i++)
        err = read_column(reader, &columns[i], next_cell(&rest), &trial);
    if (!err)
        err = read_curve(reader, next_cell(&rest), &trial);
    if (!err && rest)
        err = wrong(reader, "the line goes on after 'curve'");
    if (!err)
        err = check_trial(reader, &trial, table->count ? &table->trials[table->count - 1] : NULL);
    if (!err)
        trial_table_add(table, &trial);
    return err;
}

static int read_head(struct reader *reader, struct trial_table **ret_table)
{
    const char *numerics_text = NULL, *trainer = NULL, *data_hash = NULL, *line = next_line(reader);
    int64_t format = 0, numerics = 0;
    struct problem problem = {0};
    if (!line || strncmp(line, "actsearch table ", 16) != 0 ||
        text_int(line + 16, 1, INT32_MAX, &format, &problem) != 0)
        return wrong(reader, "no table of actsearch: expected 'actsearch table %d'", TRIAL_TABLE_FORMAT);
    if (format > TRIAL_TABLE_FORMAT)
        return problem_at(reader->problem, ERR_VERSION, reader->line, 0,
                          "a table of format %" PRId64 ", made by a newer actsearch; this one reads %d",
                          format, TRIAL_TABLE_FORMAT);
    int err = take_value(reader, "numerics", 20, &numerics_text);
    if (!err && text_int(numerics_text, 0, INT32_MAX, &numerics, &problem) != 0)
        err = wrong(reader, "numerics: %s", problem.text);
    if (!err)
        err = take_value(reader, "trainer", TRIAL_TABLE_NAME - 1, &trainer);
    if (!err)
        err = take_value(reader, "data_hash", HASH_HEX - 1, &data_hash);
    if (err)
        return err;
    char *experiment = reader->rest;
    while ((line = next_line(reader)) && strcmp(line, "[trials]") != 0)
        if (reader->rest)
            reader->rest[-1] = '\n'; /* it is one text still */
    if (!line)
        return wrong(reader, "expected a line '[trials]'");
    *(char *)line = '\0';
    return trial_table_new(experiment, numerics, trainer, data_hash, ret_table, reader->problem);
}

int trial_table_parse(const char *text, size_t size, struct trial_table **ret_table, struct problem *problem)
{
    if (size > TRIAL_TABLE_MAX_BYTES)
        return problem_set(problem, ERR_LIMIT, "a table of more than %d bytes", TRIAL_TABLE_MAX_BYTES);
    if (text_utf8_prefix(text, size) < size)
        return problem_set(problem, ERR_INPUT, "no text: byte %zu", text_utf8_prefix(text, size));
    char *copy = xcalloc(size + 1, 1), *titles = title_line(), *line;
    memcpy(copy, text, size);
    struct reader reader = {.rest = copy, .problem = problem};
    struct trial_table *table = NULL;
    int err = read_head(&reader, &table);
    if (!err && ((line = next_line(&reader)) == NULL || strcmp(line, titles) != 0))
        err = wrong(&reader, "expected the titles of the columns");
    while (!err && (line = next_line(&reader)))
        err = read_trial(&reader, line, table);
    free(copy);
    free(titles);
    if (err)
        trial_table_destroy(&table);
    else
        *ret_table = table;
    return err;
}

/* ---- the file ---- */

int trial_table_read(const char *path, struct trial_table **ret_table, struct problem *problem)
{
    struct source *source;
    struct buf text = {0};
    size_t size = 0;
    int err = source_open(path, &source, problem);
    if (err)
        return err;
    err = source_read(source, (size_t)TRIAL_TABLE_MAX_BYTES + 1, &text, &size, problem);
    source_close(&source);
    if (!err) {
        *problem = (struct problem){0};
        err = trial_table_parse(buf_text(&text), size, ret_table, problem);
        if (err && problem->line > 0)
            problem_prefix(problem, "%.200s:%d", path, problem->line);
        else if (err)
            problem_prefix(problem, "%.200s", path);
    }
    buf_release(&text);
    return err;
}

int trial_table_write(const struct trial_table *table, const char *path, struct problem *problem)
{
    struct buf text = {0};
    trial_table_print(table, &text);
    int err = source_write_gzip(path, text.data, text.size, problem);
    buf_release(&text);
    return err;
}
