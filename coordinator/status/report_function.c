/* report_function: all there is to know of one function: what it is, its place, its trainings, and its code. */
#include "coordinator/status/report.h"
#include "coordinator/status/sketch.h"

#include "common/expr/export.h"
#include "common/expr/function.h"
#include "common/retrain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATEX_MAX = 400, /* bytes of a function: its derivative as a formula may be as long as their square */
    NAME_MAX_BYTES = EXPORT_MAX_NAME + 1,
};

/* "swish-1" as swish_1. */
static void export_name(const char *known, char ret_name[NAME_MAX_BYTES])
{
    snprintf(ret_name, NAME_MAX_BYTES, "%s", known ? known : "activation");
    for (char *at = strchr(ret_name, '-'); at; at = strchr(at, '-'))
        *at = '_';
}

static void put_code(const struct expr *expr, size_t length, const char *known, struct json *json)
{
    static const char *const names[] = {
#define EXPORT_ROW(id, name, meaning) name,
        EXPORT_TARGET_TABLE(EXPORT_ROW)
#undef EXPORT_ROW
    };
    char name[NAME_MAX_BYTES];
    export_name(known, name);
    json_object(json, "code");
    for (int target = 0; target < EXPORT_TARGETS; target++) {
        if (target == EXPORT_LATEX && length > LATEX_MAX)
            continue;
        char *code = expr_export(expr, (enum export_target)target, name);
        json_text(json, names[target], code);
        free(code);
    }
    json_end(json);
}

/* What follows from the formula alone. */
static void put_formula(const char *activation, struct json *json)
{
    struct expr *expr = NULL;
    struct problem unreadable;
    if (expr_parse(activation, &expr, &unreadable) != 0)
        return;
    const char *known = function_known_name(expr);
    char *derivative = function_derivative(expr, EXPR_WRT_X);
    json_text(json, "known", known);
    json_text(json, "derivative", derivative);
    sketch_put_samples(expr, "samples", json);
    put_code(expr, strlen(activation), known, json);
    free(derivative);
    expr_destroy(&expr);
}

/* Its rank is looked for from the first place on. */
struct place {
    int64_t candidate, rank; /* 0: none (yet) */
};

static bool is_its_rank(void *context, int64_t rank, int64_t candidate)
{
    struct place *place = context;
    if (candidate == place->candidate)
        place->rank = rank;
    return place->rank == 0;
}

static const char facts_sql[] =
    "SELECT json_object('ranked', (SELECT count(*) "
    "FROM "
    "candidate WHERE seeds > 0), 'fingerprint', fingerprint, 'reference', reference, 'first_proposal', "
    "first_proposal, "
    "'proposals', (SELECT count(*) FROM proposal WHERE candidate = candidate.id), 'steps', steps, 'seeds', "
    "seeds, "
    "'diverged', diverged, 'failed', failed, 'accuracy_mean', accuracy_mean, 'accuracy_sd', accuracy_sd, "
    "'validation_loss_mean', validation_loss_mean, 'parameters', parameters, 'betas', betas, 'seconds', "
    "seconds, "
    "'cost_ns', cost_ns) FROM candidate WHERE activation = ?1";

static const char trials_sql[] = "SELECT json_object('trial', t.id, 'replica', t.replica, 'seed', t.seed, "
                                 "'rung', t.rung, 'state', t.state, 'steps', "
                                 "t.steps, 'step', t.step, 'accuracy', CASE t.state WHEN 'done' THEN 1.0 * "
                                 "t.correct / t.validation_count WHEN "
                                 "'diverged' THEN 0.0 END, 'validation_loss', t.validation_loss, "
                                 "'train_loss', t.train_loss, 'seconds', t.seconds, "
                                 "'images_per_second', t.images_per_second, 'lost', t.lost, 'host', w.host) "
                                 "FROM trial AS t LEFT JOIN attempt AS a "
                                 "ON a.id = t.closed_by LEFT JOIN worker AS w ON w.id = a.worker WHERE "
                                 "t.candidate = (SELECT id FROM candidate WHERE "
                                 "activation = ?1) ORDER BY t.steps DESC, t.replica LIMIT 100";

