/* y = f(norm(x) + residual): batch norm, the addition of a shortcut and the searched activation in one pass
 * over tiles that stay in L1. Only x and y are kept; backward computes the preactivation again from x.
 *
 * Forward of the norm: mean and variance over N × H × W, biased; ε = 1e-5.
 * Backward: dx = factor · (dpre − Σdpre/M − x̂ · Σ(dpre·x̂)/M), dscale = Σ dpre·x̂, dshift = Σ dpre (Ioffe and
 * Szegedy 2015). */
#include "worker/nn/layers.h"

#include <math.h>

enum { TILE_ROWS = 64 };
static const double epsilon = 1e-5;

/* Rows of one block of channels of a group of images, numbered through: image by image, pixel by pixel. */
struct rows {
    int pixels; /* per image */
    int block;
    int first_image;
    size_t image_floats;
};

/* The longest stretch from `row` that lies side by side in memory: its length, at most `most`, and where it
 * starts. */
static size_t rows_stretch(const struct rows *rows, size_t row, size_t most, size_t *ret_at)
{
    const size_t pixels = (size_t)rows->pixels, image = row / pixels, pixel = row % pixels;
    *ret_at = ((size_t)rows->first_image + image) * rows->image_floats +
              ((size_t)rows->block * pixels + pixel) * LANES;
    return pixels - pixel < most ? pixels - pixel : most;
}

static void tile_mask(float *tile, size_t rows, int lanes)
{
    for (size_t row = 0; row < rows; row++)
        memset(tile + row * LANES + lanes, 0, (size_t)(LANES - lanes) * sizeof *tile);
}

/* Channels of a block that exist. */
static int block_lanes(int channels, int block)
{
    const int lanes = channels - block * LANES;
    return lanes < LANES ? lanes : LANES;
}

/* The same for the shortcut, of which every stride-th pixel counts where its planes are larger. */
static size_t residual_stretch(const struct tensor *residual, struct shape shape, const struct rows *rows,
                               size_t row, size_t most, size_t *ret_at)
{
    const struct rows of_residual = {pixels_of(residual->shape), rows->block, rows->first_image,
                                     residual->image_floats};
    const size_t width = (size_t)shape.width, pixels = (size_t)rows->pixels, pixel = row % pixels;
    const size_t stride = ((size_t)residual->shape.height + (size_t)shape.height - 1) / (size_t)shape.height;
    if (stride == 1)
        return rows_stretch(&of_residual, row, most, ret_at);
    const size_t from = pixel / width * stride * (size_t)residual->shape.width + pixel % width * stride;
    rows_stretch(&of_residual, row / pixels * (size_t)of_residual.pixels + from, 1, ret_at);
    return 1;
}

/* tile = norm(x) + residual for `count` rows from `row`. */
static void preactivation(const struct net *net, const struct layer *layer, const struct rows *rows,
                          size_t row, size_t count, float *tile)
{
    const struct tensor *x = &net->tensors[layer->input];
    const float *factor = layer->norm.factor + rows->block * LANES,
                *offset = layer->norm.offset + rows->block * LANES;
    for (size_t done = 0, at, length; done < count; done += length) {
        length = rows_stretch(rows, row + done, count - done, &at);
        if (layer->has_norm)
            net->kernels->affine(x->value + at, factor, offset, tile + done * LANES, length);
        else
            memcpy(tile + done * LANES, x->value + at, length * LANES * sizeof *tile);
    }
    if (layer->residual < 0)
        return;
    const struct tensor *residual = &net->tensors[layer->residual];
    if (rows->block >= blocks_of(residual->shape.channels))
        return;
    for (size_t done = 0, at, length; done < count; done += length) {
        length = residual_stretch(residual, x->shape, rows, row + done, count - done, &at);
        net->kernels->add(residual->value + at, tile + done * LANES, length);
    }
}

/* Merges (count, mean, m2) of more numbers into *mean, *m2 of `into` numbers (Chan et al. 1979). */
static void moments_merge(double into, double *mean, double *m2, double count, double other_mean,
                          double other_m2)
{
    const double distance = other_mean - *mean, share = count / (into + count);
    *mean += distance * share;
    *m2 += other_m2 + distance * distance * into * share;
}

