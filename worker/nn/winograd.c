/* The passes of winograd.h: strips of tiles, and who owns which piece of scratch. */
#include "worker/nn/winograd.h"

/* Scratch, in the order of the members; each starts at a whole vector. */
struct work {
    float *zeros;      /* one row of the image */
    float *weights;    /* 16 places of the weights as this pass needs them */
    float *x, *dy;     /* 16 places of a strip: patches of the input, the spread gradient */
    float *dy_patches; /* 16 places of a strip: patches of the gradient */
    float *products;   /* 16 places of a strip of the output, or of the input's gradient */
    float *turned;     /* in_blocks × out_blocks × 3 × 3 × 16 outputs × 16 inputs */
    float *dweights;   /* 16 places of the weights' gradient of one group */
    float *tree;
};

bool winograd_fits(const struct net *net, const struct layer *layer)
{
    return layer->kernel == 3 && layer->stride == 1 && net->tensors[layer->input].pixel_floats == LANES;
}

static struct winograd tiles_of(const struct tensor *tensor)
{
    const struct shape shape = tensor->shape;
    return (struct winograd){.height = shape.height,
                             .width = shape.width,
                             .down = (shape.height + 1) / 2,
                             .across = (shape.width + 1) / 2,
                             .blocks = blocks_of(shape.channels)};
}

/* Rows of tiles in a strip. */
static int strip_rows(const struct winograd *w)
{
    return w->across < WINOGRAD_STRIP ? WINOGRAD_STRIP / w->across : 1;
}

static size_t strip_floats(const struct winograd *w)
{
    return WINOGRAD_PLACES * winograd_place(w->blocks, strip_rows(w) * w->across);
}

/* Lays the pieces out from `base`; returns the floats used. */
static size_t work_lay_out(const struct net *net, const struct layer *layer, int batch, float *base,
                           struct work *work)
{
    const struct winograd x = tiles_of(&net->tensors[layer->input]),
                          y = tiles_of(&net->tensors[layer->output]);
    const size_t places = layer->weights.floats / 9 * WINOGRAD_PLACES;
    const size_t more = strip_floats(x.blocks > y.blocks ? &x : &y);
    const struct {
        float **piece;
        size_t floats;
    } pieces[] = {
        {&work->zeros, (size_t)x.width * LANES},
        {&work->weights, places},
        {&work->x, strip_floats(&x)},
        {&work->dy, strip_floats(&y)},
        {&work->dy_patches, strip_floats(&y)},
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

size_t winograd_scratch(const struct net *net, const struct layer *layer, int batch)
{
    struct work work;
    return work_lay_out(net, layer, batch, NULL, &work);
}

void winograd_forward(struct net *net, struct layer *layer, int images)
{
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    const struct winograd x = tiles_of(tx), y = tiles_of(ty);
    const struct kernels *kernels = net->kernels;
    struct work work;
    work_lay_out(net, layer, images, net->scratch, &work);
    memset(work.zeros, 0, (size_t)x.width * LANES * sizeof(float));
    kernels->winograd_weights(layer->weights.value, (size_t)(x.blocks * y.blocks), work.weights);
    const int rows = strip_rows(&x), all = images * x.down;
    for (int first = 0, count; first < all; first += count) {
        count = all - first < rows ? all - first : rows;
        kernels->winograd_patches(&x, tx->value, work.zeros, first, count, work.x);
        kernels->winograd_products(work.x, work.weights, work.products, x.blocks, y.blocks, count * x.across);
        kernels->winograd_gather(&y, work.products, first, count, ty->value, false);
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

void winograd_backward(struct net *net, struct layer *layer, int images)
{
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    const struct winograd x = tiles_of(tx), y = tiles_of(ty);
    const struct kernels *kernels = net->kernels;
    const size_t blocks = (size_t)(x.blocks * y.blocks);
    struct work work;
    work_lay_out(net, layer, images, net->scratch, &work);
    memset(work.zeros, 0, (size_t)x.width * LANES * sizeof(float));
    if (tx->gradient) {
        weights_turn(layer->weights.value, x.blocks, y.blocks, work.turned);
        kernels->winograd_weights(work.turned, blocks, work.weights);
    }
    struct tree tree = tree_start(net->kernels, layer->weights.gradient, work.tree, layer->weights.floats);
    for (int group = 0; group < images; group += GROUP) {
        memset(work.dweights, 0, blocks * WINOGRAD_PLACES * LANES * LANES * sizeof(float));
        const int last = images - group < GROUP ? images : group + GROUP;
        const int rows = strip_rows(&x), end = last * x.down;
        for (int first = group * x.down, count; first < end; first += count) {
            count = end - first < rows ? end - first : rows;
            const int tiles = count * x.across;
            kernels->winograd_patches(&x, tx->value, work.zeros, first, count, work.x);
            kernels->winograd_spread(&y, ty->gradient, work.zeros, first, count, work.dy);
            kernels->winograd_outer(work.x, work.dy, work.dweights, x.blocks, y.blocks, tiles);
            if (!tx->gradient)
                continue;
            kernels->winograd_patches(&y, ty->gradient, work.zeros, first, count, work.dy_patches);
            kernels->winograd_products(work.dy_patches, work.weights, work.products, y.blocks, x.blocks,
                                       tiles);
            kernels->winograd_gather(&x, work.products, first, count, tx->gradient, layer->add_input);
        }
        kernels->winograd_gradient(work.dweights, blocks, tree_open(&tree));
        tree_close(&tree);
    }
    tree_finish(&tree);
}
