/* Building a network, and its parameters. */
#include "worker/nn/layers.h"

#include "common/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Tensors that are larger would not stay in the last cache anyway. */
enum { KEEP_BYTES = 3 << 20 };

size_t shape_floats(struct shape shape, int pixel_floats)
{
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    return pixels * (size_t)pixel_floats * (pixel_floats == LANES ? (size_t)blocks_of(shape.channels) : 1);
}

static int tensor_add(struct net *net, struct shape shape, int pixel_floats)
{
    assert(net->tensor_count < MAX_TENSORS && shape.channels > 0 && shape.height > 0 && shape.width > 0);
    net->tensors[net->tensor_count] = (struct tensor){
        .shape = shape, .pixel_floats = pixel_floats, .image_floats = shape_floats(shape, pixel_floats)};
    return net->tensor_count++;
}

static struct layer *layer_add(struct net *net, const struct layer_kind *kind, int input, struct shape output)
{
    assert(net->layer_count < MAX_LAYERS && input < net->tensor_count);
    struct layer *layer = &net->layers[net->layer_count++];
    *layer = (struct layer){.kind = kind, .input = input, .residual = -1};
    layer->output = tensor_add(net, output, LANES);
    return layer;
}

struct net *net_new(struct shape image, int classes, const struct expr *activation)
{
    struct net *net = xcalloc(1, sizeof *net);
    net->classes = classes;
    net->keep_bytes = KEEP_BYTES;
    net->kernels = kernels_table();
    net->activation = activation;
    net->beta_count = expr_betas(activation);
    /* An image of 16 channels is blocked like any other tensor. */
    tensor_add(net, image, image.channels < LANES ? image.channels : LANES);
    return net;
}

void net_destroy(struct net **net)
{
    if (!*net)
        return;
    for (int i = 0; i < (*net)->layer_count; i++)
        program_destroy(&(*net)->layers[i].program);
    if ((*net)->arena)
        munmap((*net)->arena, (*net)->arena_bytes);
    free(*net);
    *net = NULL;
}

int net_conv(struct net *net, int input, int channels, int kernel, int stride)
{
    assert(kernel % 2 == 1 && stride >= 1);
    const struct tensor *x = &net->tensors[input];
    const bool winograd = kernel == 3 && stride == 1 && x->pixel_floats == LANES;
    const struct shape shape = {channels, (x->shape.height - 1) / stride + 1,
                                (x->shape.width - 1) / stride + 1};
    struct layer *layer = layer_add(net, winograd ? &layer_winograd : &layer_conv, input, shape);
    layer->kernel = kernel;
    layer->stride = stride;
    const int in_floats = x->pixel_floats == LANES ? blocks_of(x->shape.channels) * LANES : x->pixel_floats;
    layer->weights.floats = (size_t)(blocks_of(channels) * kernel * kernel * in_floats) * LANES;
    return layer->output;
}

int net_norm_act(struct net *net, int input, bool norm, int residual, bool activation)
{
    const struct shape shape = net->tensors[input].shape;
    assert(net->tensors[input].pixel_floats == LANES && input != 0 && residual != 0);
    assert(residual < 0 || net->tensors[residual].shape.channels <= shape.channels);
    struct layer *layer = layer_add(net, &layer_norm_act, input, shape);
    const size_t channels = (size_t)blocks_of(shape.channels) * LANES;
    layer->residual = residual < 0 ? -1 : residual;
    layer->has_norm = norm;
    layer->has_activation = activation;
    if (norm)
        layer->weights.floats = 2 * channels;
    if (activation) {
        layer->program = program_new(net->activation);
        layer->betas.floats = (size_t)net->beta_count * channels;
    }
    return layer->output;
}

int net_pool(struct net *net, int input)
{
    assert(net->tensors[input].pixel_floats == LANES && input != 0);
    return layer_add(net, &layer_pool, input, (struct shape){net->tensors[input].shape.channels, 1, 1})
        ->output;
}

int net_halve(struct net *net, int input)
{
    const struct shape in = net->tensors[input].shape;
    assert(net->tensors[input].pixel_floats == LANES && input != 0);
    return layer_add(net, &layer_halve, input,
                     (struct shape){in.channels, (in.height + 1) / 2, (in.width + 1) / 2})
        ->output;
}

int net_dropout(struct net *net, int input, int percent)
{
    assert(net->tensors[input].pixel_floats == LANES && input != 0 && percent >= 0 && percent < 100);
    struct layer *layer = layer_add(net, &layer_dropout, input, net->tensors[input].shape);
    layer->drop_percent = percent;
    return layer->output;
}

int net_append(struct net *net, int wide, int piece)
{
    struct shape shape = net->tensors[piece].shape;
    assert(net->tensors[piece].pixel_floats == LANES && piece != 0 && wide != 0);
    if (wide > 0) {
        const struct tensor *before = &net->tensors[wide];
        assert(before->shape.height == shape.height && before->shape.width == shape.width &&
               !before->part_of);
        shape.channels += before->shape.channels;
    }
    struct layer *layer = layer_add(net, &layer_append, piece, shape);
    layer->residual = wide;
    if (wide > 0)
        net->tensors[wide].part_of = layer->output;
    return layer->output;
}

