/* Global average pooling: N × C/16 × H × W × 16 → N × C/16 × 1 × 1 × 16. */
#include "worker/nn/layers.h"

static void forward(struct net *net, struct layer *layer, int images, enum pass pass)
{
    (void)pass;
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int blocks = blocks_of(x->shape.channels), pixels = pixels_of(x->shape);
    const float share = 1.0f / (float)pixels;
    for (int plane = 0; plane < images * blocks; plane++) {
        float *to = y->value + (size_t)plane * LANES;
        net->kernels->row_sums(x->value + (size_t)plane * (size_t)pixels * LANES, (size_t)pixels, to);
        for (int lane = 0; lane < LANES; lane++)
            to[lane] *= share;
    }
}

static void backward(struct net *net, struct layer *layer, int images)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int blocks = blocks_of(x->shape.channels), pixels = pixels_of(x->shape);
    const float share = 1.0f / (float)pixels;
    for (int plane = 0; plane < images * blocks; plane++) {
        float dx[LANES], *to = x->gradient + (size_t)plane * (size_t)pixels * LANES;
        for (int lane = 0; lane < LANES; lane++)
            dx[lane] = y->gradient[(size_t)plane * LANES + (size_t)lane] * share;
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

const struct layer_kind layer_pool = {"pool", forward, backward, scratch};
