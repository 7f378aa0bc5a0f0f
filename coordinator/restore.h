/* restore: what a start, or a check, wants to know of a database, as rows. */
#ifndef COORDINATOR_RESTORE_H
#define COORDINATOR_RESTORE_H

#include "coordinator/rows.h"
#include "coordinator/sql.h"

/* Everything "restored" in rows.h, each list in ascending order of its key; *ret_rows is empty before.
 * ERR_CORRUPT names table, key and column of what a row cannot hold. */
int restore_rows(struct sql *sql, struct rows *ret_rows, struct problem *problem);

#endif
