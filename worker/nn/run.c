/* The two passes: segments, and ranges of images within them (layers.h).
 *
 *     forward                                   backward
 *
 *     ⋯ norm k: measure                         ⋯ norm k: backward        (dy → dpre, sums)
 *     ─── all images have come ───              ─── all images have come ───
 *     norm k: forward                           norm k: backward_rest     (dpre → dx)
 *     conv    forward                           conv    backward
 *     norm k+1: measure                         norm k−1: backward
 *     ─── all images have come ───              ─── all images have come ─── */
#include "worker/nn/layers.h"

#include <assert.h>

/* Half of a 512 KiB L2 for two tensors of a range. */
enum { RANGE_FLOATS = 32 * 1024 };

bool layer_starts_segment(const struct net *net, int layer)
{
    return layer == 0 || net->layers[layer].has_norm;
}

int segment_end(const struct net *net, int first)
{
    int end = first + 1;
    while (end < net->layer_count && !layer_starts_segment(net, end))
        end++;
    return end;
}

/* A convolution whose weights are larger than the caches reads them once for each range: there it takes as
 * many floats of images. */
int segment_range(const struct net *net, int first)
{
    size_t largest = 1, floats = RANGE_FLOATS;
    for (int i = first, end = segment_end(net, first); i < end; i++) {
        const struct layer *layer = &net->layers[i];
        const int touched = layer->kind == &layer_append ? layer->input : layer->output;
        const size_t image_floats = net->tensors[touched].image_floats;
        largest = image_floats > largest ? image_floats : largest;
        if (layer_is_conv(layer) && layer->weights.floats > floats)
            floats = layer->weights.floats;
    }
    const int fit = (int)(floats / largest);
    if (fit >= GROUP)
        return fit / GROUP * GROUP;
    int range = GROUP;
    while (range > 1 && range > fit)
        range /= 2;
    return range;
}

static void traced(const struct net *net, const struct layer *layer, bool back)
{
    if (net->trace)
        net->trace(net->trace_context, layer, back);
}

#define CALL_WHOLE(function, back, layer)                                                                    \
    do {                                                                                                     \
        if ((layer)->kind->function) {                                                                       \
            (layer)->kind->function(net, layer);                                                             \
            traced(net, layer, back);                                                                        \
        }                                                                                                    \
    } while (0)
#define CALL_RANGE(function, back, layer)                                                                    \
    do {                                                                                                     \
        if ((layer)->kind->function) {                                                                       \
            (layer)->kind->function(net, layer, at, count);                                                  \
            traced(net, layer, back);                                                                        \
        }                                                                                                    \
    } while (0)

void net_forward(struct net *net, int images, enum pass pass)
{
    assert(images > 0 && images <= net->batch);
    net->images = images;
    net->pass = pass;
    for (int first = 0, end; first < net->layer_count; first = end) {
        end = segment_end(net, first);
        const int range = segment_range(net, first);
        for (int i = first; i < end; i++)
            CALL_WHOLE(forward_begin, false, &net->layers[i]);
        for (int at = 0, count; at < images; at += count) {
            count = images - at < range ? images - at : range;
            for (int i = first; i < end; i++)
                CALL_RANGE(forward, false, &net->layers[i]);
            if (end < net->layer_count)
                CALL_RANGE(measure, false, &net->layers[end]);
        }
    }
}

/* A value that was not kept (invariant 6) is written by the layer before, again. */
static void input_again(struct net *net, const struct layer *layer, int at, int count)
{
    if (layer_reads_back(layer) && net->tensors[layer->input].value_images < net->batch)
        CALL_RANGE(forward, true, &net->layers[layer - net->layers - 1]);
}

void net_backward(struct net *net, int images)
{
    assert(images == net->images && net->pass == PASS_TRAIN);
    for (int end = net->layer_count, first; end > 0; end = first) {
        for (first = end - 1; !layer_starts_segment(net, first);)
            first--;
        const int range = segment_range(net, first);
        for (int i = end - 1; i >= first; i--)
            CALL_WHOLE(backward_begin, true, &net->layers[i]);
        for (int at = 0, count; at < images; at += count) {
            count = images - at < range ? images - at : range;
            if (end < net->layer_count)
                CALL_RANGE(backward_rest, true, &net->layers[end]);
            for (int i = end - 1; i >= first; i--) {
                input_again(net, &net->layers[i], at, count);
                CALL_RANGE(backward, true, &net->layers[i]);
            }
        }
        for (int i = end - 1; i >= first; i--)
            CALL_WHOLE(backward_end, true, &net->layers[i]);
    }
}
