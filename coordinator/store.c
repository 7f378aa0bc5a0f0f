#include "coordinator/store.h"

#include "common/numerics.h"
#include "coordinator/columns.h"
#include "coordinator/database_file.h"
#include "coordinator/map.h"
#include "coordinator/restore.h"
#include "coordinator/schema.h"
#include "coordinator/sql.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What brings a database from version n to n + 1. */
static const char *const migrations[SCHEMA_VERSION] = {schema_sql};

/* The statements that stay prepared. */
enum replacement {
    REPLACE_EXPERIMENT,
    REPLACE_COUNTERS,
    REPLACE_WORKER,
    REPLACE_CANDIDATE,
    REPLACE_PROPOSAL,
    REPLACE_TRIAL,
    REPLACE_ATTEMPT,
    REPLACE_SEARCH_STATE,
    REPLACE_SEARCH_HISTORY,
    REPLACE_SEARCH_MODEL,
    REPLACEMENTS,
};
static const struct table *const replaced[REPLACEMENTS] = {
    [REPLACE_EXPERIMENT] = &experiment_table,
    [REPLACE_COUNTERS] = &counters_table,
    [REPLACE_WORKER] = &worker_table,
    [REPLACE_CANDIDATE] = &candidate_table,
    [REPLACE_PROPOSAL] = &proposal_table,
    [REPLACE_TRIAL] = &trial_table,
    [REPLACE_ATTEMPT] = &attempt_table,
    [REPLACE_SEARCH_STATE] = &search_state_table,
    [REPLACE_SEARCH_HISTORY] = &search_history_table,
    [REPLACE_SEARCH_MODEL] = &search_model_table,
};

/* A connection with what it takes to write rows. */
struct writer {
    struct sql *sql;
    struct sql_statement *replace[REPLACEMENTS];
    struct sql_statement *find_curve, *forget_curve, *add_curve_point, *add_event;
};

struct store {
    char *path;
    const struct experiment *experiment;
    struct database_lock *lock;
    struct writer writer; /* sql is NULL while there is no database */
    bool written;
};

/* ---- the connection ------------------------------------------------------------------------------------ */

static void writer_close(struct writer *writer)
{
    for (int i = 0; i < REPLACEMENTS; i++)
        sql_finalize(&writer->replace[i]);
    sql_finalize(&writer->find_curve);
    sql_finalize(&writer->forget_curve);
    sql_finalize(&writer->add_curve_point);
    sql_finalize(&writer->add_event);
    sql_close(&writer->sql);
}

static int writer_prepare(struct writer *writer, struct problem *problem)
{
    struct buf text = {0};
    int err = 0;
    for (int i = 0; i < REPLACEMENTS && !err; i++) {
        buf_clear(&text);
        table_put_replace(replaced[i], &text);
        err = sql_prepare_own(writer->sql, buf_text(&text), &writer->replace[i], problem);
    }
    buf_release(&text);
    if (!err)
        err = sql_prepare_own(writer->sql, "SELECT 1 FROM curve WHERE trial = ? LIMIT 1", &writer->find_curve,
                              problem);
    if (!err)
        err =
            sql_prepare_own(writer->sql, "DELETE FROM curve WHERE trial = ?", &writer->forget_curve, problem);
    if (!err)
        err = sql_prepare_own(writer->sql, "INSERT INTO curve (trial, point, step, loss) VALUES (?, ?, ?, ?)",
                              &writer->add_curve_point, problem);
    if (!err)
        err = sql_prepare_own(writer->sql, "INSERT INTO event (at_ms, kind, text) VALUES (?, ?, ?)",
                              &writer->add_event, problem);
    return err;
}

/* Brings the database to the present version; a new one is at version 0. */
static int migrate(struct sql *sql, int64_t version, struct problem *problem)
{
    for (; version < SCHEMA_VERSION; version++) {
        int err = sql_begin(sql, problem);
        if (!err)
            err = sql_exec(sql, migrations[version], problem);
        if (!err)
            err = sql_commit(sql, problem);
        if (err) {
            sql_rollback(sql);
            return err;
        }
    }
    return 0;
}

