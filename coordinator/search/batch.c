#include "coordinator/search/batch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void batch_init(struct batch *batch, const struct space *space, size_t size, bool asynchronous)
{
    *batch = (struct batch){.space = space, .size = size, .asynchronous = asynchronous};
    batch->done = xcalloc(size, sizeof *batch->done);
    for (size_t i = 0; i < size; i++)
        batch->done[i].reward = NAN;
}

void batch_release(struct batch *batch)
{
    free(batch->out);
    free(batch->done);
    *batch = (struct batch){0};
}

bool batch_waits(const struct batch *batch, uint64_t number)
{
    return !batch->asynchronous && number / batch->size > batch->cleared;
}

static struct sample *place_of(const struct batch *batch, uint64_t number)
{
    return &batch->done[batch->asynchronous ? batch->done_count : number % batch->size];
}

static void reserve_out(struct batch *batch, size_t count)
{
    if (count <= batch->out_capacity)
        return;
    batch->out_capacity = 2 * count;
    batch->out = xrealloc(batch->out, batch->out_capacity, sizeof *batch->out);
}

struct sample *batch_add(struct batch *batch, uint64_t number)
{
    assert(batch->out_count == 0 || batch->out[batch->out_count - 1].number < number);
    reserve_out(batch, batch->out_count + 1);
    struct sample *sample = &batch->out[batch->out_count++];
    *sample = (struct sample){.number = number, .reward = NAN};
    return sample;
}

static int compare_number(const void *key, const void *item)
{
    uint64_t number = *(const uint64_t *)key, other = ((const struct sample *)item)->number;
    return (number > other) - (number < other);
}

struct sample *batch_find(const struct batch *batch, uint64_t number)
{
    return batch->out_count == 0
               ? NULL
               : bsearch(&number, batch->out, batch->out_count, sizeof *batch->out, compare_number);
}

const struct sample *batch_sample(const struct batch *batch, uint64_t number)
{
    for (size_t i = 0; i < batch->size; i++)
        if (!isnan(batch->done[i].reward) && batch->done[i].number == number)
            return &batch->done[i];
    return batch_find(batch, number);
}

bool batch_report(struct batch *batch, uint64_t number, double reward)
{
    struct sample *sample = batch_find(batch, number), *place = place_of(batch, number);
    assert(sample && isnan(place->reward));
    *place = *sample;
    place->reward = reward;
    memmove(sample, sample + 1, (size_t)(batch->out + batch->out_count - sample - 1) * sizeof *sample);
    batch->out_count--;
    return ++batch->done_count == batch->size;
}

void batch_clear(struct batch *batch)
{
    assert(batch->done_count == batch->size);
    for (size_t i = 0; i < batch->size; i++)
        batch->done[i].reward = NAN;
    batch->done_count = 0;
    batch->cleared++;
}

static void save_sample(const struct batch *batch, const struct sample *sample, struct buf *buf)
{
    size_t steps = (size_t)space_tokens(batch->space);
    buf_put_u64(buf, sample->number);
    for (size_t t = 0; t < steps; t++)
        buf_put_u32(buf, sample->tokens[t]);
    buf_put_f64s(buf, sample->log_probability, steps);
}

void batch_save(const struct batch *batch, struct buf *buf)
{
    buf_put_u64(buf, batch->cleared);
    buf_put_u64(buf, batch->out_count);
    for (size_t i = 0; i < batch->out_count; i++)
        save_sample(batch, &batch->out[i], buf);
    buf_put_u64(buf, batch->done_count);
    for (size_t i = 0; i < batch->size; i++)
        if (!isnan(batch->done[i].reward)) {
            save_sample(batch, &batch->done[i], buf);
            buf_put_f64(buf, batch->done[i].reward);
        }
}

/* The tokens are looked at before anyone uses them as indices. */
static bool load_sample(const struct batch *batch, struct cursor *cursor, struct sample *ret_sample)
{
    size_t steps = (size_t)space_tokens(batch->space);
    *ret_sample = (struct sample){.number = cursor_take_u64(cursor), .reward = NAN};
    for (size_t t = 0; t < steps; t++) {
        uint32_t token = cursor_take_u32(cursor);
        if (token >= (uint32_t)space_choices(batch->space, (int)t))
            return false;
        ret_sample->tokens[t] = (uint16_t)token;
    }
    cursor_take_f64s(cursor, ret_sample->log_probability, steps);
    return !cursor->failed && (batch->asynchronous || ret_sample->number / batch->size == batch->cleared);
}

/* Those that are out are the frame's open proposals, and then perhaps those of the batch that were not asked
 * for yet. */
static bool load_out(struct batch *batch, struct cursor *cursor, const struct search_frame *frame)
{
    uint64_t count = cursor_take_u64(cursor);
    if (count < frame->open_count ||
        (count > frame->open_count && (batch->asynchronous || count > batch->size)))
        return false;
    reserve_out(batch, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        struct sample *sample = &batch->out[i];
        if (!load_sample(batch, cursor, sample) ||
            sample->number !=
                (i < frame->open_count ? frame->open[i] : frame->proposals + i - frame->open_count))
            return false;
        batch->out_count++;
    }
    return true;
}

static bool load_done(struct batch *batch, struct cursor *cursor, const struct search_frame *frame)
{
    uint64_t count = cursor_take_u64(cursor);
    if (count >= batch->size || count + batch->cleared * batch->size + frame->open_count != frame->proposals)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct sample sample;
        if (!load_sample(batch, cursor, &sample) || sample.number >= frame->proposals)
            return false;
        sample.reward = cursor_take_f64(cursor);
        struct sample *place = place_of(batch, sample.number);
        bool twice = batch_find(batch, sample.number) != NULL;
        for (size_t j = 0; j < batch->size; j++)
            twice = twice || (!isnan(batch->done[j].reward) && batch->done[j].number == sample.number);
        if (twice || !(sample.reward >= 0 && sample.reward <= 1))
            return false;
        *place = sample;
        batch->done_count++;
    }
    return true;
}

int batch_load(struct batch *batch, struct cursor *cursor, const struct search_frame *frame)
{
    batch->cleared = cursor_take_u64(cursor);
    if (batch->cleared > frame->proposals / batch->size)
        return ERR_CORRUPT;
    return load_out(batch, cursor, frame) && load_done(batch, cursor, frame) ? 0 : ERR_CORRUPT;
}
