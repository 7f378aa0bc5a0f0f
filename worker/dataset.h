/* dataset: the data set of a worker: it is in the cache, or is fetched from the coordinator into it. The
 * files and locks around fetch.h.
 *
 * What is fetched grows in CACHE/fetching/HASH and becomes CACHE/NAME.data once it is whole and has the hash
 * that the coordinator promised. One daemon of a host fetches, under a lock on that file; the others look
 * again every DATASET_LOOK_MS, and take over where it stopped if it is gone. A file that is begun is kept for
 * DATASET_DAYS, so that a daemon that was killed, or cut off, goes on where it was.
 *
 * Invariants
 * 1. No file name comes over the network: of what the coordinator says only a name that names a data set
 *    (common/data_cache.h) and a hash of 64 hexadecimal digits become parts of a path.
 * 2. What is under NAME.data is whole and verified.
 * 3. A data set that is in the cache under that name with another content is never replaced.
 */
#ifndef WORKER_DATASET_H
#define WORKER_DATASET_H

#include "common/rng.h"
#include "proto/msg.h"

enum { DATASET_LOOK_MS = 200, DATASET_DAYS = 7 };

struct dataset;

/* `cache_dir` is borrowed. */
struct dataset *dataset_new(const char *cache_dir, struct rng rng);
void dataset_destroy(struct dataset **dataset);

/* This one is wanted now. `hash` and `bytes` are of what can be fetched; "" where it cannot. */
void dataset_want(struct dataset *dataset, const char *name, const char *hash, int64_t bytes);
/* The coordinator has greeted this worker (again). */
void dataset_greeted(struct dataset *dataset);
void dataset_receive(struct dataset *dataset, const struct msg_chunk *chunk, int64_t now_ms);

enum dataset_state {
    DATASET_NONE,   /* none is wanted */
    DATASET_COMING, /* it is being fetched, here or by another daemon of this host */
    DATASET_OPEN,
    DATASET_FAILED,
};
/* Looks, opens, verifies; the only call that may take long: where the whole file is read. */
enum dataset_state dataset_turn(struct dataset *dataset, int64_t now_ms);
/* The next FETCH to send while the worker is greeted. */
bool dataset_next(struct dataset *dataset, int64_t now_ms, struct msg_fetch *ret_fetch);
/* When one of the two has something to do next, if nothing comes. */
int64_t dataset_next_ms(const struct dataset *dataset, bool greeted);

/* Of the one that is wanted. Borrowed. */
const char *dataset_name(const struct dataset *dataset);
const char *dataset_hash(const struct dataset *dataset);   /* once it is open */
const char *dataset_reason(const struct dataset *dataset); /* once it has failed */

#endif