static int check_version(struct sql *sql, int64_t *ret_version, struct problem *problem)
{
    int err = sql_number(sql, "PRAGMA user_version", ret_version, problem);
    if (err)
        return err;
    if (*ret_version > SCHEMA_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "the database was made by a newer actsearch (its version is %" PRId64
                           ", this one knows %d): go on with that release",
                           *ret_version, SCHEMA_VERSION);
    if (*ret_version < 1)
        return problem_set(problem, ERR_CORRUPT, "the database has no version");
    return 0;
}

/* A log beside the database while a coordinator writes: readers and it do not wait for each other. */
static int begin_log(struct sql *sql, struct problem *problem)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    int err = sql_prepare(sql, "PRAGMA journal_mode = WAL", &statement, problem);
    if (!err)
        err = sql_step(statement, &row, problem);
    if (!err && !(row && sql_column_type(statement, 0) == SQL_TEXT &&
                  strcmp(sql_column_text(statement, 0), "wal") == 0))
        err = problem_set(problem, ERR_IO, "its file system offers no memory that processes can share");
    sql_finalize(&statement);
    return err;
}

/* So that the database is one file again, which can be read where nothing can be written. Where a reader has
 * it open the log stays, but emptied, so that the file alone holds all; where one is reading at this moment,
 * not even that, and nothing is lost. */
static void end_log(struct sql *sql)
{
    struct problem ignored;
    if (sql_exec(sql, "PRAGMA busy_timeout = 0", &ignored) == 0 &&
        sql_exec(sql, "PRAGMA journal_mode = DELETE", &ignored) != 0)
        sql_exec(sql, "PRAGMA wal_checkpoint(TRUNCATE)", &ignored);
}

/* The file is there. A connection that only reads leaves its log as it found it. */
static int writer_open(struct writer *writer, const char *path, struct problem *problem)
{
    char *log = xasprintf("%s-wal", path);
    struct stat status;
    bool log_in_use = stat(log, &status) == 0 && status.st_size > 0;
    free(log);
    int64_t version = 0;
    int err = sql_open(path, SQL_WRITE, &writer->sql, problem);
    if (err)
        return err;
    sql_checkpoint_on_close(writer->sql, !log_in_use);
    err = check_version(writer->sql, &version, problem);
    if (!err)
        err = migrate(writer->sql, version, problem);
    if (!err) /* 32 MB of pages in memory; a log that grew is cut to twice as much */
        err = sql_exec(writer->sql,
                       "PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; "
                       "PRAGMA journal_size_limit = 67108864",
                       problem);
    if (!err)
        err = writer_prepare(writer, problem);
    return err;
}

/* ---- writing rows -------------------------------------------------------------------------------------- */

static int step(struct sql_statement *statement, struct problem *problem)
{
    bool row;
    return sql_step(statement, &row, problem);
}

static int replace(struct writer *writer, enum replacement at, const void *row, struct problem *problem)
{
    struct table_texts texts;
    table_bind(replaced[at], writer->replace[at], row, &texts);
    return step(writer->replace[at], problem);
}

/* A list of rows whose first field is their key. Of those with the same key only the last one matters. */
static int replace_list(struct writer *writer, enum replacement at, const void *items, size_t count,
                        size_t row_bytes, struct problem *problem)
{
    struct map last = {0}; /* by key: 1 + index */
    int err = 0;
    for (size_t i = 0; i < count && count > 1; i++)
        map_set(&last, (uint64_t) * (const int64_t *)((const char *)items + i * row_bytes), (uint32_t)i + 1);
    for (size_t i = 0; i < count && !err; i++) {
        const void *row = (const char *)items + i * row_bytes;
        if (count == 1 || map_get(&last, (uint64_t) * (const int64_t *)row) == i + 1)
            err = replace(writer, at, row, problem);
    }
    map_release(&last);
    return err;
}