int net_dense(struct net *net, int input, int outputs)
{
    struct layer *layer = layer_add(net, &layer_dense, input, (struct shape){outputs, 1, 1});
    layer->weights.floats = (net->tensors[input].image_floats + 1) * (size_t)blocks_of(outputs) * LANES;
    return layer->output;
}

/* ---- parameters ------------------------------------------------------------------------------------------
 */

size_t layer_weight_at(const struct net *net, const struct layer *layer, int output, int channel, int row,
                       int column)
{
    const struct tensor *x = &net->tensors[layer->input];
    const size_t lanes = (size_t)x->pixel_floats, c = (size_t)channel % lanes;
    const size_t block = (size_t)channel / lanes,
                 blocks = lanes == LANES ? (size_t)blocks_of(x->shape.channels) : 1;
    const size_t out_block = (size_t)output / LANES, o = (size_t)output % LANES;
    size_t rows = (size_t)layer->kernel, columns = rows;
    if (layer->kind == &layer_dense) {
        rows = (size_t)x->shape.height;
        columns = (size_t)x->shape.width;
    }
    const size_t tap = ((out_block * blocks + block) * rows + (size_t)row) * columns + (size_t)column;
    return (tap * lanes + c) * LANES + o;
}

size_t layer_bias_at(const struct net *net, const struct layer *layer)
{
    return layer->weights.floats - (size_t)blocks_of(net->tensors[layer->output].shape.channels) * LANES;
}

static int64_t weight_count(const struct net *net, const struct layer *layer, int64_t *ret_fan_in)
{
    const struct shape in = net->tensors[layer->input].shape;
    *ret_fan_in = layer_is_conv(layer) ? (int64_t)in.channels * layer->kernel * layer->kernel
                                       : (int64_t)in.channels * pixels_of(in);
    return *ret_fan_in * net->tensors[layer->output].shape.channels;
}

int64_t layer_parameter_count(const struct net *net, const struct layer *layer)
{
    const int channels = net->tensors[layer->output].shape.channels;
    int64_t fan_in;
    if (layer_is_conv(layer))
        return weight_count(net, layer, &fan_in);
    if (layer->kind == &layer_dense)
        return weight_count(net, layer, &fan_in) + channels;
    return layer->has_norm ? 2 * (int64_t)channels : 0;
}

int64_t layer_multiply_adds(const struct net *net, const struct layer *layer)
{
    int64_t fan_in;
    if (!layer_is_conv(layer) && layer->kind != &layer_dense)
        return 0;
    return weight_count(net, layer, &fan_in) * pixels_of(net->tensors[layer->output].shape);
}

int64_t layer_beta_count(const struct net *net, const struct layer *layer)
{
    return layer->has_activation ? (int64_t)net->beta_count * net->tensors[layer->output].shape.channels : 0;
}

/* Draws in the order output, channel, row, column: the numbers do not depend on the layout. */
static void weights_draw(const struct net *net, const struct layer *layer, struct rng *rng)
{
    const struct shape in = net->tensors[layer->input].shape;
    const bool conv = layer_is_conv(layer);
    const int rows = conv ? layer->kernel : in.height, columns = conv ? layer->kernel : in.width;
    int64_t fan_in;
    weight_count(net, layer, &fan_in);
    const double deviation = sqrt(2.0 / (double)fan_in);
    for (int output = 0; output < net->tensors[layer->output].shape.channels; output++)
        for (int channel = 0; channel < in.channels; channel++)
            for (int row = 0; row < rows; row++)
                for (int column = 0; column < columns; column++)
                    layer->weights.value[layer_weight_at(net, layer, output, channel, row, column)] =
                        (float)(deviation * rng_normal(rng));
}

void net_initialise(struct net *net, uint64_t seed)
{
    struct parameters *all[2] = {&net->weights, &net->betas};
    net->seed = seed;
    net->step = 0;
    for (int k = 0; k < 2; k++) {
        memset(all[k]->value, 0, all[k]->floats * sizeof(float));
        memset(all[k]->gradient, 0, all[k]->floats * sizeof(float));
        memset(all[k]->velocity, 0, all[k]->floats * sizeof(float));
    }
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *layer = &net->layers[i];
        const int channels = net->tensors[layer->output].shape.channels;
        if (layer_is_conv(layer) || layer->kind == &layer_dense) {
            struct rng rng = rng_seed(seed, "weights", (uint64_t)i);
            weights_draw(net, layer, &rng);
        }
        for (int c = 0; layer->has_norm && c < channels; c++)
            layer->weights.value[c] = 1.0f;
        for (size_t at = 0; at < layer->betas.floats; at++)
            layer->betas.value[at] =
                (float)expr_beta_init(net->activation, (int)(at / LANES) % net->beta_count);
    }
}

bool net_has_statistics(const struct net *net)
{
    bool has = false;
    for (int i = 0; i < net->layer_count; i++)
        has |= net->layers[i].has_norm;
    return has;
}

void net_statistics_reset(struct net *net)
{
    for (int i = 0; i < net->layer_count; i++)
        net->layers[i].norm.pooled_count = 0;
}

struct tensor *net_image(struct net *net)
{
    return &net->tensors[0];
}

struct tensor *net_logits(struct net *net)
{
    return &net->tensors[net->tensor_count - 1];
}
