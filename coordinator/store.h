/* store: the results database of one coordinator: it alone writes there.
 *
 * Invariants
 * 1. Nothing is written, and no new file is there, before the first store_write; what a program refuses
 *    before that leaves no trace. (An older database is brought up to date when it is opened.)
 * 2. A database is there as a whole or not at all: a new one is made beside its place and then moved there.
 * 3. store_write returns 0 once the rows are on disk (synchronous = FULL), else none of them are.
 * 4. A database that was closed in order is one file, without a log.
 * 5. While a store is open, no other coordinator can open the same database; readers (store_read.h) can.
 *
 * Owns its connection and its lock.
 */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include "common/experiment.h"
#include "coordinator/rows.h"

struct store;

/* ERR_BUSY (another coordinator has it; the problem names host and process), ERR_CORRUPT (no database, or
 * another program's, left as it is), ERR_VERSION (made by a newer actsearch), ERR_NOT_FOUND, ERR_INPUT,
 * ERR_IO (also: it lies on a network file system). `experiment` is borrowed: what a new database begins with. */
int store_open(const char *path, const struct experiment *experiment, struct store **ret_store,
               struct problem *problem);
/* The same, also where the database lies on a network file system: for a person who knows that no other host
 * reads or writes it meanwhile. */
int store_open_anywhere(const char *path, const struct experiment *experiment, struct store **ret_store,
                        struct problem *problem);
void store_close(struct store **store);
/* There is no database yet: the first store_write makes it. */
bool store_is_new(const struct store *store);
/* The path with all symbolic links followed. Borrowed. */
const char *store_path(const struct store *store);

/* Everything that a start wants to know ("restored" in rows.h), each list in ascending order of its key; of a
 * new database, what it will begin with. *ret_rows is empty before. ERR_CORRUPT names table, key and column.
 */
int store_restore(struct store *store, struct rows *ret_rows, struct problem *problem);

/* All of the rows in one transaction. ERR_FULL: there is no room on the disk; the same rows can be written
 * again later. ERR_BUSY, ERR_IO, ERR_CORRUPT: the program had better end. After an error that SQLite got from
 * fsync, what a crash would leave may hold the rows or not, but all of them or none. */
int store_write(struct store *store, const struct rows *rows, struct problem *problem);

#endif
