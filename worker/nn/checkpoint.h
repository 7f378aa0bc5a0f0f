/* checkpoint: a training between two steps as bytes, from which it goes on with the same bits.
 *
 * Layout: a head (magic, version, size of the whole), two hashes that say whose state it is, the step, the
 * curve, the order of the images, the weights with their velocities, and the hash of all that.
 *
 * Invariants
 *  1. It is taken only by the training that it came from: activation, child, seed, data and NUMERICS have the
 * same hash, and the weights that the training began with have the same bits at the same places (a build that
 * lays a network out in another way begins anew).
 *  2. Bytes of any other content are refused, and nothing was changed then. The hash at the end finds what a
 * crash or a disk did, not what an enemy does: whoever may write the cache folder is trusted.
 */
#ifndef WORKER_NN_CHECKPOINT_H
#define WORKER_NN_CHECKPOINT_H

#include "worker/nn/batch.h"
#include "worker/nn/train.h"

enum {
    CHECKPOINT_MAX_BYTES = 768 << 20, /* of 96 million weights: wrn-40-12 has 80 */
    CHECKPOINT_HEAD_BYTES = 8 + 4 + 8,
};

/* What a training is, for the names of files. The texts are those of the LEASE; data_hash is hexadecimal. */
struct hash checkpoint_identity(const char *activation, const char *child, uint64_t seed,
                                const char *data_hash);

/* Of `so_far` it keeps step, train_loss, seconds and the curve. The net is used up: its weights are those of
 * the start afterwards. */
void checkpoint_save(const struct train_job *job, struct net *net, const struct batcher *batcher,
                     const struct train_result *so_far, struct buf *ret_bytes);
/* From job->resume into the net and batcher of the same job as they are at the start. ERR_CORRUPT says what
 * is wrong. */
int checkpoint_load(const struct train_job *job, struct net *net, struct batcher *batcher,
                    struct train_result *so_far, struct problem *problem);

/* The size that the head states; 0 where this is no head of a checkpoint, or the size is out of bounds. */
size_t checkpoint_size(const void *head, size_t size);

#endif
