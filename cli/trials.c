#include "cli/trials.h"

#include "cli/answer.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A gzip, or the text that is in one. */
static bool is_table(const char *path)
{
    char head[16] = {0};
    FILE *file = fopen(path, "rbe");
    size_t size = file ? fread(head, 1, sizeof head, file) : 0;
    if (file)
        fclose(file);
    return size == sizeof head &&
           (memcmp(head, "\x1f\x8b", 2) == 0 || memcmp(head, "actsearch table ", 16) == 0);
}

/* ---- the learning curves: the points come one by one, in order of trial ---- */

enum { POINTS = 64 };

/* Trainings and their ids, which ascend, and the one whose points are being collected. */
struct collector {
    struct table_trial *trials;
    int64_t *ids;
    int count, at; /* at == count: they are all done */
    int points;
    int64_t step[POINTS];
    double loss[POINTS];
};

static double real_of(const char *text)
{
    return text ? strtod(text, NULL) : NAN;
}

static void put_curve(struct collector *collector)
{
    if (collector->points > 0)
        trial_table_put_curve(&collector->trials[collector->at], collector->step, collector->loss,
                              collector->points);
    collector->points = 0;
}

static bool take_point(void *context, int columns, const char *const *names, const char *const *values)
{
    struct collector *collector = context;
    const int64_t trial = strtoll(values[0], NULL, 10);
    (void)columns;
    (void)names;
    while (collector->at < collector->count && collector->ids[collector->at] < trial) {
        put_curve(collector);
        collector->at++;
    }
    if (collector->at == collector->count)
        return false;
    if (collector->ids[collector->at] == trial && collector->points < POINTS) {
        collector->step[collector->points] = strtoll(values[1], NULL, 10);
        collector->loss[collector->points++] = real_of(values[2]);
    }
    return true;
}

/* ---- the trainings ---- */

static const char outcomes[] = "SELECT trial.id, activation, trial.steps, seed, state = 'diverged' AS "
                               "diverged, step, correct, validation_count, "
                               "validation_loss, train_loss, trial.parameters, trial.betas, trial.seconds, "
                               "images_per_second, trial.cost_ns "
                               "FROM trial JOIN candidate ON candidate.id = trial.candidate WHERE state IN "
                               "('done', 'diverged') ORDER BY trial.id";
static const char points[] = "SELECT trial, step, loss FROM curve ORDER BY trial, point";

static struct table_trial trial_of(const struct answer *answer, int row)
{
    struct table_trial trial = {.activation = answer_text(answer, row, "activation")};
#define TAKE_INT(name, low, high, meaning) trial.name = answer_int(answer, row, #name);
#define TAKE_REAL(name, digits, meaning)   trial.name = answer_real(answer, row, #name);
    TRIAL_TABLE_COLUMNS(TAKE_INT, TAKE_REAL)
#undef TAKE_INT
#undef TAKE_REAL
    return trial;
}

/* The curves are read after the outcomes: each outcome that was there has its own, whatever was written in between. */
static int read_trials(struct store_reader *reader, struct trial_table *table, struct problem *problem)
{
    struct answer answer;
    int err = answer_query(reader, outcomes, NULL, &answer, problem);
    if (err)
        return err;
    struct collector collector = {.count = answer.rows};
    collector.trials = xcalloc((size_t)answer.rows + 1, sizeof *collector.trials);
    collector.ids = xcalloc((size_t)answer.rows + 1, sizeof *collector.ids);
    for (int i = 0; i < answer.rows; i++) {
        collector.trials[i] = trial_of(&answer, i);
        collector.ids[i] = answer_int(&answer, i, "id");
    }
    err = store_query(reader, points, NULL, 0, take_point, &collector, problem);
    if (!err)
        put_curve(&collector);
    for (int i = 0; i < answer.rows && !err; i++)
        trial_table_add(table, &collector.trials[i]);
    free(collector.trials);
    free(collector.ids);
    answer_release(&answer);
    return err ? err : trial_table_settle(table, problem);
}

static int load_database(struct store_reader *reader, struct trial_table **ret_table, struct problem *problem)
{
    struct answer head;
    struct trial_table *table = NULL;
    int err = answer_query(reader, "SELECT text, numerics, trainer, data_hash FROM experiment", NULL, &head,
                           problem);
    if (err)
        return err;
    if (head.rows == 0 || !answer_text(&head, 0, "trainer")[0])
        err = problem_set(problem, ERR_NOT_FOUND, "nothing was trained yet");
    if (!err)
        err = trial_table_new(answer_text(&head, 0, "text"), answer_int(&head, 0, "numerics"),
                              answer_text(&head, 0, "trainer"), answer_text(&head, 0, "data_hash"), &table,
                              problem);
    answer_release(&head);
    if (!err)
        err = read_trials(reader, table, problem);
    if (err)
        trial_table_destroy(&table);
    else
        *ret_table = table;
    return err;
}

int trials_load(const char *path, struct trial_table **ret_table, struct problem *problem)
{
    struct store_reader *reader = NULL;
    if (is_table(path))
        return trial_table_read(path, ret_table, problem);
    int err = store_reader_open(path, &reader, problem);
    if (err)
        return err;
    err = load_database(reader, ret_table, problem);
    if (err)
        problem_prefix(problem, "%.200s", path);
    store_reader_close(&reader);
    return err;
}
