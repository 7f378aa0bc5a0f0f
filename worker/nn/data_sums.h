/* data_sums: Σ and Σ² of the bytes of the training images, of which a batcher makes mean and deviation.
 *
 * A pass over all images would stand between each lease and its first step. So whoever puts a data set into
 * the cache (a trainer may write no files) leaves the running sums beside it, and a trial adds the few
 * records that remain to its own number of them. Sums are whole numbers: the result has the same bits with
 * the file and without. A file that is missing, damaged or of other content is passed over, which costs the
 * pass.
 *
 * NAME.sums, little-endian: magic "ACTSSUMS"; u32 version; the content hash of NAME.data; for each full
 * DATA_SUMS_RECORDS records and each channel u64 Σ and u64 Σ², both from the first record on; the hash of all
 * this.
 */
#ifndef WORKER_NN_DATA_SUMS_H
#define WORKER_NN_DATA_SUMS_H

#include "common/buf.h"
#include "worker/nn/data.h"

enum { DATA_SUMS_RECORDS = 128, DATA_SUMS_VERSION = 1 };

/* Of channel `channel` of the first `count` training records. */
void data_sums(const struct data *data, uint32_t count, int channel, uint64_t *ret_sum,
               uint64_t *ret_squares);

/* The content of NAME.sums; data->hash is known. */
void data_sums_print(const struct data *data, struct buf *buf);

/* Sets data->sums where the bytes are the content of its NAME.sums. */
void data_sums_take(struct data *data, const void *bytes, size_t size);

#endif
