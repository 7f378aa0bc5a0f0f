#include "worker/nn/data_sums.h"

#include "worker/nn/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = "ACTSSUMS";

static size_t numbers_of(const struct data *data)
{
    return (size_t)(data->train.count / DATA_SUMS_RECORDS) * (size_t)data->channels * 2;
}

/* Adds records first … last − 1. */
static void add(const struct data *data, uint32_t first, uint32_t last, int channel, uint64_t *sum,
                uint64_t *squares)
{
    const size_t plane = (size_t)data->height * (size_t)data->width, channels = (size_t)data->channels;
    for (uint32_t i = first; i < last; i++)
        kernels_table()->byte_sums(data->train.images + (i * channels + (size_t)channel) * plane, plane, sum,
                                   squares);
}

void data_sums(const struct data *data, uint32_t count, int channel, uint64_t *ret_sum, uint64_t *ret_squares)
{
    assert(count <= data->train.count && channel < data->channels);
    const uint32_t blocks = data->sums ? count / DATA_SUMS_RECORDS : 0;
    *ret_sum = *ret_squares = 0;
    if (blocks) {
        const uint64_t *pair =
            data->sums + ((size_t)(blocks - 1) * (size_t)data->channels + (size_t)channel) * 2;
        *ret_sum = pair[0];
        *ret_squares = pair[1];
    }
    add(data, blocks * DATA_SUMS_RECORDS, count, channel, ret_sum, ret_squares);
}

void data_sums_print(const struct data *data, struct buf *buf)
{
    uint64_t *total = xcalloc((size_t)data->channels * 2, sizeof *total);
    buf_put(buf, magic, sizeof magic);
    buf_put_u32(buf, DATA_SUMS_VERSION);
    buf_put(buf, data->hash.bytes, HASH_BYTES);
    for (uint32_t block = 0; block < data->train.count / DATA_SUMS_RECORDS; block++)
        for (int channel = 0; channel < data->channels; channel++) {
            uint64_t *pair = total + channel * 2;
            add(data, block * DATA_SUMS_RECORDS, (block + 1) * DATA_SUMS_RECORDS, channel, &pair[0],
                &pair[1]);
            buf_put_u64(buf, pair[0]);
            buf_put_u64(buf, pair[1]);
        }
    const struct hash hash = hash_of(buf->data, buf->size);
    buf_put(buf, hash.bytes, HASH_BYTES);
    free(total);
}

void data_sums_take(struct data *data, const void *bytes, size_t size)
{
    struct cursor cursor = cursor_of(bytes, size);
    char begins[sizeof magic] = {0};
    struct hash content = {0}, whole = {0};
    cursor_take(&cursor, begins, sizeof begins);
    const uint32_t version = cursor_take_u32(&cursor);
    cursor_take(&cursor, content.bytes, HASH_BYTES);
    const size_t numbers = numbers_of(data);
    if (memcmp(begins, magic, sizeof magic) != 0 || version != DATA_SUMS_VERSION ||
        memcmp(&content, &data->hash, sizeof content) != 0 ||
        size != cursor.at + numbers * sizeof(uint64_t) + HASH_BYTES)
        return;
    uint64_t *sums = xcalloc(numbers + 1, sizeof *sums);
    for (size_t i = 0; i < numbers; i++)
        sums[i] = cursor_take_u64(&cursor);
    const struct hash found = hash_of(bytes, cursor.at);
    cursor_take(&cursor, whole.bytes, HASH_BYTES);
    if (memcmp(&found, &whole, sizeof found) == 0)
        data->sums = sums;
    else
        free(sums);
}
