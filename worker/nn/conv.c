/* Convolution: one window (kernels.h) per image over a copy with a border of zeros, where there is a border.
 *
 * Weights: out_blocks × in_blocks × kernel × run × 16, where run is kernel × 16 floats of one input row
 * (kernel × channels for the image). Backward to the input is a forward window over the output's gradient
 * with turned weights: for stride s each of the s × s classes of input pixels sees its own subset of the
 * taps. */
#include "worker/nn/layers.h"

#include <assert.h>

struct geometry {
    int in_blocks, out_blocks, kernel, stride;
    int pixel_floats; /* of the input */
    struct shape in, out;
    int border;                 /* zeros on each side of the input */
    int out_before, out_after;  /* zeros around the output's gradient */
    size_t in_plane, out_plane; /* floats of one padded block of channels */
};

/* A 1 × 1 window does not know rows: as many as fit into a chunk count as one, so that register tiles are full. */
static struct shape rows_joined(struct shape shape)
{
    int joined = 1;
    for (int rows = 2; rows <= shape.height && rows * shape.width <= WINDOW_CHUNK; rows++)
        if (shape.height % rows == 0)
            joined = rows;
    return (struct shape){shape.channels, shape.height / joined, shape.width * joined};
}

static struct geometry geometry_of(const struct net *net, const struct layer *layer)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    struct geometry g = {.kernel = layer->kernel,
                         .stride = layer->stride,
                         .pixel_floats = x->pixel_floats,
                         .in = x->shape,
                         .out = y->shape,
                         .border = layer->kernel / 2};
    if (g.kernel == 1 && g.stride == 1)
        g.in = rows_joined(g.in), g.out = rows_joined(g.out);
    g.in_blocks = x->pixel_floats == LANES ? blocks_of(x->shape.channels) : 1;
    g.out_blocks = blocks_of(y->shape.channels);
    g.in_plane =
        (size_t)(g.in.height + 2 * g.border) * (size_t)(g.in.width + 2 * g.border) * (size_t)g.pixel_floats;
    /* Input row i reads output rows (i + border − tap) / stride for each tap that divides evenly. */
    g.out_before = (g.kernel - 1 - g.border + g.stride - 1) / g.stride;
    const int last_row = (g.in.height - 1 + g.border) / g.stride,
              last_column = (g.in.width - 1 + g.border) / g.stride;
    const int after_row = last_row - (g.out.height - 1), after_column = last_column - (g.out.width - 1);
    g.out_after = after_row > after_column ? after_row : after_column;
    if (g.out_after < 0)
        g.out_after = 0;
    const int around = g.out_before + g.out_after;
    g.out_plane = (size_t)(g.out.height + around) * (size_t)(g.out.width + around) * LANES;
    return g;
}

static struct window window_of(const struct geometry *g)
{
    const size_t row = (size_t)(g->in.width + 2 * g->border) * (size_t)g->pixel_floats;
    return (struct window){.rows = g->out.height,
                           .columns = g->out.width,
                           .in_blocks = g->in_blocks,
                           .runs = g->kernel,
                           .run_length = g->kernel * g->pixel_floats,
                           .in_block_step = g->in_plane,
                           .in_run_step = row,
                           .in_row_step = row * (size_t)g->stride,
                           .in_column_step = (size_t)g->pixel_floats * (size_t)g->stride,
                           .out_blocks = g->out_blocks,
                           .out_block_step = (size_t)pixels_of(g->out) * LANES,
                           .out_row_step = (size_t)g->out.width * LANES,
                           .out_column_step = LANES};
}

/* from: blocks × height × width × pixel_floats; to: the same with `before` and `after` more rows and columns,
 * whose zeros are there already. Returns it, or `from` where there is nothing to add. */
