/* tile: the loops that a program is made of, one for each primitive and purpose, for the files of common/expr
 * only.
 *
 * A tile is a few rows of 16 floats. An operand moves on by `step` floats a row: 16 for a tile, 0 for a row
 * that is the same all the way (a number, a β, what depends on those alone), so nothing is ever broadcast
 * into memory.
 */
#ifndef COMMON_EXPR_TILE_H
#define COMMON_EXPR_TILE_H

#include "common/expr/node.h"
#include "common/simd.h"

struct tile_operand {
    float *at;
    size_t step;
};

enum { TILE_G, TILE_A, TILE_B, TILE_Y, TILE_OPERANDS };

struct tile_work {
    float *out, *out_slope;                     /* rows × 16 */
    struct tile_operand operand[TILE_OPERANDS]; /* g: the adjoint of y; a, b: the operands; y: the value */
    int n;                                      /* of a power */
    size_t rows;
};

typedef void tile_function(const struct tile_work *work);

struct tile_functions {
    tile_function *value[OPS];       /* out = y(a, b) */
    tile_function *value_slope[OPS]; /* out = y(a), out_slope = ∂y/∂a; SHARED primitives */
    tile_function *slope[2][OPS];    /* out = g · ∂y/∂a or ∂y/∂b */
    tile_function *copy;             /* out = a */
    tile_function *sum;              /* out[16] += the rows of a, one after the other */
};

extern const struct tile_functions *const tile_functions_of[SIMD_PATHS];

#endif
