#include "coordinator/store_read.h"

#include "common/json.h"
#include "common/numerics.h"
#include "coordinator/reader_state.h"
#include "coordinator/schema.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- opening ------------------------------------------------------------------------------------------- */

static int check_file(const char *path, struct problem *problem)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? problem_set(problem, ERR_NOT_FOUND,
                                 "there is no such file; 'actsearch run' and actsearchd make "
                                 "a results database, FILE.db of FILE.ini by default")
                   : problem_set(problem, ERR_IO, "%s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        return problem_set(problem, ERR_CORRUPT, "not a regular file, so no database");
    return 0;
}

static int check_database(struct sql *sql, struct problem *problem)
{
    int64_t application = 0, version = 0;
    int err = sql_number(sql, "PRAGMA application_id", &application, problem);
    if (!err && application != SCHEMA_APPLICATION)
        return problem_set(problem, ERR_CORRUPT, "not a results database of actsearch");
    if (!err)
        err = sql_number(sql, "PRAGMA user_version", &version, problem);
    if (!err && version > SCHEMA_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "made by a newer actsearch (its version is %" PRId64
                           ", this one knows %d): read it with that release",
                           version, SCHEMA_VERSION);
    if (!err && version < SCHEMA_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "made by an older actsearch: start its coordinator once with this release");
    return err;
}

/* The log of a database that was left in order ends with it, so a reader makes a new one beside it. Where it
 * cannot (a folder that is not ours), nobody else writes either. */
static int open_database(const char *path, struct sql **ret_sql, struct problem *problem)
{
    int err = sql_open(path, SQL_READ, ret_sql, problem);
    if (err)
        return err;
    err = check_database(*ret_sql, problem);
    if (err != ERR_IO)
        return err;
    char *log = xasprintf("%s-wal", path);
    struct stat status;
    bool in_order = stat(log, &status) != 0 || status.st_size == 0;
    free(log);
    if (!in_order)
        return err;
    sql_close(ret_sql);
    err = sql_open(path, SQL_READ_IMMUTABLE, ret_sql, problem);
    return err ? err : check_database(*ret_sql, problem);
}

/* People name the experiment file now and then. */
static void hint_at_experiment(const char *path, struct problem *problem)
{
    const size_t length = strlen(path), used = strlen(problem->text);
    if (length > 4 && strcmp(path + length - 4, ".ini") == 0)
        snprintf(problem->text + used, sizeof problem->text - used,
                 "; expected not the experiment file but its results, %.*s.db by default", (int)length - 4,
                 path);
}

int store_reader_open(const char *path, struct store_reader **ret_reader, struct problem *problem)
{
    struct sql *sql = NULL;
    int err = check_file(path, problem);
    if (!err)
        err = open_database(path, &sql, problem);
    if (err) {
        if (err == ERR_CORRUPT)
            hint_at_experiment(path, problem);
        problem_prefix(problem, "%s", path);
        sql_close(&sql);
        return err;
    }
    struct store_reader *reader = xcalloc(1, sizeof *reader);
    reader->path = xstrdup(path);
    reader->sql = sql;
    *ret_reader = reader;
    return 0;
}

void store_reader_close(struct store_reader **reader)
{
    if (!*reader)
        return;
    sql_close(&(*reader)->sql);
    free((*reader)->path);
    free(*reader);
    *reader = NULL;
}

/* ---- queries ------------------------------------------------------------------------------------------- */

/* Steps through a statement and ends it. `visit` reads the row and returns false where it wants no more. */
static int each_row(struct store_reader *reader, struct sql_statement **statement,
                    bool (*visit)(void *, const struct sql_statement *), void *context,
                    struct problem *problem)
{
    bool row = false;
    int err;
    while ((err = sql_step(*statement, &row, problem)) == 0 && row && visit(context, *statement))
        continue;
    if (err)
        problem_prefix(problem, "%s", reader->path);
    sql_finalize(statement);
    return err;
}

/* Of a query of our own: where it does not fit the database, that is damaged. */
static int prepare(struct store_reader *reader, const char *text, struct sql_statement **ret_statement,
                   struct problem *problem)
{
    int err = sql_prepare(reader->sql, text, ret_statement, problem);
    if (err)
        problem_prefix(problem, "%s", reader->path);
    return err == ERR_INPUT ? ERR_CORRUPT : err;
}

/* A text that is there in any case. */
static const char *text_of(const struct sql_statement *statement, int at)
{
    const char *text = sql_column_text(statement, at);
    return text ? text : "";
}

struct ranking_visit {
    bool (*visit)(void *, const struct ranking_row *);
    void *context;
};

