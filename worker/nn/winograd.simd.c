/* The inner loops of winograd.c: tiles into the 4 × 4 places and back, and the products between.
 *
 * Everything is stored as place × block × tile × 16, a place being a few KB: with 16 channels and 32 tiles,
 * places, weights and products together fill L1 and the first part of L2. The products are register tiles of
 * TILE tiles (or TILE inputs, for the weights' gradient) by 16 outputs; all strides in them are constants, so
 * that no address needs a register. */
#include "worker/nn/kernels.h"
#include "worker/nn/tile_cases.h"
#include "worker/nn/vec.h"

/* Which two rows (or columns) of a patch make row i of Bᵀd, and with which sign. */
static const struct {
    int plus, other;
    bool add;
} patch_rows[WINOGRAD_SIDE] = {{0, 2, false}, {1, 2, true}, {2, 1, false}, {1, 3, false}};

INLINE struct vec pair(struct vec a, struct vec b, bool add)
{
    return add ? vec_add(a, b) : vec_sub(a, b);
}

/* One row of tiles, row i of the places. plus, other: input rows, `width` pixels of 16. */
INLINE void patches_row(const float *plus, const float *other, bool add, int width, int across,
                        size_t place_step, float *v)
{
    struct vec c0 = vec_set(0.0f), c1 = pair(vec_load(plus), vec_load(other), add);
    for (int tile = 0; tile < across; tile++, v += LANES) {
        const int column = 2 * tile + 1;
        struct vec c2 = vec_set(0.0f), c3 = c2;
        if (column < width)
            c2 = pair(vec_load(plus + column * LANES), vec_load(other + column * LANES), add);
        if (column + 1 < width)
            c3 = pair(vec_load(plus + (column + 1) * LANES), vec_load(other + (column + 1) * LANES), add);
        vec_store(v, vec_sub(c0, c2));
        vec_store(v + place_step, vec_add(c1, c2));
        vec_store(v + 2 * place_step, vec_sub(c2, c1));
        vec_store(v + 3 * place_step, vec_sub(c1, c3));
        c0 = c2;
        c1 = c3;
    }
}

void SIMD_NAME(kernel_winograd_patches)(const struct winograd *w, const float *x, const float *zeros,
                                        int first, int rows, float *v)
{
    for (int r = 0; r < rows; r++) {
        const int image = (first + r) / w->down, top = 2 * ((first + r) % w->down) - 1;
        for (int block = 0; block < w->blocks; block++) {
            const float *plane = x + ((size_t)image * (size_t)w->blocks + (size_t)block) *
                                         (size_t)(w->height * w->width) * LANES;
            const float *input[WINOGRAD_SIDE];
            for (int i = 0; i < WINOGRAD_SIDE; i++) {
                const int row = top + i;
                input[i] = row >= 0 && row < w->height ? plane + (size_t)(row * w->width) * LANES : zeros;
            }
            float *to = v + (size_t)((block * rows + r) * w->across) * LANES;
            const size_t place = winograd_place(w->blocks, rows * w->across);
#pragma GCC unroll 4
            for (int i = 0; i < WINOGRAD_SIDE; i++)
                patches_row(input[patch_rows[i].plus], input[patch_rows[i].other], patch_rows[i].add,
                            w->width, w->across, place, to + (size_t)(WINOGRAD_SIDE * i) * place);
        }
    }
}

/* One row of tiles, row i of the places: a and b are the two rows of the gradient. */
INLINE void spread_row(const int i, const float *a, const float *b, int width, int across, size_t place_step,
                       float *z)
{
    for (int tile = 0; tile < across; tile++, z += LANES, a += 2 * LANES, b += 2 * LANES) {
        struct vec e[2];
        for (int c = 0; c < 2; c++) {
            if (2 * tile + c >= width)
                e[c] = vec_set(0.0f);
            else if (i == 0)
                e[c] = vec_load(a + c * LANES);
            else if (i == 3)
                e[c] = vec_load(b + c * LANES);
            else
                e[c] = pair(vec_load(a + c * LANES), vec_load(b + c * LANES), i == 1);
        }
        vec_store(z, e[0]);
        vec_store(z + place_step, vec_add(e[0], e[1]));
        vec_store(z + 2 * place_step, vec_sub(e[0], e[1]));
        vec_store(z + 3 * place_step, e[1]);
    }
}

void SIMD_NAME(kernel_winograd_spread)(const struct winograd *w, const float *dy, const float *zeros,
                                       int first, int rows, float *z)
{
    for (int r = 0; r < rows; r++) {
        const int image = (first + r) / w->down, row = 2 * ((first + r) % w->down);
        for (int block = 0; block < w->blocks; block++) {
            const float *plane = dy + ((size_t)image * (size_t)w->blocks + (size_t)block) *
                                          (size_t)(w->height * w->width) * LANES;
            const float *a = plane + (size_t)(row * w->width) * LANES;
            const float *b = row + 1 < w->height ? a + (size_t)w->width * LANES : zeros;
            float *to = z + (size_t)((block * rows + r) * w->across) * LANES;
            const size_t place = winograd_place(w->blocks, rows * w->across);
#pragma GCC unroll 4
            for (int i = 0; i < WINOGRAD_SIDE; i++)
                spread_row(i, a, b, w->width, w->across, place, to + (size_t)(WINOGRAD_SIDE * i) * place);
        }
    }
}

/* to = value, or to += value. */
INLINE void put(float *to, struct vec value, bool add)
{
    vec_store(to, add ? vec_add(vec_load(to), value) : value);
}