static const float *pad_image(const float *from, float *to, int blocks, struct shape shape, int pixel_floats,
                              int before, int after)
{
    if (before + after == 0)
        return from;
    const float *padded = to;
    const size_t row = (size_t)shape.width * (size_t)pixel_floats;
    const size_t padded_row = (size_t)(shape.width + before + after) * (size_t)pixel_floats;
    for (int block = 0; block < blocks; block++) {
        to += (size_t)before * padded_row;
        for (int y = 0; y < shape.height; y++, from += row, to += padded_row)
            memcpy(to + before * pixel_floats, from, row * sizeof *from);
        to += (size_t)after * padded_row;
    }
    return padded;
}

static void forward_begin(struct net *net, struct layer *layer)
{
    const struct geometry g = geometry_of(net, layer);
    memset(layer->scratch, 0, (size_t)g.in_blocks * g.in_plane * sizeof *layer->scratch);
}

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct geometry g = geometry_of(net, layer);
    const struct window window = window_of(&g);
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    const float *x = value_at(tx, first);
    float *y = value_at(ty, first), *padded = layer->scratch;
    for (int image = 0; image < count; image++, x += tx->image_floats, y += ty->image_floats) {
        const float *from = pad_image(x, padded, g.in_blocks, g.in, g.pixel_floats, g.border, g.border);
        net->kernels->window_forward(&window, from, layer->weights.value, y, false);
    }
}

/* Taps that an input pixel of class `phase` sees along one axis, the farthest first, and the output (relative
 * to pixel / stride) that the first of them belongs to. */
struct taps {
    int count;
    int first_output;
    int tap[16];
};

static struct taps taps_of(const struct geometry *g, int phase)
{
    struct taps taps = {0};
    for (int tap = g->kernel - 1; tap >= 0; tap--) {
        const int distance = phase + g->border - tap;
        if (((distance % g->stride) + g->stride) % g->stride != 0)
            continue;
        if (taps.count == 0)
            taps.first_output = distance / g->stride;
        taps.tap[taps.count++] = tap;
    }
    return taps;
}

/* The weights of one class for the way back: in_blocks × out_blocks × rows × columns × 16 outputs × 16
 * inputs. */
static void weights_turn(const struct geometry *g, const float *weights, const struct taps *rows,
                         const struct taps *columns, float *turned)
{
    const size_t tap_floats = (size_t)LANES * LANES;
    const size_t block_floats = (size_t)g->kernel * (size_t)g->kernel * tap_floats;
    for (int in = 0; in < g->in_blocks; in++)
        for (int out = 0; out < g->out_blocks; out++) {
            const float *block = weights + (size_t)(out * g->in_blocks + in) * block_floats;
            for (int r = 0; r < rows->count; r++)
                for (int c = 0; c < columns->count; c++, turned += tap_floats) {
                    const float *tap =
                        block + (size_t)(rows->tap[r] * g->kernel + columns->tap[c]) * tap_floats;
                    for (int o = 0; o < LANES; o++)
                        for (int i = 0; i < LANES; i++)
                            turned[o * LANES + i] = tap[i * LANES + o];
                }
        }
}

static size_t turned_floats(const struct geometry *g)
{
    return (size_t)g->in_blocks * (size_t)g->out_blocks * (size_t)(g->kernel * g->kernel) * LANES * LANES;
}

/* dy: padded gradient of one image's output; dx: gradient of its input. `turned` holds the classes one after
 * the other. */
