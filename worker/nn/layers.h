/* layers: a child network as a list of layers over tensors, with forward and backward pass.
 *
 * Layout: the image tensor is N × height × width × channels; every other tensor is N × channels/16 × height ×
 * width × 16, channels rounded up, so that a row of 16 floats is 16 channels of one pixel.
 *
 * A pass goes through the net in segments, and through each segment in ranges of a few images, so that what
 * one layer writes is still in cache when the next one reads it. A segment starts at each batch norm, since
 * that needs the whole batch before it gives its first output: the one place where all images must have come
 * through (run.c).
 *
 * Invariants:
 *  1. A layer's inputs are outputs of earlier layers, or tensor 0, the image.
 *  2. The lanes past the last channel are 0 in every value and gradient, whatever the activation is at 0; so
 * are the weights that belong to them. Layers may therefore read whole rows. In a tensor that is a part of a
 * wider one (append.c) they hold the wider one's next channels, once those are written: only norms read such a
 * tensor, whose scale is 0 there.
 *  3. The gradient of a tensor is written by the last of its readers and added to by the others (backward
 * goes from last to first; add_input and add_residual say which). It shares memory with gradients that live
 * at another time.
 *  4. Sums over images go over groups of GROUP images, the groups combined in a fixed binary tree: the bits
 * depend neither on the instruction set nor on how the groups might be spread over threads.
 *  5. All memory is one arena, laid out by net_finish; nothing is allocated after it.
 *  6. A large tensor that is written and read within one segment is kept for the range in work only. Where
 * the backward pass needs such a value, it is computed again.
 */
#ifndef WORKER_NN_LAYERS_H
#define WORKER_NN_LAYERS_H

#include "common/err.h"
#include "common/expr/program.h"
#include "worker/nn/kernels.h"

#include <stdbool.h>
#include <stdint.h>

enum { GROUP = 8, MAX_LAYERS = 1024, MAX_TENSORS = MAX_LAYERS + 1 };

struct shape {
    int channels, height, width;
};

struct tensor {
    struct shape shape;
    int part_of;         /* the tensor that this one is the first channels of; 0: none (append.c) */
    int pixel_floats;    /* 16; of the image tensor: its channels */
    size_t image_floats; /* of one image: from one to the next */
    int value_images;    /* images kept: the batch, or those of a range (invariant 6) */
    int gradient_images;
    float *value;    /* value_images × image_floats */
    float *gradient; /* gradient_images × image_floats; NULL for the image */
};

/* A block of trainable numbers of one kind, side by side, so that the optimiser passes over them at once. */
struct parameters {
    size_t floats; /* padded lanes included */
    float *value, *gradient, *velocity;
};

enum pass {
    PASS_TRAIN,      /* batch norm by the statistics of the batch */
    PASS_STATISTICS, /* the same, and the statistics are collected for PASS_EVALUATE */
    PASS_EVALUATE,   /* batch norm by the statistics collected */
};

/* Of a batch norm, for each channel. */
struct norm {
    double *mean, *variance;         /* of the last batch */
    double *pooled_mean, *pooled_m2; /* collected by PASS_STATISTICS */
    double pooled_count;             /* pixels collected */
    float *mean_float, *deviation_inverse;
    float *factor, *offset; /* normalise, scale and shift at once: x · factor + offset */
    float *dx_of_dy, *dx_of_x,
        *dx_offset; /* the same backward: dx = dy · dx_of_dy + x · dx_of_x + dx_offset */
};

/* The fixed tree of invariant 4: open a zeroed slot for a group, fill it, close it; after the last, the sum
 * is in `first`. */
struct tree {
    const struct kernels *kernels;
    float *first; /* rows × 16 */
    float *spare; /* tree_spare_floats */
    size_t rows;
    int depth, groups;
    float *slot; /* of the open group */
};
size_t tree_spare_floats(size_t floats, int batch);
struct tree tree_start(const struct kernels *kernels, float *first, float *spare, size_t floats);
float *tree_open(struct tree *tree);
void tree_close(struct tree *tree);
void tree_finish(struct tree *tree);

struct net;
struct layer;

