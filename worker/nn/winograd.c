/* winograd: 3 × 3 convolutions of stride 1 with 36 multiplications where the direct way takes 144 (Lavin and
 * Gray 2015, "Fast Algorithms for Convolutional Neural Networks", F(4×4, 3×3); Winograd 1980).
 *
 * The output is cut into tiles of 4 × 4. With d the 6 × 6 patch of the input around a tile and g the 3 × 3
 * weights,
 *
 *     y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
 *
 *     Bᵀ = 4  0 −5  0  1  0    G =  1/4    0    0     Aᵀ = 1  1  1  1  1  0
 *          0 −4 −4  1  1  0        −1/6 −1/6 −1/6          0  1 −1  2 −2  0
 *          0  4 −4 −1  1  0        −1/6  1/6 −1/6          0  1  1  4  4  0
 *          0 −2 −1  2  1  0        1/24 1/12  1/6          0  1 −1  8 −8  1
 *          0  2 −1 −2  1  0        1/24 −1/12 1/6
 *          0  4  0 −5  0  1           0    0    1
 *
 * so for each of the 36 places of a patch the channels are one matrix product over tiles. The gradients
 * follow:
 *
 *     input:    the same with the output's gradient as input and turned weights
 *     weights:  dg = Gᵀ [Σ over tiles (Bᵀ d B) ⊙ (A dy Aᵀ)] G
 *
 * The price is rounding: with 32 channels of normal numbers the error is 1.1e-6 of the output's deviation
 * (root mean square), against 3e-7 the direct way.
 *
 * The rows of tiles of many images are one list, of which a strip of about WINOGRAD_STRIP tiles goes through
 * all steps while it is in cache. Lanes are channels and never mix; every sum runs in an order that follows
 * from the shapes alone.
 */
#include "worker/nn/layers.h"

enum { LARGE_WEIGHTS = 128 * 1024 };

/* Scratch, in the order of the members; each starts at a whole vector. */
struct work {
    float *zeros;      /* one row of the image */
    float *weights;    /* 36 places of the weights as this pass needs them */
    float *x, *dy;     /* 36 places of a strip: patches of the input, the spread gradient */
    float *dy_patches; /* 36 places of a strip: patches of the gradient */
    float *products;   /* 36 places of a strip of the output, or of the input's gradient */
    float *turned;     /* in_blocks × out_blocks × 3 × 3 × 16 outputs × 16 inputs */
    float *dweights;   /* 36 places of the weights' gradient of one group */
    float *tree;
};

static struct winograd tiles_of(const struct tensor *tensor)
{
    const struct shape shape = tensor->shape;
    return (struct winograd){.height = shape.height,
                             .width = shape.width,
                             .down = (shape.height + WINOGRAD_TILE - 1) / WINOGRAD_TILE,
                             .across = (shape.width + WINOGRAD_TILE - 1) / WINOGRAD_TILE,
                             .blocks = blocks_of(shape.channels)};
}

/* Rows of tiles in a strip. All weights pass over each strip: it is longer where they do not stay in cache. */
static int strip_rows(const struct layer *layer, const struct winograd *w)
{
    const int tiles = layer->weights.floats > LARGE_WEIGHTS ? 4 * WINOGRAD_STRIP : WINOGRAD_STRIP;
    return w->across < tiles ? tiles / w->across : 1;
}

static size_t strip_floats(const struct layer *layer, const struct winograd *w)
{
    return WINOGRAD_PLACES * winograd_place(w->blocks, strip_rows(layer, w) * w->across);
}

/* Lays the pieces out from `base`; returns the floats used. */
static size_t work_lay_out(const struct net *net, const struct layer *layer, int batch, float *base,
                           struct work *work)
{
    const struct winograd x = tiles_of(&net->tensors[layer->input]),
                          y = tiles_of(&net->tensors[layer->output]);
    const size_t places = layer->weights.floats / 9 * WINOGRAD_PLACES;
    const size_t more = strip_floats(layer, x.blocks > y.blocks ? &x : &y);
    const struct {
        float **piece;
        size_t floats;
    } pieces[] = {
        {&work->zeros, (size_t)x.width * LANES},
        {&work->weights, places},
        {&work->x, strip_floats(layer, &x)},
        {&work->dy, strip_floats(layer, &y)},
        {&work->dy_patches, strip_floats(layer, &y)},
        {&work->products, more},
        {&work->turned, layer->weights.floats},
        {&work->dweights, places},
        {&work->tree, tree_spare_floats(layer->weights.floats, batch)},
    };
    size_t used = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        *pieces[i].piece = base ? base + used : NULL;
        used += pieces[i].floats;
    }
    return used;
}

