/* y = f(norm(x) + residual): batch norm, the addition of a shortcut and the searched activation in one pass
 * over tiles that stay in L1. Only x and y are kept; backward computes the preactivation again from x.
 *
 * Forward of the norm: mean and variance over N × H × W, biased; ε = 1e-5.
 * Backward: dx = factor · (dpre − Σdpre/M − x̂ · Σ(dpre·x̂)/M), dscale = Σ dpre·x̂, dshift = Σ dpre (Ioffe and
 * Szegedy 2015). dpre replaces dy in the output's gradient; dx follows when the sums are complete
 * (backward_rest). */
#include "worker/nn/layers.h"

#include <math.h>

enum {
    TILE_ROWS = 64,
    PLANE_ROWS = 32, /* planes from this size on are tiled one by one, smaller ones together */
};
static const double epsilon = 1e-5;

/* Scratch, in the order of the members. */
struct work {
    double *moments; /* groups × {mean, m2} × channels */
    double *sums;    /* groups × blocks × {Σ dpre, Σ dpre·x̂} × 16 */
    float *tree;     /* of the β */
};

static size_t channels_of(const struct net *net, const struct layer *layer)
{
    return (size_t)blocks_of(net->tensors[layer->output].shape.channels) * LANES;
}

static struct work work_of(const struct net *net, const struct layer *layer)
{
    const size_t doubles = (size_t)groups_of(net->batch) * 2 * channels_of(net, layer);
    double *base = (double *)(void *)layer->scratch;
    return (struct work){base, base + doubles, (float *)(base + 2 * doubles)};
}

static size_t scratch(const struct net *net, const struct layer *layer, int batch)
{
    const size_t doubles = (size_t)groups_of(batch) * 2 * channels_of(net, layer);
    return 2 * doubles * (sizeof(double) / sizeof(float)) + tree_spare_floats(layer->betas.floats, batch);
}

/* ---- rows
 * ---------------------------------------------------------------------------------------------------- */

/* Rows of one block of channels of a range of images, numbered through: image by image, pixel by pixel. */
struct rows {
    int pixels; /* per image */
    int block;
    size_t image_floats;
};

/* The rows of the same block in a tensor of other planes or images further apart. */
static struct rows rows_in(const struct tensor *tensor, const struct rows *rows)
{
    return (struct rows){pixels_of(tensor->shape), rows->block, tensor->image_floats};
}

/* The longest stretch from `row` that lies side by side in memory: its length, at most `most`, and where it
 * starts. */
static size_t rows_stretch(const struct rows *rows, size_t row, size_t most, size_t *ret_at)
{
    const size_t pixels = (size_t)rows->pixels, image = row / pixels, pixel = row % pixels;
    *ret_at = image * rows->image_floats + ((size_t)rows->block * pixels + pixel) * LANES;
    return pixels - pixel < most ? pixels - pixel : most;
}

/* The rows of the next tile where `total` − `row` are left. */
static size_t tile_rows(const struct rows *rows, size_t row, size_t total)
{
    const size_t pixels = (size_t)rows->pixels;
    const size_t left = pixels >= PLANE_ROWS ? pixels - row % pixels : total - row;
    return left < TILE_ROWS ? left : TILE_ROWS;
}

static void rows_gather(const float *from, const struct rows *rows, size_t row, size_t count, float *tile)
{
    for (size_t done = 0, at, length; done < count; done += length) {
        length = rows_stretch(rows, row + done, count - done, &at);
        memcpy(tile + done * LANES, from + at, length * LANES * sizeof *tile);
    }
}

static void rows_scatter(const float *tile, const struct rows *rows, size_t row, size_t count, float *to)
{
    for (size_t done = 0, at, length; done < count; done += length) {
        length = rows_stretch(rows, row + done, count - done, &at);
        memcpy(to + at, tile + done * LANES, length * LANES * sizeof *tile);
    }
}

