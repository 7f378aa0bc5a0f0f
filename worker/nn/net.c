/* Building a network, laying out its arena, running it. */
#include "worker/nn/layers.h"

#include "common/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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
    const struct shape shape = {channels, (x->shape.height - 1) / stride + 1,
                                (x->shape.width - 1) / stride + 1};
    struct layer *layer = layer_add(net, &layer_conv, input, shape);
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

int net_dense(struct net *net, int input, int outputs)
{
    struct layer *layer = layer_add(net, &layer_dense, input, (struct shape){outputs, 1, 1});
    layer->weights.floats = (net->tensors[input].image_floats + 1) * (size_t)blocks_of(outputs) * LANES;
    return layer->output;
}

/* ---- the arena -------------------------------------------------------------------------------------------
 */

/* Hands out pieces one after the other; with base NULL it only counts. */
struct arena {
    char *base;
    size_t used;
};

static void *arena_take(struct arena *arena, size_t count, size_t size)
{
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += (count * size + SIMD_ALIGN - 1) / SIMD_ALIGN * SIMD_ALIGN;
    return piece;
}

static float *offset_pointer(float *base, size_t offset)
{
    return base ? base + offset : NULL;
}

static void parameters_lay_out(struct net *net, struct arena *arena)
{
    net->weights.floats = net->betas.floats = 0;
    for (int i = 0; i < net->layer_count; i++) {
        net->weights.floats += net->layers[i].weights.floats;
        net->betas.floats += net->layers[i].betas.floats;
    }
    struct parameters *all[2] = {&net->weights, &net->betas};
    for (int k = 0; k < 2; k++) {
        all[k]->value = arena_take(arena, all[k]->floats, sizeof(float));
        all[k]->gradient = arena_take(arena, all[k]->floats, sizeof(float));
        all[k]->velocity = arena_take(arena, all[k]->floats, sizeof(float));
        size_t at = 0;
        for (int i = 0; i < net->layer_count; i++) {
            struct parameters *own = k == 0 ? &net->layers[i].weights : &net->layers[i].betas;
            own->value = offset_pointer(all[k]->value, at);
            own->gradient = offset_pointer(all[k]->gradient, at);
            own->velocity = offset_pointer(all[k]->velocity, at);
            at += own->floats;
        }
    }
}

static void norms_lay_out(struct net *net, struct arena *arena)
{
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *layer = &net->layers[i];
        if (!layer->has_norm)
            continue;
        const size_t channels = (size_t)blocks_of(net->tensors[layer->output].shape.channels) * LANES;
        double **doubles[] = {&layer->norm.mean, &layer->norm.variance, &layer->norm.pooled_mean,
                              &layer->norm.pooled_m2};
        for (size_t k = 0; k < sizeof doubles / sizeof *doubles; k++)
            *doubles[k] = arena_take(arena, channels, sizeof(double));
        float **floats[] = {&layer->norm.mean_float, &layer->norm.deviation_inverse, &layer->norm.factor,
                            &layer->norm.offset};
        for (size_t k = 0; k < sizeof floats / sizeof *floats; k++)
            *floats[k] = arena_take(arena, channels, sizeof(float));
    }
}

/* A gradient lives from its tensor's last reader (the first in the backward pass) to its writer. */
struct lifetime {
    int writer, last_reader;
    size_t at, floats;
};

static bool lifetimes_clash(const struct lifetime *a, const struct lifetime *b)
{
    return a->writer <= b->last_reader && b->writer <= a->last_reader;
}

/* The lowest place that no gradient of the same time occupies; the later in the backward pass, the later it
 * chooses. */
static size_t gradients_place(struct lifetime *lifetimes, int count)
{
    size_t end = 0;
    for (int i = count - 1; i >= 0; i--) {
        struct lifetime *mine = &lifetimes[i];
        mine->at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (int k = count - 1; k > i; k--) {
                const struct lifetime *other = &lifetimes[k];
                if (lifetimes_clash(mine, other) && mine->at < other->at + other->floats &&
                    other->at < mine->at + mine->floats) {
                    mine->at = other->at + other->floats;
                    moved = true;
                }
            }
        }
        if (mine->at + mine->floats > end)
            end = mine->at + mine->floats;
    }
    return end;
}

