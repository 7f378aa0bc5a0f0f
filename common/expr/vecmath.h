/* vecmath: the functions that the formulas of ops.def name, over vectors of floats. Only in a .simd.c file.
 *
 * Our own polynomials (near-minimax fits of the float coefficients to the stated weights) in plain and fused
 * multiply-adds: every path computes the same operations on each lane, so the bits are the same whatever the
 * vector width. At most 4 ulp over [−20, 20] (docs/accuracy.md has the measured errors); NaN and ±inf go
 * through as in scalar.h. What is smaller than the smallest normal number may come out as 0. A function whose
 * comment names a range holds only there: steps take the lanes outside it through scalar.h (the column
 * `range` of ops.def). A function and its slope share their work when both are inlined into one loop: the
 * compiler sees the same operations on the same operand. */
#ifndef COMMON_EXPR_VECMATH_H
#define COMMON_EXPR_VECMATH_H

#include "common/simd.h"
#include "common/vecmath.h"

#include <float.h>
#include <math.h>

#ifndef SIMD_PATH
#error "only in a .simd.c file"
#endif

/* ---- vectors of the path's own width: compilers handle wider ones badly ---- */

#if defined(SIMD_PATH_avx512)
enum { VEC_LANES = 16 };
typedef float vec __attribute__((vector_size(64)));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef uint32_t uvec __attribute__((vector_size(64)));
typedef __mmask16 vmask;
#define VEC_COMPARE(name, operator, predicate)                                                               \
    static inline vmask vec_##name(vec a, vec b)                                                             \
    {                                                                                                        \
        return _mm512_cmp_ps_mask((__m512)a, (__m512)b, predicate);                                          \
    }
#elif defined(SIMD_PATH_avx2)
enum { VEC_LANES = 8 };
typedef float vec __attribute__((vector_size(32)));
typedef int32_t ivec __attribute__((vector_size(32)));
typedef uint32_t uvec __attribute__((vector_size(32)));
typedef ivec vmask;
#define VEC_COMPARE(name, operator, predicate)                                                               \
    static inline vmask vec_##name(vec a, vec b)                                                             \
    {                                                                                                        \
        return (vmask)_mm256_cmp_ps((__m256)a, (__m256)b, predicate);                                        \
    }
#else
enum { VEC_LANES = 4 };
typedef float vec __attribute__((vector_size(16)));
typedef int32_t ivec __attribute__((vector_size(16)));
typedef uint32_t uvec __attribute__((vector_size(16)));
typedef ivec vmask;
#define VEC_COMPARE(name, operator, predicate)                                                               \
    static inline vmask vec_##name(vec a, vec b)                                                             \
    {                                                                                                        \
        return (vmask)(a operator b);                                                                        \
    }
#endif

/* False where an operand is NaN. */
VEC_COMPARE(gt, >, _CMP_GT_OQ)
VEC_COMPARE(lt, <, _CMP_LT_OQ)
VEC_COMPARE(le, <=, _CMP_LE_OQ)
VEC_COMPARE(eq, ==, _CMP_EQ_OQ)

/* True where an operand is NaN. */
static inline vmask vec_unordered(vec a, vec b)
{
#if defined(SIMD_PATH_avx512)
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q);
#elif defined(SIMD_PATH_avx2)
    return (vmask)_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_UNORD_Q);
#else
    return (vmask)(a != a) | (vmask)(b != b);
#endif
}

static inline vec vec_set(float value)
{
    return value - (vec){0};
}

static inline ivec ivec_set(int32_t value)
{
    return value - (ivec){0};
}

static inline vec vec_load(const float *from)
{
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void vec_store(float *to, vec v)
{
    memcpy(to, &v, sizeof v);
}

/* a·b + c, rounded once. */
static inline vec vec_fma(vec a, vec b, vec c)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    for (int i = 0; i < VEC_LANES; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

static inline vec vec_sqrt(vec a)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_sqrt_ps((__m512)a);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_sqrt_ps((__m256)a);
#else
    for (int i = 0; i < VEC_LANES; i++)
        a[i] = __builtin_sqrtf(a[i]);
    return a;
#endif
}

/* mask ? a : b */
static inline vec vec_select(vmask mask, vec a, vec b)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_mask_blend_ps(mask, (__m512)b, (__m512)a);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#else
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
#endif
}

