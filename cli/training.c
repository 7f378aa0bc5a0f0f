#include "cli/training.h"

#include "cli/progress.h"
#include "common/experiment.h"
#include "common/numerics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool show_progress(void *context, const struct train_progress *progress)
{
    char detail[80];
    snprintf(detail, sizeof detail, "step %lld of %lld, loss %.4f", (long long)progress->step,
             (long long)progress->steps, progress->train_loss);
    progress_show(context, (double)progress->step / (double)progress->steps, detail);
    return true;
}

int training_run(const struct train_job *job, struct train_result *ret_result, struct problem *problem)
{
    struct progress *progress = progress_new(stderr);
    const int err = train_run(job, show_progress, progress, ret_result, problem);
    progress_destroy(&progress);
    return err;
}

/* ---- a trial once more ----------------------------------------------------------------------------------- */

static const char experiment_query[] = "SELECT text, numerics, data_hash FROM experiment";
static const char trial_query[] =
    "SELECT t.id, t.seed, t.steps, t.correct, t.validation_count, t.validation_loss "
    "FROM trial AS t JOIN candidate AS c ON c.id = t.candidate "
    "WHERE c.activation = ?1 AND t.state = 'done' AND (CAST(?2 AS INTEGER) < 0 OR t.seed = CAST(?2 AS "
    "INTEGER)) "
    "ORDER BY t.steps DESC, t.replica LIMIT 1";

static int find_trial(struct store_reader *reader, const char *activation, int64_t seed,
                      struct answer *ret_trial, struct problem *problem)
{
    char *wanted = xasprintf("%lld", (long long)seed);
    char *of_seed = seed >= 0 ? xasprintf(" with seed %s", wanted) : xstrdup("");
    const char *const parameters[] = {activation, wanted, NULL};
    int err = answer_query(reader, trial_query, parameters, ret_trial, problem);
    if (!err && ret_trial->rows == 0)
        err = problem_set(problem, ERR_NOT_FOUND,
                          "%.200s: no training of it%s came to an end, so there is no network to look into",
                          activation, of_seed);
    free(of_seed);
    free(wanted);
    return err;
}

/* Whether this program can give the same bits. */
static int check_conditions(const struct answer *experiment, const struct data *data, const char *name,
                            struct problem *problem)
{
    char hex[HASH_HEX];
    hash_hex(&data->hash, hex);
    const int64_t numerics = answer_int(experiment, 0, "numerics");
    if (numerics != NUMERICS)
        return problem_set(problem, ERR_VERSION,
                           "it was trained with arithmetic %lld, and this actsearch has arithmetic %d",
                           (long long)numerics, NUMERICS);
    if (strcmp(answer_text(experiment, 0, "data_hash"), hex) != 0)
        return problem_set(problem, ERR_INPUT,
                           "it was trained on other data: '%s' in the cache folder has hash %.16s, that of "
                           "the search %.16s",
                           name, hex, answer_text(experiment, 0, "data_hash"));
    return 0;
}

static int check_outcome(const struct answer *trial, const struct train_result *result,
                         struct problem *problem)
{
    if (!result->diverged && result->correct == answer_int(trial, 0, "correct") &&
        result->validation_count == answer_int(trial, 0, "validation_count") &&
        result->validation_loss == answer_real(trial, 0, "validation_loss"))
        return 0;
    return problem_set(problem, ERR_CORRUPT,
                       "trial %s came to %lld correct and loss %.9g; trained once more to %lld and %.9g: it "
                       "is not the same network",
                       answer_text(trial, 0, "id"), (long long)answer_int(trial, 0, "correct"),
                       answer_real(trial, 0, "validation_loss"), (long long)result->correct,
                       result->validation_loss);
}

static int train_again(const struct answer *experiment, const struct answer *trial, const char *cache,
                       struct retrained *retrained, struct problem *problem)
{
    char *dir = data_cache_dir(cache);
    struct expr *activation = NULL;
    struct data *data = NULL;
    int err = expr_parse(retrained->activation, &activation, problem);
    if (!err)
        err = data_open(dir, retrained->child.data, &data, problem);
    if (!err)
        err = check_conditions(experiment, data, retrained->child.data, problem);
    const struct train_job job = {.activation = activation,
                                  .child = &retrained->child,
                                  .seed = (uint64_t)retrained->seed,
                                  .data = data,
                                  .inside = &retrained->inside};
    if (!err)
        err = training_run(&job, &retrained->result, problem);
    if (!err)
        err = check_outcome(trial, &retrained->result, problem);
    data_close(&data);
    expr_destroy(&activation);
    free(dir);
    return err;
}

int retrained_make(struct store_reader *reader, const char *activation, int64_t seed, const char *cache,
                   struct retrained *ret_retrained, struct problem *problem)
{
    struct answer stored = {0}, trial = {0};
    struct experiment *experiment = NULL;
    struct retrained retrained = {.activation = xstrdup(activation)};
    if (!store_has_built_in_trainer(reader)) {
        retrained_release(&retrained);
        return problem_set(
            problem, ERR_INPUT,
            "another trainer than the built-in one trained this search, so its networks cannot "
            "be made again here");
    }
    int err = answer_query(reader, experiment_query, NULL, &stored, problem);
    if (!err)
        err = experiment_parse("the stored experiment", answer_text(&stored, 0, "text"), NULL, 0, &experiment,
                               problem);
    if (!err)
        err = find_trial(reader, activation, seed, &trial, problem);
    if (!err) {
        retrained.child = child_of_steps(&experiment->child, answer_int(&trial, 0, "steps"));
        retrained.seed = answer_int(&trial, 0, "seed");
        err = train_again(&stored, &trial, cache, &retrained, problem);
    }
    answer_release(&trial);
    answer_release(&stored);
    experiment_destroy(&experiment);
    if (err)
        retrained_release(&retrained);
    else
        *ret_retrained = retrained;
    return err;
}

void retrained_release(struct retrained *retrained)
{
    free(retrained->activation);
    inside_release(&retrained->inside);
    *retrained = (struct retrained){0};
}