static bool visit_ranking(void *context, const struct sql_statement *statement)
{
    const struct ranking_visit *ranking = context;
    struct ranking_row row = {
        .rank = sql_column_int(statement, 0),
        .activation = text_of(statement, 1),
        .accuracy_mean = sql_column_real(statement, 2),
        .accuracy_sd = sql_column_real(statement, 3),
        .seeds = sql_column_int(statement, 4),
        .trials = sql_column_int(statement, 5),
        .steps = sql_column_int(statement, 6),
        .parameters = sql_column_int(statement, 7),
        .seconds = sql_column_real(statement, 8),
        .cost_ns = sql_column_real(statement, 9),
        .reference = sql_column_int(statement, 10) != 0,
        .distinct_from_next = sql_column_real(statement, 11),
    };
    return ranking->visit(ranking->context, &row);
}

#define RANKING_COLUMNS                                                                                      \
    "SELECT rank, activation, accuracy_mean, accuracy_sd, seeds, trials, steps, parameters, seconds, "       \
    "cost_ns, reference, distinct_from_next FROM ranking "

/* `text` has one parameter, the limit. */
static int read_ranking(struct store_reader *reader, const char *text, int64_t limit,
                        bool (*visit)(void *, const struct ranking_row *), void *context,
                        struct problem *problem)
{
    struct sql_statement *statement = NULL;
    struct ranking_visit ranking = {visit, context};
    int err = prepare(reader, text, &statement, problem);
    if (err)
        return err;
    sql_bind_int(statement, 1, limit);
    return each_row(reader, &statement, visit_ranking, &ranking, problem);
}

int store_ranking(struct store_reader *reader, int64_t limit,
                  bool (*visit)(void *, const struct ranking_row *), void *context, struct problem *problem)
{
    return read_ranking(reader, RANKING_COLUMNS "LIMIT ?", limit > 0 ? limit : -1, visit, context, problem);
}

int store_ranking_top(struct store_reader *reader, int64_t limit,
                      bool (*visit)(void *, const struct ranking_row *), void *context, int64_t *ret_count,
                      struct problem *problem)
{
    int err = sql_number(reader->sql, "SELECT count(*) FROM candidate WHERE seeds > 0", ret_count, problem);
    if (err) {
        problem_prefix(problem, "%s", reader->path);
        return err;
    }
    return read_ranking(
        reader,
        RANKING_COLUMNS
        "WHERE rank <= ? OR activation IN (SELECT activation FROM candidate WHERE reference = 1)",
        limit, visit, context, problem);
}

struct rank_visit {
    bool (*visit)(void *, int64_t, int64_t);
    void *context;
    int64_t rank;
};

static bool visit_rank(void *context, const struct sql_statement *statement)
{
    struct rank_visit *ranks = context;
    return ranks->visit(ranks->context, ++ranks->rank, sql_column_int(statement, 0));
}

int store_ranks(struct store_reader *reader, bool (*visit)(void *, int64_t rank, int64_t candidate),
                void *context, struct problem *problem)
{
    struct sql_statement *statement = NULL;
    struct rank_visit ranks = {.visit = visit, .context = context};
    int err = prepare(reader, "SELECT id FROM candidate WHERE seeds > 0 ORDER BY " STORE_RANKING_ORDER,
                      &statement, problem);
    return err ? err : each_row(reader, &statement, visit_rank, &ranks, problem);
}

struct score_visit {
    bool (*visit)(void *, const struct score_row *);
    void *context;
};

static bool visit_score(void *context, const struct sql_statement *statement)
{
    const struct score_visit *score = context;
    const struct score_row row = {sql_column_int(statement, 0), sql_column_int(statement, 1),
                                  sql_column_real(statement, 2)};
    return score->visit(score->context, &row);
}

int store_scores(struct store_reader *reader, bool (*visit)(void *, const struct score_row *), void *context,
                 struct problem *problem)
{
    struct sql_statement *statement = NULL;
    struct score_visit score = {visit, context};
    /* Candidates are numbered in the order of their first proposals, so this is no sort. */
    int err = prepare(reader,
                      "SELECT first_proposal, steps, accuracy_mean FROM candidate NOT INDEXED "
                      "WHERE seeds > 0 AND NOT reference ORDER BY id",
                      &statement, problem);
    return err ? err : each_row(reader, &statement, visit_score, &score, problem);
}

struct progress_visit {
    struct progress_row row;
    bool found;
};

