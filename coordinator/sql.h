/* sql: SQLite as the rest of the coordinator sees it: connections, statements, transactions, and its errors
 * as our own. sql.c is the only includer of sqlite3.h.
 *
 * Invariants
 * 1. A connection for reading cannot write, nor checkpoint: exactly one connection of all programs writes.
 * 2. A database is not trusted: its schema cannot call what is not harmless, and what is damaged in it is
 *    an error.
 * 3. Statements belong to their connection and are finalized before it is closed.
 *
 * Errors: ERR_CORRUPT (damaged, no database, or a constraint that does not hold), ERR_BUSY (locked for
 * longer than we wait), ERR_INPUT (an SQL text that is wrong), ERR_LIMIT, ERR_FULL (no room on the disk, or
 * none left to this user: the same again may go well later), ERR_IO (all else). Where SQLite runs out of
 * memory the program aborts, as everywhere.
 */
#ifndef COORDINATOR_SQL_H
#define COORDINATOR_SQL_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;
struct sql_statement;

enum sql_access {
    SQL_READ,           /* the file is there */
    SQL_READ_IMMUTABLE, /* and nobody changes it, nor is there a log: needs no writable folder */
    SQL_WRITE,          /* the file is there */
    SQL_CREATE,         /* it is made */
};

/* Opening touches nothing: a file that is no database shows at the first statement. */
int sql_open(const char *path, enum sql_access access, struct sql **ret_sql, struct problem *problem);
void sql_close(struct sql **sql);
/* Whether closing a connection that writes moves the log into the database, where it is the last. It does
 * unless told otherwise. */
void sql_checkpoint_on_close(struct sql *sql, bool wanted);

/* Any number of statements that return nothing that is wanted. */
int sql_exec(struct sql *sql, const char *text, struct problem *problem);
/* The whole number in the first column of the first row. ERR_CORRUPT where there is none. */
int sql_number(struct sql *sql, const char *text, int64_t *ret_value, struct problem *problem);

int sql_begin(struct sql *sql, struct problem *problem);
/* All that is read until sql_rollback is of one state, that of the last commit. */
int sql_begin_reading(struct sql *sql, struct problem *problem);
int sql_commit(struct sql *sql, struct problem *problem);
void sql_rollback(struct sql *sql); /* does nothing outside of a transaction */

/* One statement; ERR_INPUT where text holds none, or more. */
int sql_prepare(struct sql *sql, const char *text, struct sql_statement **ret_statement,
                struct problem *problem);
/* A statement of our own: where it does not fit the database, that is damaged, ERR_CORRUPT. */
int sql_prepare_own(struct sql *sql, const char *text, struct sql_statement **ret_statement,
                    struct problem *problem);
void sql_finalize(struct sql_statement **statement);
bool sql_only_reads(const struct sql_statement *statement);
int sql_parameters(const struct sql_statement *statement);

/* Parameters count from 1. Texts and bytes are borrowed until the statement is bound again or finalized. */
void sql_bind_int(struct sql_statement *statement, int at, int64_t value);
void sql_bind_real(struct sql_statement *statement, int at, double value); /* NaN: NULL */
void sql_bind_text(struct sql_statement *statement, int at, const char *value);
void sql_bind_bytes(struct sql_statement *statement, int at, const void *data, size_t size);
void sql_bind_null(struct sql_statement *statement, int at);

/* *ret_row: there is a row, its columns can be read until the next step. Without one the statement is done,
 * and ready to be bound and stepped again; also after an error. */
int sql_step(struct sql_statement *statement, bool *ret_row, struct problem *problem);
/* Ends a statement before its last row. */
void sql_reset(struct sql_statement *statement);

enum sql_type { SQL_INT, SQL_REAL, SQL_TEXT, SQL_BYTES, SQL_NULL };
/* Columns count from 0. */
int sql_columns(const struct sql_statement *statement);
const char *sql_column_name(const struct sql_statement *statement, int at);
enum sql_type sql_column_type(const struct sql_statement *statement, int at);
int64_t sql_column_int(const struct sql_statement *statement, int at);
double sql_column_real(const struct sql_statement *statement, int at); /* NULL: NaN */
/* NULL: NULL. Borrowed until the next step. */
const char *sql_column_text(const struct sql_statement *statement, int at);
const void *sql_column_bytes(const struct sql_statement *statement, int at);
size_t sql_column_size(const struct sql_statement *statement,
                       int at); /* of a text or bytes, call it after those */

/* ---- a copy of a whole database ---- */

struct sql_copy;
/* Over whatever `to` holds; both are borrowed until sql_copy_end. */
int sql_copy_start(struct sql *from, struct sql *to, struct sql_copy **ret_copy, struct problem *problem);
/* Copies `count` pages more. *ret_more: there are more. */
int sql_copy_pages(struct sql_copy *copy, int count, bool *ret_more, int64_t *ret_done, int64_t *ret_all,
                   struct problem *problem);
void sql_copy_end(struct sql_copy **copy);

#endif