static int write_curve(struct writer *writer, const struct curve_row *row, struct problem *problem)
{
    assert(row->count >= 0 && row->count <= CURVE_POINTS);
    bool there = false; /* it hardly ever is, and to look costs less than to delete nothing */
    sql_bind_int(writer->find_curve, 1, row->trial);
    int err = sql_step(writer->find_curve, &there, problem);
    sql_reset(writer->find_curve);
    sql_bind_int(writer->forget_curve, 1, row->trial);
    if (!err && there)
        err = step(writer->forget_curve, problem);
    for (int i = 0; i < row->count && !err; i++) {
        sql_bind_int(writer->add_curve_point, 1, row->trial);
        sql_bind_int(writer->add_curve_point, 2, i);
        sql_bind_int(writer->add_curve_point, 3, row->step[i]);
        sql_bind_real(writer->add_curve_point, 4, row->loss[i]);
        err = step(writer->add_curve_point, problem);
    }
    return err;
}

static int write_event(struct writer *writer, const struct event_row *row, struct problem *problem)
{
    sql_bind_int(writer->add_event, 1, row->at_ms);
    sql_bind_text(writer->add_event, 2, row->kind);
    sql_bind_text(writer->add_event, 3, row->text);
    return step(writer->add_event, problem);
}

#define LIST(list) rows->list.items, rows->list.count, sizeof *rows->list.items

static int write_rows(struct writer *writer, const struct rows *rows, struct problem *problem)
{
    int err = 0;
    if (rows->experiment_changed)
        err = replace(writer, REPLACE_EXPERIMENT, &rows->experiment, problem);
    if (rows->counters_changed && !err)
        err = replace(writer, REPLACE_COUNTERS, &rows->counters, problem);
    if (!err)
        err = replace_list(writer, REPLACE_WORKER, LIST(workers), problem);
    if (!err)
        err = replace_list(writer, REPLACE_CANDIDATE, LIST(candidates), problem);
    if (!err)
        err = replace_list(writer, REPLACE_PROPOSAL, LIST(proposals), problem);
    if (!err)
        err = replace_list(writer, REPLACE_TRIAL, LIST(trials), problem);
    if (!err)
        err = replace_list(writer, REPLACE_ATTEMPT, LIST(attempts), problem);
    for (size_t i = 0; i < rows->curves.count && !err; i++)
        err = write_curve(writer, &rows->curves.items[i], problem);
    for (size_t i = 0; i < rows->events.count && !err; i++)
        err = write_event(writer, &rows->events.items[i], problem);
    if (rows->search_changed && !err)
        err = replace(writer, REPLACE_SEARCH_STATE, &rows->search, problem);
    if (rows->search_changed && !err)
        err = replace(writer, REPLACE_SEARCH_HISTORY, &rows->search, problem);
    if (rows->model_changed && !err)
        err = replace(writer, REPLACE_SEARCH_MODEL, &rows->model, problem);
    return err;
}

static int write_transaction(struct writer *writer, const struct rows *rows, struct problem *problem)
{
    int err = sql_begin(writer->sql, problem);
    if (!err)
        err = write_rows(writer, rows, problem);
    if (!err)
        err = sql_commit(writer->sql, problem);
    if (err)
        sql_rollback(writer->sql);
    return err;
}

/* ---- a new database ------------------------------------------------------------------------------------ */

/* What a new database begins with. */
static void first_rows(const struct experiment *experiment, struct rows *ret_rows)
{
    char *text = experiment_text(experiment);
    ret_rows->experiment_changed = ret_rows->counters_changed = true;
    ret_rows->experiment = (struct experiment_row){
        .name = rows_keep(ret_rows, experiment->name),
        .text = rows_keep(ret_rows, text),
        .numerics = NUMERICS,
        .trainer = "",
        .data_hash = "",
        .target_candidates = experiment->search.candidates,
        .finished_because = "",
    };
    free(text);
}

static int fill_new(const char *path, const struct experiment *experiment, struct problem *problem)
{
    struct writer writer = {0};
    struct rows rows = {0};
    first_rows(experiment, &rows);
    int err = sql_open(path, SQL_CREATE, &writer.sql, problem);
    if (!err)
        err = migrate(writer.sql, 0, problem);
    if (!err)
        err = writer_prepare(&writer, problem);
    if (!err)
        err = write_transaction(&writer, &rows, problem);
    writer_close(&writer);
    rows_release(&rows);
    return err;
}

