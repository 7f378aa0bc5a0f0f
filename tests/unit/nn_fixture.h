/* nn_fixture: small data sets and a bare training loop for the tests of worker/nn. */
#ifndef TESTS_NN_FIXTURE_H
#define TESTS_NN_FIXTURE_H

#include "common/rng.h"
#include "worker/nn/batch.h"
#include "worker/nn/loss.h"
#include "worker/nn/model.h"
#include "worker/nn/sgd.h"

#include <assert.h>
#include <stdlib.h>

static inline struct expr *fixture_expr(const char *text)
{
    struct expr *expr = NULL;
    struct problem problem;
    const int err = expr_parse(text, &expr, &problem);
    assert(err == 0);
    (void)err;
    return expr;
}

/* Images of noise with a bright stripe whose place is the class: a net can learn them in a few steps. */
static inline struct data fixture_data(int channels, int height, int width, int classes, uint32_t train,
                                       uint32_t test)
{
    const size_t plane = (size_t)height * (size_t)width, record = (size_t)channels * plane;
    const uint32_t count = train + test;
    uint8_t *images = malloc(count * record), *labels = malloc(count);
    struct rng rng = rng_seed(7, "fixture", 0);
    for (uint32_t i = 0; i < count; i++) {
        labels[i] = (uint8_t)rng_below(&rng, (uint64_t)classes);
        for (size_t k = 0; k < record; k++) {
            const size_t row = k % plane / (size_t)width;
            const bool stripe = row * (size_t)classes / (size_t)height == labels[i];
            images[i * record + k] = (uint8_t)(rng_below(&rng, 100) + (stripe ? 120 : 0));
        }
    }
    return (struct data){.channels = channels,
                         .height = height,
                         .width = width,
                         .classes = classes,
                         .train = {images, labels, train},
                         .test = {images + train * record, labels + train, test}};
}

static inline void fixture_data_release(struct data *data)
{
    free((void *)(uintptr_t)data->train.images);
    free((void *)(uintptr_t)data->train.labels);
}

/* A net of that model after `child->steps` steps; the caller destroys it. Returns the last loss. */
static inline double fixture_train(const struct data *data, const struct child *child,
                                   const struct expr *activation, uint64_t seed, struct net **ret_net)
{
    struct problem problem;
    struct net *net;
    const struct shape image = {data->channels, data->height, data->width};
    int err = model_build(child->model, image, data->classes, activation, &net, &problem);
    assert(err == 0);
    err = net_finish(net, (int)child->batch, &problem);
    assert(err == 0);
    (void)err;
    simd_set_denormals();
    net_initialise(net, seed);
    struct batcher *batcher =
        batcher_new(data, data->train.count, (uint32_t)child->batch, child->augment, seed);
    uint8_t *labels = calloc((size_t)child->batch, 1);
    struct tensor *logits = net_logits(net);
    double loss = 0;
    for (int64_t step = 0; step < child->steps; step++) {
        batcher_next(batcher, net_image(net), labels);
        net->step = step;
        net_forward(net, (int)child->batch, PASS_TRAIN);
        int64_t correct = 0;
        loss = loss_softmax(logits->value, labels, (int)child->batch, data->classes,
                            (int)logits->image_floats, logits->gradient, &correct) /
               (double)child->batch;
        net_backward(net, (int)child->batch);
        sgd_step(net, child, step);
    }
    free(labels);
    batcher_destroy(&batcher);
    *ret_net = net;
    return loss;
}

#endif
