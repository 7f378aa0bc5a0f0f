/* inside: what a network is like within, before and after its training: how its preactivations (what its activations read) are
 * distributed, and which values its trainable β have, for each layer and channel.
 *
 * Invariants:
 *  1. To look changes no bit of a training: the passes are those of an evaluation, over images that the training does not draw.
 *  2. Each preactivation is counted once: in a bin, below or above them, or as not finite. Padded lanes are none.
 */
#ifndef WORKER_NN_INSIDE_H
#define WORKER_NN_INSIDE_H

#include <stddef.h>
#include <stdint.h>

enum {
    INSIDE_IMAGES = 1024,          /* at most, the first of the validation part */
    HISTOGRAM_BINS = 512,          /* around 0 */
    HISTOGRAM_BINS_FOR_A_UNIT = 10 /* a bin is 0.1 wide */
};

struct histogram {
    int64_t bins[HISTOGRAM_BINS]; /* number i: histogram_edge(i) ≤ x < histogram_edge(i + 1) */
    int64_t below, above, not_finite;
};
/* Where bin `bin` begins; of HISTOGRAM_BINS: where the last one ends. */
double histogram_edge(int bin);
/* All but those that are not finite. */
int64_t histogram_count(const struct histogram *histogram);
void histogram_merge(struct histogram *into, const struct histogram *other);
/* The value below which a share of all lies, 0 ≤ share ≤ 1, taken as even within a bin. What is below or above the bins is taken
 * as at their end. NaN where nothing was counted. */
double histogram_quantile(const struct histogram *histogram, double share);

enum inside_when { INSIDE_BEFORE, INSIDE_AFTER, INSIDE_TIMES };

struct inside_layer {
    int layer; /* as `actsearch train --describe` counts, from 1 */
    int channels, height, width;
    struct histogram preactivations[INSIDE_TIMES];
    float *betas[INSIDE_TIMES]; /* channels × betas of the function */
};

struct inside {
    int64_t images;
    int betas; /* of the function, for each channel */
    int layer_count;
    struct inside_layer *layers; /* those with an activation, from the image on */
};
void inside_release(struct inside *inside); /* it is as {0} again */

/* ---- for train.c ----------------------------------------------------------------------------------------- */

struct net;

/* The layers and β of the net as it is. The first call sets up `inside`, which must be {0}. */
void inside_read_betas(struct inside *inside, const struct net *net, enum inside_when when);
/* The evaluating passes that follow count their preactivations, until inside_watch(NULL, net, …). */
void inside_watch(struct inside *inside, struct net *net, enum inside_when when);

#endif
