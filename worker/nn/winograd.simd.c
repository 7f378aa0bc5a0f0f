/* The inner loops of winograd.c: tiles into the 6 × 6 places and back, and the products between.
 *
 * Everything is stored as place × block × tile × 16. The products are register tiles of TILE tiles (or TILE
 * inputs, for the weights' gradient) by 16 outputs; all strides in them are constants, so that no address
 * needs a register. The transforms take the rows of a tile first, one or two of the six at a time, so that
 * their columns stay in registers. */
#include "worker/nn/kernels.h"
#include "worker/nn/tile_cases.h"
#include "worker/nn/vec.h"

enum { SIDE = WINOGRAD_SIDE, TILE_PIXELS = WINOGRAD_TILE };

/* 2.0f · a + b and the like */
INLINE part times(float factor, part a, part b)
{
    return part_fma(part_set(factor), a, b);
}

/* The rows that one row of tiles reads, `count` of them, the first `above` (0 or −1) that of the tiles; `tiles` is numbered through
 * all images. Those outside the plane are zeros. */
INLINE void rows_find(const struct winograd *w, const float *x, const float *zeros, int tiles, int block,
                      int lane, const int above, const int count, const float *ret[])
{
    const int image = tiles / w->down, top = TILE_PIXELS * (tiles % w->down) + above;
    const float *from = x + (size_t)(image * w->blocks + block) * (size_t)(w->height * w->width) * LANES;
    for (int i = 0; i < count; i++) {
        const bool inside = top + i >= 0 && top + i < w->height;
        ret[i] = (inside ? from + (size_t)((top + i) * w->width) * LANES : zeros) + lane;
    }
}

/* ---- patches: Bᵀ d B
 * ------------------------------------------------------------------------------------------- */

/* Row `which` of Bᵀ d, and row `which` + 1 where `which` is 1 or 3. */
INLINE void patch_mix(const int which, const part d[SIDE], part *ret, part *ret_next)
{
    if (which == 0 || which == 5) {
        const part *e = which ? d + 1 : d;
        *ret = times(4.0f, e[0], times(-5.0f, e[2], e[4]));
        return;
    }
    const part even = which == 1 ? times(-4.0f, d[2], d[4]) : part_sub(d[4], d[2]);
    const part odd = which == 1 ? times(-4.0f, d[1], d[3]) : part_mul(part_set(2.0f), part_sub(d[3], d[1]));
    *ret = part_add(even, odd);
    *ret_next = part_sub(even, odd);
}

/* Column `column` of the input, mixed; which rows it needs follows from `which`. */
INLINE void patch_column(const int which, const float *const rows[SIDE], int column, int width, part *ret,
                         part *ret_next)
{
    if (column < 0 || column >= width) {
        *ret = *ret_next = part_set(0.0f);
        return;
    }
    part d[SIDE];
#pragma GCC unroll 6
    for (int i = 0; i < SIDE; i++)
        if (which == 0 ? i % 2 == 0 : which == 5 ? i % 2 == 1 : i > 0 && i < 5)
            d[i] = part_load(rows[i] + column * LANES);
    patch_mix(which, d, ret, ret_next);
}

INLINE void patch_store(const part d[SIDE], float *v, size_t place)
{
    part out[SIDE];
    patch_mix(0, d, &out[0], NULL);
    patch_mix(1, d, &out[1], &out[2]);
    patch_mix(3, d, &out[3], &out[4]);
    patch_mix(5, d, &out[5], NULL);
#pragma GCC unroll 6
    for (int k = 0; k < SIDE; k++)
        part_store(v + (size_t)k * place, out[k]);
}

/* One row of tiles, row `which` of the places (and the next). */
INLINE void patches_row(const int which, const float *const rows[SIDE], int width, int across, size_t place,
                        float *v)
{
    const bool two = which == 1 || which == 3;
    part d[SIDE], next[SIDE], unused;
    d[4] = next[4] = next[5] = part_set(0.0f);
    patch_column(which, rows, 0, width, &d[5], two ? &next[5] : &unused);
    for (int tile = 0; tile < across; tile++, v += LANES) {
        d[0] = d[4], d[1] = d[5];
        next[0] = next[4], next[1] = next[5];
#pragma GCC unroll 4
        for (int k = 2; k < SIDE; k++)
            patch_column(which, rows, TILE_PIXELS * tile + k - 1, width, &d[k], two ? &next[k] : &unused);
        patch_store(d, v, place);
        if (two)
            patch_store(next, v + SIDE * place, place);
    }
}