static void tile_mask(float *tile, size_t rows, int lanes)
{
    for (size_t row = 0; row < rows && lanes < LANES; row++)
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
    const struct rows of_residual = rows_in(residual, rows);
    const size_t width = (size_t)shape.width, pixels = (size_t)rows->pixels, pixel = row % pixels;
    const size_t stride = ((size_t)residual->shape.height + (size_t)shape.height - 1) / (size_t)shape.height;
    if (stride == 1)
        return rows_stretch(&of_residual, row, most, ret_at);
    const size_t from = pixel / width * stride * (size_t)residual->shape.width + pixel % width * stride;
    rows_stretch(&of_residual, row / pixels * (size_t)of_residual.pixels + from, 1, ret_at);
    return 1;
}

/* tile = norm(x) + residual for `count` rows from `row` of the range that starts at image `first`. */
static void preactivation(const struct net *net, const struct layer *layer, const struct rows *rows,
                          int first, size_t row, size_t count, float *tile)
{
    const struct tensor *tx = &net->tensors[layer->input];
    const struct rows of_x = rows_in(tx, rows);
    const float *x = value_at(tx, first);
    const float *factor = layer->norm.factor + rows->block * LANES,
                *offset = layer->norm.offset + rows->block * LANES;
    for (size_t done = 0, at, length; layer->has_norm && done < count; done += length) {
        length = rows_stretch(&of_x, row + done, count - done, &at);
        net->kernels->affine(x + at, factor, offset, tile + done * LANES, length);
    }
    if (!layer->has_norm)
        rows_gather(x, &of_x, row, count, tile);
    if (layer->residual < 0)
        return;
    const struct tensor *residual = &net->tensors[layer->residual];
    if (rows->block >= blocks_of(residual->shape.channels))
        return;
    for (size_t done = 0, at, length; done < count; done += length) {
        length = residual_stretch(residual, tx->shape, rows, row + done, count - done, &at);
        net->kernels->add(value_at(residual, first) + at, tile + done * LANES, length);
    }
}

/* What the tile at `row` reads from memory, if there is one; `dy` only backward. A shortcut of other planes
 * is left out. */
static struct program_soon tile_soon(const struct net *net, const struct layer *layer,
                                     const struct rows *rows, int first, size_t row, size_t total,
                                     const float *dy)
{
    if (row >= total)
        return (struct program_soon){{NULL}};
    const struct tensor *x = &net->tensors[layer->input],
                        *residual = layer->residual < 0 ? NULL : &net->tensors[layer->residual];
    const struct rows of_x = rows_in(x, rows);
    size_t at, x_at;
    rows_stretch(rows, row, 1, &at);
    rows_stretch(&of_x, row, 1, &x_at);
    return (struct program_soon){
        {value_at(x, first) + x_at, dy ? dy + at : NULL,
         residual && residual->image_floats == rows->image_floats ? value_at(residual, first) + at : NULL}};
}

/* ---- statistics
 * ---------------------------------------------------------------------------------------------- */

/* Merges (count, mean, m2) of more numbers into *mean, *m2 of `into` numbers (Chan et al. 1979). */
static void moments_merge(double into, double *mean, double *m2, double count, double other_mean,
                          double other_m2)
{
    const double distance = other_mean - *mean, share = count / (into + count);
    *mean += distance * share;
    *m2 += other_m2 + distance * distance * into * share;
}

static void measure(struct net *net, struct layer *layer, int first, int count)
{
    if (net->pass == PASS_EVALUATE)
        return;
    const struct tensor *x = &net->tensors[layer->input];
    const size_t channels = channels_of(net, layer), pixels = (size_t)pixels_of(x->shape);
    for (int image = first; image < first + count; image++) {
        double *mean = work_of(net, layer).moments + (size_t)(image / GROUP) * 2 * channels,
               *m2 = mean + channels;
        if (image % GROUP == 0)
            memset(mean, 0, 2 * channels * sizeof *mean);
        for (size_t block = 0; block < channels; block += LANES) {
            float plane_mean[LANES], plane_m2[LANES];
            net->kernels->moments(value_at(x, image) + block * pixels, pixels, plane_mean, plane_m2);
            for (size_t lane = 0; lane < LANES; lane++)
                moments_merge((double)(image % GROUP) * (double)pixels, &mean[block + lane],
                              &m2[block + lane], (double)pixels, plane_mean[lane], plane_m2[lane]);
        }
    }
}

