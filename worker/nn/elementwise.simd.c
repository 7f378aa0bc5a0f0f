/* The elementwise passes and the sums over rows of kernels.h. Sums run over four interleaved accumulators
 * that are added as (0 + 2) + (1 + 3): the same order on every path, and four times fewer waits for the adder
 * than with one. */
#include "worker/nn/kernels.h"
#include "worker/nn/vec.h"

enum { WAYS = 4 };

static inline struct vec ways_sum(const struct vec sum[WAYS])
{
    return vec_add(vec_add(sum[0], sum[2]), vec_add(sum[1], sum[3]));
}

static inline void rows_sum(const float *x, size_t rows, struct vec *ret_sum)
{
    struct vec sum[WAYS];
    for (int w = 0; w < WAYS; w++)
        sum[w] = vec_set(0.0f);
    size_t row = 0;
    for (; row + WAYS <= rows; row += WAYS)
        for (int w = 0; w < WAYS; w++)
            sum[w] = vec_add(sum[w], vec_load(x + (row + (size_t)w) * LANES));
    for (int w = 0; row < rows; row++, w++)
        sum[w] = vec_add(sum[w], vec_load(x + row * LANES));
    *ret_sum = ways_sum(sum);
}

void SIMD_NAME(kernel_row_sums)(const float *x, size_t rows, float *ret_sum)
{
    struct vec sum;
    rows_sum(x, rows, &sum);
    vec_store(ret_sum, sum);
}

void SIMD_NAME(kernel_moments)(const float *x, size_t rows, float *ret_mean, float *ret_m2)
{
    struct vec mean;
    rows_sum(x, rows, &mean);
    mean = vec_mul(mean, vec_set(1.0f / (float)rows));
    struct vec sum[WAYS], distance;
    for (int w = 0; w < WAYS; w++)
        sum[w] = vec_set(0.0f);
    size_t row = 0;
    for (; row + WAYS <= rows; row += WAYS)
        for (int w = 0; w < WAYS; w++) {
            distance = vec_sub(vec_load(x + (row + (size_t)w) * LANES), mean);
            sum[w] = vec_fma(distance, distance, sum[w]);
        }
    for (int w = 0; row < rows; row++, w++) {
        distance = vec_sub(vec_load(x + row * LANES), mean);
        sum[w] = vec_fma(distance, distance, sum[w]);
    }
    vec_store(ret_mean, mean);
    vec_store(ret_m2, ways_sum(sum));
}

void SIMD_NAME(kernel_affine)(const float *x, const float *a, const float *b, float *y, size_t rows)
{
    const struct vec va = vec_load(a), vb = vec_load(b);
    for (size_t row = 0; row < rows; row++)
        vec_store(y + row * LANES, vec_fma(vec_load(x + row * LANES), va, vb));
}

void SIMD_NAME(kernel_add)(const float *x, float *y, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        vec_store(y + row * LANES, vec_add(vec_load(y + row * LANES), vec_load(x + row * LANES)));
}

void SIMD_NAME(kernel_norm_sums)(const float *x, const float *dy, const float *mean,
                                 const float *deviation_inverse, size_t rows, float *ret_sums)
{
    const struct vec vm = vec_load(mean), vi = vec_load(deviation_inverse);
    struct vec plain[WAYS], weighted[WAYS];
    for (int w = 0; w < WAYS; w++)
        plain[w] = weighted[w] = vec_set(0.0f);
    size_t row = 0;
    for (; row + WAYS <= rows; row += WAYS)
        for (int w = 0; w < WAYS; w++) {
            const size_t at = (row + (size_t)w) * LANES;
            const struct vec d = vec_load(dy + at);
            plain[w] = vec_add(plain[w], d);
            weighted[w] = vec_fma(d, vec_mul(vec_sub(vec_load(x + at), vm), vi), weighted[w]);
        }
    for (int w = 0; row < rows; row++, w++) {
        const size_t at = row * LANES;
        const struct vec d = vec_load(dy + at);
        plain[w] = vec_add(plain[w], d);
        weighted[w] = vec_fma(d, vec_mul(vec_sub(vec_load(x + at), vm), vi), weighted[w]);
    }
    vec_store(ret_sums, ways_sum(plain));
    vec_store(ret_sums + LANES, ways_sum(weighted));
}

void SIMD_NAME(kernel_norm_input)(const float *x, const float *dy, const float *a, const float *b,
                                  const float *c, float *dx, size_t rows, bool add)
{
    const struct vec va = vec_load(a), vb = vec_load(b), vc = vec_load(c);
    for (size_t row = 0; row < rows; row++) {
        const size_t at = row * LANES;
        struct vec d = vec_fma(vec_load(dy + at), va, vec_fma(vec_load(x + at), vb, vc));
        if (add)
            d = vec_add(d, vec_load(dx + at));
        vec_store(dx + at, d);
    }
}

void SIMD_NAME(kernel_nesterov)(float *w, const float *g, float *v, size_t rows, float lr, float momentum,
                                float decay)
{
    const struct vec minus_lr = vec_set(-lr), vm = vec_set(momentum), vd = vec_set(decay);
    for (size_t at = 0; at < rows * LANES; at += LANES) {
        const struct vec weight = vec_load(w + at);
        const struct vec gradient = vec_fma(vd, weight, vec_load(g + at));
        const struct vec velocity = vec_fma(vm, vec_load(v + at), gradient);
        vec_store(v + at, velocity);
        vec_store(w + at, vec_fma(minus_lr, vec_fma(vm, velocity, gradient), weight));
    }
}
