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

static void forward(struct net *net, struct layer *layer, int images, enum pass pass)
{
    (void)pass;
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const float *bias = layer->weights.value + layer_bias_at(net, layer);
    for (int image = 0; image < images; image++)
        memcpy(y->value + (size_t)image * y->image_floats, bias, y->image_floats * sizeof *bias);
    const struct window window = window_of(net, layer, images);
    net->kernels->window_forward(&window, x->value, layer->weights.value, y->value, true);
}

static void backward(struct net *net, struct layer *layer, int images)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const size_t bias_at = layer_bias_at(net, layer);
    const int out_blocks = blocks_of(y->shape.channels);
    if (x->gradient) {
        /* turned: inputs/16 × outputs × 16 inputs */
        float *turned = net->scratch;
        for (size_t in = 0; in < x->image_floats; in++)
            for (int out = 0; out < out_blocks; out++)
                for (int o = 0; o < LANES; o++)
                    turned[((in / LANES) * (size_t)out_blocks * LANES + (size_t)(out * LANES + o)) * LANES +
                           in % LANES] =
                        layer->weights.value[((size_t)out * x->image_floats + in) * LANES + (size_t)o];
        const struct window window = {.rows = 1,
                                      .columns = images,
                                      .in_blocks = 1,
                                      .runs = 1,
                                      .run_length = out_blocks * LANES,
                                      .in_column_step = y->image_floats,
                                      .out_blocks = (int)(x->image_floats / LANES),
                                      .out_block_step = LANES,
                                      .out_column_step = x->image_floats};
        net->kernels->window_forward(&window, y->gradient, turned, x->gradient, layer->add_input);
    }
    struct tree tree = tree_start(net->kernels, layer->weights.gradient, net->scratch, layer->weights.floats);
    for (int first = 0; first < images; first += GROUP) {
        const int count = images - first < GROUP ? images - first : GROUP;
        const float *dy = y->gradient + (size_t)first * y->image_floats;
        float *dweights = tree_open(&tree);
        const struct window window = window_of(net, layer, count);
        net->kernels->window_weights(&window, x->value + (size_t)first * x->image_floats, dy, dweights);
        for (int image = 0; image < count; image++)
            net->kernels->add(dy + (size_t)image * y->image_floats, dweights + bias_at, (size_t)out_blocks);
        tree_close(&tree);
    }
    tree_finish(&tree);
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    (void)net;
    return tree_spare_floats(layer->weights.floats,
                             batch); /* at least two copies of the weights: room for the turned ones */
}

const struct layer_kind layer_dense = {"dense", forward, backward, scratch};