/* Mean and variance of the batch from those of its groups. */
static void moments_finish(struct net *net, struct layer *layer)
{
    const int groups = groups_of(net->images);
    const size_t channels = channels_of(net, layer);
    const double pixels = (double)pixels_of(net->tensors[layer->input].shape);
    double *moments = work_of(net, layer).moments;
    for (int step = 1; step < groups; step *= 2)
        for (int group = 0; group + step < groups; group += 2 * step) {
            double *mean = moments + (size_t)group * 2 * channels, *m2 = mean + channels;
            const double *other = moments + (size_t)(group + step) * 2 * channels;
            const int left = net->images - (group + step) * GROUP, most = step * GROUP;
            const double into = (double)most * pixels, count = (double)(left < most ? left : most) * pixels;
            for (size_t c = 0; c < channels; c++)
                moments_merge(into, &mean[c], &m2[c], count, other[c], other[channels + c]);
        }
    for (size_t c = 0; c < channels; c++) {
        layer->norm.mean[c] = moments[c];
        layer->norm.variance[c] = moments[channels + c] / ((double)net->images * pixels);
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

/* ---- forward
 * ------------------------------------------------------------------------------------------------- */

/* Mean, deviation, factor and offset as this pass uses them. */
static void forward_begin(struct net *net, struct layer *layer)
{
    if (!layer->has_norm)
        return;
    const size_t channels = channels_of(net, layer);
    struct norm *norm = &layer->norm;
    if (net->pass != PASS_EVALUATE)
        moments_finish(net, layer);
    if (net->pass == PASS_STATISTICS)
        statistics_collect(layer, channels,
                           (double)net->images * (double)pixels_of(net->tensors[layer->input].shape));
    for (size_t c = 0; c < channels; c++) {
        const double scale = layer->weights.value[c], shift = layer->weights.value[channels + c];
        const double mean = net->pass == PASS_EVALUATE ? norm->pooled_mean[c] : norm->mean[c];
        const double variance =
            net->pass == PASS_EVALUATE ? norm->pooled_m2[c] / norm->pooled_count : norm->variance[c];
        const double inverse = 1.0 / sqrt(variance + epsilon);
        norm->mean_float[c] = (float)mean;
        norm->deviation_inverse[c] = (float)inverse;
        norm->factor[c] = (float)(scale * inverse);
        norm->offset[c] = (float)(shift - mean * scale * inverse);
    }
}

static void forward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *ty = &net->tensors[layer->output];
    float *y = value_at(ty, first);
    _Alignas(SIMD_ALIGN) float apart[TILE_ROWS * LANES];
    for (int block = 0; block < blocks_of(ty->shape.channels); block++) {
        const struct rows rows = {pixels_of(ty->shape), block, ty->image_floats};
        const size_t total = (size_t)count * (size_t)rows.pixels;
        for (size_t row = 0, length, at; row < total; row += length) {
            length = tile_rows(&rows, row, total);
            const bool whole = rows_stretch(&rows, row, length, &at) == length;
            float *tile = whole ? y + at : apart;
            preactivation(net, layer, &rows, first, row, length, tile);
            const struct program_soon soon = tile_soon(net, layer, &rows, first, row + length, total, NULL);
            if (layer->has_activation)
                program_forward(layer->program, tile, layer->betas.value + block * net->beta_count * LANES,
                                tile, length, &soon);
            tile_mask(tile, length, block_lanes(ty->shape.channels, block));
            if (!whole)
                rows_scatter(tile, &rows, row, length, y);
        }
    }
}

/* ---- backward
 * ------------------------------------------------------------------------------------------------ */

/* Whether the shortcut's gradient lies in the output's (arena.c): then dpre is all of it. */
static bool residual_is_output(const struct net *net, const struct layer *layer)
{
    return net->tensors[layer->residual].gradient == net->tensors[layer->output].gradient;
}

static void backward_begin(struct net *net, struct layer *layer)
{
    const struct work work = work_of(net, layer);
    memset(work.sums, 0, (size_t)groups_of(net->images) * 2 * channels_of(net, layer) * sizeof *work.sums);
    layer->tree = tree_start(net->kernels, layer->betas.gradient, work.tree, layer->betas.floats);
    if (layer->residual < 0 || layer->add_residual || residual_is_output(net, layer))
        return;
    const struct tensor *residual = &net->tensors[layer->residual];
    memset(residual->gradient, 0, (size_t)net->images * residual->image_floats * sizeof(float));
}

/* The gradient of the shortcut's pixels: those of `tile`, its lanes cut to the residual's channels. */
static void residual_backward(const struct net *net, const struct layer *layer, const struct rows *rows,
                              int first, size_t row, size_t count, const float *tile)
{
    const struct tensor *residual = &net->tensors[layer->residual], *y = &net->tensors[layer->output];
    if (residual_is_output(net, layer) || rows->block >= blocks_of(residual->shape.channels))
        return;
    _Alignas(SIMD_ALIGN) float part[TILE_ROWS * LANES];
    memcpy(part, tile, count * LANES * sizeof *part);
    tile_mask(part, count, block_lanes(residual->shape.channels, rows->block));
    for (size_t done = 0, at, length; done < count; done += length) {
        length = residual_stretch(residual, y->shape, rows, row + done, count - done, &at);
        net->kernels->add(part + done * LANES, gradient_at(residual, first) + at, length);
    }
}

/* One block of channels of images of one group: dpre replaces dy; sums[2 × 16] += Σ dpre, Σ dpre·x̂. */
static void backward_block(const struct net *net, const struct layer *layer, const struct rows *rows,
                           int first, size_t total, float *dbeta, double *sums)
{
    const struct tensor *ty = &net->tensors[layer->output];
    const int lanes = block_lanes(ty->shape.channels, rows->block), from = rows->block * LANES;
    const struct rows of_x = rows_in(&net->tensors[layer->input], rows);
    const float *x = value_at(&net->tensors[layer->input], first);
    float *dy = gradient_at(ty, first);
    _Alignas(SIMD_ALIGN) float tile[TILE_ROWS * LANES], apart[TILE_ROWS * LANES], tile_sums[2 * LANES];
    for (size_t row = 0, count; row < total; row += count) {
        size_t at, length;
        count = tile_rows(rows, row, total);
        const bool whole = rows_stretch(rows, row, count, &at) == count;
        float *dtile = whole ? dy + at : apart;
        if (!whole)
            rows_gather(dy, rows, row, count, dtile);
        if (layer->has_activation) {
            preactivation(net, layer, rows, first, row, count, tile);
            const struct program_soon soon = tile_soon(net, layer, rows, first, row + count, total, dy);
            program_backward(layer->program, tile, layer->betas.value + rows->block * net->beta_count * LANES,
                             dtile, dtile, dbeta, count, &soon);
            tile_mask(dtile, count, lanes);
        }
        if (layer->residual >= 0)
            residual_backward(net, layer, rows, first, row, count, dtile);
        for (size_t done = 0; layer->has_norm && done < count; done += length) {
            length = rows_stretch(&of_x, row + done, count - done, &at);
            net->kernels->norm_sums(x + at, dtile + done * LANES, layer->norm.mean_float + from,
                                    layer->norm.deviation_inverse + from, length, tile_sums);
            for (int i = 0; i < 2 * LANES; i++)
                sums[i] += (double)tile_sums[i];
        }
        if (!whole)
            rows_scatter(dtile, rows, row, count, dy);
    }
}

static void backward(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *tx = &net->tensors[layer->input], *ty = &net->tensors[layer->output];
    const int blocks = blocks_of(ty->shape.channels);
    const size_t betas = (size_t)net->beta_count * LANES;
    double *sums = work_of(net, layer).sums;
    for (int at = first, end = first + count, part; at < end; at += part) {
        part = group_part(at, end);
        float *dbeta = group_open(&layer->tree, at);
        for (int block = 0; block < blocks; block++) {
            const struct rows rows = {pixels_of(ty->shape), block, ty->image_floats};
            backward_block(net, layer, &rows, at, (size_t)part * (size_t)rows.pixels,
                           dbeta + (size_t)block * betas,
                           sums + (size_t)(at / GROUP * blocks + block) * 2 * LANES);
            if (layer->has_activation)
                tile_mask(dbeta + (size_t)block * betas, (size_t)net->beta_count,
                          block_lanes(ty->shape.channels, block));
        }
        group_close(net, &layer->tree, at + part);
    }
    if (layer->has_norm)
        return;
    const float *dy = gradient_at(ty, first);
    float *dx = gradient_at(tx, first);
    if (layer->add_input)
        net->kernels->add(dy, dx, (size_t)count * tx->image_floats / LANES);
    else
        memcpy(dx, dy, (size_t)count * tx->image_floats * sizeof *dx);
}

/* The gradients of scale, shift and β, and how dx follows from dpre and x. */
static void backward_end(struct net *net, struct layer *layer)
{
    tree_finish(&layer->tree);
    if (!layer->has_norm)
        return;
    const size_t channels = channels_of(net, layer), group_sums = 2 * channels;
    const int groups = groups_of(net->images);
    double *sums = work_of(net, layer).sums;
    for (int step = 1; step < groups; step *= 2)
        for (int group = 0; group + step < groups; group += 2 * step)
            for (size_t i = 0; i < group_sums; i++)
                sums[(size_t)group * group_sums + i] += sums[(size_t)(group + step) * group_sums + i];
    struct norm *norm = &layer->norm;
    const double count = (double)net->images * (double)pixels_of(net->tensors[layer->input].shape);
    for (size_t c = 0; c < channels; c++) {
        const double plain = sums[c / LANES * 2 * LANES + c % LANES],
                     weighted = sums[(c / LANES * 2 + 1) * LANES + c % LANES];
        layer->weights.gradient[c] = (float)weighted;
        layer->weights.gradient[channels + c] = (float)plain;
        const double factor = norm->factor[c];
        const double slope = -factor * (double)norm->deviation_inverse[c] * weighted / count;
        norm->dx_of_dy[c] = (float)factor;
        norm->dx_of_x[c] = (float)slope;
        norm->dx_offset[c] = (float)(-factor * plain / count - norm->mean[c] * slope);
    }
}

static void backward_rest(struct net *net, struct layer *layer, int first, int count)
{
    const struct tensor *x = &net->tensors[layer->input], *y = &net->tensors[layer->output];
    const size_t channels = channels_of(net, layer), pixels = (size_t)pixels_of(x->shape);
    const struct norm *norm = &layer->norm;
    for (int image = first; image < first + count; image++)
        for (size_t block = 0; block < channels; block += LANES) {
            const size_t at = block * pixels;
            net->kernels->norm_input(value_at(x, image) + at, gradient_at(y, image) + at,
                                     norm->dx_of_dy + block, norm->dx_of_x + block, norm->dx_offset + block,
                                     gradient_at(x, image) + at, pixels, layer->add_input);
        }
}

const struct layer_kind layer_norm_act = {.name = "norm_act",
                                          .measure = measure,
                                          .forward_begin = forward_begin,
                                          .forward = forward,
                                          .backward_begin = backward_begin,
                                          .backward = backward,
                                          .backward_end = backward_end,
                                          .backward_rest = backward_rest,
                                          .scratch = scratch};