/* What a kind of layer does, in the order in which a pass calls it. Functions with `first` and `count` work
 * on that range of the images, which lies within one group or is made of whole groups; the others on the
 * whole batch. NULL: nothing to do. */
struct layer_kind {
    const char *name;
    /* Looks at the input's value, one segment ahead of `forward` (batch norm: statistics). */
    void (*measure)(struct net *net, struct layer *layer, int first, int count);
    void (*forward_begin)(struct net *net, struct layer *layer);
    /* Input's value → output's value. */
    void (*forward)(struct net *net, struct layer *layer, int first, int count);
    void (*backward_begin)(struct net *net, struct layer *layer);
    /* Output's gradient → input's (and residual's) gradient, and the group's part of the parameters'
     * gradients. May overwrite the output's gradient. A batch norm leaves the input's gradient to
     * backward_rest. */
    void (*backward)(struct net *net, struct layer *layer, int first, int count);
    /* The parameters' gradients are complete. */
    void (*backward_end)(struct net *net, struct layer *layer);
    /* What of `backward` needs the sums of the whole batch, one segment later. */
    void (*backward_rest)(struct net *net, struct layer *layer, int first, int count);
    /* Floats of scratch with `batch` images. */
    size_t (*scratch)(const struct net *net, const struct layer *layer, int batch);
    bool value_unused; /* the backward functions do not look at the input's value */
};

struct layer {
    const struct layer_kind *kind;
    int input, output;
    int residual; /* norm_act: a tensor added before the activation; append: the one before; −1: none */
    bool add_input, add_residual;  /* add to that gradient (invariant 3) */
    int kernel, stride;            /* conv */
    int drop_percent;              /* dropout */
    bool has_norm, has_activation; /* norm_act */
    struct program *program;       /* with has_activation */
    struct parameters weights;     /* conv: window weights; dense: weights, bias; norm: scale, shift */
    struct parameters betas;       /* blocks × betas × 16 */
    struct norm norm;
    float *scratch;   /* a batch norm's is its own, the others' is shared with other segments */
    struct tree tree; /* of the parameters' gradients, during a backward pass */
};

struct net {
    struct tensor tensors[MAX_TENSORS];
    struct layer layers[MAX_LAYERS];
    int tensor_count, layer_count;
    int batch;         /* most images in one pass */
    int images;        /* of the pass that is going on */
    enum pass pass;    /* its kind */
    uint64_t seed;     /* of net_initialise */
    int64_t step;      /* of the training: what dropout drops; the caller counts */
    size_t keep_bytes; /* tensors of a batch that are larger need not be kept (invariant 6) */
    int classes;
    const struct kernels *kernels;
    const struct expr *activation; /* borrowed */
    int beta_count;                /* of the activation */
    struct parameters weights;     /* of all layers, one after the other; weight decay applies */
    struct parameters betas;
    void *arena;
    size_t arena_bytes;
    /* Called after each function of a layer, for measurements; may be NULL. */
    void (*trace)(void *context, const struct layer *layer, bool back);
    void *trace_context;
};

/* ---- building: each returns the output tensor's number ---------------------------------------------------
 */
struct net *net_new(struct shape image, int classes, const struct expr *activation);
void net_destroy(struct net **net);
/* kernel × kernel, odd, zero padding kernel/2, no bias. */
int net_conv(struct net *net, int input, int channels, int kernel, int stride);
/* y = f(norm(x) + residual), each of the three parts optional. A residual of fewer channels or larger planes
 * is padded with zero channels and subsampled (He et al. 2015, option A). */
int net_norm_act(struct net *net, int input, bool norm, int residual, bool activation);
/* Global average. */
int net_pool(struct net *net, int input);
/* Average of 2 × 2 pixels, stride 2; at an odd edge of those that there are. */
int net_halve(struct net *net, int input);
/* In a training each value is 0 with that probability, and otherwise divided by the rest. */
int net_dropout(struct net *net, int input, int percent);
/* `wide`'s channels and then those of `piece`; wide −1: a block begins. No other layer may read `piece`, and
 * beside this one only net_norm_act with a norm, before it, may read `wide`. */
int net_append(struct net *net, int wide, int piece);
/* All values of an image → outputs, with bias. */
int net_dense(struct net *net, int input, int outputs);

