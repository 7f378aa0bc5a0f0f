#include "coordinator/status/report.h"

#include "common/text.h"
#include "common/version.h"
#include "coordinator/status/course.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- parts --------------------------------------------------------------------------------------------- */

int report_page(const struct http_target *target, struct report_page *ret_page, struct problem *problem)
{
    struct report_page page = {.limit = REPORT_ROWS};
    int err = http_parameter_int(target, "offset", 0, INT64_C(1) << 40, &page.offset, problem);
    if (!err)
        err = http_parameter_int(target, "limit", 1, REPORT_ROWS_MAX, &page.limit, problem);
    snprintf(page.offset_text, sizeof page.offset_text, "%" PRId64, page.offset);
    snprintf(page.limit_text, sizeof page.limit_text, "%" PRId64, page.limit);
    if (!err)
        *ret_page = page;
    return err;
}

static bool put_first_column(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    json_raw(context, NULL, values[0] ? values[0] : "null");
    return true;
}

static int count_of(const char *const *parameters)
{
    int count = 0;
    while (parameters && parameters[count])
        count++;
    return count;
}

int report_rows(const struct report *report, const char *sql, const char *const *parameters, const char *key,
                struct json *json, struct problem *problem)
{
    json_array(json, key);
    int err =
        store_query(report->reader, sql, parameters, count_of(parameters), put_first_column, json, problem);
    json_end(json);
    return err;
}

bool report_take_int(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(int64_t *)context = values[0] ? strtoll(values[0], NULL, 10) : 0;
    return false;
}

struct value {
    struct json *json;
    const char *key;
    bool found;
};

static bool put_value(void *context, int columns, const char *const *names, const char *const *values)
{
    struct value *value = context;
    (void)columns, (void)names;
    json_raw(value->json, value->key, values[0] ? values[0] : "null");
    value->found = true;
    return false;
}

int report_value(const struct report *report, const char *sql, const char *const *parameters, const char *key,
                 struct json *json, struct problem *problem)
{
    struct value value = {json, key, false};
    int err = store_query(report->reader, sql, parameters, count_of(parameters), put_value, &value, problem);
    if (!err && !value.found)
        json_null(json, key);
    return err;
}

/* A list of which one page is asked for: {"total": …, "offset": …, "rows": […]}; the SQL ends in LIMIT and OFFSET as ?1 and ?2. */
static int put_paged(const struct report *report, const char *count_sql, const char *sql, struct json *json,
                     struct problem *problem)
{
    struct report_page page;
    int err = report_page(report->target, &page, problem);
    if (err)
        return err;
    err = report_value(report, count_sql, NULL, "total", json, problem);
    json_int(json, "offset", page.offset);
    return err ? err
               : report_rows(report, sql, (const char *const[]){page.limit_text, page.offset_text, NULL},
                             "rows", json, problem);
}

/* References are the first candidates of all. */
#define REFERENCES                                                                                           \
    "candidate NOT INDEXED WHERE id <= (SELECT \"references\" FROM counters) AND reference AND seeds > 0 "   \
    "ORDER BY steps DESC, accuracy_mean DESC "

/* ---- progress ------------------------------------------------------------------------------------------ */

static void put_counts(const struct progress_row *row, struct json *json)
{
    json_int(json, "proposals", row->proposals);
    json_int(json, "candidates", row->candidates);
    json_int(json, "target_candidates", row->target_candidates);
    json_int(json, "references", row->references);
    json_int(json, "duplicates", row->duplicates);
    json_int(json, "rejected", row->rejected);
    json_object(json, "rejected_by");
    for (int v = 0; v < VERDICTS; v++)
        if (v != VERDICT_USABLE)
            json_int(json, verdict_text((enum verdict)v), row->rejected_by[v]);
    json_end(json);
    json_int(json, "trials", row->trials);
    json_int(json, "queued", row->queued);
    json_int(json, "leased", row->leased);
    json_int(json, "done", row->done);
    json_int(json, "diverged", row->diverged);
    json_int(json, "failed", row->failed);
    json_int(json, "finals", row->finals);
    json_int(json, "workers", row->workers);
    json_int(json, "policy_version", row->policy_version);
    json_real(json, "baseline", row->baseline);
    json_real(json, "entropy", row->entropy);
}

static void put_experiment(const struct experiment *experiment, struct json *json)
{
    struct buf algorithm = {0};
    text_put_choice(&algorithm, ALGORITHM_NAMES, (int)experiment->search.algorithm);
    json_text(json, "name", experiment->name[0] ? experiment->name : "search");
    json_text(json, "algorithm", buf_text(&algorithm));
    json_text(json, "data", experiment->child.data);
    json_text(json, "model", experiment->child.model);
    json_int(json, "steps", experiment->child.steps);
    json_int(json, "seeds", experiment->child.seeds);
    buf_release(&algorithm);
}

