/* scalar: the functions that the formulas of ops.def name, in double precision, on top of common/vecmath.h.
 * Each is exact at its special points and keeps its relative accuracy where the textbook formula would
 * cancel. vecmath.h has the same over floats. */
#ifndef COMMON_EXPR_SCALAR_H
#define COMMON_EXPR_SCALAR_H

#include "common/vecmath.h"

#include <math.h>

#define scalar_abs      fabs
#define scalar_sqrt     sqrt
#define scalar_log      vm_log
#define scalar_exp      vm_exp
#define scalar_sin      vm_sin
#define scalar_cos      vm_cos
#define scalar_sinh     vm_sinh
#define scalar_cosh     vm_cosh
#define scalar_tanh     vm_tanh
#define scalar_asinh    vm_asinh
#define scalar_atan     vm_atan
#define scalar_sigmoid  vm_sigmoid
#define scalar_softplus vm_softplus
#define scalar_erf      vm_erf

/* a^n by squaring: x^2 is exactly x·x. */
static inline double scalar_power(double a, int n)
{
    double y = 1.0;
    for (unsigned rest = n < 0 ? 0u - (unsigned)n : (unsigned)n; rest; rest >>= 1, a *= a)
        if (rest & 1)
            y *= a;
    return n < 0 ? 1.0 / y : y;
}

static inline double scalar_power_slope(double a, int n)
{
    return n == 0 ? 0.0 : n * scalar_power(a, n - 1);
}

/* NaN goes through all of the following: no comparison is true of it. */
static inline double scalar_sign(double a)
{
    return a > 0 ? 1.0 : a < 0 ? -1.0 : a == 0 ? 0.0 : a;
}

static inline double scalar_step(double a)
{
    return a > 0 ? 1.0 : a <= 0 ? 0.0 : a;
}

static inline double scalar_relu(double a)
{
    return a < 0 ? 0.0 : a;
}

/* The slope of max(a, b) in a. */
static inline double scalar_above(double a, double b)
{
    return a > b ? 1.0 : a < b ? 0.0 : a == b ? 0.5 : a + b;
}

/* The same whichever operand comes first, for zeros of both signs too. */
static inline double scalar_max(double a, double b)
{
    return a > b ? a : a < b ? b : a == b ? (signbit(a) ? b : a) : a + b;
}

static inline double scalar_min(double a, double b)
{
    return a < b ? a : a > b ? b : a == b ? (signbit(a) ? a : b) : a + b;
}

static inline double scalar_sinc(double a)
{
    return a == 0 ? 1.0 : vm_sin(a) / a;
}

/* (cos a − sinc a)/a cancels near 0: below 2 the series −a/3 (1 − a²/(2·5) (1 − a²/(4·7) (1 − …))), whose terms
 * past the twelfth are below 1e-19. 2 ulp on both sides, but for the zeros of the slope. */
static inline double scalar_sinc_slope(double a)
{
    if (fabs(a) > 2.0 || a != a)
        return (vm_cos(a) - vm_sin(a) / a) / a;
    double sum = 1.0;
    for (int k = 12; k >= 1; k--)
        sum = 1.0 - a * a / (2.0 * k * (2.0 * k + 3.0)) * sum;
    return -a / 3.0 * sum;
}

static inline double scalar_asinh_slope(double a)
{
    return 1.0 / sqrt(1.0 + a * a);
}

static inline double scalar_sigmoid_slope(double a)
{
    double e = vm_exp(-fabs(a));
    return e / ((1.0 + e) * (1.0 + e));
}

static inline double scalar_tanh_slope(double a)
{
    double e = vm_exp(-2.0 * fabs(a));
    return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

static inline double scalar_erf_slope(double a)
{
    return 0x1.20dd750429b6dp+0 * vm_exp(-a * a); /* 2/√π */
}

#endif