INLINE void gather_rows(const struct winograd *w, const float *m, size_t place, float *upper, float *lower,
                        bool add)
{
    for (int tile = 0; tile < w->across; tile++, m += LANES) {
        struct vec top[WINOGRAD_SIDE], bottom[WINOGRAD_SIDE];
#pragma GCC unroll 4
        for (int k = 0; k < WINOGRAD_SIDE; k++) {
            const float *column = m + (size_t)k * place;
            const struct vec m1 = vec_load(column + 4 * place), m2 = vec_load(column + 8 * place);
            top[k] = vec_add(vec_add(vec_load(column), m1), m2);
            bottom[k] = vec_sub(vec_sub(m1, m2), vec_load(column + 12 * place));
        }
        float *to = upper + 2 * tile * LANES;
        const bool both = 2 * tile + 1 < w->width;
        put(to, vec_add(vec_add(top[0], top[1]), top[2]), add);
        if (both)
            put(to + LANES, vec_sub(vec_sub(top[1], top[2]), top[3]), add);
        if (!lower)
            continue;
        to = lower + 2 * tile * LANES;
        put(to, vec_add(vec_add(bottom[0], bottom[1]), bottom[2]), add);
        if (both)
            put(to + LANES, vec_sub(vec_sub(bottom[1], bottom[2]), bottom[3]), add);
    }
}

void SIMD_NAME(kernel_winograd_gather)(const struct winograd *w, const float *m, int first, int rows,
                                       float *y, bool add)
{
    for (int r = 0; r < rows; r++) {
        const int image = (first + r) / w->down, row = 2 * ((first + r) % w->down);
        for (int block = 0; block < w->blocks; block++) {
            float *plane = y + ((size_t)image * (size_t)w->blocks + (size_t)block) *
                                   (size_t)(w->height * w->width) * LANES;
            float *upper = plane + (size_t)(row * w->width) * LANES;
            float *lower = row + 1 < w->height ? upper + (size_t)w->width * LANES : NULL;
            const float *from = m + (size_t)((block * rows + r) * w->across) * LANES;
            const size_t place = winograd_place(w->blocks, rows * w->across);
            if (add)
                gather_rows(w, from, place, upper, lower, true);
            else
                gather_rows(w, from, place, upper, lower, false);
        }
    }
}

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

/* G g Gᵀ of one row of 16 outputs. taps: 9 vectors, `step` floats apart; places likewise. */
void SIMD_NAME(kernel_winograd_weights)(const float *weights, size_t blocks, float *u)
{
    const size_t tap = LANES * LANES, place = blocks * tap;
    const struct vec half = vec_set(0.5f);
    for (size_t row = 0; row < blocks * LANES; row++) {
        const float *g = weights + row / LANES * 9 * tap + row % LANES * LANES;
        struct vec column[WINOGRAD_SIDE][3];
        for (int k = 0; k < 3; k++) {
            const struct vec g0 = vec_load(g + (size_t)k * tap), g1 = vec_load(g + (size_t)(3 + k) * tap),
                             g2 = vec_load(g + (size_t)(6 + k) * tap), outer = vec_add(g0, g2);
            column[0][k] = g0;
            column[1][k] = vec_mul(half, vec_add(outer, g1));
            column[2][k] = vec_mul(half, vec_sub(outer, g1));
            column[3][k] = g2;
        }
        for (int i = 0; i < WINOGRAD_SIDE; i++) {
            float *to = u + (size_t)(WINOGRAD_SIDE * i) * place + row * LANES;
            const struct vec outer = vec_add(column[i][0], column[i][2]);
            vec_store(to, column[i][0]);
            vec_store(to + place, vec_mul(half, vec_add(outer, column[i][1])));
            vec_store(to + 2 * place, vec_mul(half, vec_sub(outer, column[i][1])));
            vec_store(to + 3 * place, column[i][2]);
        }
    }
}

/* One dimension of Gᵀ; the fourth place came with the other sign (see winograd.c). */
INLINE void fold(const struct vec d[WINOGRAD_SIDE], struct vec ret[3])
{
    const struct vec half = vec_set(0.5f);
    const struct vec sum = vec_mul(half, vec_add(d[1], d[2]));
    ret[0] = vec_add(d[0], sum);
    ret[1] = vec_mul(half, vec_sub(d[1], d[2]));
    ret[2] = vec_sub(sum, d[3]);
}

void SIMD_NAME(kernel_winograd_gradient)(const float *du, size_t blocks, float *dweights)
{
    const size_t tap = LANES * LANES, place = blocks * tap;
    for (size_t row = 0; row < blocks * LANES; row++) {
        struct vec rows[3][WINOGRAD_SIDE];
        for (int k = 0; k < WINOGRAD_SIDE; k++) {
            struct vec d[WINOGRAD_SIDE], folded[3];
            for (int i = 0; i < WINOGRAD_SIDE; i++)
                d[i] = vec_load(du + (size_t)(WINOGRAD_SIDE * i + k) * place + row * LANES);
            fold(d, folded);
            for (int i = 0; i < 3; i++)
                rows[i][k] = folded[i];
        }
        float *to = dweights + row / LANES * 9 * tap + row % LANES * LANES;
        for (int i = 0; i < 3; i++) {
            struct vec folded[3];
            fold(rows[i], folded);
            for (int k = 0; k < 3; k++)
                vec_store(to + (size_t)(3 * i + k) * tap, folded[k]);
        }
    }
}
