#include "worker/nn/checkpoint.h"

#include "common/numerics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

static const char magic[8] = "ACTSSAVE";

/* ---- whose it is ---- */

struct hash checkpoint_identity(const char *activation, const char *child, uint64_t seed,
                                const char *data_hash)
{
    struct buf text = {0};
    buf_put_u32(&text, NUMERICS);
    buf_put_u64(&text, seed);
    buf_printf(&text, "%s\n%s\n%s", data_hash, activation, child);
    const struct hash hash = hash_of(text.data, text.size);
    buf_release(&text);
    return hash;
}

static struct hash job_identity(const struct train_job *job)
{
    char *activation = expr_print(job->activation), data_hash[HASH_HEX];
    struct buf child = {0};
    child_print(job->child, &child);
    hash_hex(&job->data->hash, data_hash);
    const struct hash hash = checkpoint_identity(activation, buf_text(&child), job->seed, data_hash);
    buf_release(&child);
    free(activation);
    return hash;
}

/* The weights at the start, as they lie in memory. */
static struct hash start_of(const struct net *net)
{
    struct buf both = {0};
    const struct parameters *const all[2] = {&net->weights, &net->betas};
    for (int k = 0; k < 2; k++) {
        const struct hash hash = hash_of(all[k]->value, all[k]->floats * sizeof(float));
        buf_put(&both, hash.bytes, sizeof hash.bytes);
    }
    const struct hash hash = hash_of(both.data, both.size);
    buf_release(&both);
    return hash;
}

/* ---- the bytes ---- */

/* Floats go as they are in memory, which is little-endian on every machine that this is built for. */
static size_t whole_size(const struct net *net, int curve_points)
{
    const size_t order = 8 + 4 + 4 * 8, so_far = 3 * 8 + 4 + (size_t)curve_points * 16;
    return CHECKPOINT_HEAD_BYTES + 2 * HASH_BYTES + so_far + order +
           2 * (net->weights.floats + net->betas.floats) * sizeof(float) + HASH_BYTES;
}

static void put_hash(struct buf *bytes, struct hash hash)
{
    buf_put(bytes, hash.bytes, sizeof hash.bytes);
}

void checkpoint_save(const struct train_job *job, struct net *net, const struct batcher *batcher,
                     const struct train_result *so_far, struct buf *ret_bytes)
{
    struct buf state = {0};
    buf_put_u64(&state, (uint64_t)so_far->step);
    buf_put_f64(&state, so_far->train_loss);
    buf_put_f64(&state, so_far->seconds);
    buf_put_u32(&state, (uint32_t)so_far->curve_points);
    for (int i = 0; i < so_far->curve_points; i++) {
        buf_put_u64(&state, (uint64_t)so_far->curve_step[i]);
        buf_put_f64(&state, so_far->curve_loss[i]);
    }
    batcher_save(batcher, &state);
    const struct parameters *const all[2] = {&net->weights, &net->betas};
    for (int k = 0; k < 2; k++) {
        buf_put(&state, all[k]->value, all[k]->floats * sizeof(float));
        buf_put(&state, all[k]->velocity, all[k]->floats * sizeof(float));
    }
    net_initialise(net, job->seed);

    buf_clear(ret_bytes);
    buf_put(ret_bytes, magic, sizeof magic);
    buf_put_u32(ret_bytes, VERSION);
    buf_put_u64(ret_bytes, whole_size(net, so_far->curve_points));
    put_hash(ret_bytes, job_identity(job));
    put_hash(ret_bytes, start_of(net));
    buf_put(ret_bytes, state.data, state.size);
    put_hash(ret_bytes, hash_of(ret_bytes->data, ret_bytes->size));
    assert(ret_bytes->size == whole_size(net, so_far->curve_points));
    buf_release(&state);
}

size_t checkpoint_size(const void *head, size_t size)
{
    struct cursor cursor = cursor_of(head, size);
    char begins[sizeof magic] = {0};
    cursor_take(&cursor, begins, sizeof begins);
    const uint32_t version = cursor_take_u32(&cursor);
    const uint64_t whole = cursor_take_u64(&cursor);
    return !cursor.failed && memcmp(begins, magic, sizeof magic) == 0 && version == VERSION &&
                   whole <= CHECKPOINT_MAX_BYTES
               ? (size_t)whole
               : 0;
}

static int refused(struct problem *problem, const char *why)
{
    return problem_set(problem, ERR_CORRUPT, "the checkpoint is not used: %s", why);
}

static bool take_so_far(struct cursor *cursor, const struct child *child, struct train_result *ret)
{
    ret->step = (int64_t)cursor_take_u64(cursor);
    ret->train_loss = cursor_take_f64(cursor);
    ret->seconds = cursor_take_f64(cursor);
    const uint32_t points = cursor_take_u32(cursor);
    if (points > CURVE_POINTS || ret->step < 1 || ret->step > child->steps)
        return false;
    ret->curve_points = (int)points;
    for (uint32_t i = 0; i < points; i++) {
        ret->curve_step[i] = (int64_t)cursor_take_u64(cursor);
        ret->curve_loss[i] = cursor_take_f64(cursor);
    }
    return !cursor->failed;
}

int checkpoint_load(const struct train_job *job, struct net *net, struct batcher *batcher,
                    struct train_result *so_far, struct problem *problem)
{
    const struct buf *bytes = job->resume;
    const size_t size = checkpoint_size(bytes->data, bytes->size), known = size - HASH_BYTES;
    if (size < CHECKPOINT_HEAD_BYTES + HASH_BYTES || size != bytes->size)
        return refused(problem, "it is none, or is cut short");
    struct hash hash = hash_of(bytes->data, known);
    if (memcmp(hash.bytes, bytes->data + known, HASH_BYTES) != 0)
        return refused(problem, "it is damaged");

    struct cursor cursor = cursor_of(bytes->data, known);
    cursor.at = CHECKPOINT_HEAD_BYTES;
    const struct hash whose[2] = {job_identity(job), start_of(net)};
    for (int i = 0; i < 2; i++)
        if (!cursor_take(&cursor, hash.bytes, sizeof hash.bytes) ||
            memcmp(hash.bytes, whose[i].bytes, HASH_BYTES) != 0)
            return refused(problem, i == 0 ? "it is of another training" : "it is of another build");

    struct train_result so_far_then = *so_far;
    if (!take_so_far(&cursor, job->child, &so_far_then) ||
        size != whole_size(net, so_far_then.curve_points) || batcher_load(batcher, &cursor) != 0)
        return refused(problem, "its content contradicts itself");
    *so_far = so_far_then;
    struct parameters *const all[2] = {&net->weights, &net->betas};
    for (int k = 0; k < 2; k++) {
        cursor_take(&cursor, all[k]->value, all[k]->floats * sizeof(float));
        cursor_take(&cursor, all[k]->velocity, all[k]->floats * sizeof(float));
    }
    assert(cursor_done(&cursor));
    return 0;
}
