/* database_file: where a results database lies, and that one coordinator alone has it.
 *
 * Invariants
 * 1. The lock is held by the open lock file, not by its being there: it ends with the process, however that
 *    ends. The file is removed when the lock is given back in order.
 * 2. All names of one database by symbolic links mean one lock.
 */
#ifndef COORDINATOR_DATABASE_FILE_H
#define COORDINATOR_DATABASE_FILE_H

#include "common/err.h"

#include <stdbool.h>

/* The path with all symbolic links followed; the file itself need not be there. malloc'd. ERR_NOT_FOUND (no
 * such folder, a link to nothing), ERR_INPUT (no regular file), ERR_IO. *ret_exists: there is a file that is
 * not empty. */
int database_path(const char *path, char **ret_path, bool *ret_exists, struct problem *problem);

/* The file begins as a results database of ours does. Reads the bytes, so that a file that is none is left
 * exactly as it was; no SQLite connection to it may be open in this process (closing any file ends SQLite's
 * locks on it). ERR_CORRUPT where it is something else. */
int database_check(const char *path, struct problem *problem);

struct database_lock;

/* Takes "PATH-lock" beside a path from database_path. ERR_BUSY: another coordinator has it, and the problem
 * names its host and process. ERR_IO: no lock can be had there, or, unless `network_too`, the folder lies on
 * a network file system. ERR_FULL: there is no room for it. */
int database_lock(const char *path, bool network_too, struct database_lock **ret_lock,
                  struct problem *problem);
void database_unlock(struct database_lock **lock);

/* The name of a file system that several machines may share, by the number that statfs gives; NULL: it is
 * none of those. SQLite's log needs memory that all its users share. */
const char *network_file_system(unsigned long type);

#endif
