/* Average pooling: of whole planes (N × C/16 × H × W × 16 → N × C/16 × 1 × 1 × 16), and of 2 × 2 pixels, which halves the
 * planes; at an odd edge it averages over the pixels that there are. */
#include "worker/nn/layers.h"

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int planes = count * blocks_of(x->shape.channels), pixels = pixels_of(x->shape);
    const float share = 1.0f / (float)pixels, *from = value_at(x, first);
    float *to = value_at(y, first);
    for (int plane = 0; plane < planes; plane++, from += pixels * LANES, to += LANES) {
        net->kernels->row_sums(from, (size_t)pixels, to);
        for (int lane = 0; lane < LANES; lane++)
            to[lane] *= share;
    }
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int planes = count * blocks_of(x->shape.channels), pixels = pixels_of(x->shape);
    const float share = 1.0f / (float)pixels, *from = gradient_at(y, first);
    float *to = gradient_at(x, first);
    for (int plane = 0; plane < planes; plane++, from += LANES) {
        float dx[LANES];
        for (int lane = 0; lane < LANES; lane++)
            dx[lane] = from[lane] * share;
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

const struct layer_kind layer_pool = {
    .name = "pool", .forward = forward, .backward = backward, .scratch = scratch, .value_unused = true};

/* The pixels of the input that output pixel (row, column) averages: `down` × `across` from pixel `from`. */
struct square {
    int from, down, across;
};

static struct square square_of(struct shape in, int row, int column)
{
    return (struct square){.from = 2 * row * in.width + 2 * column,
                           .down = 2 * row + 1 < in.height ? 2 : 1,
                           .across = 2 * column + 1 < in.width ? 2 : 1};
}

/* x, y: one block of channels of one image. */
static void plane_halve(struct shape in, struct shape out, const float *x, float *y)
{
    for (int row = 0; row < out.height; row++)
        for (int column = 0; column < out.width; column++, y += LANES) {
            const struct square square = square_of(in, row, column);
            const float share = 1.0f / (float)(square.down * square.across);
            const float *a = x + (size_t)square.from * LANES, *b = a + (square.across - 1) * LANES;
            const size_t below = (size_t)(square.down - 1) * (size_t)in.width * LANES;
            for (int lane = 0; lane < LANES; lane++) {
                float sum = a[lane];
                if (square.across == 2)
                    sum += b[lane];
                if (square.down == 2)
                    sum += square.across == 2 ? a[below + (size_t)lane] + b[below + (size_t)lane]
                                              : a[below + (size_t)lane];
                y[lane] = sum * share;
            }
        }
}

static void plane_double(struct shape in, struct shape out, const float *dy, float *dx, bool add)
{
    for (int row = 0; row < out.height; row++)
        for (int column = 0; column < out.width; column++, dy += LANES) {
            const struct square square = square_of(in, row, column);
            const float share = 1.0f / (float)(square.down * square.across);
            for (int pixel = 0; pixel < square.down * square.across; pixel++) {
                const int at = square.from + pixel / square.across * in.width + pixel % square.across;
                float *to = dx + (size_t)at * LANES;
                for (int lane = 0; lane < LANES; lane++)
                    to[lane] = add ? to[lane] + dy[lane] * share : dy[lane] * share;
            }
        }
}

static void halve_forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const size_t in = (size_t)pixels_of(x->shape) * LANES, out = (size_t)pixels_of(y->shape) * LANES;
    for (int image = first; image < first + count; image++)
        for (size_t block = 0; block < (size_t)blocks_of(x->shape.channels); block++)
            plane_halve(x->shape, y->shape, value_at(x, image) + block * in,
                        value_at(y, image) + block * out);
}

static void halve_backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const size_t in = (size_t)pixels_of(x->shape) * LANES, out = (size_t)pixels_of(y->shape) * LANES;
    for (int image = first; image < first + count; image++)
        for (size_t block = 0; block < (size_t)blocks_of(x->shape.channels); block++)
            plane_double(x->shape, y->shape, gradient_at(y, image) + block * out,
                         gradient_at(x, image) + block * in, layer->add_input);
}

const struct layer_kind layer_halve = {.name = "halve",
                                       .forward = halve_forward,
                                       .backward = halve_backward,
                                       .scratch = scratch,
                                       .value_unused = true};