static int group_images(int images, int group)
{
    return images - group * GROUP < GROUP ? images - group * GROUP : GROUP;
}

/* Mean and variance of the batch. scratch: groups × 2 × blocks × 16 doubles. */
static void statistics_of_batch(struct net *net, struct layer *layer, int images)
{
    const struct tensor *x = &net->tensors[layer->input];
    const int blocks = blocks_of(x->shape.channels), groups = groups_of(images);
    const size_t channels = (size_t)blocks * LANES, pixels = (size_t)pixels_of(x->shape);
    double *partial = (double *)(void *)net->scratch; /* groups × {mean, m2} × channels */
    for (int group = 0; group < groups; group++) {
        double *mean = partial + (size_t)group * 2 * channels, *m2 = mean + channels;
        for (int image = 0; image < group_images(images, group); image++)
            for (int block = 0; block < blocks; block++) {
                float plane_mean[LANES], plane_m2[LANES];
                const size_t at =
                    (size_t)(group * GROUP + image) * x->image_floats + (size_t)block * pixels * LANES;
                net->kernels->moments(x->value + at, pixels, plane_mean, plane_m2);
                for (int lane = 0; lane < LANES; lane++) {
                    const int c = block * LANES + lane;
                    if (image == 0)
                        mean[c] = m2[c] = 0.0;
                    moments_merge((double)image * (double)pixels, &mean[c], &m2[c], (double)pixels,
                                  plane_mean[lane], plane_m2[lane]);
                }
            }
    }
    for (int step = 1; step < groups; step *= 2)
        for (int group = 0; group + step < groups; group += 2 * step) {
            double *mean = partial + (size_t)group * 2 * channels, *m2 = mean + channels;
            const double *other = partial + (size_t)(group + step) * 2 * channels;
            const int left = images - (group + step) * GROUP, most = step * GROUP;
            const double into = (double)most * (double)pixels,
                         count = (double)(left < most ? left : most) * (double)pixels;
            for (size_t c = 0; c < channels; c++)
                moments_merge(into, &mean[c], &m2[c], count, other[c], other[channels + c]);
        }
    const double count = (double)images * (double)pixels;
    for (size_t c = 0; c < channels; c++) {
        layer->norm.mean[c] = partial[c];
        layer->norm.variance[c] = partial[channels + c] / count;
    }
}

static void statistics_collect(struct layer *layer, size_t channels, double count)
{
    struct norm *norm = &layer->norm;
    for (size_t c = 0; c < channels; c++) {
        if (norm->pooled_count == 0)
            norm->pooled_mean[c] = norm->pooled_m2[c] = 0.0;
        moments_merge(norm->pooled_count, &norm->pooled_mean[c], &norm->pooled_m2[c], count, norm->mean[c],
                      norm->variance[c] * count);
    }
    norm->pooled_count += count;
}

/* Mean, deviation, factor and offset as this pass uses them. */
static void norm_prepare(struct net *net, struct layer *layer, int images, enum pass pass)
{
    const struct tensor *x = &net->tensors[layer->input];
    const size_t channels = (size_t)blocks_of(x->shape.channels) * LANES;
    struct norm *norm = &layer->norm;
    if (pass != PASS_EVALUATE)
        statistics_of_batch(net, layer, images);
    if (pass == PASS_STATISTICS)
        statistics_collect(layer, channels, (double)images * (double)pixels_of(x->shape));
    for (size_t c = 0; c < channels; c++) {
        const double scale = layer->weights.value[c], shift = layer->weights.value[channels + c];
        const double mean = pass == PASS_EVALUATE ? norm->pooled_mean[c] : norm->mean[c];
        const double variance =
            pass == PASS_EVALUATE ? norm->pooled_m2[c] / norm->pooled_count : norm->variance[c];
        const double inverse = 1.0 / sqrt(variance + epsilon);
        norm->mean_float[c] = (float)mean;
        norm->deviation_inverse[c] = (float)inverse;
        norm->factor[c] = (float)(scale * inverse);
        norm->offset[c] = (float)(shift - mean * scale * inverse);
    }
}