void SIMD_NAME(kernel_winograd_patches)(const struct winograd *w, const float *x, const float *zeros,
                                        int first, int rows, float *v)
{
    const size_t place = winograd_place(w->blocks, rows * w->across);
    for (int r = 0; r < rows; r++)
        for (int block = 0; block < w->blocks; block++)
            for (int lane = 0; lane < LANES; lane += PART_LANES) {
                const float *input[SIDE];
                rows_find(w, x, zeros, first + r, block, lane, -1, SIDE, input);
                float *to = v + (size_t)((block * rows + r) * w->across) * LANES + lane;
                patches_row(0, input, w->width, w->across, place, to);
                patches_row(1, input, w->width, w->across, place, to + SIDE * place);
                patches_row(3, input, w->width, w->across, place, to + 3 * SIDE * place);
                patches_row(5, input, w->width, w->across, place, to + 5 * SIDE * place);
            }
}

/* ---- spread: A dy Aᵀ
 * ------------------------------------------------------------------------------------------- */

/* Row `which` of A d, and row `which` + 1 where `which` is 1 or 3. */
INLINE void spread_mix(const int which, const part d[TILE_PIXELS], part *ret, part *ret_next)
{
    if (which == 0 || which == 5) {
        *ret = d[which ? 3 : 0];
        return;
    }
    const part even = which == 1 ? part_add(d[0], d[2]) : times(4.0f, d[2], d[0]);
    const part odd = which == 1 ? part_add(d[1], d[3]) : part_mul(part_set(2.0f), times(4.0f, d[3], d[1]));
    *ret = part_add(even, odd);
    *ret_next = part_sub(even, odd);
}

INLINE void spread_store(const part d[TILE_PIXELS], float *z, size_t place)
{
    part out[SIDE];
    spread_mix(0, d, &out[0], NULL);
    spread_mix(1, d, &out[1], &out[2]);
    spread_mix(3, d, &out[3], &out[4]);
    spread_mix(5, d, &out[5], NULL);
#pragma GCC unroll 6
    for (int k = 0; k < SIDE; k++)
        part_store(z + (size_t)k * place, out[k]);
}

INLINE void spread_row(const int which, const float *const rows[TILE_PIXELS], int width, int across,
                       size_t place, float *z)
{
    const bool two = which == 1 || which == 3;
    for (int tile = 0; tile < across; tile++, z += LANES) {
        part e[TILE_PIXELS], next[TILE_PIXELS], unused;
#pragma GCC unroll 4
        for (int k = 0; k < TILE_PIXELS; k++) {
            const int column = TILE_PIXELS * tile + k;
            if (column >= width) {
                e[k] = next[k] = part_set(0.0f);
                continue;
            }
            part d[TILE_PIXELS];
            for (int i = 0; i < TILE_PIXELS; i++)
                d[i] = part_load(rows[i] + column * LANES);
            spread_mix(which, d, &e[k], two ? &next[k] : &unused);
        }
        spread_store(e, z, place);
        if (two)
            spread_store(next, z + SIDE * place, place);
    }
}

void SIMD_NAME(kernel_winograd_spread)(const struct winograd *w, const float *dy, const float *zeros,
                                       int first, int rows, float *z)
{
    const size_t place = winograd_place(w->blocks, rows * w->across);
    for (int r = 0; r < rows; r++)
        for (int block = 0; block < w->blocks; block++)
            for (int lane = 0; lane < LANES; lane += PART_LANES) {
                const float *input[TILE_PIXELS];
                rows_find(w, dy, zeros, first + r, block, lane, 0, TILE_PIXELS, input);
                float *to = z + (size_t)((block * rows + r) * w->across) * LANES + lane;
                spread_row(0, input, w->width, w->across, place, to);
                spread_row(1, input, w->width, w->across, place, to + SIDE * place);
                spread_row(3, input, w->width, w->across, place, to + 3 * SIDE * place);
                spread_row(5, input, w->width, w->across, place, to + 5 * SIDE * place);
            }
}

/* ---- gather: Aᵀ m A
 * -------------------------------------------------------------------------------------------- */

/* Rows `which` and `which` + 2 of Aᵀ m. */
INLINE void gather_mix(const int which, const part m[SIDE], part *ret, part *ret_next)
{
    if (which == 0) {
        const part ones = part_add(m[1], m[2]), twos = part_add(m[3], m[4]);
        *ret = part_add(part_add(m[0], ones), twos);
        *ret_next = times(4.0f, twos, ones);
        return;
    }
    const part ones = part_sub(m[1], m[2]), twos = part_sub(m[3], m[4]);
    *ret = times(2.0f, twos, ones);
    *ret_next = part_add(times(8.0f, twos, ones), m[5]);
}

