/* Dense layer: a window over the batch, each image a column and all its floats one run.
 *
 * Weights: out_blocks × inputs × 16, then the bias, out_blocks × 16. */
#include "worker/nn/layers.h"

static struct window window_of(const struct net *net, const struct layer *layer, int images)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    return (struct window){.rows = 1,
                           .columns = images,
                           .in_blocks = 1,
                           .runs = 1,
                           .run_length = (int)x->image_floats,
                           .in_column_step = x->image_floats,
                           .out_blocks = blocks_of(y->shape.channels),
                           .out_block_step = LANES,
                           .out_column_step = y->image_floats};
}

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const float *bias = layer->weights.value + layer_bias_at(net, layer);
    float *to = value_at(y, first);
    for (int image = 0; image < count; image++)
        memcpy(to + (size_t)image * y->image_floats, bias, y->image_floats * sizeof *bias);
    const struct window window = window_of(net, layer, count);
    net->kernels->window_forward(&window, value_at(x, first), layer->weights.value, to, true);
}

/* Scratch: the weights turned, inputs/16 × outputs × 16 inputs; then the tree's. */
static void backward_begin(struct net *net, struct layer *layer)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int out_blocks = blocks_of(y->shape.channels);
    float *turned = layer->scratch;
    for (size_t in = 0; x->gradient && in < x->image_floats; in++)
        for (int out = 0; out < out_blocks; out++)
            for (int o = 0; o < LANES; o++)
                turned[((in / LANES) * (size_t)out_blocks * LANES + (size_t)(out * LANES + o)) * LANES +
                       in % LANES] =
                    layer->weights.value[((size_t)out * x->image_floats + in) * LANES + (size_t)o];
    layer->tree = tree_start(net->kernels, layer->weights.gradient, turned + layer->weights.floats,
                             layer->weights.floats);
}

/* Of images of one group. */
static void backward_weights(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const float *dy = gradient_at(y, first);
    float *dweights = group_open(&layer->tree, first), *dbias = dweights + layer_bias_at(net, layer);
    const struct window window = window_of(net, layer, count);
    net->kernels->window_weights(&window, value_at(x, first), dy, dweights);
    for (int image = 0; image < count; image++)
        net->kernels->add(dy + (size_t)image * y->image_floats, dbias, y->image_floats / LANES);
    group_close(net, &layer->tree, first + count);
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    for (int at = first, end = first + count, part; at < end; at += part) {
        part = group_part(at, end);
        backward_weights(net, layer, at, part);
    }
    if (!x->gradient)
        return;
    const struct window window = {.rows = 1,
                                  .columns = count,
                                  .in_blocks = 1,
                                  .runs = 1,
                                  .run_length = (int)y->image_floats,
                                  .in_column_step = y->image_floats,
                                  .out_blocks = (int)(x->image_floats / LANES),
                                  .out_block_step = LANES,
                                  .out_column_step = x->image_floats};
    net->kernels->window_forward(&window, gradient_at(y, first), layer->scratch, gradient_at(x, first),
                                 layer->add_input);
}

static void backward_end(struct net *net, struct layer *layer)
{
    (void)net;
    tree_finish(&layer->tree);
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    (void)net;
    return layer->weights.floats + tree_spare_floats(layer->weights.floats, batch);
}

const struct layer_kind layer_dense = {.name = "dense",
                                       .forward = forward,
                                       .backward_begin = backward_begin,
                                       .backward = backward,
                                       .backward_end = backward_end,
                                       .scratch = scratch};