static void forward(struct net *net, struct layer *layer, int images, enum pass pass)
{
    const struct tensor *y = &net->tensors[layer->output];
    if (layer->has_norm)
        norm_prepare(net, layer, images, pass);
    _Alignas(SIMD_ALIGN) float tile[TILE_ROWS * LANES];
    for (int first = 0; first < images; first += GROUP)
        for (int block = 0; block < blocks_of(y->shape.channels); block++) {
            const struct rows rows = {pixels_of(y->shape), block, first, y->image_floats};
            const size_t total = (size_t)group_images(images, first / GROUP) * (size_t)rows.pixels;
            const int lanes = block_lanes(y->shape.channels, block);
            for (size_t row = 0; row < total; row += TILE_ROWS) {
                const size_t count = total - row < TILE_ROWS ? total - row : TILE_ROWS;
                preactivation(net, layer, &rows, row, count, tile);
                if (layer->has_activation)
                    program_forward(layer->program, tile,
                                    layer->betas.value + block * net->beta_count * LANES, tile, count);
                if (lanes < LANES)
                    tile_mask(tile, count, lanes);
                for (size_t done = 0, at, length; done < count; done += length) {
                    length = rows_stretch(&rows, row + done, count - done, &at);
                    memcpy(y->value + at, tile + done * LANES, length * LANES * sizeof *tile);
                }
            }
        }
}

/* The gradient of the shortcut's pixels: those of `tile`, its lanes cut to the residual's channels. */
static void residual_backward(const struct net *net, const struct layer *layer, const struct rows *rows,
                              size_t row, size_t count, const float *tile)
{
    const struct tensor *residual = &net->tensors[layer->residual], *y = &net->tensors[layer->output];
    if (!residual->gradient || rows->block >= blocks_of(residual->shape.channels))
        return;
    const int lanes = block_lanes(residual->shape.channels, rows->block);
    _Alignas(SIMD_ALIGN) float part[TILE_ROWS * LANES];
    memcpy(part, tile, count * LANES * sizeof *part);
    if (lanes < LANES)
        tile_mask(part, count, lanes);
    for (size_t done = 0, at, length; done < count; done += length) {
        length = residual_stretch(residual, y->shape, rows, row + done, count - done, &at);
        net->kernels->add(part + done * LANES, residual->gradient + at, length);
    }
}

/* One block of channels of one group: dpre replaces dy in the output's gradient; sums[2 × 16] += Σ dpre, Σ
 * dpre·x̂. */
static void backward_block(const struct net *net, const struct layer *layer, const struct rows *rows,
                           size_t total, float *dbeta, double *sums)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int lanes = block_lanes(y->shape.channels, rows->block), from = rows->block * LANES;
    _Alignas(SIMD_ALIGN) float tile[TILE_ROWS * LANES], dtile[TILE_ROWS * LANES], tile_sums[2 * LANES];
    for (size_t row = 0; row < total; row += TILE_ROWS) {
        const size_t count = total - row < TILE_ROWS ? total - row : TILE_ROWS;
        size_t at, length;
        for (size_t done = 0; done < count; done += length) {
            length = rows_stretch(rows, row + done, count - done, &at);
            memcpy(dtile + done * LANES, y->gradient + at, length * LANES * sizeof *tile);
        }
        if (layer->has_activation) {
            preactivation(net, layer, rows, row, count, tile);
            program_backward(layer->program, tile, layer->betas.value + rows->block * net->beta_count * LANES,
                             dtile, dtile, dbeta, count);
            if (lanes < LANES)
                tile_mask(dtile, count, lanes);
        }
        if (layer->residual >= 0)
            residual_backward(net, layer, rows, row, count, dtile);
        for (size_t done = 0; done < count; done += length) {
            length = rows_stretch(rows, row + done, count - done, &at);
            memcpy(y->gradient + at, dtile + done * LANES, length * LANES * sizeof *tile);
            if (!layer->has_norm)
                continue;
            net->kernels->norm_sums(x->value + at, dtile + done * LANES, layer->norm.mean_float + from,
                                    layer->norm.deviation_inverse + from, length, tile_sums);
            for (int i = 0; i < 2 * LANES; i++)
                sums[i] += (double)tile_sums[i];
        }
    }
}

