#include "coordinator/sql.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_WAIT_MS = 10 * 1000 };

struct sql {
    sqlite3 *connection;
};

struct sql_statement {
    sqlite3_stmt *statement;
};

/* ---- errors -------------------------------------------------------------------------------------------- */

/* An error of the system's, whose number SQLite keeps, that says no more than: there is no room. */
static bool for_want_of_room(sqlite3 *connection, int code)
{
    if ((code & 0xff) != SQLITE_IOERR || !connection)
        return false;
    int number = sqlite3_system_errno(connection);
    switch (code) {
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
    case SQLITE_IOERR_TRUNCATE:
    case SQLITE_IOERR_SHMSIZE:
        return number == ENOSPC || number == EDQUOT;
    default:
        return false;
    }
}

static int err_of(sqlite3 *connection, int code)
{
    if (for_want_of_room(connection, code))
        return ERR_FULL;
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_ERROR:
    case SQLITE_AUTH:
        return ERR_INPUT;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_FULL:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}

static int fail(sqlite3 *connection, int code, struct problem *problem)
{
    if (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        out_of_memory();
    return problem_set(problem, err_of(connection, code), "%s",
                       connection ? sqlite3_errmsg(connection) : sqlite3_errstr(code));
}

/* ---- connections --------------------------------------------------------------------------------------- */

/* The path as a URI, so that no character of it means anything. */
static char *uri_of(const char *path, const char *query)
{
    char *uri = xcalloc(3 * strlen(path) + strlen(query) + 16, 1);
    char *end = uri + sprintf(uri, "file:%s", path[0] == '/' ? "//" : "");
    for (; *path; path++)
        if (strchr("%?#", *path))
            end += sprintf(end, "%%%02x", (unsigned char)*path);
        else
            *end++ = *path;
    strcpy(end, query);
    return uri;
}

int sql_open(const char *path, enum sql_access access, struct sql **ret_sql, struct problem *problem)
{
    static const int flags[] = {
        [SQL_READ] = SQLITE_OPEN_READONLY,
        [SQL_READ_IMMUTABLE] = SQLITE_OPEN_READONLY,
        [SQL_WRITE] = SQLITE_OPEN_READWRITE,
        [SQL_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
    };
    sqlite3 *connection = NULL;
    char *uri = uri_of(path, access == SQL_READ_IMMUTABLE ? "?immutable=1" : "");
    int code = sqlite3_open_v2(uri, &connection, flags[access] | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    free(uri);
    if (code != SQLITE_OK) {
        int err = fail(connection, code, problem);
        sqlite3_close(connection);
        return err;
    }
    if (access == SQL_WRITE && sqlite3_db_readonly(connection, "main") == 1) {
        sqlite3_close(connection); /* SQLite would open it all the same, for reading */
        return problem_set(problem, ERR_IO, "the file cannot be written by this user");
    }
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_timeout(connection, BUSY_WAIT_MS);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_limit(connection, SQLITE_LIMIT_ATTACHED, 0);
    struct sql *sql = xcalloc(1, sizeof *sql);
    sql->connection = connection;
    *ret_sql = sql;
    return 0;
}

void sql_close(struct sql **sql)
{
    if (!*sql)
        return;
    int code = sqlite3_close((*sql)->connection);
    assert(code == SQLITE_OK); /* all statements are finalized */
    (void)code;
    free(*sql);
    *sql = NULL;
}

void sql_checkpoint_on_close(struct sql *sql, bool wanted)
{
    sqlite3_db_config(sql->connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !wanted, NULL);
}

int sql_exec(struct sql *sql, const char *text, struct problem *problem)
{
    int code = sqlite3_exec(sql->connection, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : fail(sql->connection, code, problem);
}

int sql_number(struct sql *sql, const char *text, int64_t *ret_value, struct problem *problem)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    int err = sql_prepare(sql, text, &statement, problem);
    if (err)
        return err;
    err = sql_step(statement, &row, problem);
    if (!err && !(row && sql_column_type(statement, 0) == SQL_INT))
        err = problem_set(problem, ERR_CORRUPT, "no answer to '%s'", text);
    if (!err)
        *ret_value = sql_column_int(statement, 0);
    sql_finalize(&statement);
    return err;
}

/* ---- transactions -------------------------------------------------------------------------------------- */

int sql_begin(struct sql *sql, struct problem *problem)
{
    return sql_exec(sql, "BEGIN IMMEDIATE", problem);
}

int sql_begin_reading(struct sql *sql, struct problem *problem)
{
    int64_t ignored; /* the first read decides which state it is */
    int err = sql_exec(sql, "BEGIN", problem);
    return err ? err : sql_number(sql, "SELECT count(*) FROM sqlite_schema", &ignored, problem);
}

int sql_commit(struct sql *sql, struct problem *problem)
{
    return sql_exec(sql, "COMMIT", problem);
}

void sql_rollback(struct sql *sql)
{
    if (!sqlite3_get_autocommit(sql->connection))
        sqlite3_exec(sql->connection, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- statements ---------------------------------------------------------------------------------------- */

int sql_prepare(struct sql *sql, const char *text, struct sql_statement **ret_statement,
                struct problem *problem)
{
    sqlite3_stmt *prepared = NULL;
    const char *rest = "";
    int code = sqlite3_prepare_v3(sql->connection, text, -1, SQLITE_PREPARE_PERSISTENT, &prepared, &rest);
    if (code != SQLITE_OK)
        return fail(sql->connection, code, problem);
    if (!prepared || rest[strspn(rest, " \t\r\n;")] != '\0') {
        sqlite3_finalize(prepared);
        return problem_set(problem, ERR_INPUT, "expected one SQL statement");
    }
    struct sql_statement *statement = xcalloc(1, sizeof *statement);
    statement->statement = prepared;
    *ret_statement = statement;
    return 0;
}

int sql_prepare_own(struct sql *sql, const char *text, struct sql_statement **ret_statement,
                    struct problem *problem)
{
    int err = sql_prepare(sql, text, ret_statement, problem);
    return err == ERR_INPUT ? ERR_CORRUPT : err;
}

void sql_finalize(struct sql_statement **statement)
{
    if (!*statement)
        return;
    sqlite3_finalize((*statement)->statement);
    free(*statement);
    *statement = NULL;
}

bool sql_only_reads(const struct sql_statement *statement)
{
    return sqlite3_stmt_readonly(statement->statement) != 0;
}

int sql_parameters(const struct sql_statement *statement)
{
    return sqlite3_bind_parameter_count(statement->statement);
}

static void bound(int code)
{
    if (code == SQLITE_NOMEM)
        out_of_memory();
    assert(code == SQLITE_OK); /* the parameter exists, and the statement is reset */
}

void sql_bind_int(struct sql_statement *statement, int at, int64_t value)
{
    bound(sqlite3_bind_int64(statement->statement, at, value));
}

void sql_bind_real(struct sql_statement *statement, int at, double value)
{
    bound(sqlite3_bind_double(statement->statement, at, value));
}

void sql_bind_text(struct sql_statement *statement, int at, const char *value)
{
    bound(sqlite3_bind_text(statement->statement, at, value, -1, SQLITE_STATIC));
}

void sql_bind_bytes(struct sql_statement *statement, int at, const void *data, size_t size)
{
    bound(sqlite3_bind_blob64(statement->statement, at, size > 0 ? data : "", size, SQLITE_STATIC));
}

void sql_bind_null(struct sql_statement *statement, int at)
{
    bound(sqlite3_bind_null(statement->statement, at));
}

int sql_step(struct sql_statement *statement, bool *ret_row, struct problem *problem)
{
    int code = sqlite3_step(statement->statement);
    *ret_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return 0;
    int err = code == SQLITE_DONE ? 0 : fail(sqlite3_db_handle(statement->statement), code, problem);
    sqlite3_reset(statement->statement);
    return err;
}

void sql_reset(struct sql_statement *statement)
{
    sqlite3_reset(statement->statement);
}

int sql_columns(const struct sql_statement *statement)
{
    return sqlite3_column_count(statement->statement);
}

const char *sql_column_name(const struct sql_statement *statement, int at)
{
    return sqlite3_column_name(statement->statement, at);
}

enum sql_type sql_column_type(const struct sql_statement *statement, int at)
{
    switch (sqlite3_column_type(statement->statement, at)) {
    case SQLITE_INTEGER:
        return SQL_INT;
    case SQLITE_FLOAT:
        return SQL_REAL;
    case SQLITE_TEXT:
        return SQL_TEXT;
    case SQLITE_BLOB:
        return SQL_BYTES;
    default:
        return SQL_NULL;
    }
}

int64_t sql_column_int(const struct sql_statement *statement, int at)
{
    return sqlite3_column_int64(statement->statement, at);
}

double sql_column_real(const struct sql_statement *statement, int at)
{
    return sql_column_type(statement, at) == SQL_NULL ? NAN : sqlite3_column_double(statement->statement, at);
}

/* A text or bytes may have to be copied to be read: NULL also where that failed. */
static const void *there(const struct sql_statement *statement, const void *value)
{
    if (!value && sqlite3_errcode(sqlite3_db_handle(statement->statement)) == SQLITE_NOMEM)
        out_of_memory();
    return value;
}

const char *sql_column_text(const struct sql_statement *statement, int at)
{
    return (const char *)there(statement, sqlite3_column_text(statement->statement, at));
}

const void *sql_column_bytes(const struct sql_statement *statement, int at)
{
    return there(statement, sqlite3_column_blob(statement->statement, at));
}

size_t sql_column_size(const struct sql_statement *statement, int at)
{
    return (size_t)sqlite3_column_bytes(statement->statement, at);
}

/* ---- a copy of a whole database -------------------------------------------------------------------------
 */

struct sql_copy {
    sqlite3_backup *backup;
    sqlite3 *to;
};

int sql_copy_start(struct sql *from, struct sql *to, struct sql_copy **ret_copy, struct problem *problem)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->connection, "main", from->connection, "main");
    if (!backup)
        return fail(to->connection, sqlite3_errcode(to->connection), problem);
    struct sql_copy *copy = xcalloc(1, sizeof *copy);
    copy->backup = backup;
    copy->to = to->connection;
    *ret_copy = copy;
    return 0;
}

int sql_copy_pages(struct sql_copy *copy, int count, bool *ret_more, int64_t *ret_done, int64_t *ret_all,
                   struct problem *problem)
{
    int code = sqlite3_backup_step(copy->backup, count);
    if (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        out_of_memory();
    if (code != SQLITE_OK && code != SQLITE_DONE)
        return problem_set(problem, err_of(copy->to, code), "%s", sqlite3_errstr(code));
    *ret_more = code == SQLITE_OK;
    *ret_all = sqlite3_backup_pagecount(copy->backup);
    *ret_done = *ret_all - sqlite3_backup_remaining(copy->backup);
    return 0;
}

void sql_copy_end(struct sql_copy **copy)
{
    if (!*copy)
        return;
    sqlite3_backup_finish((*copy)->backup);
    free(*copy);
    *copy = NULL;
}