/* One row of pixels of a tile; `pixels` of them exist. */
INLINE void gather_store(const part m[SIDE], float *y, int pixels, bool add)
{
    part out[TILE_PIXELS];
    gather_mix(0, m, &out[0], &out[2]);
    gather_mix(1, m, &out[1], &out[3]);
#pragma GCC unroll 4
    for (int k = 0; k < TILE_PIXELS; k++)
        if (k < pixels)
            part_store(y + k * LANES, add ? part_add(part_load(y + k * LANES), out[k]) : out[k]);
}

/* Rows `which` and `which` + 2 of a row of tiles, each as far as it exists. */
INLINE void gather_rows(const int which, const struct winograd *w, const float *m, size_t place, float *y,
                        int height, bool add)
{
    if (which >= height)
        return;
    for (int tile = 0; tile < w->across; tile++, m += LANES) {
        part upper[SIDE], lower[SIDE];
#pragma GCC unroll 6
        for (int k = 0; k < SIDE; k++) {
            part column[SIDE];
#pragma GCC unroll 6
            for (int i = which; i < SIDE - 1 + which; i++)
                column[i] = part_load(m + (size_t)(SIDE * i + k) * place);
            gather_mix(which, column, &upper[k], &lower[k]);
        }
        const int pixels = w->width - TILE_PIXELS * tile;
        float *to = y + (size_t)(which * w->width + TILE_PIXELS * tile) * LANES;
        gather_store(upper, to, pixels, add);
        if (which + 2 < height)
            gather_store(lower, to + (size_t)(2 * w->width) * LANES, pixels, add);
    }
}

void SIMD_NAME(kernel_winograd_gather)(const struct winograd *w, const float *m, int first, int rows,
                                       float *y, bool add)
{
    const size_t place = winograd_place(w->blocks, rows * w->across),
                 plane = (size_t)(w->height * w->width) * LANES;
    for (int r = 0; r < rows; r++)
        for (int block = 0; block < w->blocks; block++)
            for (int lane = 0; lane < LANES; lane += PART_LANES) {
                const int image = (first + r) / w->down, top = TILE_PIXELS * ((first + r) % w->down);
                float *to =
                    y + (size_t)(image * w->blocks + block) * plane + (size_t)(top * w->width) * LANES + lane;
                const float *from = m + (size_t)((block * rows + r) * w->across) * LANES + lane;
                if (add) {
                    gather_rows(0, w, from, place, to, w->height - top, true);
                    gather_rows(1, w, from, place, to, w->height - top, true);
                } else {
                    gather_rows(0, w, from, place, to, w->height - top, false);
                    gather_rows(1, w, from, place, to, w->height - top, false);
                }
            }
}

/* ---- products
 * -------------------------------------------------------------------------------------------------- */

/* v: in_blocks × tiles × 16; u: in_blocks × 16 × 16; m: tiles × 16. */
INLINE void products_tile(const int tile, const float *v, const float *u, float *m, int in_blocks,
                          size_t block_step)
{
    struct vec sum[TILE];
#pragma GCC unroll 16
    for (int t = 0; t < tile; t++)
        sum[t] = vec_set(0.0f);
    for (int block = 0; block < in_blocks; block++, v += block_step)
        for (int c = 0; c < LANES; c++, u += LANES) {
            const struct vec weights = vec_load(u);
#pragma GCC unroll 16
            for (int t = 0; t < tile; t++)
                sum[t] = vec_fma(vec_set(v[t * LANES + c]), weights, sum[t]);
        }
#pragma GCC unroll 16
    for (int t = 0; t < tile; t++)
        vec_store(m + t * LANES, sum[t]);
}

void SIMD_NAME(kernel_winograd_products)(const float *v, const float *u, float *m, int in_blocks,
                                         int out_blocks, int tiles)
{
    const size_t block_step = (size_t)tiles * LANES;
    for (int place = 0; place < WINOGRAD_PLACES; place++) {
        float *to = m;
        for (int out = 0; out < out_blocks; out++) {
            const float *from = v;
            for (int left = tiles; left > 0;) {
                const int count = tile_size(left);
                switch (count) {
                    TILE_CASES(products_tile(tile, from, u, to, in_blocks, block_step))
                }
                from += count * LANES;
                to += count * LANES;
                left -= count;
            }
            u += (size_t)in_blocks * LANES * LANES;
        }
        v += winograd_place(in_blocks, tiles);
        m += winograd_place(out_blocks, tiles);
    }
}