static int system_problem(struct problem *problem, const char *where)
{
    return problem_set(problem, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s%s", where,
                       strerror(errno));
}

/* So that the new name is as durable as the file. */
static int sync_folder(const char *path, struct problem *problem)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = 0;
    if (fd < 0 || fsync(fd) != 0)
        err = system_problem(problem, "its folder: ");
    if (fd >= 0)
        close(fd);
    free(copy);
    return err;
}

/* Its name is free (or that of an empty file), and the lock is ours: what is left of an earlier attempt is
 * too. */
static int create(const char *path, const struct experiment *experiment, struct problem *problem)
{
    char *unfinished = xasprintf("%s-new", path), *journal = xasprintf("%s-new-journal", path);
    unlink(unfinished);
    unlink(journal);
    int err = fill_new(unfinished, experiment, problem);
    if (!err && rename(unfinished, path) != 0)
        err = system_problem(problem, "");
    if (err)
        unlink(unfinished);
    free(unfinished);
    free(journal);
    return err ? err : sync_folder(path, problem);
}

/* ---- the store ----------------------------------------------------------------------------------------- */

static int open_store(const char *path, const struct experiment *experiment, bool network_too,
                      struct store **ret_store, struct problem *problem)
{
    struct store *store = xcalloc(1, sizeof *store);
    store->experiment = experiment;
    bool exists = false;
    int err = database_path(path, &store->path, &exists, problem);
    if (!err)
        err = database_lock(store->path, network_too, &store->lock, problem);
    if (!err) { /* again: it may have been made while we had no lock */
        free(store->path);
        store->path = NULL;
        err = database_path(path, &store->path, &exists, problem);
    }
    if (!err && exists)
        err = database_check(store->path, problem);
    if (!err && exists) {
        err = writer_open(&store->writer, store->path, problem);
        if (err)
            problem_prefix(problem, "%s", store->path);
    }
    if (err) {
        store_close(&store);
        return err;
    }
    *ret_store = store;
    return 0;
}

int store_open(const char *path, const struct experiment *experiment, struct store **ret_store,
               struct problem *problem)
{
    return open_store(path, experiment, false, ret_store, problem);
}

int store_open_anywhere(const char *path, const struct experiment *experiment, struct store **ret_store,
                        struct problem *problem)
{
    return open_store(path, experiment, true, ret_store, problem);
}

void store_close(struct store **store)
{
    if (!*store)
        return;
    if ((*store)->written)
        end_log((*store)->writer.sql);
    writer_close(&(*store)->writer);
    database_unlock(&(*store)->lock);
    free((*store)->path);
    free(*store);
    *store = NULL;
}

bool store_is_new(const struct store *store)
{
    return !store->writer.sql;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int store_write(struct store *store, const struct rows *rows, struct problem *problem)
{
    int err = 0;
    if (store_is_new(store)) {
        err = create(store->path, store->experiment, problem);
        if (!err) {
            err = writer_open(&store->writer, store->path, problem);
            if (err)
                writer_close(&store->writer);
        }
    }
    if (!err && !store->written && (err = begin_log(store->writer.sql, problem)) == 0) {
        sql_checkpoint_on_close(store->writer.sql, true);
        store->written = true;
    }
    if (!err)
        err = write_transaction(&store->writer, rows, problem);
    if (err)
        problem_prefix(problem, "%s", store->path);
    return err;
}

/* ---- restoring --------------------------------------------------------------------------------------- */

int store_restore(struct store *store, struct rows *ret_rows, struct problem *problem)
{
    if (store_is_new(store)) {
        first_rows(store->experiment, ret_rows);
        return 0;
    }
    int err = restore_rows(store->writer.sql, ret_rows, problem);
    if (err)
        problem_prefix(problem, "%s", store->path);
    return err;
}
