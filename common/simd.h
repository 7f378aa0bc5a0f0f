/* simd: 16-lane vectors, and one source compiled for each instruction set.
 *
 * A source NAME.simd.c is compiled once for each path of SIMD_PATHS. Its public functions are named SIMD_NAME(function) and
 * collected in one table of function pointers per path; a plain NAME.c picks the table with simd_path(). All paths compute the
 * same bits: a lane never depends on another lane, sums over lanes go through v16_sum's fixed tree, multiply-adds are v16_fma
 * and nothing else is contracted (-ffp-contract=off).
 */
#ifndef COMMON_SIMD_H
#define COMMON_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SIMD_PATH_TABLE(ROW)                                                                                 \
    ROW(portable)                                                                                            \
    ROW(avx2)                                                                                                \
    ROW(avx512)

enum simd_path {
#define SIMD_ROW(name) SIMD_##name,
    SIMD_PATH_TABLE(SIMD_ROW)
#undef SIMD_ROW
        SIMD_PATHS,
};

/* The path in use: the widest that this CPU has, unless the environment variable ACTSEARCH_KERNELS (avx512, avx2, portable) or
 * simd_force says otherwise. A forced path that the CPU lacks is refused by simd_force (ERR_NOT_FOUND) and aborts the program
 * where the variable names it. */
enum simd_path simd_path(void);
int simd_force(enum simd_path path);
/* Whether this CPU can run it. */
int simd_has(enum simd_path path);
const char *simd_path_name(enum simd_path path);
/* Sets flush-to-zero and denormals-are-zero for this thread: part of the numerics, called before any training. */
void simd_set_denormals(void);

enum { LANES = 16, SIMD_ALIGN = 64 };

/* Rounds a count of floats up to whole vectors. */
static inline size_t lanes_up(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

#ifdef SIMD_PATH /* ---- only in a .simd.c file ---- */

#define SIMD_JOIN_(a, b)    a##_##b
#define SIMD_JOIN(a, b)     SIMD_JOIN_(a, b)
#define SIMD_NAME(function) SIMD_JOIN(function, SIMD_PATH)

#if defined(SIMD_PATH_avx512) || defined(SIMD_PATH_avx2)
#include <immintrin.h>
#endif

typedef float v16f __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64))); /* also a mask: 0 or −1 in each lane */

static inline v16f v16_set(float value)
{
    return (v16f){value, value, value, value, value, value, value, value,
                  value, value, value, value, value, value, value, value};
}

static inline v16f v16_load(const float *from)
{
    v16f v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void v16_store(float *to, v16f v)
{
    memcpy(to, &v, sizeof v);
}

/* a·b + c, rounded once. */
static inline v16f v16_fma(v16f a, v16f b, v16f c)
{
#if defined(SIMD_PATH_avx512)
    return (v16f)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(SIMD_PATH_avx2)
    union {
        v16f v;
        __m256 half[2];
    } ua = {a}, ub = {b}, uc = {c};
    uc.half[0] = _mm256_fmadd_ps(ua.half[0], ub.half[0], uc.half[0]);
    uc.half[1] = _mm256_fmadd_ps(ua.half[1], ub.half[1], uc.half[1]);
    return uc.v;
#else
    for (int i = 0; i < LANES; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

/* mask ? a : b, lane by lane; bits, not arithmetic. */
static inline v16f v16_select(v16i mask, v16f a, v16f b)
{
    return (v16f)((mask & (v16i)a) | (~mask & (v16i)b));
}

/* The sum of all lanes in a fixed tree: halves, quarters, pairs. */
static inline float v16_sum(v16f v)
{
    float s[LANES];
    memcpy(s, &v, sizeof s);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            s[i] += s[i + width];
    return s[0];
}

#endif
#endif