static const char attempts_sql[] = "SELECT json_object('attempt', a.id, 'trial', a.trial, 'host', w.host, "
                                   "'worker', substr(w.name, 1, 8), 'state', "
                                   "a.state, 'leased_ms', a.leased_ms, 'ended_ms', a.ended_ms, 'reason', "
                                   "a.reason) FROM trial AS t JOIN attempt AS a ON "
                                   "a.trial = t.id JOIN worker AS w ON w.id = a.worker WHERE t.candidate = "
                                   "(SELECT id FROM candidate WHERE activation = "
                                   "?1) ORDER BY a.leased_ms DESC, a.id DESC LIMIT 100";

/* Of its longest trainings; no more lines than can be told apart. */
static const char curves_sql[] =
    "SELECT json_object('trial', id, 'replica', replica, 'steps', steps, 'points', (SELECT "
    "json_group_array(json_array(step, round(loss, 5))) FROM (SELECT step, loss FROM curve WHERE trial = "
    "shown.id ORDER "
    "BY point LIMIT 2000))) FROM (SELECT id, replica, steps FROM trial AS t WHERE candidate = (SELECT id "
    "FROM candidate "
    "WHERE activation = ?1) AND EXISTS (SELECT 1 FROM curve WHERE trial = t.id) ORDER BY steps DESC, replica "
    "LIMIT 6) AS "
    "shown";

static bool take_seed(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    buf_printf(context, "%s %s", values[0] ? values[0] : "0", values[1] ? values[1] : "0");
    return false;
}

/* The line that trains once more what `actsearch show` says too: the first trial of those that the rank is of. */
static int put_train_command(const struct report *report, const char *activation, struct json *json,
                             struct problem *problem)
{
    struct buf found = {0}, command = {0};
    int err =
        store_query(report->reader,
                    "SELECT t.steps, t.seed FROM candidate AS c JOIN trial AS t ON t.candidate = c.id WHERE "
                    "c.activation = ?1 ORDER BY t.steps = c.steps DESC, t.steps, t.replica LIMIT 1",
                    &activation, 1, take_seed, &found, problem);
    char *seed = NULL;
    const long long steps = strtoll(buf_text(&found), &seed, 10);
    if (!err && found.size > 0 && store_has_built_in_trainer(report->reader))
        retrain_command(&report->outlook->experiment->child, activation, steps, seed + 1, &command);
    json_text(json, "train", command.size ? buf_text(&command) : NULL);
    buf_release(&found);
    buf_release(&command);
    return err;
}

int report_function(const struct report *report, struct json *json, struct problem *problem)
{
    const char *activation = http_parameter(report->target, "activation");
    if (!activation || !activation[0])
        return problem_set(problem, ERR_INPUT, "activation: expected a function of the ranked list");
    const char *const key[] = {activation, NULL};
    struct place place = {0};
    int err = store_query(report->reader, "SELECT id FROM candidate WHERE activation = ?1", key, 1,
                          report_take_int, &place.candidate, problem);
    if (!err && place.candidate == 0)
        err = problem_set(problem, ERR_NOT_FOUND, "%.200s is no candidate of this search", activation);
    if (!err)
        err = store_ranks(report->reader, is_its_rank, &place, problem);
    if (err)
        return err;
    json_object(json, NULL);
    json_text(json, "activation", activation);
    if (place.rank > 0)
        json_int(json, "rank", place.rank);
    else
        json_null(json, "rank");
    put_formula(activation, json);
    err = report_value(report, facts_sql, key, "facts", json, problem);
    if (!err)
        err = report_rows(report, trials_sql, key, "trials", json, problem);
    if (!err)
        err = report_rows(report, attempts_sql, key, "attempts", json, problem);
    if (!err)
        err = report_rows(report, curves_sql, key, "curves", json, problem);
    if (!err)
        err = put_train_command(report, activation, json, problem);
    json_end(json);
    return err;
}
