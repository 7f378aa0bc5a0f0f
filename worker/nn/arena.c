/* The arena of a net: which numbers are kept, and which share memory because they live at different times. */
#include "worker/nn/layers.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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
                            &layer->norm.offset,     &layer->norm.dx_of_dy,          &layer->norm.dx_of_x,
                            &layer->norm.dx_offset};
        for (size_t k = 0; k < sizeof floats / sizeof *floats; k++)
            *floats[k] = arena_take(arena, channels, sizeof(float));
    }
}

/* A gradient lives from its tensor's last reader (the first in the backward pass) to its writer, counted in
 * segments: within one, the layers take turns. Times are segments from the end of the net. */
struct lifetime {
    int from, to;
    size_t at, floats;
    int shares; /* the tensor in whose place this one lies, or −1 */
};

static bool lifetimes_clash(const struct lifetime *a, const struct lifetime *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* The lowest place that no gradient of the same time occupies; the earlier in the net, the later it chooses.
 */
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

/* A shortcut that changes neither size nor channels hands its gradient on as it is: both tensors can be one
 * piece of memory, where this layer is the one that writes it (norm_act.c then finds nothing to do). So are
 * the parts of a wider tensor. */
static bool residual_shares(const struct net *net, const struct layer *layer)
{
    if (layer->residual < 0 || layer->add_residual)
        return false;
    const struct tensor *a = &net->tensors[layer->residual], *b = &net->tensors[layer->output];
    if (layer->kind == &layer_append)
        return true;
    return a->shape.channels == b->shape.channels && pixels_of(a->shape) == pixels_of(b->shape) &&
           a->gradient_images == b->gradient_images;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void gradients_lay_out(struct net *net, struct arena *arena)
{
    struct lifetime *lifetimes = xcalloc((size_t)net->tensor_count, sizeof *lifetimes);
    for (int t = 0; t < net->tensor_count; t++)
        lifetimes[t].from = lifetimes[t].shares = -1;
    lifetimes[net->tensor_count - 1].from = 0; /* the loss writes it */
    for (int i = net->layer_count - 1, time = 0; i >= 0; i--) {
        const struct layer *layer = &net->layers[i];
        const struct tensor *output = &net->tensors[layer->output];
        const int inputs[2] = {layer->input, layer->residual};
        for (int k = 0; k < 2; k++)
            if (inputs[k] > 0 && lifetimes[inputs[k]].from < 0)
                lifetimes[inputs[k]].from = time;
        lifetimes[layer->output].to = time + (layer->has_norm ? 1 : 0); /* backward_rest */
        lifetimes[layer->output].floats = lanes_up((size_t)output->gradient_images * output->image_floats);
        time += layer_starts_segment(net, i) ? 1 : 0;
    }
    for (int i = 0; i < net->layer_count; i++) { /* chains of shortcuts end in one piece */
        struct layer *layer = &net->layers[i];
        if (!residual_shares(net, layer))
            continue;
        struct lifetime *mine = &lifetimes[layer->output], *other = &lifetimes[layer->residual];
        mine->from = smaller(mine->from, other->from);
        mine->to = larger(mine->to, other->to);
        other->shares = layer->output;
        other->floats = 0;
    }
    float *gradients =
        arena_take(arena, gradients_place(lifetimes + 1, net->tensor_count - 1), sizeof(float));
    for (int t = net->tensor_count - 1; t > 0; t--) {
        if (lifetimes[t].shares >= 0)
            lifetimes[t].at = lifetimes[lifetimes[t].shares].at;
        net->tensors[t].gradient = offset_pointer(gradients, lifetimes[t].at);
    }
    free(lifetimes);
}

/* Scratch of a segment's layers lies side by side; segments share it. What a batch norm keeps there lives on
 * into the next segment, so each has its own. */
static void scratch_lay_out(struct net *net, struct arena *arena)
{
    size_t most = 0;
    for (int run = 0; run < 2; run++) { /* first only to find how much */
        float *shared = run ? arena_take(arena, most, sizeof(float)) : NULL;
        size_t at = 0;
        for (int i = 0; i < net->layer_count; i++) {
            struct layer *layer = &net->layers[i];
            const size_t need = lanes_up(layer->kind->scratch(net, layer, net->batch));
            if (layer_starts_segment(net, i))
                at = 0;
            if (layer->has_norm) {
                if (run)
                    layer->scratch = arena_take(arena, need, sizeof(float));
                continue;
            }
            layer->scratch = offset_pointer(shared, at);
            at += need;
            most = at > most ? at : most;
        }
    }
}

/* Invariant 6. A value goes where only the next layer reads it, and that in the same segment; it must be
 * cheap to compute again, which is so for an activation, or not be needed backward. A gradient goes where
 * only the norm and activation that follow write it, or it is cut out of a wide one: the layer before reads
 * it right then. */
static void kept_choose(struct net *net)
{
    int *readers = xcalloc((size_t)net->tensor_count, sizeof *readers);
    for (int i = 0; i < net->layer_count; i++) {
        readers[net->layers[i].input]++;
        if (net->layers[i].residual >= 0)
            readers[net->layers[i].residual]++;
    }
    for (int t = 0; t < net->tensor_count; t++)
        net->tensors[t].value_images = net->tensors[t].gradient_images = net->batch;
    for (int first = 0, end; first < net->layer_count; first = end) {
        end = segment_end(net, first);
        const int range = smaller(segment_range(net, first), net->batch);
        for (int i = first; i < end && i + 1 < net->layer_count; i++) {
            struct tensor *tensor = &net->tensors[net->layers[i].output];
            const struct layer *next = &net->layers[i + 1];
            if ((size_t)net->batch * tensor->image_floats * sizeof(float) <= net->keep_bytes ||
                readers[net->layers[i].output] != 1 || next->input != net->layers[i].output ||
                net->layers[i].kind == &layer_append)
                continue;
            const bool cheap = net->layers[i].kind == &layer_norm_act && layer_is_conv(next);
            if (i + 1 < end && (cheap || !layer_reads_back(next)))
                tensor->value_images = range;
            if (!net->layers[i].has_norm && (next->kind == &layer_norm_act || next->kind == &layer_append))
                tensor->gradient_images = range;
        }
    }
    free(readers);
}

static void lay_out(struct net *net, struct arena *arena)
{
    parameters_lay_out(net, arena);
    norms_lay_out(net, arena);
    for (int t = 0; t < net->tensor_count; t++)
        if (!net->tensors[t].part_of)
            net->tensors[t].value = arena_take(
                arena, (size_t)net->tensors[t].value_images * net->tensors[t].image_floats, sizeof(float));
    for (int t = net->tensor_count - 1; t > 0; t--)
        if (net->tensors[t].part_of)
            net->tensors[t].value = net->tensors[net->tensors[t].part_of].value;
    gradients_lay_out(net, arena);
    scratch_lay_out(net, arena);
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

/* Parts lie in the images of the widest tensor (append.c), of which only norms may read a part: another layer
 * would take its next channels for padding. */
static void parts_fit(struct net *net)
{
    for (int t = net->tensor_count - 1; t > 0; t--)
        if (net->tensors[t].part_of)
            net->tensors[t].image_floats = net->tensors[net->tensors[t].part_of].image_floats;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *layer = &net->layers[i];
        assert(!net->tensors[layer->input].part_of || layer->has_norm);
        assert(layer->residual < 0 || layer->kind == &layer_append || !net->tensors[layer->residual].part_of);
    }
}

int net_finish(struct net *net, int batch, struct problem *problem)
{
    assert(net->layer_count > 0 && batch > 0 && !net->arena);
    net->batch = batch;
    parts_fit(net);
    readers_mark(net);
    kept_choose(net);
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
    madvise(base, count.used,
            MADV_HUGEPAGE); /* fewer page faults in the first step; no matter where it fails */
    net->arena = base;
    net->arena_bytes = count.used;
    struct arena arena = {.base = base};
    lay_out(net, &arena);
    return 0;
}
