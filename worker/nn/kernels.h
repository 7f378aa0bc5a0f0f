/* kernels: the inner loops of the trainer, one table of functions for each instruction set, all with the same bits.
 *
 * Convolutions in both directions and matrix products are one operation here, a window that slides over one image (or one
 * batch, for a dense layer):
 *
 *     y[row][column][o] = Σ over blocks, runs r, j < run_length of x[row][column] at (r, j) · weights[block][r][j][o]
 *
 * A run is a stretch of floats that lie side by side in memory: in a layout with 16 channels per pixel the three horizontal taps
 * of a 3×3 window are one run of 48, and there are three runs. Vectors lie over 16 outputs o; every output adds its terms in the order
 * block, run, j, whatever the tile size or the instruction set.
 */
#ifndef WORKER_NN_KERNELS_H
#define WORKER_NN_KERNELS_H

#include "common/simd.h"

#include <stdbool.h>
#include <stddef.h>

/* All steps are in floats. Weights: out_blocks × in_blocks × runs × run_length × 16. */
struct window {
    int rows, columns; /* of the output */
    int in_blocks, runs, run_length;
    size_t in_block_step, in_run_step, in_row_step, in_column_step;
    int out_blocks;
    size_t out_block_step, out_row_step, out_column_step;
};

/* How many outputs window_weights sums in registers before it adds them to memory: part of the numerics. */
enum { WINDOW_CHUNK = 128 };

/* The tiles of a tensor for winograd.c: `down` × `across` of 4 × 4 pixels for each image, `blocks` blocks of channels. Rows of
 * tiles are numbered through the images. */
struct winograd {
    int height, width, down, across, blocks;
};
enum { WINOGRAD_TILE = 4, WINOGRAD_SIDE = 6, WINOGRAD_PLACES = 36, WINOGRAD_STRIP = 32 };

/* Floats from one place of a strip to the next: blocks × tiles × 16, and one vector more, since steps of a power of two would
 * put all places into the same few lines of L1. */
static inline size_t winograd_place(int blocks, int tiles)
{
    return (size_t)(blocks * tiles + 1) * LANES;
}

/* ROW(name, arguments); `rows` are rows of 16 floats. */
#define KERNEL_TABLE(ROW)                                                                                                    \
    /* y = window over x, or y += it where add. */                                                                           \
    ROW(window_forward,                                                                                                      \
        (const struct window *window, const float *x, const float *weights, float *y, bool add))                             \
    /* dweights += Σ over rows and columns of x · dy. */                                                                   \
    ROW(window_weights, (const struct window *window, const float *x, const float *dy, float *dweights))                     \
    /* Of winograd.c, for `rows` rows of tiles from `first` of all images; zeros: a row of the image. v = Bᵀ x B. */       \
    ROW(winograd_patches,                                                                                                    \
        (const struct winograd *tiles, const float *x, const float *zeros, int first, int rows, float *v))                   \
    /* z = A dy Aᵀ */                                                                                                      \
    ROW(winograd_spread,                                                                                                     \
        (const struct winograd *tiles, const float *dy, const float *zeros, int first, int rows, float *z))                  \
    /* y = Aᵀ m A, or y += it where add. */                                                                                \
    ROW(winograd_gather,                                                                                                     \
        (const struct winograd *tiles, const float *m, int first, int rows, float *y, bool add))                             \
    /* m = v · u for each place. u: places × out_blocks × in_blocks × 16 × 16. */                                       \
    ROW(winograd_products,                                                                                                   \
        (const float *v, const float *u, float *m, int in_blocks, int out_blocks, int tiles))                                \
    /* du += Σ over tiles of v · z for each place; du as u. */                                                             \
    ROW(winograd_outer,                                                                                                      \
        (const float *v, const float *z, float *du, int in_blocks, int out_blocks, int tiles))                               \
    /* u = G weights Gᵀ; weights: blocks × 3 × 3 × 16 × 16, u: places × blocks × 16 × 16. */                        \
    ROW(winograd_weights, (const float *weights, size_t blocks, float *u))                                                   \
    /* dweights = Gᵀ du G, shapes as above. */                                                                             \
    ROW(winograd_gradient, (const float *du, size_t blocks, float *dweights))                                                \
    /* Mean and Σ(x − mean)² of each lane. */                                                                            \
    ROW(moments, (const float *x, size_t rows, float *ret_mean, float *ret_m2))                                              \
    /* Σ of each lane. */                                                                                                   \
    ROW(row_sums, (const float *x, size_t rows, float *ret_sum))                                                             \
    /* y = x · a + b, lane by lane; a, b: 16. */                                                                            \
    ROW(affine, (const float *x, const float *a, const float *b, float *y, size_t rows))                                     \
    /* y += x */                                                                                                             \
    ROW(add, (const float *x, float *y, size_t rows))                                                                        \
    /* sums[0 … 16) = Σ dy, sums[16 … 32) = Σ dy · (x − mean) · deviation_inverse; mean, deviation_inverse: 16. */ \
    ROW(norm_sums, (const float *x, const float *dy, const float *mean, const float *deviation_inverse,                      \
                    size_t rows, float *ret_sums))                                                                           \
    /* dx = dy · a + (x · b + c), or dx += it where add; a, b, c: 16. */                                                   \
    ROW(norm_input, (const float *x, const float *dy, const float *a, const float *b, const float *c,                        \
                     float *dx, size_t rows, bool add))                                                                      \
    /* g += decay · w; v = momentum · v + g; w −= lr · (g + momentum · v). */                                          \
    ROW(nesterov, (float *w, const float *g, float *v, size_t rows, float lr, float momentum, float decay))                  \
    /* sum += Σ bytes, squares += Σ bytes². */                                                                            \
    ROW(byte_sums, (const uint8_t *bytes, size_t size, uint64_t *sum, uint64_t *squares))

struct kernels {
#define KERNEL_ROW(name, arguments) void(*name) arguments;
    KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
};

/* The table of simd_path(). */
const struct kernels *kernels_table(void);

#ifdef SIMD_PATH
#define KERNEL_ROW(name, arguments) void SIMD_NAME(kernel_##name) arguments;
KERNEL_TABLE(KERNEL_ROW)
#undef KERNEL_ROW
#endif

#endif
