/* data_cache: the folder in which a host keeps its data sets, as far as it concerns those who do not look
 * into them: the names, and the hash beside each file.
 *
 * A data set is NAME.data, in whatever format (worker/nn/data_file.h), and NAME.hash, one line "HASH BYTES
 * MTIME_NS": the content hash in hexadecimal, and size and time of change of the file that it was taken of.
 * While both are still those of NAME.data, whoever opens it trusts the hash; else the whole file is read
 * again.
 *
 * Invariant: the two are replaced under an exclusive lock on the folder and opened under a shared one, so
 * that they are seen as a pair.
 */
#ifndef COMMON_DATA_CACHE_H
#define COMMON_DATA_CACHE_H

#include "common/err.h"
#include "common/hash.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* The cache folder: `given`, or $ACTSEARCH_CACHE, or $XDG_CACHE_HOME/actsearch, or ~/.cache/actsearch.
 * malloc'd. */
char *data_cache_dir(const char *given);

/* Whether `name` may name a data set: letters, digits, '.', '_', '-', no '.' or '-' at the start. ERR_INPUT.
 */
int data_name_check(const char *name, struct problem *problem);

/* Makes the folder, and those above it, where they are not there. ERR_IO. */
int data_cache_make(const char *dir, struct problem *problem);
/* DIR/NAME.SUFFIX. malloc'd. */
char *data_cache_path(const char *dir, const char *name, const char *suffix);

/* The folder, locked (LOCK_SH, LOCK_EX) until the descriptor is closed. Negative where there is no folder; a
 * file system without locks is used without. */
int data_cache_lock(const char *dir, int operation);

/* An open NAME.data, and what stands beside it. */
struct data_cached {
    int fd;
    uint64_t bytes;
    bool stamped; /* there is a readable NAME.hash */
    bool current; /* it is of the file as it is */
    struct hash stamp;
};

/* ERR_INPUT (the name), ERR_NOT_FOUND, ERR_IO. The caller closes the descriptor. */
int data_cached_open(const char *dir, const char *name, struct data_cached *ret_cached,
                     struct problem *problem);
/* The content hash: the one beside the file while that is current (and `reread` is false), else of the bytes
 * at `map`, which are the whole file. ERR_CORRUPT where it is not the one beside the file. */
int data_cached_hash(const struct data_cached *cached, const char *dir, const char *name, const void *map,
                     bool reread, struct hash *ret_hash, struct problem *problem);

/* Writes the hash file of a file with that `stat` to `path`. ERR_IO. */
int data_stamp_write(const char *path, const struct hash *hash, const struct stat *stat,
                     struct problem *problem);

#endif