/* a > b ? a : b and a < b ? a : b, as the instructions have it: b where either is NaN, or both are zeros. */
static inline vec vec_greater(vec a, vec b)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return vec_select(vec_gt(a, b), a, b);
#endif
}

static inline vec vec_lesser(vec a, vec b)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return vec_select(vec_lt(a, b), a, b);
#endif
}

static inline vmask vec_nowhere(void)
{
    return (vmask){0};
}

static inline int vec_any(vmask mask)
{
#if defined(SIMD_PATH_avx512)
    return mask != 0;
#elif defined(SIMD_PATH_avx2)
    return _mm256_movemask_ps((__m256)mask);
#else
    return mask[0] | mask[1] | mask[2] | mask[3];
#endif
}

static inline int vec_lane(vmask mask, int lane)
{
#if defined(SIMD_PATH_avx512)
    return mask >> lane & 1;
#else
    return mask[lane];
#endif
}

/* Where a is not a normal number above 0; where its size is above the limit. True of NaN. */
static inline vmask vec_outside_normal(vec a)
{
    return (vmask) ~(vec_le(vec_set(FLT_MIN), a) & vec_lt(a, vec_set(INFINITY)));
}

static inline vmask vec_outside(vec a, float limit)
{
    return (vmask)~vec_le((vec)((ivec)a & ivec_set(0x7fffffff)), vec_set(limit));
}

/* a > limit ? limit : a, and a < limit ? limit : a; NaN stays. */
static inline vec vec_at_most(vec a, float limit)
{
    return vec_lesser(vec_set(limit), a);
}

static inline vec vec_at_least(vec a, float limit)
{
    return vec_greater(vec_set(limit), a);
}

static inline vec vec_abs(vec a)
{
    return (vec)((ivec)a & ivec_set(0x7fffffff));
}

/* The size of a with the sign of b. */
static inline vec vec_copysign(vec a, vec b)
{
    return (vec)(((ivec)a & ivec_set(0x7fffffff)) | ((ivec)b & ivec_set(INT32_MIN)));
}