int report_progress(const struct report *report, struct json *json, struct problem *problem)
{
    struct progress_row row;
    int err = store_progress(report->reader, &row, problem);
    if (err)
        return err;
    json_object(json, NULL);
    put_experiment(report->outlook->experiment, json);
    json_text(json, "phase", row.phase);
    json_text(json, "finished_because", row.finished_because);
    json_real(json, "fraction", estimate_fraction(&report->outlook->estimate, &row));
    json_real(json, "seconds_left", row.finished_because[0] ? NAN : outlook_seconds_left(report->outlook));
    json_real(json, "trials_per_hour",
              row.finished_because[0] ? NAN : outlook_trials_per_hour(report->outlook));
    json_int(json, "started_ms", row.started_ms);
    json_real(json, "elapsed_seconds", row.elapsed_seconds);
    json_real(json, "best_accuracy", row.best_accuracy);
    json_text(json, "best_activation", row.best_activation[0] ? row.best_activation : NULL);
    put_counts(&row, json);
    err = report_value(report, "SELECT count(*) FROM attempt WHERE " STORE_LOST_ATTEMPTS, NULL,
                       "lost_attempts", json, problem);
    if (!err)
        err = report_value(
            report,
            "SELECT json_object('activation', activation, 'accuracy', accuracy_mean) FROM " REFERENCES
            "LIMIT 1",
            NULL, "best_reference", json, problem);
    json_text(json, "version", ACTSEARCH_VERSION);
    json_end(json);
    return err;
}

/* ---- the course of the search -------------------------------------------------------------------------- */

static bool add_score(void *context, const struct score_row *row)
{
    course_add(context, row);
    return true;
}

/* About 100 of the rows of search_history. */
#define THINNED                                                                                              \
    "policy_version > 0 AND (policy_version % (1 + (SELECT max(policy_version) FROM search_history) / 100) " \
    "= 0 "                                                                                                   \
    "OR policy_version = (SELECT max(policy_version) FROM search_history)) ORDER BY policy_version"

int report_course(const struct report *report, struct json *json, struct problem *problem)
{
    struct progress_row row;
    int err = store_progress(report->reader, &row, problem);
    struct course *course = xcalloc(1, sizeof *course);
    if (!err) {
        course_start(course, row.proposals);
        err = store_scores(report->reader, add_score, course, problem);
    }
    json_object(json, NULL);
    course_put(course, "functions", json);
    free(course);
    if (!err)
        err = report_rows(
            report,
            "SELECT json_array(proposals, round(baseline, 5)) FROM search_history WHERE baseline IS NOT "
            "NULL AND " THINNED,
            NULL, "average", json, problem);
    if (!err)
        err = report_rows(report,
                          "SELECT json_object('activation', activation, 'accuracy', round(accuracy_mean, 5)) "
                          "FROM " REFERENCES "LIMIT 3",
                          NULL, "references", json, problem);
    json_end(json);
    return err;
}

/* ---- workers, failures, events ------------------------------------------------------------------------- */

int report_workers(const struct report *report, struct json *json, struct problem *problem)
{
    json_object(json, NULL);
    int err = put_paged(
        report, "SELECT count(*) FROM worker",
        "SELECT json_object('id', id, 'name', substr(name, 1, 8), 'host', host, 'pid', pid, 'slots', "
        "slots, 'cpu', cpu, 'kernels', kernels, 'trainer', trainer, 'connected', connected, "
        "'first_ms', first_ms, 'last_ms', last_ms, 'results', results, 'lost', lost, 'shut_out_ms', "
        "shut_out_ms) FROM worker "
        "ORDER BY connected DESC, id " REPORT_PAGED,
        json, problem);
    if (!err)
        err = report_rows(
            report,
            "SELECT json_object('worker', a.worker, 'activation', c.activation, 'leased_ms', "
            "a.leased_ms, 'steps', t.steps) FROM trial AS t JOIN attempt AS a ON a.trial = t.id AND "
            "a.state = 'leased' JOIN candidate AS c ON c.id = t.candidate WHERE t.state = 'leased' "
            "ORDER BY a.leased_ms LIMIT 1000",
            NULL, "leases", json, problem);
    json_end(json);
    return err;
}

int report_failures(const struct report *report, struct json *json, struct problem *problem)
{
    json_object(json, NULL);
    int err = put_paged(
        report, "SELECT count(*) FROM attempt WHERE " STORE_LOST_ATTEMPTS,
        "SELECT json_object('activation', activation, 'trial', trial, 'attempt', attempt, 'worker', "
        "worker, 'reason', reason, 'at', at) FROM failures ORDER BY at DESC, attempt DESC " REPORT_PAGED,
        json, problem);
    json_end(json);
    return err;
}

int report_events(const struct report *report, struct json *json, struct problem *problem)
{
    json_object(json, NULL);
    int err = put_paged(report, "SELECT count(*) FROM event",
                        "SELECT json_object('id', id, 'at_ms', at_ms, 'kind', kind, 'text', text) FROM event "
                        "ORDER BY id DESC " REPORT_PAGED,
                        json, problem);
    json_end(json);
    return err;
}

/* ---- what the search has learnt ------------------------------------------------------------------------ */

int report_controller(const struct report *report, struct json *json, struct problem *problem)
{
    json_object(json, NULL);
    int err =
        report_value(report,
                     "SELECT json_object('policy_version', policy_version, 'baseline', baseline, 'entropy', "
                     "entropy, 'tokens', json(policy)) FROM search_state",
                     NULL, "now", json, problem);
    if (!err)
        err = report_rows(
            report,
            "SELECT json_object('policy_version', policy_version, 'proposals', proposals, 'baseline', "
            "round(baseline, 5), 'entropy', round(entropy, 5), 'probabilities', (SELECT "
            "json_group_array(round(value ->> 'probability', 4)) FROM json_each(policy))) FROM "
            "search_history WHERE " THINNED,
            NULL, "history", json, problem);
    json_end(json);
    return err;
}
