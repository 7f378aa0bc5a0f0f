/* batch: the proposals that are out, and those that came back with a reward, until there are enough to learn
 * from.
 *
 * Invariants
 * 1. Synchronous: batch number v holds the proposals v·size … v·size + size−1, each at the place that is its
 *    number mod size, so that the order of the reports does not matter.
 *    Asynchronous: a batch is the next `size` samples that are rewarded, in that order, whatever their
 * numbers.
 * 2. A sample is in `out` (ascending by number) until its reward comes, then in `done` until its batch is
 *    cleared.
 * 3. Synchronous: an algorithm may add the samples of the batch that is out before they are asked for.
 */
#ifndef COORDINATOR_SEARCH_BATCH_H
#define COORDINATOR_SEARCH_BATCH_H

#include "common/buf.h"
#include "common/space.h"
#include "coordinator/search/algorithm.h"

struct sample {
    uint64_t number;
    double reward; /* NaN where there is none yet */
    uint16_t tokens[SPACE_MAX_TOKENS];
    double log_probability[SPACE_MAX_TOKENS]; /* of each token under the policy that drew it; 0 without one */
};

struct batch {
    const struct space *space; /* borrowed */
    size_t size;
    bool asynchronous;
    struct sample *out;
    size_t out_count, out_capacity;
    struct sample *done; /* size places; reward NaN: empty */
    size_t done_count;
    uint64_t cleared; /* batches that were learnt from */
};

void batch_init(struct batch *batch, const struct space *space, size_t size, bool asynchronous);
void batch_release(struct batch *batch);

/* Whether proposal `number` must wait for the rewards of the batch before its own; never asynchronously. */
bool batch_waits(const struct batch *batch, uint64_t number);
/* Adds an empty sample to `out`; `number` is above all others. Borrowed until the next call, as is
 * batch_find's. */
struct sample *batch_add(struct batch *batch, uint64_t number);
/* The sample among `out`; NULL where it is not there. */
struct sample *batch_find(const struct batch *batch, uint64_t number);
/* The sample among `out` or `done`; NULL where it is in neither. */
const struct sample *batch_sample(const struct batch *batch, uint64_t number);
/* Moves a sample from `out` to `done`. True when the batch is complete: learn from `done`, then batch_clear.
 */
bool batch_report(struct batch *batch, uint64_t number, double reward);
void batch_clear(struct batch *batch);

void batch_save(const struct batch *batch, struct buf *buf);
/* ERR_CORRUPT where anything is odd, a sample out of place or one that `frame` does not know among them. */
int batch_load(struct batch *batch, struct cursor *cursor, const struct search_frame *frame);

#endif
