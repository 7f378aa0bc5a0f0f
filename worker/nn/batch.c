#include "worker/nn/batch.h"

#include "common/rng.h"
#include "worker/nn/data_sums.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { PAD = 4, BYTES = 256 };

struct batcher {
    const struct data *data;
    uint32_t train_count, size;
    bool augment;
    uint64_t seed;
    uint64_t epoch; /* of the order */
    uint32_t at;    /* next place in the order */
    uint32_t *order;
    struct rng augmentation;
    float normal[BATCH_MAX_CHANNELS][BYTES]; /* the normalised value of each byte */
};

/* The normalised value of each byte. Mean and deviation come from whole numbers, which are exact. */
static void normal_table(struct batcher *batcher)
{
    const struct data *data = batcher->data;
    const size_t plane = (size_t)data->height * (size_t)data->width;
    for (int channel = 0; channel < data->channels; channel++) {
        uint64_t sum, squares;
        data_sums(data, batcher->train_count, channel, &sum, &squares);
        const uint64_t total = (uint64_t)batcher->train_count * plane;
        const double mean = (double)sum / (double)total;
        const unsigned __int128 spread = (unsigned __int128)squares * total - (unsigned __int128)sum * sum;
        const double deviation = spread > 0 ? sqrt((double)spread) / (double)total : 1.0;
        for (int b = 0; b < BYTES; b++)
            batcher->normal[channel][b] = (float)((b - mean) / deviation);
    }
}

static void order_new(struct batcher *batcher)
{
    for (uint32_t i = 0; i < batcher->train_count; i++)
        batcher->order[i] = i;
    struct rng rng = rng_seed(batcher->seed, "order", batcher->epoch++);
    rng_shuffle(&rng, batcher->order, batcher->train_count);
    batcher->at = 0;
}

struct batcher *batcher_new(const struct data *data, uint32_t train_count, uint32_t size, bool augment,
                            uint64_t seed)
{
    assert(data->channels <= BATCH_MAX_CHANNELS && train_count <= data->train.count && size >= 1 &&
           size <= train_count);
    struct batcher *batcher = xcalloc(1, sizeof *batcher);
    batcher->data = data;
    batcher->train_count = train_count;
    batcher->size = size;
    batcher->augment = augment;
    batcher->seed = seed;
    batcher->augmentation = rng_seed(seed, "augment", 0);
    batcher->order = xcalloc(train_count, sizeof *batcher->order);
    normal_table(batcher);
    order_new(batcher);
    return batcher;
}

void batcher_destroy(struct batcher **batcher)
{
    if (!*batcher)
        return;
    free((*batcher)->order);
    free(*batcher);
    *batcher = NULL;
}

/* The order follows from seed and epoch, so it is made again instead of being kept. */
void batcher_save(const struct batcher *batcher, struct buf *buf)
{
    buf_put_u64(buf, batcher->epoch);
    buf_put_u32(buf, batcher->at);
    rng_save(&batcher->augmentation, buf);
}

int batcher_load(struct batcher *batcher, struct cursor *cursor)
{
    const uint64_t epoch = cursor_take_u64(cursor);
    const uint32_t at = cursor_take_u32(cursor);
    struct rng augmentation;
    rng_load(&augmentation, cursor);
    if (cursor->failed || epoch == 0 || at > batcher->train_count)
        return ERR_CORRUPT;
    batcher->epoch = epoch - 1;
    order_new(batcher);
    batcher->at = at;
    batcher->augmentation = augmentation;
    return 0;
}

/* How an image is taken: moved by (down, right), mirrored. */
struct view {
    int down, right;
    bool mirrored;
};

/* from: channels × height × width bytes; to: one image of the tensor's layout. What the move uncovers is byte
 * 0, normalised. */
static void image_copy(const struct batcher *batcher, const uint8_t *from, struct view view,
                       const struct tensor *image, float *to)
{
    const int height = batcher->data->height, width = batcher->data->width, lanes = image->pixel_floats;
    for (int channel = 0; channel < batcher->data->channels; channel++, from += height * width) {
        const float *normal = batcher->normal[channel];
        float *pixel = to + (size_t)(channel / lanes) * (size_t)(height * width * lanes) + channel % lanes;
        for (int y = 0; y < height; y++) {
            const int row = y + view.down;
            for (int x = 0; x < width; x++, pixel += lanes) {
                const int column = (view.mirrored ? width - 1 - x : x) + view.right;
                const bool inside = row >= 0 && row < height && column >= 0 && column < width;
                *pixel = normal[inside ? from[row * width + column] : 0];
            }
        }
    }
}

static size_t record_bytes(const struct data *data)
{
    return (size_t)data->channels * (size_t)data->height * (size_t)data->width;
}

void batcher_next(struct batcher *batcher, struct tensor *image, uint8_t *labels)
{
    if (batcher->train_count - batcher->at < batcher->size)
        order_new(batcher);
    for (uint32_t i = 0; i < batcher->size; i++) {
        const uint32_t record = batcher->order[batcher->at++];
        struct view view = {0};
        if (batcher->augment) {
            view.down = (int)rng_below(&batcher->augmentation, 2 * PAD + 1) - PAD;
            view.right = (int)rng_below(&batcher->augmentation, 2 * PAD + 1) - PAD;
            view.mirrored = rng_below(&batcher->augmentation, 2) == 1;
        }
        image_copy(batcher, batcher->data->train.images + record * record_bytes(batcher->data), view, image,
                   image->value + i * image->image_floats);
        labels[i] = batcher->data->train.labels[record];
    }
}

void batcher_records(const struct batcher *batcher, const struct data_part *part, uint32_t first,
                     uint32_t count, struct tensor *image, uint8_t *labels)
{
    assert(first + count <= part->count);
    for (uint32_t i = 0; i < count; i++) {
        image_copy(batcher, part->images + (first + i) * record_bytes(batcher->data), (struct view){0}, image,
                   image->value + i * image->image_floats);
        labels[i] = part->labels[first + i];
    }
}
