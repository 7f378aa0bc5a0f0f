/* tile: the steps that a program is made of, one for each primitive and purpose, for the files of common/expr
 * only.
 *
 * A tile is eight vectors of the instruction set in use (2, 4 or 8 rows of 16 floats). One of them, the
 * accumulator, travels in registers from step to step; each step ends by calling the next one, which
 * compilers turn into a jump. All other operands stand in memory and never leave L1. An operand moves on by
 * `stride` floats a row: 16 for a tile, 0 for a row that is the same all the way (a number, a β, what depends
 * on those alone), so nothing is ever broadcast into memory.
 */
#ifndef COMMON_EXPR_TILE_H
#define COMMON_EXPR_TILE_H

#include "common/expr/node.h"
#include "common/simd.h"

enum { TILE_VECTORS = 8, TILE_MAX_FLOATS = TILE_VECTORS * LANES };

/* Where operands stand; the bases are pointers of the frame. */
enum tile_base {
    BASE_X,
    BASE_DY,
    BASE_Y, /* results: y and dx */
    BASE_DX,
    BASE_NUMBER,  /* rows of the program */
    BASE_BETA,    /* rows of the caller's β */
    BASE_UNIFORM, /* rows of the scratch */
    BASE_SLOT,    /* tiles of the scratch */
    TILE_BASES,
};

struct tile_at {
    uint16_t base;
    uint16_t stride;
    int32_t offset; /* floats from the base */
};

/* acc is the accumulator; all else stands in memory. A binary primitive has operands a, b, the value y and
 * its adjoint g; a slope of a unary one is computed from its operand or its value, whichever the formula
 * names. */
enum tile_kind {
    STEP_VALUE,    /* unary: acc = y(acc); binary: acc = y(a, b) */
    STEP_VALUE_A,  /* acc = y(acc, b) */
    STEP_VALUE_B,  /* acc = y(a, acc) */
    STEP_VALUE_AB, /* acc = y(acc, acc) */
    STEP_SLOPE,    /* unary: acc = ∂y/∂a, of acc; binary: acc = g · ∂y/∂a */
    STEP_SLOPE_B,  /* acc = g · ∂y/∂b */
    STEP_BOTH, /* unary: out = y(a), out_2 = ∂y/∂a; binary: acc = g · ∂y/∂b, out_2 = g · ∂y/∂a */
    STEP_LOAD,  /* acc = a */
    STEP_STORE, /* out = acc */
    STEP_SUM,   /* out[16] += the rows of acc, one after the other */
    STEP_END,   /* returns */
    STEP_KINDS,
};

enum { TILE_G, TILE_A, TILE_B, TILE_Y, TILE_OPERANDS };

struct tile_step {
    uint16_t function; /* kind · OPS + op; op is 0 from STEP_LOAD on */
    struct tile_at operand[TILE_OPERANDS], out, out_2;
};

struct tile_frame;
typedef void tile_any_function(void); /* its type is known to the file that is compiled for a path */

struct tile_functions {
    int rows; /* of a tile */
    /* Runs steps up to STEP_END. */
    void (*run)(const struct tile_step *step, struct tile_frame *frame);
    tile_any_function *function[STEP_KINDS * OPS];
};

struct tile_frame {
    tile_any_function *const *function;
    float *base[TILE_BASES];
    int rows; /* that count: STEP_SUM leaves out the rest of the tile */
};

extern const struct tile_functions *const tile_functions_of[SIMD_PATHS];

#endif
