/* The sliding window of kernels.h: register tiles of TILE pixels (forward) or TILE weights (gradient) by 16
 * outputs. */
#include "worker/nn/kernels.h"
#include "worker/nn/tile_cases.h"
#include "worker/nn/vec.h"

INLINE void forward_tile(const int tile, const struct window *window, const float *x, const float *weights,
                         float *y, bool add)
{
    struct vec sum[TILE];
#pragma GCC unroll 16
    for (int p = 0; p < tile; p++)
        sum[p] = add ? vec_load(y + (size_t)p * window->out_column_step) : vec_set(0.0f);
    const size_t step = window->in_column_step;
    for (int block = 0; block < window->in_blocks; block++) {
        const float *run = x + (size_t)block * window->in_block_step;
        for (int r = 0; r < window->runs; r++, run += window->in_run_step) {
            for (int j = 0; j < window->run_length; j++, weights += LANES) {
                const struct vec w = vec_load(weights);
#pragma GCC unroll 16
                for (int p = 0; p < tile; p++)
                    sum[p] = vec_fma(vec_set(run[(size_t)p * step + (size_t)j]), w, sum[p]);
            }
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < tile; p++)
        vec_store(y + (size_t)p * window->out_column_step, sum[p]);
}

void SIMD_NAME(kernel_window_forward)(const struct window *window, const float *x, const float *weights,
                                      float *y, bool add)
{
    const size_t block_weights =
        (size_t)window->in_blocks * (size_t)window->runs * (size_t)window->run_length * LANES;
    for (int block = 0; block < window->out_blocks; block++) {
        for (int row = 0; row < window->rows; row++) {
            const float *from = x + (size_t)row * window->in_row_step;
            float *to = y + (size_t)block * window->out_block_step + (size_t)row * window->out_row_step;
            for (int left = window->columns; left > 0;) {
                const int count = tile_size(left);
                switch (count) {
                    TILE_CASES(forward_tile(tile, window, from, weights, to, add))
                }
                from += (size_t)count * window->in_column_step;
                to += (size_t)count * window->out_column_step;
                left -= count;
            }
        }
        weights += block_weights;
    }
}

INLINE void weights_tile(const int tile, const struct window *window, int rows, const float *x,
                         const float *dy, float *dweights)
{
    struct vec sum[TILE];
#pragma GCC unroll 16
    for (int t = 0; t < tile; t++)
        sum[t] = vec_set(0.0f);
    for (int row = 0; row < rows; row++) {
        const float *x_at = x + (size_t)row * window->in_row_step;
        const float *dy_at = dy + (size_t)row * window->out_row_step;
        for (int column = 0; column < window->columns; column++) {
            const struct vec d = vec_load(dy_at);
#pragma GCC unroll 16
            for (int t = 0; t < tile; t++)
                sum[t] = vec_fma(vec_set(x_at[t]), d, sum[t]);
            x_at += window->in_column_step;
            dy_at += window->out_column_step;
        }
    }
#pragma GCC unroll 16
    for (int t = 0; t < tile; t++)
        vec_store(dweights + t * LANES, vec_add(vec_load(dweights + t * LANES), sum[t]));
}

/* A few rows at a time, so that their x and dy stay in L1 while all weights pass over them. */
void SIMD_NAME(kernel_window_weights)(const struct window *window, const float *x, const float *dy,
                                      float *dweights)
{
    int chunk = WINDOW_CHUNK / window->columns;
    if (chunk < 1)
        chunk = 1;
    for (int first = 0; first < window->rows; first += chunk) {
        const int rows = window->rows - first < chunk ? window->rows - first : chunk;
        float *dw = dweights;
        for (int out = 0; out < window->out_blocks; out++) {
            const float *dy_at =
                dy + (size_t)out * window->out_block_step + (size_t)first * window->out_row_step;
            for (int in = 0; in < window->in_blocks; in++) {
                for (int r = 0; r < window->runs; r++) {
                    const float *x_at = x + (size_t)in * window->in_block_step +
                                        (size_t)first * window->in_row_step + (size_t)r * window->in_run_step;
                    for (int left = window->run_length; left > 0;) {
                        const int count = tile_size(left);
                        switch (count) {
                            TILE_CASES(weights_tile(tile, window, rows, x_at, dy_at, dw))
                        }
                        x_at += count;
                        dw += count * LANES;
                        left -= count;
                    }
                }
            }
        }
    }
}
