/* batch: images and labels from a data set into the first tensor: order, augmentation, normalisation.
 *
 * The training part is the training records but the last `validation`. Each epoch has an order of its own;
 * the last partial batch of an epoch is dropped. Pixels are normalised by mean and deviation of the training
 * part, per channel.
 */
#ifndef WORKER_NN_BATCH_H
#define WORKER_NN_BATCH_H

#include "common/buf.h"
#include "worker/nn/data.h"
#include "worker/nn/layers.h"

enum { BATCH_MAX_CHANNELS = 64 };

struct batcher;

/* train_count: images of the training part, at least 1; size: images per batch, at most train_count. */
struct batcher *batcher_new(const struct data *data, uint32_t train_count, uint32_t size, bool augment,
                            uint64_t seed);
void batcher_destroy(struct batcher **batcher);

/* Where it stands. A new batcher of the same data, counts, augment and seed that loads it goes on with the
 * same images. ERR_CORRUPT where no batcher can have been there; it stays as it was then. */
void batcher_save(const struct batcher *batcher, struct buf *buf);
int batcher_load(struct batcher *batcher, struct cursor *cursor);

/* The next `size` images of the training part. image: the tensor to fill; labels: size. */
void batcher_next(struct batcher *batcher, struct tensor *image, uint8_t *labels);
/* Records first … first + count − 1 of `part`, unaugmented. */
void batcher_records(const struct batcher *batcher, const struct data_part *part, uint32_t first,
                     uint32_t count, struct tensor *image, uint8_t *labels);

#endif