/* coefficient[0] + coefficient[1]·z + …; the loops are unrolled. */
static inline __attribute__((always_inline)) vec vec_polynomial(vec z, const float *coefficient, int count)
{
    vec sum = vec_set(coefficient[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = vec_fma(sum, z, vec_set(coefficient[i]));
    return sum;
}

/* The same where zz = z² is at hand: the even and the odd powers side by side, which halves the wait. */
static inline __attribute__((always_inline)) vec vec_polynomial_2(vec z, vec zz, const float *coefficient,
                                                                  int count)
{
    vec sum[2] = {vec_set(coefficient[count - 2]), vec_set(coefficient[count - 1])};
    for (int i = count - 3; i >= 0; i--)
        sum[(count - 2 - i) & 1] = vec_fma(sum[(count - 2 - i) & 1], zz, vec_set(coefficient[i]));
    return count & 1 ? vec_fma(sum[0], z, sum[1]) : vec_fma(sum[1], z, sum[0]);
}

#define COEFFICIENTS(...)        (const float[]){__VA_ARGS__}, (int)(sizeof(float[]){__VA_ARGS__} / sizeof(float))
#define POLYNOMIAL(z, ...)       vec_polynomial(z, COEFFICIENTS(__VA_ARGS__))
#define POLYNOMIAL_2(z, zz, ...) vec_polynomial_2(z, zz, COEFFICIENTS(__VA_ARGS__))

/* row[index mod 8] for each lane */
static inline vec vec_lookup(const float row[8], ivec index)
{
#if defined(SIMD_PATH_avx512)
    const __m512 twice = _mm512_broadcast_f32x8(_mm256_loadu_ps(row));
    return (vec)_mm512_permutexvar_ps((__m512i)index, twice);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_permutevar8x32_ps(_mm256_loadu_ps(row), (__m256i)index);
#else
    vec found = {0};
    for (int i = 0; i < VEC_LANES; i++)
        found[i] = row[index[i] & 7];
    return found;
#endif
}

/* ---- exponentials: e^a = 2^n (1 + p), |ln(1 + p)| ≤ ½ ln 2 ---- */

struct vec_exponential {
    vec t; /* n in the low bits, and 127 more: the exponent of 2^n as floats have it */
    vec n, p;
};

/* Adding 1.5·2^23 rounds to an integer and leaves it in the low bits. */
static inline struct vec_exponential vec_exponential(vec a)
{
    const float round = 0x1.8p23f + 127;
    vec t = vec_fma(a, vec_set(0x1.715476p+0f), vec_set(round));
    vec n = t - vec_set(round);
    vec r = vec_fma(n, vec_set(-0x1.62e43p-1f), a);
    r = vec_fma(n, vec_set(0x1.05c61p-29f), r);
    vec rr = r * r,
        q = POLYNOMIAL_2(r, rr, 0.49999994f, 0.166665167f, 0.0416681021f, 0.00836919062f, 0.00138388353f);
    return (struct vec_exponential){t, n, vec_fma(rr, q, r)};
}

/* 2^n for −126 ≤ n ≤ 127; 0 for −127, where e^a is below the normal numbers */
static inline vec vec_power_of_two(struct vec_exponential e)
{
    return (vec)((ivec)e.t << 23);
}

/* e^a for −88 ≤ a ≤ 88 */
static inline vec vec_exp_moderate(vec a)
{
    struct vec_exponential e = vec_exponential(a);
    return (e.p + vec_set(1)) * vec_power_of_two(e);
}

/* 2^(n + shift)(1 + p), also where 2^n overflows before the product does: two factors share the exponent.
 * The low bits of t are n + 127, so both biased exponents together are 127 more. */
static inline vec vec_scaled(struct vec_exponential e, int32_t shift)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_scalef_ps((__m512)(e.p + vec_set(1)), (__m512)(e.n + vec_set((float)shift)));
#else
    uvec both = (uvec)e.t + (uvec)ivec_set(127 + shift), half = both >> 1;
    return (e.p + vec_set(1)) * (vec)(half << 23) * (vec)((both - half) << 23);
#endif
}

static inline vec vec_exp(vec a)
{
    return vec_scaled(vec_exponential(vec_at_least(vec_at_most(a, 89), -104)), 0);
}

/* e^|a|/2, finite as far as sinh and cosh are. */
static inline vec vec_half_exp_abs(vec a)
{
    return vec_scaled(vec_exponential(vec_at_most(vec_abs(a), 90)), -1);
}

static inline vec vec_sinh(vec a)
{
    vec z = a * a, h = vec_half_exp_abs(a);
    vec small = vec_fma(a * z, POLYNOMIAL(z, 0.16666667f, 0.0083333505f, 0.00019836066f, 2.8174397e-06f), a);
    return vec_select(vec_lt(vec_abs(a), vec_set(1)), small, vec_copysign(h - vec_set(0.25f) / h, a));
}

static inline vec vec_cosh(vec a)
{
    vec h = vec_half_exp_abs(a);
    return h + vec_set(0.25f) / h;
}

/* With e = e^(−2|a|) and m = e − 1, exact near 0 where e is not: |tanh a| = (1 − e²)/(1 + e)² and 1 − e² = −m
 * e − m; its slope is 4e/(1 + e)². */
struct vec_tanh_parts {
    vec e, m, q; /* q: 1/(1 + e)² */
};

static inline struct vec_tanh_parts vec_tanh_parts(vec a)
{
    struct vec_exponential x = vec_exponential(vec_at_least(vec_set(-2) * vec_abs(a), -88));
    vec scale = vec_power_of_two(x);
    vec e = vec_fma(scale, x.p, scale), m = vec_fma(scale, x.p, scale - vec_set(1));
    return (struct vec_tanh_parts){e, m, vec_set(1) / vec_fma(e, e + vec_set(2), vec_set(1))};
}

static inline vec vec_tanh(vec a)
{
    struct vec_tanh_parts parts = vec_tanh_parts(a);
    return vec_copysign(vec_fma(parts.m, parts.e, parts.m) * parts.q, a);
}

static inline vec vec_tanh_slope(vec a)
{
    struct vec_tanh_parts parts = vec_tanh_parts(a);
    return vec_set(4) * parts.e * parts.q;
}

/* e^−a and 1/(1 + e^−a) */
struct vec_sigmoid_parts {
    vec e, r;
};

static inline struct vec_sigmoid_parts vec_sigmoid_parts(vec a)
{
    vec e = vec_exp_moderate(vec_at_least(vec_at_most(-a, 88), -88));
    return (struct vec_sigmoid_parts){e, vec_set(1) / (vec_set(1) + e)};
}

static inline vec vec_sigmoid(vec a)
{
    return vec_sigmoid_parts(a).r;
}

/* With s, the smaller one of the sigmoids of a and −a, s − s² does not cancel. */
static inline vec vec_sigmoid_slope(vec a)
{
    struct vec_sigmoid_parts parts = vec_sigmoid_parts(a);
    vec s = vec_lesser(parts.e * parts.r, parts.r);
    return vec_fma(-s, s, s);
}

/* log(1 + e) = 2 artanh s, s = e/(2 + e) ≤ 1/3 */
static inline vec vec_softplus(vec a)
{
    vec e = vec_exp_moderate(vec_at_least(-vec_abs(a), -88)), s = e / (vec_set(2) + e), z = s * s;
    vec log1p = vec_fma(
        s + s, z * POLYNOMIAL(z, 0.33333337f, 0.19999439f, 0.14308442f, 0.10713828f, 0.121504694f), s + s);
    return vec_select(vec_gt(a, vec_set(0)), a, vec_set(0)) + log1p;
}

/* ---- logarithms ---- */

/* a = 2^k m, m in [√½, √2); for normal numbers above 0 */
static inline vec vec_log(vec a)
{
    ivec i = (ivec)((uvec)a - 0x3f3504f3u);
    vec f = (vec)((i & ivec_set(0x7fffff)) + ivec_set(0x3f3504f3)) - vec_set(1);
    vec exponent = __builtin_convertvector(i >> 23, vec);
    vec ff = f * f, p = POLYNOMIAL_2(f, ff, -0.499999911f, 0.333339542f, -0.250018269f, 0.199619576f,
                                     -0.165684149f, 0.14916943f, -0.143242568f, 0.0876054242f);
    vec low = vec_fma(ff, p, exponent * vec_set(-0x1.05c61p-29f));
    return vec_fma(exponent, vec_set(0x1.62e43p-1f), f + low);
}

/* For |a| ≤ 2^30: beyond that the square might overflow. */
static inline vec vec_asinh(vec a)
{
    vec size = vec_abs(a), z = a * a, root = vec_sqrt(vec_set(1) + z);
    vec small = vec_fma(
        a * z,
        POLYNOMIAL(z, -0.16666584f, 0.074969485f, -0.04426449f, 0.028161183f, -0.015357686f, 0.0046925712f),
        a);
    return vec_select(vec_lt(size, vec_set(0.75f)), small, vec_copysign(vec_log(size + root), a));
}

static inline vec vec_asinh_slope(vec a)
{
    return vec_set(1) / vec_sqrt(vec_set(1) + a * a);
}

static inline vec vec_atan(vec a)
{
    vec size = vec_abs(a);
    vmask big = vec_gt(size, vec_set(1));
    vec t = vec_select(big, vec_set(1) / size, size), z = t * t;
    vec p = vec_fma(t * z,
                    POLYNOMIAL(z, -0.33333302f, 0.19998638f, -0.14265245f, 0.10957572f, -0.08419446f,
                               0.05823432f, -0.03145547f, 0.011064315f, -0.0018271847f),
                    t);
    vec large = (vec_set(0x1.921fb6p+0f) - p) + vec_set(-0x1.777a5cp-25f); /* π/2 in two parts */
    return vec_copysign(vec_select(big, large, p), a);
}

/* ---- sine and cosine: for |a| ≤ 16384, where three parts of π are enough ---- */

/* sin r for |r| ≤ π/2; z = r² */
static inline vec vec_sin_half_turn(vec r, vec z)
{
    return vec_fma(r * z, POLYNOMIAL(z, -0.166666597f, 0.00833306927f, -0.000198097769f, 2.60609568e-06f), r);
}

/* a = n·π + r; sin a = (−1)^n sin r, and n stands in the low bits of t. */
struct vec_angle {
    vec r, t;
};

static inline struct vec_angle vec_angle(vec a)
{
    const float round = 0x1.8p23f;
    vec t = vec_fma(a, vec_set(0x1.45f306p-2f), vec_set(round));
    vec n = t - vec_set(round);
    vec r = vec_fma(n, vec_set(-0x1.921fb6p+1f), a);
    r = vec_fma(n, vec_set(0x1.777a5cp-24f), r);
    return (struct vec_angle){vec_fma(n, vec_set(0x1.ee59dap-49f), r), t};
}

/* (−1)^n y */
static inline vec vec_turned(vec y, vec t)
{
    return (vec)((ivec)y ^ (ivec)t << 31);
}

static inline vec vec_sin(vec a)
{
    struct vec_angle angle = vec_angle(a);
    return vec_turned(vec_sin_half_turn(angle.r, angle.r * angle.r), angle.t);
}

/* cos a = (−1)^n sin((n + ½)π − a) */
static inline vec vec_cos(vec a)
{
    const float round = 0x1.8p23f;
    vec t = vec_fma(a, vec_set(0x1.45f306p-2f), vec_set(-0.5f)) + vec_set(round);
    vec n = (t - vec_set(round)) + vec_set(0.5f);
    vec r = vec_fma(n, vec_set(0x1.921fb6p+1f), -a);
    r = vec_fma(n, vec_set(-0x1.777a5cp-24f), r);
    r = vec_fma(n, vec_set(-0x1.ee59dap-49f), r);
    return vec_turned(vec_sin_half_turn(r, r * r), t);
}

static inline vec vec_sinc(vec a)
{
    vec y = vec_sin(a) * (vec_set(1) / a);
    return vec_select(vec_lt(vec_abs(a), vec_set(0x1p-64f)), vec_set(1), y);
}

/* (cos a − sinc a)/a, below 2 its series; where cos a is near 0 it does not count, so cos r by its size is
 * exact enough. */
static inline vec vec_sinc_slope(vec a)
{
    struct vec_angle angle = vec_angle(a);
    vec zr = angle.r * angle.r, reciprocal = vec_set(1) / a;
    vec cosine =
        vec_fma(zr, POLYNOMIAL(zr, -0.5f, 0.0416666605f, -0.00138886517f, 2.47739263e-05f, -2.62768964e-07f),
                vec_set(1));
    vec y = vec_turned(vec_sin_half_turn(angle.r, zr), angle.t) * reciprocal;
    vec large = (vec_turned(cosine, angle.t) - y) * reciprocal, z = a * a;
    vec small =
        -a * POLYNOMIAL(z, 0.333333343f, -0.0333333574f, 0.00119045598f, -2.20066559e-05f, 2.34807572e-07f);
    return vec_select(vec_lt(vec_abs(a), vec_set(2)), small, large);
}

/* ---- the error function ---- */

/* |a| erf(|a|)/|a|: eight polynomials in d for eight stretches of [0, 4), around |a| = k/1.875; beyond 3.95
 * that is 1. */
static inline vec vec_erf(vec a)
{
    static const float row[7][8] = {
        {1.12837923f, 1.02993608f, 0.814286232f, 0.61021775f, 0.467553288f, 0.374939084f, 0.312498122f,
         0.267857105f},
        {-1.18398233e-08f, -0.180907056f, -0.226303205f, -0.174329624f, -0.11391066f, -0.0748036578f,
         -0.0520763025f, -0.0382651575f},
        {-0.106986701f, -0.0605942234f, 0.0102735776f, 0.0332980379f, 0.0250897948f, 0.0146988314f,
         0.00866791978f, 0.00546616735f},
        {-4.15779959e-06f, 0.0258828085f, 0.0167363137f, 0.000261028705f, -0.00398552977f, -0.00270922715f,
         -0.00143226492f, -0.00078050443f},
        {0.00915171206f, 0.00194426288f, -0.00483191898f, -0.00258038566f, 1.58821531e-05f, 0.000402512058f,
         0.000229231489f, 0.000111167908f},
        {-5.75810482e-05f, -0.002095056f, -0.000270491611f, 0.000725314545f, 0.000251222373f,
         -1.83570664e-05f, -3.26480149e-05f, -1.57505219e-05f},
        {-0.000555471983f, 5.39611246e-05f, 0.00035565946f, -2.09542341e-05f, -8.12870931e-05f,
         -1.40121847e-05f, 2.96761709e-06f, 2.10681105e-06f},
    };
    const float round = 0x1.8p23f;
    vec size = vec_at_most(vec_abs(a), 3.95f);
    vec t = vec_fma(size, vec_set(1.875f), vec_set(round));
    vec d = vec_fma(size, vec_set(1.875f), vec_set(round) - t), y = vec_lookup(row[6], (ivec)t);
    for (int i = 5; i >= 0; i--)
        y = vec_fma(y, d, vec_lookup(row[i], (ivec)t));
    return vec_copysign(size * y, a);
}

/* 2/√π e^(−a²), with what rounding took off a²; beyond 9.4 that is 0. */
static inline vec vec_erf_slope(vec a)
{
    vec size = vec_at_most(vec_abs(a), 9.4f), z = size * size, e = vec_exp_moderate(-z);
    return vec_set(0x1.20dd76p+0f) * vec_fma(-e, vec_fma(size, size, -z), e);
}

/* ---- the rest: NaN goes through, no comparison is true of it ---- */

static inline vec vec_sign(vec a)
{
    return vec_select(
        vec_gt(a, vec_set(0)), vec_set(1),
        vec_select(vec_lt(a, vec_set(0)), vec_set(-1), vec_select(vec_eq(a, vec_set(0)), vec_set(0), a)));
}

static inline vec vec_step(vec a)
{
    return vec_select(vec_gt(a, vec_set(0)), vec_set(1), vec_select(vec_le(a, vec_set(0)), vec_set(0), a));
}

static inline vec vec_relu(vec a)
{
    return vec_at_least(a, 0);
}

/* The slope of max(a, b) in a. */
static inline vec vec_above(vec a, vec b)
{
    vec tie = vec_select(vec_eq(a, b), vec_set(0.5f), a + b);
    return vec_select(vec_gt(a, b), vec_set(1), vec_select(vec_lt(a, b), vec_set(0), tie));
}

/* The same whichever operand comes first. Taken both ways round they differ only in the signs of zeros, of
 * which max takes the positive one, and where there is a NaN. */
static inline vec vec_max(vec a, vec b)
{
    vec y = (vec)((ivec)vec_greater(a, b) & (ivec)vec_greater(b, a));
    return vec_select(vec_unordered(a, b), a + b, y);
}

static inline vec vec_min(vec a, vec b)
{
    vec y = (vec)((ivec)vec_lesser(a, b) | (ivec)vec_lesser(b, a));
    return vec_select(vec_unordered(a, b), a + b, y);
}

#endif