/* du += Σ over tiles of v · z for `tile` inputs. */
INLINE void outer_tile(const int tile, const float *v, const float *z, float *du, int tiles)
{
    struct vec sum[TILE];
#pragma GCC unroll 16
    for (int i = 0; i < tile; i++)
        sum[i] = vec_load(du + i * LANES);
    for (int t = 0; t < tiles; t++, v += LANES, z += LANES) {
        const struct vec gradient = vec_load(z);
#pragma GCC unroll 16
        for (int i = 0; i < tile; i++)
            sum[i] = vec_fma(vec_set(v[i]), gradient, sum[i]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < tile; i++)
        vec_store(du + i * LANES, sum[i]);
}

void SIMD_NAME(kernel_winograd_outer)(const float *v, const float *z, float *du, int in_blocks,
                                      int out_blocks, int tiles)
{
    const size_t block_step = (size_t)tiles * LANES;
    for (int place = 0; place < WINOGRAD_PLACES; place++) {
        for (int out = 0; out < out_blocks; out++)
            for (int in = 0; in < in_blocks; in++)
                for (int c = 0; c < LANES;) {
                    const int count = tile_size(LANES - c);
                    switch (count) {
                        TILE_CASES(outer_tile(tile, v + (size_t)in * block_step + c,
                                              z + (size_t)out * block_step, du, tiles))
                    }
                    c += count;
                    du += count * LANES;
                }
        v += winograd_place(in_blocks, tiles);
        z += winograd_place(out_blocks, tiles);
    }
}

/* ---- weights: G g Gᵀ, and Gᵀ du G
 * ------------------------------------------------------------------------------ */

INLINE void weights_mix(struct vec g0, struct vec g1, struct vec g2, struct vec ret[SIDE])
{
    const struct vec ones = vec_mul(vec_set(-1.0f / 6), vec_add(g0, g2)),
                     one = vec_mul(vec_set(1.0f / 6), g1);
    const struct vec twos = vec_fma(vec_set(1.0f / 24), g0, vec_mul(vec_set(1.0f / 6), g2)),
                     two = vec_mul(vec_set(1.0f / 12), g1);
    ret[0] = vec_mul(vec_set(0.25f), g0);
    ret[1] = vec_sub(ones, one);
    ret[2] = vec_add(ones, one);
    ret[3] = vec_add(twos, two);
    ret[4] = vec_sub(twos, two);
    ret[5] = g2;
}

void SIMD_NAME(kernel_winograd_weights)(const float *weights, size_t blocks, float *u)
{
    const size_t tap = LANES * LANES, place = blocks * tap;
    for (size_t row = 0; row < blocks * LANES; row++) {
        const float *g = weights + row / LANES * 9 * tap + row % LANES * LANES;
        struct vec columns[3][SIDE], out[SIDE];
        for (size_t k = 0; k < 3; k++)
            weights_mix(vec_load(g + k * tap), vec_load(g + (3 + k) * tap), vec_load(g + (6 + k) * tap),
                        columns[k]);
        for (size_t i = 0; i < SIDE; i++) {
            weights_mix(columns[0][i], columns[1][i], columns[2][i], out);
            for (size_t k = 0; k < SIDE; k++)
                vec_store(u + (SIDE * i + k) * place + row * LANES, out[k]);
        }
    }
}

INLINE void gradient_mix(const struct vec d[SIDE], struct vec ret[3])
{
    const struct vec ones = vec_add(d[1], d[2]), twos = vec_add(d[3], d[4]);
    const struct vec one = vec_sub(d[2], d[1]), two = vec_sub(d[3], d[4]);
    const struct vec sixth = vec_set(1.0f / 6);
    ret[0] =
        vec_fma(vec_set(0.25f), d[0], vec_fma(vec_set(1.0f / 24), twos, vec_mul(vec_set(-1.0f / 6), ones)));
    ret[1] = vec_fma(vec_set(1.0f / 12), two, vec_mul(sixth, one));
    ret[2] = vec_fma(sixth, vec_sub(twos, ones), d[5]);
}

void SIMD_NAME(kernel_winograd_gradient)(const float *du, size_t blocks, float *dweights)
{
    const size_t tap = LANES * LANES, place = blocks * tap;
    for (size_t row = 0; row < blocks * LANES; row++) {
        struct vec d[SIDE], rows[SIDE][3], out[3];
        for (size_t i = 0; i < SIDE; i++) {
            for (size_t k = 0; k < SIDE; k++)
                d[k] = vec_load(du + (SIDE * i + k) * place + row * LANES);
            gradient_mix(d, rows[i]);
        }
        float *to = dweights + row / LANES * 9 * tap + row % LANES * LANES;
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < SIDE; i++)
                d[i] = rows[i][k];
            gradient_mix(d, out);
            for (size_t i = 0; i < 3; i++)
                vec_store(to + (3 * i + k) * tap, out[i]);
        }
    }
}
