#include "worker/nn/inside.h"

#include "worker/nn/layers.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* ---- histograms ------------------------------------------------------------------------------------------ */

double histogram_edge(int bin)
{
    return (double)(bin - HISTOGRAM_BINS / 2) / HISTOGRAM_BINS_FOR_A_UNIT;
}

static void histogram_add(struct histogram *histogram, float value)
{
    const double at = floor((double)value * HISTOGRAM_BINS_FOR_A_UNIT) + HISTOGRAM_BINS / 2;
    if (!isfinite(value))
        histogram->not_finite++;
    else if (at < 0)
        histogram->below++;
    else if (at >= HISTOGRAM_BINS)
        histogram->above++;
    else
        histogram->bins[(int)at]++;
}

int64_t histogram_count(const struct histogram *histogram)
{
    int64_t count = histogram->below + histogram->above;
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        count += histogram->bins[i];
    return count;
}

void histogram_merge(struct histogram *into, const struct histogram *other)
{
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        into->bins[i] += other->bins[i];
    into->below += other->below;
    into->above += other->above;
    into->not_finite += other->not_finite;
}

double histogram_quantile(const struct histogram *histogram, double share)
{
    const double count = (double)histogram_count(histogram);
    double left = share * count - (double)histogram->below;
    if (count == 0)
        return NAN;
    if (left <= 0 && histogram->below > 0)
        return histogram_edge(0);
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        const double in_bin = (double)histogram->bins[i];
        if (in_bin > 0 && left <= in_bin)
            return histogram_edge(i) + fmax(left, 0) / in_bin / HISTOGRAM_BINS_FOR_A_UNIT;
        left -= in_bin;
    }
    return histogram_edge(HISTOGRAM_BINS);
}

/* ---- the network ----------------------------------------------------------------------------------------- */

static void layers_start(struct inside *inside, const struct net *net)
{
    inside->betas = net->beta_count;
    inside->layers = xcalloc((size_t)net->layer_count, sizeof *inside->layers);
    for (int i = 0; i < net->layer_count; i++) {
        if (!net->layers[i].has_activation)
            continue;
        const struct shape shape = net->tensors[net->layers[i].output].shape;
        struct inside_layer *layer = &inside->layers[inside->layer_count++];
        *layer = (struct inside_layer){
            .layer = i + 1, .channels = shape.channels, .height = shape.height, .width = shape.width};
        for (int when = 0; when < INSIDE_TIMES; when++)
            layer->betas[when] =
                xcalloc((size_t)(shape.channels * net->beta_count), sizeof *layer->betas[when]);
    }
}

void inside_release(struct inside *inside)
{
    for (int i = 0; i < inside->layer_count; i++)
        for (int when = 0; when < INSIDE_TIMES; when++)
            free(inside->layers[i].betas[when]);
    free(inside->layers);
    *inside = (struct inside){0};
}

void inside_read_betas(struct inside *inside, const struct net *net, enum inside_when when)
{
    if (!inside->layers)
        layers_start(inside, net);
    const size_t betas = (size_t)net->beta_count;
    for (int i = 0; i < inside->layer_count; i++) {
        const struct inside_layer *layer = &inside->layers[i];
        const float *values = net->layers[layer->layer - 1].betas.value;
        for (size_t c = 0; c < (size_t)layer->channels; c++)
            for (size_t k = 0; k < betas; k++)
                layer->betas[when][c * betas + k] = values[(c / LANES * betas + k) * LANES + c % LANES];
    }
}

/* A tile of a layer: rows × 16, of which `lanes` are channels. */
static void tile_count(const struct inside *inside, enum inside_when when, int number, const float *tile,
                       size_t rows, int lanes)
{
    int i = 0;
    while (inside->layers[i].layer != number)
        i++;
    struct histogram *histogram = &inside->layers[i].preactivations[when];
    for (size_t row = 0; row < rows; row++)
        for (int lane = 0; lane < lanes; lane++)
            histogram_add(histogram, tile[row * LANES + (size_t)lane]);
}

static void count_before(void *inside, int number, const float *tile, size_t rows, int lanes)
{
    tile_count(inside, INSIDE_BEFORE, number, tile, rows, lanes);
}

static void count_after(void *inside, int number, const float *tile, size_t rows, int lanes)
{
    tile_count(inside, INSIDE_AFTER, number, tile, rows, lanes);
}

void inside_watch(struct inside *inside, struct net *net, enum inside_when when)
{
    assert(!inside || inside->layers);
    net->watch = !inside ? NULL : when == INSIDE_BEFORE ? count_before : count_after;
    net->watch_context = inside;
}