/* Lays the arena out (arena.c) for batches of up to `batch` images. ERR_LIMIT where it would not fit into
 * this machine's memory. */
int net_finish(struct net *net, int batch, struct problem *problem);

/* Initial values: He normal (fan-in) weights, bias and shift 0, scale 1, β as the activation says; velocity
 * 0. */
void net_initialise(struct net *net, uint64_t seed);

/* ---- running
 * ----------------------------------------------------------------------------------------------- */
/* The image tensor's value → the last tensor's. */
void net_forward(struct net *net, int images, enum pass pass);
/* The last tensor's gradient → all parameters' gradients. After a PASS_TRAIN. */
void net_backward(struct net *net, int images);
/* Whether PASS_STATISTICS has anything to collect. */
bool net_has_statistics(const struct net *net);
/* Forgets the statistics collected by PASS_STATISTICS. */
void net_statistics_reset(struct net *net);

struct tensor *net_image(struct net *net);
struct tensor *net_logits(struct net *net);
/* Trainable numbers, padded lanes not counted. */
int64_t layer_parameter_count(const struct net *net, const struct layer *layer);
int64_t layer_beta_count(const struct net *net, const struct layer *layer);
/* Multiply-adds of the forward pass for one image, of convolutions and dense layers. */
int64_t layer_multiply_adds(const struct net *net, const struct layer *layer);

/* Where weight (output, input, tap row, tap column) of a conv or dense layer stands in weights.value. A dense
 * layer's input is (channel, row, column) of the tensor that it reads. */
size_t layer_weight_at(const struct net *net, const struct layer *layer, int output, int channel, int row,
                       int column);
/* Where the bias of a dense layer starts. */
size_t layer_bias_at(const struct net *net, const struct layer *layer);

/* ---- for the layers themselves
 * ----------------------------------------------------------------------------- */
/* Convolutions go one of two ways: a sliding window (conv.c), or winograd.c where that fits. */
extern const struct layer_kind layer_conv, layer_winograd, layer_norm_act, layer_pool, layer_halve,
    layer_append, layer_dropout, layer_dense;

static inline bool layer_is_conv(const struct layer *layer)
{
    return layer->kind == &layer_conv || layer->kind == &layer_winograd;
}

/* Whether the backward pass needs the value that this layer read. */
static inline bool layer_reads_back(const struct layer *layer)
{
    const bool adds = layer->kind == &layer_norm_act && !layer->has_norm && !layer->has_activation;
    return !adds && !layer->kind->value_unused;
}

static inline int blocks_of(int channels)
{
    return (channels + LANES - 1) / LANES;
}

static inline int pixels_of(struct shape shape)
{
    return shape.height * shape.width;
}

/* Floats of one image in a tensor of that shape and pixel size. */
size_t shape_floats(struct shape shape, int pixel_floats);

/* Layers that start a segment: batch norms, and the first. */
bool layer_starts_segment(const struct net *net, int layer);
/* The layer after the segment that starts at `first`. */
int segment_end(const struct net *net, int first);
/* How many images at a time go through that segment: few enough to stay in cache, whole groups or a part of
 * one. */
int segment_range(const struct net *net, int first);

static inline float *value_at(const struct tensor *tensor, int image)
{
    return tensor->value + (size_t)(image % tensor->value_images) * tensor->image_floats;
}

static inline float *gradient_at(const struct tensor *tensor, int image)
{
    return tensor->gradient + (size_t)(image % tensor->gradient_images) * tensor->image_floats;
}

/* Images from `at` to the end of its group, or to `end` where that comes first. */
static inline int group_part(int at, int end)
{
    const int next = (at / GROUP + 1) * GROUP;
    return next < end ? next - at : end - at;
}

/* The open slot for the group of image `at`: a new one where the group starts; closed where `end` ends it. */
static inline float *group_open(struct tree *tree, int at)
{
    return at % GROUP == 0 ? tree_open(tree) : tree->slot;
}

static inline void group_close(const struct net *net, struct tree *tree, int end)
{
    if (end % GROUP == 0 || end == net->images)
        tree_close(tree);
}

static inline int groups_of(int images)
{
    return (images + GROUP - 1) / GROUP;
}

#endif
