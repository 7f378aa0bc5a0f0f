/* reader_state: the inside of a reader of the database, for store_read.c, store_check.c and store_backup.c
 * only.
 */
#ifndef COORDINATOR_READER_STATE_H
#define COORDINATOR_READER_STATE_H

#include "coordinator/sql.h"
#include "coordinator/store_read.h"

struct store_reader {
    char *path;
    struct sql *sql;
};

#endif
