/* vecmath: the transcendental functions of all numerics, in double precision, the same bits on every CPU with FMA.
 *
 * libm picks other code on other CPUs, so nothing that a result depends on may call it (make lint checks). These are SLEEF's
 * functions of the `finz` kind (≤ 1 ulp, fused multiply-add, no table that depends on the vector width). NaN and ±inf go
 * through as IEEE 754 has them. The functions over float tiles are in common/expr/vecmath.h.
 */
#ifndef COMMON_VECMATH_H
#define COMMON_VECMATH_H

double vm_exp(double x);
double vm_log(double x);
double vm_sin(double x);
double vm_cos(double x);
double vm_sinh(double x);
double vm_cosh(double x);
double vm_tanh(double x);
double vm_asinh(double x);
double vm_atan(double x);
double vm_erf(double x);
double vm_log1p(double x);
double vm_sigmoid(double x);  /* 1 / (1 + exp(−x)) */
double vm_softplus(double x); /* log(1 + exp(x)), without overflow */

#endif
