/* vec: sixteen floats in registers, for the inner loops of the trainer's .simd.c files.
 *
 * common/simd.h's v16f reads better, but gcc keeps 64-byte vectors in memory where the machine has only
 * 32-byte registers: an inner loop of the convolution then runs at a tenth of the speed. A struct of two
 * halves is taken apart and stays in registers. The promise is the same: lane by lane, multiply-adds rounded
 * once, the same bits on every path.
 */
#ifndef WORKER_NN_VEC_H
#define WORKER_NN_VEC_H

#include "common/simd.h"

#ifdef SIMD_PATH

#if defined(SIMD_PATH_avx512)
struct vec {
    __m512 v;
};
#elif defined(SIMD_PATH_avx2)
struct vec {
    __m256 lo, hi;
};
#else
struct vec {
    v16f v;
};
#endif

static inline struct vec vec_set(float value)
{
#if defined(SIMD_PATH_avx512)
    return (struct vec){_mm512_set1_ps(value)};
#elif defined(SIMD_PATH_avx2)
    __m256 half = _mm256_set1_ps(value);
    return (struct vec){half, half};
#else
    return (struct vec){v16_set(value)};
#endif
}

static inline struct vec vec_load(const float *from)
{
#if defined(SIMD_PATH_avx512)
    return (struct vec){_mm512_loadu_ps(from)};
#elif defined(SIMD_PATH_avx2)
    return (struct vec){_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
#else
    return (struct vec){v16_load(from)};
#endif
}

static inline void vec_store(float *to, struct vec a)
{
#if defined(SIMD_PATH_avx512)
    _mm512_storeu_ps(to, a.v);
#elif defined(SIMD_PATH_avx2)
    _mm256_storeu_ps(to, a.lo);
    _mm256_storeu_ps(to + 8, a.hi);
#else
    v16_store(to, a.v);
#endif
}

/* a·b + c, rounded once. */
static inline struct vec vec_fma(struct vec a, struct vec b, struct vec c)
{
#if defined(SIMD_PATH_avx512)
    return (struct vec){_mm512_fmadd_ps(a.v, b.v, c.v)};
#elif defined(SIMD_PATH_avx2)
    return (struct vec){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
#else
    return (struct vec){v16_fma(a.v, b.v, c.v)};
#endif
}

#if defined(SIMD_PATH_avx512)
#define VEC_OPERATION(name, f512, f256, operator)                                                            \
    static inline struct vec vec_##name(struct vec a, struct vec b)                                          \
    {                                                                                                        \
        return (struct vec){f512(a.v, b.v)};                                                                 \
    }
#elif defined(SIMD_PATH_avx2)
#define VEC_OPERATION(name, f512, f256, operator)                                                            \
    static inline struct vec vec_##name(struct vec a, struct vec b)                                          \
    {                                                                                                        \
        return (struct vec){f256(a.lo, b.lo), f256(a.hi, b.hi)};                                             \
    }
#else
#define VEC_OPERATION(name, f512, f256, operator)                                                            \
    static inline struct vec vec_##name(struct vec a, struct vec b)                                          \
    {                                                                                                        \
        return (struct vec){a.v operator b.v };                                                              \
    }
#endif
VEC_OPERATION(add, _mm512_add_ps, _mm256_add_ps, +)
VEC_OPERATION(sub, _mm512_sub_ps, _mm256_sub_ps, -)
VEC_OPERATION(mul, _mm512_mul_ps, _mm256_mul_ps, *)
#undef VEC_OPERATION

/* ---- part: what one register holds of a vec
 * ------------------------------------------------------------------ For loops that need a dozen values at
 * once and never mix lanes: they go over the 16 lanes part by part. */
#if defined(SIMD_PATH_avx2)
typedef __m256 part;
enum { PART_LANES = 8 };
#define part_load  _mm256_loadu_ps
#define part_store _mm256_storeu_ps
#define part_set   _mm256_set1_ps
#define part_add   _mm256_add_ps
#define part_sub   _mm256_sub_ps
#define part_mul   _mm256_mul_ps
#define part_fma   _mm256_fmadd_ps
#elif defined(SIMD_PATH_avx512)
typedef struct vec part;
enum { PART_LANES = LANES };
#define part_load  vec_load
#define part_store vec_store
#define part_set   vec_set
#define part_add   vec_add
#define part_sub   vec_sub
#define part_mul   vec_mul
#define part_fma   vec_fma
#else
typedef float part __attribute__((vector_size(16)));
enum { PART_LANES = 4 };
static inline part part_load(const float *from)
{
    part a;
    memcpy(&a, from, sizeof a);
    return a;
}
static inline void part_store(float *to, part a)
{
    memcpy(to, &a, sizeof a);
}
static inline part part_set(float value)
{
    return (part){value, value, value, value};
}
static inline part part_fma(part a, part b, part c)
{
    for (int i = 0; i < PART_LANES; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
}
#define part_add(a, b) ((a) + (b))
#define part_sub(a, b) ((a) - (b))
#define part_mul(a, b) ((a) * (b))
#endif

#endif
#endif
