/* vecmath: the functions that the formulas of ops.def name, over vectors of floats. Only in a .simd.c file.
 *
 * Our own polynomials (near-minimax fits of the float coefficients to the stated weights) in plain and fused
 * multiply-adds: every path computes the same operations on each lane, so the bits are the same whatever the
 * vector width. At most 4 ulp over [−20, 20] (tests/unit/expr_program_test.c measures each); NaN and ±inf go
 * through as in scalar.h. Results below the smallest normal number may be 0, and log takes such arguments for
 * 0. A function and its slope share their work when both are inlined into one loop: the compiler sees the
 * same operations on the same operand. */
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
typedef ivec vmask;
#define VEC_COMPARE(name, operator, predicate)                                                               \
    static inline vmask vec_##name(vec a, vec b)                                                             \
    {                                                                                                        \
        return (vmask)(a operator b);                                                                        \
    }
#endif

typedef uint32_t uvec __attribute__((vector_size(sizeof(ivec)))); /* where integers may wrap around */

/* False where an operand is NaN. */
VEC_COMPARE(gt, >, _CMP_GT_OQ)
VEC_COMPARE(lt, <, _CMP_LT_OQ)
VEC_COMPARE(le, <=, _CMP_LE_OQ)
VEC_COMPARE(eq, ==, _CMP_EQ_OQ)

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

/* a > limit ? limit : a, and NaN stays. */
static inline vec vec_at_most(vec a, float limit)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_min_ps((__m512)vec_set(limit), (__m512)a);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_min_ps((__m256)vec_set(limit), (__m256)a);
#else
    return vec_select(vec_lt(vec_set(limit), a), vec_set(limit), a);
#endif
}