static void forward_begin(struct net *net, struct layer *layer)
{
    const struct winograd x = tiles_of(&net->tensors[layer->input]);
    struct work work;
    work_lay_out(net, layer, net->batch, layer->scratch, &work);
    memset(work.zeros, 0, (size_t)x.width * LANES * sizeof(float));
    net->kernels->winograd_weights(layer->weights.value, layer->weights.floats / (9 * LANES * LANES),
                                   work.weights);
}

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    const struct winograd x = tiles_of(tx), y = tiles_of(ty);
    const struct kernels *kernels = net->kernels;
    struct work work;
    work_lay_out(net, layer, net->batch, layer->scratch, &work);
    const int rows = strip_rows(layer, &x), end = count * x.down;
    for (int row = 0, strip; row < end; row += strip) {
        strip = end - row < rows ? end - row : rows;
        kernels->winograd_patches(&x, value_at(tx, first), work.zeros, row, strip, work.x);
        kernels->winograd_products(work.x, work.weights, work.products, x.blocks, y.blocks, strip * x.across);
        kernels->winograd_gather(&y, work.products, row, strip, value_at(ty, first), false);
    }
}

/* The weights of the way back: taps in reverse, inputs and outputs swapped. */
static void weights_turn(const float *weights, int in_blocks, int out_blocks, float *turned)
{
    for (int in = 0; in < in_blocks; in++)
        for (int out = 0; out < out_blocks; out++)
            for (int tap = 8; tap >= 0; tap--, turned += LANES * LANES) {
                const float *from = weights + (size_t)((out * in_blocks + in) * 9 + tap) * LANES * LANES;
                for (int o = 0; o < LANES; o++)
                    for (int i = 0; i < LANES; i++)
                        turned[o * LANES + i] = from[i * LANES + o];
            }
}

static void backward_begin(struct net *net, struct layer *layer)
{
    const struct winograd x = tiles_of(&net->tensors[layer->input]),
                          y = tiles_of(&net->tensors[layer->output]);
    struct work work;
    work_lay_out(net, layer, net->batch, layer->scratch, &work);
    memset(work.zeros, 0, (size_t)x.width * LANES * sizeof(float));
    if (net->tensors[layer->input].gradient) {
        weights_turn(layer->weights.value, x.blocks, y.blocks, work.turned);
        net->kernels->winograd_weights(work.turned, (size_t)(x.blocks * y.blocks), work.weights);
    }
    layer->tree = tree_start(net->kernels, layer->weights.gradient, work.tree, layer->weights.floats);
}

/* Of images of one group. */
static void backward_part(struct net *net, struct layer *layer, const struct work *work, int first, int count)
{
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    const struct winograd x = tiles_of(tx), y = tiles_of(ty);
    const struct kernels *kernels = net->kernels;
    const float *dy = gradient_at(ty, first);
    const int rows = strip_rows(layer, &x), end = count * x.down;
    for (int row = 0, strip; row < end; row += strip) {
        strip = end - row < rows ? end - row : rows;
        const int tiles = strip * x.across;
        kernels->winograd_patches(&x, value_at(tx, first), work->zeros, row, strip, work->x);
        kernels->winograd_spread(&y, dy, work->zeros, row, strip, work->dy);
        kernels->winograd_outer(work->x, work->dy, work->dweights, x.blocks, y.blocks, tiles);
        if (!tx->gradient)
            continue;
        kernels->winograd_patches(&y, dy, work->zeros, row, strip, work->dy_patches);
        kernels->winograd_products(work->dy_patches, work->weights, work->products, y.blocks, x.blocks,
                                   tiles);
        kernels->winograd_gather(&x, work->products, row, strip, gradient_at(tx, first), layer->add_input);
    }
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const size_t blocks = layer->weights.floats / (9 * LANES * LANES);
    struct work work;
    work_lay_out(net, layer, net->batch, layer->scratch, &work);
    for (int at = first, end = first + count, part; at < end; at += part) {
        part = group_part(at, end);
        float *slot = group_open(&layer->tree, at);
        if (at % GROUP == 0)
            memset(work.dweights, 0, blocks * WINOGRAD_PLACES * LANES * LANES * sizeof(float));
        backward_part(net, layer, &work, at, part);
        if ((at + part) % GROUP == 0 || at + part == net->images)
            net->kernels->winograd_gradient(work.dweights, blocks, slot);
        group_close(net, &layer->tree, at + part);
    }
}

static void backward_end(struct net *net, struct layer *layer)
{
    (void)net;
    tree_finish(&layer->tree);
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    struct work work;
    return work_lay_out(net, layer, batch, NULL, &work);
}

const struct layer_kind layer_winograd = {.name = "conv",
                                          .forward_begin = forward_begin,
                                          .forward = forward,
                                          .backward_begin = backward_begin,
                                          .backward = backward,
                                          .backward_end = backward_end,
                                          .scratch = scratch};
