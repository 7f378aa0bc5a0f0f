/* store_backup: a copy of a results database, also while a coordinator writes it.
 *
 * Invariants
 * 1. The copy is one committed state of the database, and one file without a log.
 * 2. It is there as a whole or not at all: it is made beside its place and moved there.
 * 3. A database that a coordinator has open is never overwritten.
 */
#ifndef COORDINATOR_STORE_BACKUP_H
#define COORDINATOR_STORE_BACKUP_H

#include "coordinator/store_read.h"

/* `visit` is told how far it is, in pages; it returns false to give up (ERR_STOPPED). ERR_CONFLICT: `path` is
 * there, and not `overwrite`, or it is the database itself. ERR_BUSY: a coordinator has the database of that
 * name. ERR_FULL, ERR_IO, ERR_CORRUPT, ERR_NOT_FOUND (no such folder), ERR_INPUT (no name of a file). */
int store_backup(struct store_reader *reader, const char *path, bool overwrite,
                 bool (*visit)(void *context, int64_t done, int64_t all), void *context,
                 struct problem *problem);

#endif
