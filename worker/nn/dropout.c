/* Dropout: y = x / (1 − p) or 0, the latter with probability p (Srivastava et al. 2014), in PASS_TRAIN; otherwise y = x.
 *
 * Which values drop follows from the seed, the step, the layer and the image's place in the batch, not from what was drawn
 * before: the backward pass draws it again, and a training that goes on from a checkpoint draws the same. */
#include "worker/nn/layers.h"

#include "common/rng.h"

enum { BITS = 16, PER_DRAW = 64 / BITS }; /* of chance for each value */

/* `from` → `to` for one image, dropped values 0; where `add`, to += it. */
static void image_drop(const struct net *net, const struct layer *layer, int image, const float *from,
                       float *to, bool add)
{
    const size_t floats = net->tensors[layer->output].image_floats;
    const uint64_t layer_number = (uint64_t)(layer - net->layers);
    struct rng rng = rng_seed(net->seed, "dropout",
                              ((uint64_t)net->step * MAX_LAYERS + layer_number) << BITS | (uint64_t)image);
    const uint32_t dropped = (uint32_t)layer->drop_percent * (1u << BITS) / 100;
    const float factor = 100.0f / (float)(100 - layer->drop_percent);
    for (size_t at = 0; at < floats; at += PER_DRAW) {
        uint64_t draw = rng_u64(&rng);
        for (size_t i = at; i < at + PER_DRAW; i++, draw >>= BITS) {
            const float kept = (draw & ((1u << BITS) - 1)) < dropped ? 0.0f : from[i] * factor;
            to[i] = add ? to[i] + kept : kept;
        }
    }
}

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    for (int image = first; image < first + count; image++)
        if (net->pass == PASS_TRAIN)
            image_drop(net, layer, image, value_at(x, image), value_at(y, image), false);
        else
            memcpy(value_at(y, image), value_at(x, image), y->image_floats * sizeof(float));
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    for (int image = first; image < first + count; image++)
        image_drop(net, layer, image, gradient_at(y, image), gradient_at(x, image), layer->add_input);
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    (void)net, (void)layer, (void)batch;
    return 0;
}

const struct layer_kind layer_dropout = {
    .name = "dropout", .forward = forward, .backward = backward, .scratch = scratch, .value_unused = true};
