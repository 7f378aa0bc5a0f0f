/* program_code: what the parts of the tile program share, for program*.c only.
 *
 * An instruction computes one value; its operands are named by what they are (struct ref), not by where they
 * stand. program_code.c makes the instructions, program_steps.c turns them into the steps of tile.h,
 * program.c runs these.
 */
#ifndef COMMON_EXPR_PROGRAM_CODE_H
#define COMMON_EXPR_PROGRAM_CODE_H

#include "common/expr/program.h"
#include "common/expr/tile.h"

enum place {
    PLACE_NONE,
    PLACE_X,       /* the caller's x */
    PLACE_DY,      /* the caller's dy */
    PLACE_NUMBER,  /* a row of the program */
    PLACE_BETA,    /* a row of the caller's β */
    PLACE_UNIFORM, /* a row of the scratch */
    PLACE_TILE,    /* a value of the tile section, each assigned once */
};

struct ref {
    uint8_t place;
    uint16_t index;
};

enum section { SECTION_BEFORE, SECTION_TILE, SECTION_AFTER, SECTIONS };

enum instruction_kind {
    KIND_VALUE,   /* out = y(a, b) */
    KIND_SLOPE,   /* unary: out = ∂y/∂a, from one operand, a or y; binary: out = g · ∂y/∂a */
    KIND_SLOPE_B, /* out = g · ∂y/∂b */
    KIND_BOTH, /* unary: out = y(a), out_2 = ∂y/∂a; binary: out = g · ∂y/∂b, out_2 = g · ∂y/∂a */
    KIND_SUM,  /* out += the rows of a */
    KIND_Y,    /* the caller's y = a */
    KIND_DX,   /* the caller's dx = a, last of all */
};

struct instruction {
    uint8_t kind;
    uint8_t op;
    struct ref out, out_2, operand[TILE_OPERANDS];
};

struct instructions {
    struct instruction *at;
    int count, capacity;
};

/* The steps of a section, in stretches that each end with STEP_END. */
struct steps {
    struct tile_step *at;
    int count, capacity;
    int *start;
    int stretches;
};

struct code {
    struct instructions section[SECTIONS];
    struct steps steps[SECTIONS];
    int tiles;                           /* values of the tile section */
    int slots;                           /* tiles of scratch that they need */
    int uniforms;                        /* rows of scratch */
    struct ref beta_sum[EXPR_MAX_BETAS]; /* of backward code: PLACE_NONE where f does not depend on it */
};

/* Rows of 16 equal floats, each number once. */
struct numbers {
    float *row; /* count × 16 */
    int count;
};

enum what { WHAT_FORWARD, WHAT_BACKWARD };

/* Fills the instructions of *code: y, or dx and the sums of β. */
void code_make(const struct expr *expr, enum what what, struct numbers *numbers, struct code *code);
/* Orders the instructions and writes the steps. */
void code_assemble(struct code *code);
void code_release(struct code *code);

#endif