static inline vec vec_at_least(vec a, float limit)
{
#if defined(SIMD_PATH_avx512)
    return (vec)_mm512_max_ps((__m512)vec_set(limit), (__m512)a);
#elif defined(SIMD_PATH_avx2)
    return (vec)_mm256_max_ps((__m256)vec_set(limit), (__m256)a);
#else
    return vec_select(vec_gt(vec_set(limit), a), vec_set(limit), a);
#endif
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

/* coefficient[0] + coefficient[1]·z + …; the loop is unrolled. */
static inline __attribute__((always_inline)) vec vec_polynomial(vec z, const float *coefficient, int count)
{
    vec sum = vec_set(coefficient[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = vec_fma(sum, z, vec_set(coefficient[i]));
    return sum;
}

#define POLYNOMIAL(z, ...)                                                                                   \
    vec_polynomial(z, (const float[]){__VA_ARGS__}, (int)(sizeof(float[]){__VA_ARGS__} / sizeof(float)))

/* ---- exponentials: e^a = 2^n (1 + p), |ln(1 + p)| ≤ ½ ln 2 ---- */

struct vec_exponential {
    ivec n;
    vec p;
};

/* Adding 1.5·2^23 rounds to an integer and leaves it in the low bits. */
static inline struct vec_exponential vec_exponential(vec a)
{
    const float round = 0x1.8p23f;
    vec t = vec_fma(a, vec_set(0x1.715476p+0f), vec_set(round));
    vec n = t - vec_set(round);
    vec r = vec_fma(n, vec_set(-0x1.62e43p-1f), a);
    r = vec_fma(n, vec_set(0x1.05c61p-29f), r);
    vec q = POLYNOMIAL(r, 0.5f, 0.16666667f, 0.04166633f, 0.0083332695f, 0.0013943118f, 0.00019916521f);
    return (struct vec_exponential){(ivec)t - (ivec)vec_set(round), vec_fma(r * r, q, r)};
}

/* 2^n for −126 ≤ n ≤ 127 */
static inline vec vec_power_of_two(ivec n)
{
    return (vec)((n + ivec_set(127)) << 23);
}

/* 2^(n + shift)(1 + p) in two steps, so that neither factor overflows before the product does. */
static inline vec vec_scaled(struct vec_exponential e, int32_t shift)
{
    ivec n = e.n + ivec_set(shift), half = n >> 1;
    return (e.p + vec_set(1)) * vec_power_of_two(half) * vec_power_of_two(n - half);
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

/* With m = e^(−2|a|) − 1 kept exact near 0, |tanh a| = −m/(2 + m) and its slope 4 e^(−2|a|)/(2 + m)^2. */
struct vec_tanh_parts {
    vec m, e, q;
};

static inline struct vec_tanh_parts vec_tanh_parts(vec a)
{
    vec twice = vec_set(-2) * vec_abs(a);
    struct vec_exponential x = vec_exponential(vec_at_least(twice, -87));
    vec scale = vec_power_of_two(x.n);
    vec m = vec_fma(scale, x.p, scale - vec_set(1));
    vec e = vec_select(vec_lt(twice, vec_set(-87)), vec_set(0), vec_fma(scale, x.p, scale));
    return (struct vec_tanh_parts){m, e, vec_set(1) / (vec_set(2) + m)};
}

static inline vec vec_tanh(vec a)
{
    struct vec_tanh_parts parts = vec_tanh_parts(a);
    return vec_copysign(parts.m * parts.q, a);
}

static inline vec vec_tanh_slope(vec a)
{
    struct vec_tanh_parts parts = vec_tanh_parts(a);
    return vec_set(4) * parts.e * parts.q * parts.q;
}

static inline vec vec_sigmoid(vec a)
{
    vec e = vec_exp(-vec_abs(a)), r = vec_set(1) / (vec_set(1) + e);
    return vec_select(vec_lt(a, vec_set(0)), e * r, r);
}

static inline vec vec_sigmoid_slope(vec a)
{
    vec e = vec_exp(-vec_abs(a)), r = vec_set(1) / (vec_set(1) + e);
    return e * r * r;
}

/* log(1 + e) = 2 artanh s, s = e/(2 + e) ≤ 1/3 */
static inline vec vec_softplus(vec a)
{
    vec e = vec_exp(-vec_abs(a)), s = e / (vec_set(2) + e), z = s * s;
    vec log1p = vec_fma(
        s + s, z * POLYNOMIAL(z, 0.33333337f, 0.19999439f, 0.14308442f, 0.10713828f, 0.121504694f), s + s);
    return vec_select(vec_gt(a, vec_set(0)), a, vec_set(0)) + log1p;
}

/* ---- logarithms ---- */

/* a = 2^k m, m in [√½, √2) */
static inline vec vec_log(vec a)
{
    ivec i = (ivec)((uvec)a - (uvec)ivec_set(0x3f3504f3));
    ivec k = i >> 23;
    vec f = (vec)((i & ivec_set(0x7fffff)) + ivec_set(0x3f3504f3)) - vec_set(1);
    vec exponent = __builtin_convertvector(k, vec);
    vec p = POLYNOMIAL(f, -0.5f, 0.33333316f, -0.2500081f, 0.20002286f, -0.16624554f, 0.14181197f,
                       -0.13128768f, 0.12881622f, -0.07859546f);
    vec low = vec_fma(f * f, p, exponent * vec_set(-0x1.05c61p-29f));
    vec y = vec_fma(exponent, vec_set(0x1.62e43p-1f), f + low);
    y = vec_select(vec_lt(a, vec_set(FLT_MIN)), vec_set(-INFINITY), y);
    y = vec_select(vec_le(a, vec_set(-FLT_MIN)), vec_set(NAN), y);
    return vec_select(vec_lt(a, vec_set(INFINITY)), y, a);
}

static inline vec vec_asinh(vec a)
{
    vec size = vec_abs(a), z = a * a, root = vec_sqrt(vec_set(1) + z);
    vec small = vec_fma(
        a * z,
        POLYNOMIAL(z, -0.16666584f, 0.074969485f, -0.04426449f, 0.028161183f, -0.015357686f, 0.0046925712f),
        a);
    vmask big = vec_gt(size, vec_set(0x1p30f)); /* the root is the size, and may have overflowed */
    vec large =
        vec_log(vec_select(big, size, size + root)) + vec_select(big, vec_set(0x1.62e43p-1f), vec_set(0));
    return vec_select(vec_lt(size, vec_set(0.75f)), small, vec_copysign(large, a));
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

/* ---- sine and cosine ---- */

/* a = n·π/2 + r with π/2 in three parts; sin r and cos r by polynomials; n mod 4 says which, and their signs.
 */
struct vec_angle {
    vec sin, cos;
};

static inline struct vec_angle vec_angle(vec a)
{
    const float round = 0x1.8p23f;
    vec t = vec_fma(a, vec_set(0x1.45f306p-1f), vec_set(round));
    vec n = t - vec_set(round);
    vec r = vec_fma(n, vec_set(-0x1.921fb6p+0f), a);
    r = vec_fma(n, vec_set(0x1.777a5cp-25f), r);
    r = vec_fma(n, vec_set(0x1.ee59dap-50f), r);
    vec z = r * r;
    vec s = vec_fma(r * z, POLYNOMIAL(z, -0.16666654f, 0.008332131f, -0.00019510838f), r);
    vec c = vec_fma(z * z, POLYNOMIAL(z, 0.041666646f, -0.0013887306f, 2.4431203e-05f),
                    vec_fma(z, vec_set(-0.5f), vec_set(1)));
    ivec quadrant = (ivec)t;
    vmask even = vec_eq((vec)((quadrant & ivec_set(1)) << 24), (vec){0}); /* 0, or a normal number */
    vec sine = vec_select(even, s, c), cosine = vec_select(even, c, s);
    ivec sine_sign = (quadrant & ivec_set(2)) << 30;
    ivec cosine_sign = ((ivec)((uvec)quadrant + (uvec)ivec_set(1)) & ivec_set(2)) << 30; /* of NaN too */
    return (struct vec_angle){(vec)((ivec)sine ^ sine_sign), (vec)((ivec)cosine ^ cosine_sign)};
}

/* Beyond 16384 three parts are too few: those rare vectors go lane by lane in double precision, and so do
 * infinities. */
#define VEC_WITH_WIDE_ANGLES(function, a, result)                                                            \
    do {                                                                                                     \
        for (int lane = 0; lane < VEC_LANES; lane++)                                                         \
            if (!((a)[lane] <= 16384.0f && (a)[lane] >= -16384.0f))                                          \
                (result)[lane] = (float)function((double)(a)[lane]);                                         \
    } while (0)

static inline int vec_any_wide(vec a)
{
    vec size = vec_abs(a);
#if defined(SIMD_PATH_avx512)
    return vec_gt(size, vec_set(16384.0f)) != 0;
#elif defined(SIMD_PATH_avx2)
    return _mm256_movemask_ps((__m256)vec_gt(size, vec_set(16384.0f)));
#else
    vmask wide = vec_gt(size, vec_set(16384.0f));
    return wide[0] | wide[1] | wide[2] | wide[3];
#endif
}

static inline vec vec_sin(vec a)
{
    vec y = vec_angle(a).sin;
    if (__builtin_expect(vec_any_wide(a), 0))
        VEC_WITH_WIDE_ANGLES(vm_sin, a, y);
    return y;
}

static inline vec vec_cos(vec a)
{
    vec y = vec_angle(a).cos;
    if (__builtin_expect(vec_any_wide(a), 0))
        VEC_WITH_WIDE_ANGLES(vm_cos, a, y);
    return y;
}

static inline vec vec_sinc(vec a)
{
    return vec_select(vec_eq(a, vec_set(0)), vec_set(1), vec_sin(a) / a);
}

static inline vec vec_sinc_slope(vec a)
{
    vec z = a * a;
    vec small = -a * POLYNOMIAL(z, 0.33333334f, -0.03333333f, 0.0011904743f, -2.2040824e-05f, 2.452755e-07f);
    return vec_select(vec_lt(vec_abs(a), vec_set(1)), small, (vec_cos(a) - vec_sin(a) / a) / a);
}

/* ---- the error function ---- */

/* e^(−a²), with what rounding took off a². */
static inline vec vec_exp_minus_square(vec a)
{
    vec z = a * a, e = vec_exp(-z);
    vec rest = vec_select(vec_lt(z, vec_set(104)), vec_fma(a, a, -z), vec_set(0));
    return vec_fma(-e, rest, e);
}

/* Below 1 a polynomial, beyond it 1 − e^(−a²) w with w = erfc(a) e^(a²) as a polynomial around 2.5; beyond 4
 * that is 1. */
static inline vec vec_erf(vec a)
{
    vec z = a * a, size = vec_abs(a), t = vec_at_most(size, 4) - vec_set(2.5f);
    vec small = vec_fma(a,
                        POLYNOMIAL(z, 0.12837917f, -0.37612626f, 0.112836f, -0.026854444f, 0.005189535f,
                                   -0.0008020841f, 7.889119e-05f),
                        a);
    vec w = POLYNOMIAL(t, 0.21080655f, -0.07429971f, 0.025157796f, -0.0078043425f, 0.0019661065f,
                       -0.0019623018f, -0.0008003359f, -0.00038888192f);
    vec large = vec_fma(-vec_exp_minus_square(a), w, vec_set(1));
    return vec_select(vec_lt(size, vec_set(1)), small, vec_copysign(large, a));
}

static inline vec vec_erf_slope(vec a)
{
    return vec_set(0x1.20dd76p+0f) * vec_exp_minus_square(a); /* 2/√π */
}

/* ---- the rest: NaN goes through, no comparison is true of it ---- */

/* a^n by squaring. */
static inline vec vec_power(vec a, int n)
{
    vec y = vec_set(1);
    for (unsigned rest = n < 0 ? 0u - (unsigned)n : (unsigned)n; rest; rest >>= 1, a *= a)
        if (rest & 1)
            y *= a;
    return n < 0 ? vec_set(1) / y : y;
}

static inline vec vec_power_slope(vec a, int n)
{
    return n == 0 ? vec_set(0) : vec_set((float)n) * vec_power(a, n - 1);
}

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

/* The same whichever operand comes first: equal operands have equal bits, or are zeros, of which max takes
 * the positive one. */
static inline vec vec_max(vec a, vec b)
{
    vec tie = vec_select(vec_eq(a, b), (vec)((ivec)a & (ivec)b), a + b);
    return vec_select(vec_gt(a, b), a, vec_select(vec_lt(a, b), b, tie));
}

static inline vec vec_min(vec a, vec b)
{
    vec tie = vec_select(vec_eq(a, b), (vec)((ivec)a | (ivec)b), a + b);
    return vec_select(vec_lt(a, b), a, vec_select(vec_gt(a, b), b, tie));
}

#endif