static void gradients_lay_out(struct net *net, struct arena *arena)
{
    struct lifetime *lifetimes = xcalloc((size_t)net->tensor_count, sizeof *lifetimes);
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *layer = &net->layers[i];
        struct lifetime *output = &lifetimes[layer->output];
        output->writer = i;
        output->last_reader = i;
        output->floats = lanes_up((size_t)net->batch * net->tensors[layer->output].image_floats);
        lifetimes[layer->input].last_reader = i;
        if (layer->residual >= 0)
            lifetimes[layer->residual].last_reader = i;
    }
    lifetimes[net->tensor_count - 1].last_reader = net->layer_count; /* the loss reads the logits */
    float *gradients =
        arena_take(arena, gradients_place(lifetimes + 1, net->tensor_count - 1), sizeof(float));
    for (int t = 1; t < net->tensor_count; t++)
        net->tensors[t].gradient = offset_pointer(gradients, lifetimes[t].at);
    free(lifetimes);
}

static void lay_out(struct net *net, struct arena *arena)
{
    parameters_lay_out(net, arena);
    norms_lay_out(net, arena);
    for (int t = 0; t < net->tensor_count; t++)
        net->tensors[t].value =
            arena_take(arena, (size_t)net->batch * net->tensors[t].image_floats, sizeof(float));
    gradients_lay_out(net, arena);
    size_t scratch = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const size_t need = net->layers[i].kind->scratch(net, &net->layers[i], net->batch);
        scratch = need > scratch ? need : scratch;
    }
    net->scratch = arena_take(arena, scratch, sizeof(float));
}

/* Which reader of a tensor comes first in the backward pass and so writes its gradient, instead of adding to
 * it. */
static void readers_mark(struct net *net)
{
    bool *written = xcalloc((size_t)net->tensor_count, sizeof *written);
    for (int i = net->layer_count - 1; i >= 0; i--) {
        struct layer *layer = &net->layers[i];
        if (layer->residual >= 0) { /* a layer's residual is written before its input */
            layer->add_residual = written[layer->residual];
            written[layer->residual] = true;
        }
        layer->add_input = written[layer->input];
        written[layer->input] = true;
    }
    free(written);
}

int net_finish(struct net *net, int batch, struct problem *problem)
{
    assert(net->layer_count > 0 && batch > 0 && !net->arena);
    net->batch = batch;
    readers_mark(net);
    struct arena count = {0};
    lay_out(net, &count);
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    void *base = MAP_FAILED;
    if ((double)count.used < memory)
        base = mmap(NULL, count.used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return problem_set(problem, ERR_LIMIT,
                           "a batch of %d images needs %.1f GB of memory, and this machine has %.1f GB: take "
                           "a smaller batch",
                           batch, (double)count.used / 1e9, memory / 1e9);
    net->arena = base;
    net->arena_bytes = count.used;
    struct arena arena = {.base = base};
    lay_out(net, &arena);
    return 0;
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
    *ret_fan_in = layer->kind == &layer_conv ? (int64_t)in.channels * layer->kernel * layer->kernel
                                             : (int64_t)in.channels * pixels_of(in);
    return *ret_fan_in * net->tensors[layer->output].shape.channels;
}

int64_t layer_parameter_count(const struct net *net, const struct layer *layer)
{
    const int channels = net->tensors[layer->output].shape.channels;
    int64_t fan_in;
    if (layer->kind == &layer_conv)
        return weight_count(net, layer, &fan_in);
    if (layer->kind == &layer_dense)
        return weight_count(net, layer, &fan_in) + channels;
    return layer->has_norm ? 2 * (int64_t)channels : 0;
}

int64_t layer_beta_count(const struct net *net, const struct layer *layer)
{
    return layer->has_activation ? (int64_t)net->beta_count * net->tensors[layer->output].shape.channels : 0;
}

/* Draws in the order output, channel, row, column: the numbers do not depend on the layout. */
static void weights_draw(const struct net *net, const struct layer *layer, struct rng *rng)
{
    const struct shape in = net->tensors[layer->input].shape;
    const bool conv = layer->kind == &layer_conv;
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
    for (int k = 0; k < 2; k++) {
        memset(all[k]->value, 0, all[k]->floats * sizeof(float));
        memset(all[k]->gradient, 0, all[k]->floats * sizeof(float));
        memset(all[k]->velocity, 0, all[k]->floats * sizeof(float));
    }
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *layer = &net->layers[i];
        const int channels = net->tensors[layer->output].shape.channels;
        if (layer->kind == &layer_conv || layer->kind == &layer_dense) {
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

/* ---- running ---------------------------------------------------------------------------------------------
 */

void net_forward(struct net *net, int images, enum pass pass)
{
    assert(images > 0 && images <= net->batch);
    for (int i = 0; i < net->layer_count; i++)
        net->layers[i].kind->forward(net, &net->layers[i], images, pass);
}

void net_backward(struct net *net, int images)
{
    assert(images > 0 && images <= net->batch);
    for (int i = net->layer_count - 1; i >= 0; i--)
        net->layers[i].kind->backward(net, &net->layers[i], images);
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
