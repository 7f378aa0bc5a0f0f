/* checkpoints: the states of preempted trainings, as files in the cache folder:
 * CACHE/checkpoints/IDENTITY.checkpoint.
 *
 * Invariants
 * 1. A file is whole or is not there: it is written under another name, brought to disk, and then renamed.
 * 2. They are bounded: of age (a training that was not gone on with in a week is done elsewhere by now), of
 * number and of bytes together; the oldest go first.
 * 3. Losing one costs a training from the start, nothing else: no failure here is more than a line in the
 * log. What is in a file is the business of worker/nn/checkpoint.h, which refuses what is damaged.
 */
#ifndef WORKER_CHECKPOINTS_H
#define WORKER_CHECKPOINTS_H

#include "common/hash.h"
#include "common/err.h"

#include <sys/types.h>

enum { CHECKPOINTS_MAX = 256, CHECKPOINTS_MAX_MB = 2048, CHECKPOINTS_MAX_DAYS = 7 };

/* A descriptor to read it, or −1 where there is none. */
int checkpoints_open(const char *cache_dir, const struct hash *identity);
/* Takes `size` bytes of the file `fd` from `at` on in its place. ERR_IO. */
int checkpoints_put(const char *cache_dir, const struct hash *identity, int fd, off_t at, size_t size,
                    struct problem *problem);
void checkpoints_drop(const char *cache_dir, const struct hash *identity);
/* Removes what is too old or too much at that time, in seconds since 1970. */
void checkpoints_tidy(const char *cache_dir, int64_t now_s);

#endif
