/* A checkpoint. What is taken holds a step, a curve and a place in the order of images that a training can go
 * on from; what is refused has changed nothing. The hashes of a changed input are made right again, since
 * they would hide all else. */
#include "common/rng.h"
#include "tests/unit/nn_fixture.h"
#include "worker/nn/checkpoint.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As the writer would have made them: its size, whose it is, and the hash at the end. */
static void make_right(struct buf *bytes, const struct buf *original)
{
    const size_t kept = CHECKPOINT_HEAD_BYTES + 2 * HASH_BYTES;
    if (bytes->size < kept + HASH_BYTES)
        return;
    memcpy(bytes->data, original->data, kept);
    for (int i = 0; i < 8; i++)
        bytes->data[12 + i] = (uint8_t)(bytes->size >> 8 * i);
    const struct hash hash = hash_of(bytes->data, bytes->size - HASH_BYTES);
    memcpy(bytes->data + bytes->size - HASH_BYTES, hash.bytes, HASH_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem problem;
    struct net *net;
    struct child child = child_defaults();
    struct expr *activation = fixture_expr("b*x");
    struct data images = fixture_data(1, 2, 2, 2, 40, 0);
    child.steps = 7;
    const int err = model_build("mlp", (struct shape){1, 2, 2}, 2, activation, &net, &problem);
    assert(err == 0 && net_finish(net, 4, &problem) == 0);
    struct batcher *batcher = batcher_new(&images, 30, 4, true, 3);
    struct buf bytes = {0}, original = {0};
    struct train_job job = {
        .activation = activation, .child = &child, .seed = 3, .data = &images, .resume = &bytes};
    net_initialise(net, job.seed);
    checkpoint_save(&job, net, batcher, &(struct train_result){.step = 1}, &original);

    /* The input's first byte says what it is put on: the original, or nothing. */
    if (size > 0 && data[0] == 'O') {
        buf_put(&bytes, original.data, original.size);
        for (size_t i = 1; i + 2 < size; i += 3)
            bytes.data[(data[i] << 8 | data[i + 1]) % bytes.size] ^= data[i + 2];
    } else {
        buf_put(&bytes, data, size);
    }
    make_right(&bytes, &original);
    struct train_result so_far = {.step = -1};
    if (bytes.data && checkpoint_load(&job, net, batcher, &so_far, &problem) == 0) {
        assert(so_far.step >= 1 && so_far.step <= child.steps);
        assert(so_far.curve_points >= 0 && so_far.curve_points <= CURVE_POINTS);
        uint8_t labels[4];
        for (int i = 0; i < 20; i++)
            batcher_next(batcher, net_image(net), labels);
    } else {
        assert(so_far.step == -1);
    }
    buf_release(&bytes);
    buf_release(&original);
    batcher_destroy(&batcher);
    net_destroy(&net);
    expr_destroy(&activation);
    fixture_data_release(&images);
    return 0;
}