static bool visit_progress(void *context, const struct sql_statement *statement)
{
    struct progress_visit *progress = context;
    struct progress_row *row = &progress->row;
    int at = 0;
    int64_t *const counts[] = {
        &row->proposals,
        &row->candidates,
        &row->references,
        &row->duplicates,
        &row->rejected,
        &row->rejected_by[VERDICT_CONSTANT],
        &row->rejected_by[VERDICT_NOT_FINITE],
        &row->rejected_by[VERDICT_SLOPE_NOT_FINITE],
        &row->rejected_by[VERDICT_TOO_LARGE],
        &row->trials,
        &row->queued,
        &row->leased,
        &row->done,
        &row->diverged,
        &row->failed,
        &row->finals,
        &row->workers,
        &row->target_candidates,
        &row->policy_version,
        &row->started_ms,
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = sql_column_int(statement, at++);
    row->baseline = sql_column_real(statement, at++);
    row->entropy = sql_column_real(statement, at++);
    row->elapsed_seconds = sql_column_real(statement, at++);
    row->best_accuracy = sql_column_real(statement, at++);
    snprintf(row->finished_because, sizeof row->finished_because, "%s", text_of(statement, at++));
    snprintf(row->best_activation, sizeof row->best_activation, "%s", text_of(statement, at++));
    snprintf(row->phase, sizeof row->phase, "%s", text_of(statement, at++));
    progress->found = true;
    return false;
}

int store_progress(struct store_reader *reader, struct progress_row *ret_row, struct problem *problem)
{
    struct sql_statement *statement = NULL;
    struct progress_visit progress = {0};
    int err = prepare(
        reader,
        "SELECT proposals, candidates, \"references\", duplicates, rejected, rejected_constant, "
        "rejected_not_finite, rejected_slope_not_finite, rejected_too_large, trials, queued, leased, "
        "done, diverged, failed, finals, workers, target_candidates, policy_version, started_ms, baseline, "
        "entropy, elapsed_seconds, best_accuracy, finished_because, best_activation, phase FROM progress",
        &statement, problem);
    if (!err)
        err = each_row(reader, &statement, visit_progress, &progress, problem);
    if (!err && !progress.found)
        err = problem_set(problem, ERR_CORRUPT, "%s: the row of the experiment is missing", reader->path);
    if (!err)
        *ret_row = progress.row;
    return err;
}

struct query_visit {
    bool (*visit)(void *, int columns, const char *const *names, const char *const *values);
    void *context;
    int columns;
    const char **names, **values;
    char (*reals)[REAL_TEXT];
};

static bool visit_query(void *context, const struct sql_statement *statement)
{
    struct query_visit *query = context;
    for (int i = 0; i < query->columns; i++) {
        query->names[i] = sql_column_name(statement, i);
        if (sql_column_type(statement, i) == SQL_REAL) {
            real_text(sql_column_real(statement, i), query->reals[i]);
            query->values[i] = query->reals[i];
        } else {
            query->values[i] = sql_column_text(statement, i);
        }
    }
    return query->visit(query->context, query->columns, query->names, query->values);
}

int store_query(struct store_reader *reader, const char *sql, const char *const *parameters,
                int parameter_count,
                bool (*visit)(void *, int columns, const char *const *names, const char *const *values),
                void *context, struct problem *problem)
{
    struct sql_statement *statement = NULL;
    int err = sql_prepare(reader->sql, sql, &statement, problem);
    if (!err && !sql_only_reads(statement))
        err = problem_set(problem, ERR_INPUT, "a query that writes");
    if (!err && sql_parameters(statement) != parameter_count)
        err = problem_set(problem, ERR_INPUT, "%d parameters for a query with %d", parameter_count,
                          sql_parameters(statement));
    if (err) {
        sql_finalize(&statement);
        problem_prefix(problem, "%s", reader->path);
        return err;
    }
    for (int i = 0; i < parameter_count; i++)
        if (parameters[i])
            sql_bind_text(statement, i + 1, parameters[i]);
        else
            sql_bind_null(statement, i + 1);
    struct query_visit query = {.visit = visit, .context = context, .columns = sql_columns(statement)};
    size_t columns = (size_t)query.columns;
    query.names = xcalloc(columns, sizeof *query.names);
    query.values = xcalloc(columns, sizeof *query.values);
    query.reals = xcalloc(columns, sizeof *query.reals);
    err = each_row(reader, &statement, visit_query, &query, problem);
    free(query.names);
    free(query.values);
    free(query.reals);
    return err;
}

static bool is_built_in(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(bool *)context = values[0] && strcmp(values[0], BUILT_IN_TRAINER) == 0;
    return false;
}

bool store_has_built_in_trainer(struct store_reader *reader)
{
    struct problem unreadable;
    bool built_in = false;
    return store_query(reader, "SELECT trainer FROM experiment", NULL, 0, is_built_in, &built_in,
                       &unreadable) == 0 &&
           built_in;
}
