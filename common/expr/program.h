/* program: an expression compiled for tiles of floats that stay in L1.
 *
 * Compiled once per layer: equal subexpressions are computed once, constants are folded. A program is
 * immutable and can be run by many threads. Data are rows of 16 lanes; a lane is a channel (layout …16c), so
 * each β has 16 values, one per lane. All SIMD paths give the same bits. Numerics: every value is a float;
 * numbers are folded in double and then rounded.
 */
#ifndef COMMON_EXPR_PROGRAM_H
#define COMMON_EXPR_PROGRAM_H

#include "common/expr/expr.h"
#include "common/simd.h"

struct program;

struct program *program_new(const struct expr *expr);
void program_destroy(struct program **program);

/* What the caller reads next, as many rows again: it is fetched into L1 a little at a time, so that memory
 * works while the arithmetic does. It changes no result; NULL where there is nothing. */
enum { PROGRAM_SOON = 3 };
struct program_soon {
    const float *rows[PROGRAM_SOON];
};

/* y = f(x).  x, y: rows × 16, 64-byte aligned, may be the same; beta: betas × 16; soon may be NULL. */
void program_forward(const struct program *program, const float *x, const float *beta, float *y, size_t rows,
                     const struct program_soon *soon);

/* dx = dy · f′(x), and dbeta[betas × 16] += Σ over rows of dy · ∂f/∂β: the sum starts at 0, goes row after
 * row in order, and is added to dbeta at the end. x, dy, dx: rows × 16; dx may be dy. */
void program_backward(const struct program *program, const float *x, const float *beta, const float *dy,
                      float *dx, float *dbeta, size_t rows, const struct program_soon *soon);

#endif