/* dx from dpre, which stands in the output's gradient. sums: blocks × 2 × 16, over the whole batch. */
static void norm_backward(struct net *net, struct layer *layer, int images, const double *sums)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int blocks = blocks_of(x->shape.channels);
    const size_t pixels = (size_t)pixels_of(x->shape), channels = (size_t)blocks * LANES;
    const double count = (double)images * (double)pixels;
    for (int block = 0; block < blocks; block++) {
        float a[LANES], b[LANES], c[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            const size_t channel = (size_t)(block * LANES + lane);
            const double plain = sums[block * 2 * LANES + lane],
                         weighted = sums[(block * 2 + 1) * LANES + lane];
            layer->weights.gradient[channel] = (float)weighted;
            layer->weights.gradient[channels + channel] = (float)plain;
            const double factor = layer->norm.factor[channel], mean = layer->norm.mean[channel];
            const double slope = -factor * (double)layer->norm.deviation_inverse[channel] * weighted / count;
            a[lane] = (float)factor;
            b[lane] = (float)slope;
            c[lane] = (float)(-factor * plain / count - mean * slope);
        }
        for (int image = 0; image < images; image++) {
            const size_t at = (size_t)image * x->image_floats + (size_t)block * pixels * LANES;
            net->kernels->norm_input(x->value + at, y->gradient + at, a, b, c, x->gradient + at, pixels,
                                     layer->add_input);
        }
    }
}

static void backward(struct net *net, struct layer *layer, int images)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const int blocks = blocks_of(y->shape.channels), groups = groups_of(images);
    const size_t group_sums = (size_t)blocks * 2 * LANES;
    double *sums = (double *)(void *)net->scratch; /* groups × blocks × {Σ dpre, Σ dpre·x̂} × 16 */
    memset(sums, 0, (size_t)groups * group_sums * sizeof *sums);
    if (layer->residual >= 0 && !layer->add_residual) {
        const struct tensor *residual = &net->tensors[layer->residual];
        if (residual->gradient)
            memset(residual->gradient, 0, (size_t)images * residual->image_floats * sizeof(float));
    }
    struct tree tree = tree_start(net->kernels, layer->betas.gradient,
                                  (float *)(sums + (size_t)groups * group_sums), layer->betas.floats);
    for (int group = 0; group < groups; group++) {
        float *dbeta = tree_open(&tree);
        for (int block = 0; block < blocks; block++) {
            const struct rows rows = {pixels_of(y->shape), block, group * GROUP, y->image_floats};
            backward_block(net, layer, &rows, (size_t)group_images(images, group) * (size_t)rows.pixels,
                           dbeta + block * net->beta_count * LANES,
                           sums + (size_t)group * group_sums + (size_t)block * 2 * LANES);
            const int lanes = block_lanes(y->shape.channels, block);
            if (layer->has_activation && lanes < LANES)
                tile_mask(dbeta + block * net->beta_count * LANES, (size_t)net->beta_count, lanes);
        }
        tree_close(&tree);
    }
    tree_finish(&tree);
    for (int step = 1; step < groups; step *= 2)
        for (int group = 0; group + step < groups; group += 2 * step)
            for (size_t i = 0; i < group_sums; i++)
                sums[(size_t)group * group_sums + i] += sums[(size_t)(group + step) * group_sums + i];
    if (!x->gradient)
        return;
    if (layer->has_norm)
        norm_backward(net, layer, images, sums);
    else if (layer->add_input)
        net->kernels->add(y->gradient, x->gradient, (size_t)images * x->image_floats / LANES);
    else
        memcpy(x->gradient, y->gradient, (size_t)images * x->image_floats * sizeof *x->gradient);
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    const size_t channels = (size_t)blocks_of(net->tensors[layer->output].shape.channels) * LANES;
    return (size_t)groups_of(batch) * 2 * channels * (sizeof(double) / sizeof(float)) +
           tree_spare_floats(layer->betas.floats, batch);
}

const struct layer_kind layer_norm_act = {"norm_act", forward, backward, scratch};