static void backward_image(const struct net *net, const struct geometry *g, const float *turned,
                           const float *dy, float *dx, bool add)
{
    const int padded_width = g->out.width + g->out_before + g->out_after;
    for (int y = 0; y < g->stride; y++)
        for (int x = 0; x < g->stride; x++) {
            const struct taps rows = taps_of(g, y), columns = taps_of(g, x);
            const struct window window = {
                .rows = (g->in.height - y + g->stride - 1) / g->stride,
                .columns = (g->in.width - x + g->stride - 1) / g->stride,
                .in_blocks = g->out_blocks,
                .runs = rows.count,
                .run_length = columns.count * LANES,
                .in_block_step = g->out_plane,
                .in_run_step = (size_t)padded_width * LANES,
                .in_row_step = (size_t)padded_width * LANES,
                .in_column_step = LANES,
                .out_blocks = g->in_blocks,
                .out_block_step = (size_t)pixels_of(g->in) * LANES,
                .out_row_step = (size_t)(g->stride * g->in.width) * LANES,
                .out_column_step = (size_t)g->stride * LANES,
            };
            if (window.rows > 0 && window.columns > 0) {
                const int row = g->out_before + rows.first_output,
                          column = g->out_before + columns.first_output;
                net->kernels->window_forward(&window, dy + (size_t)(row * padded_width + column) * LANES,
                                             turned, dx + (size_t)(y * g->in.width + x) * LANES, add);
            }
            turned += (size_t)(g->in_blocks * g->out_blocks * rows.count * columns.count) * LANES * LANES;
        }
}

/* Scratch, in the order of the members. */
struct work {
    float *padded_x, *padded_dy; /* one image, with its border */
    float *turned;               /* the weights of the way back, class by class */
    float *tree;
};

static size_t work_lay_out(const struct geometry *g, size_t weights, int batch, float *base,
                           struct work *work)
{
    const size_t x = lanes_up((size_t)g->in_blocks * g->in_plane), dy = (size_t)g->out_blocks * g->out_plane;
    const size_t turned = turned_floats(g);
    if (base)
        *work = (struct work){base, base + x, base + x + dy, base + x + dy + turned};
    return x + dy + turned + tree_spare_floats(weights, batch);
}

static void backward_begin(struct net *net, struct layer *layer)
{
    const struct geometry g = geometry_of(net, layer);
    struct work work;
    work_lay_out(&g, layer->weights.floats, net->batch, layer->scratch, &work);
    memset(work.padded_x, 0, (size_t)g.in_blocks * g.in_plane * sizeof *work.padded_x);
    memset(work.padded_dy, 0, (size_t)g.out_blocks * g.out_plane * sizeof *work.padded_dy);
    float *to = work.turned;
    for (int row = 0; row < g.stride && net->tensors[layer->input].gradient; row++)
        for (int column = 0; column < g.stride; column++) {
            const struct taps rows = taps_of(&g, row), columns = taps_of(&g, column);
            weights_turn(&g, layer->weights.value, &rows, &columns, to);
            to += (size_t)(g.in_blocks * g.out_blocks * rows.count * columns.count) * LANES * LANES;
        }
    layer->tree = tree_start(net->kernels, layer->weights.gradient, work.tree, layer->weights.floats);
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct geometry g = geometry_of(net, layer);
    const struct window window = window_of(&g);
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    struct work work;
    work_lay_out(&g, layer->weights.floats, net->batch, layer->scratch, &work);
    for (int image = first; image < first + count; image++) {
        const float *dy = gradient_at(ty, image);
        float *dweights = group_open(&layer->tree, image);
        const float *x = pad_image(value_at(tx, image), work.padded_x, g.in_blocks, g.in, g.pixel_floats,
                                   g.border, g.border);
        net->kernels->window_weights(&window, x, dy, dweights);
        if (tx->gradient) {
            const float *padded =
                pad_image(dy, work.padded_dy, g.out_blocks, g.out, LANES, g.out_before, g.out_after);
            backward_image(net, &g, work.turned, padded, gradient_at(tx, image), layer->add_input);
        }
        group_close(net, &layer->tree, image + 1);
    }
}

static void backward_end(struct net *net, struct layer *layer)
{
    (void)net;
    tree_finish(&layer->tree);
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    const struct geometry g = geometry_of(net, layer);
    assert(g.kernel <= 16);
    return work_lay_out(&g, layer->weights.floats, batch, NULL, NULL);
}

const struct layer_kind layer_conv = {.name = "conv",
                                      .forward_begin = forward_begin,
                                      .forward = forward,
                                      .backward_begin = backward_begin,
                                      .backward = backward,
                                      .backward_end = backward_end,
                                      .scratch = scratch};
