/* columns: which field of which row lies in which column of the database.
 *
 * One table of columns for each kind of row; how a field is written and read follows from its C type
 * (columns.c). The SQL that inserts, replaces and reads rows is made from it.
 */
#ifndef COORDINATOR_COLUMNS_H
#define COORDINATOR_COLUMNS_H

#include "common/buf.h"
#include "coordinator/rows.h"
#include "coordinator/sql.h"

struct column {
    const char *name;
    enum column_kind {
        COLUMN_ONE, /* no field: the key of a table that has one row */
        COLUMN_INT,
        COLUMN_BOOL,
        COLUMN_REAL, /* NaN: NULL; −0 is read back as 0 */
        COLUMN_TEXT,
        COLUMN_BYTES,
        COLUMN_HASH,      /* hexadecimal */
        COLUMN_REFERENCE, /* a key of another table; 0: NULL */
        COLUMN_OUTCOME,   /* enums: their words */
        COLUMN_VERDICT,
        COLUMN_TRIAL_STATE,
        COLUMN_ATTEMPT_STATE,
        COLUMN_TOKENS, /* of a proposal: a JSON array */
    } kind;
    size_t offset; /* of the field in its row */
    bool fixed;    /* never changes once the row is there: neither it nor an index of it is written again */
};

/* The first column is the key. */
struct table {
    const char *name;
    const char *restored; /* a condition on the rows that a start reads; "1" for all of them */
    const struct column *columns;
    int column_count;
};

extern const struct table experiment_table, counters_table, worker_table, candidate_table, proposal_table,
    trial_table, attempt_table, search_state_table, search_history_table, search_model_table;

/* "INSERT … ON CONFLICT … DO UPDATE …" of a whole row, one parameter for each column. */
void table_put_replace(const struct table *table, struct buf *ret_sql);
/* "SELECT … WHERE … ORDER BY key". */
void table_put_select(const struct table *table, struct buf *ret_sql);

/* Texts that are made while a row is bound: they must live until the statement is stepped. */
struct table_texts {
    char hash[HASH_HEX];
    char tokens[SPACE_MAX_TOKENS * 6 + 3];
};
void table_bind(const struct table *table, struct sql_statement *statement, const void *row,
                struct table_texts *texts);
/* Fills the fields of a zeroed row; texts and bytes are copied, texts belong to `keeper`. ERR_CORRUPT where a
 * column holds what its field cannot: the problem names table, key and column. */
int table_read(const struct table *table, const struct sql_statement *statement, void *ret_row,
               struct rows *keeper, struct problem *problem);

#endif
