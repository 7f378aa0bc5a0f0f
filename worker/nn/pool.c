/* Global average pooling: N × C/16 × H × W × 16 → N × C/16 × 1 × 1 × 16. */
#include "worker/nn/layers.h"

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int planes = count * blocks_of(x->shape.channels), pixels = pixels_of(x->shape);
    const float share = 1.0f / (float)pixels, *from = value_at(x, first);
    float *to = value_at(y, first);
    for (int plane = 0; plane < planes; plane++, from += pixels * LANES, to += LANES) {
        net->kernels->row_sums(from, (size_t)pixels, to);
        for (int lane = 0; lane < LANES; lane++)
            to[lane] *= share;
    }
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int planes = count * blocks_of(x->shape.channels), pixels = pixels_of(x->shape);
    const float share = 1.0f / (float)pixels, *from = gradient_at(y, first);
    float *to = gradient_at(x, first);
    for (int plane = 0; plane < planes; plane++, from += LANES) {
        float dx[LANES];
        for (int lane = 0; lane < LANES; lane++)
            dx[lane] = from[lane] * share;
        for (int pixel = 0; pixel < pixels; pixel++, to += LANES)
            for (int lane = 0; lane < LANES; lane++)
                to[lane] = layer->add_input ? to[lane] + dx[lane] : dx[lane];
    }
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    (void)net, (void)layer, (void)batch;
    return 0;
}

const struct layer_kind layer_pool = {
    .name = "pool", .forward = forward, .backward = backward, .scratch = scratch};
