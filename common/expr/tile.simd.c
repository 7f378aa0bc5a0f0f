/* The loops of common/expr/tile.h, generated from ops.def for each instruction set. */
#include "common/expr/tile.h"

#include "common/expr/vecmath.h"

#define F(function) vec_##function
#define K(constant) vec_set(constant)

/* Runs `body` for each vector; what the body does not use of g, a, b and y is never loaded. */
#define LOOP(body)                                                                                           \
    struct tile_operand og = work->operand[TILE_G], oa = work->operand[TILE_A];                              \
    struct tile_operand ob = work->operand[TILE_B], oy = work->operand[TILE_Y];                              \
    float *out = work->out;                                                                                  \
    int n = work->n;                                                                                         \
    (void)og, (void)ob, (void)oy, (void)n;                                                                   \
    for (size_t row = 0; row < work->rows; row++, out += LANES) {                                            \
        for (int lane = 0; lane < LANES; lane += VEC_LANES) {                                                \
            body                                                                                             \
        }                                                                                                    \
        og.at += og.step, oa.at += oa.step, ob.at += ob.step, oy.at += oy.step;                              \
    }

#define LOAD(name)   vec name = vec_load(o##name.at + lane);
#define IGNORE(name) (void)name;

/* `b` and `y` stand for nothing where the formula does not name them, so they may be loaded only where they
 * exist. */
#define LOAD_B_1 vec b = (vec){0};
#define LOAD_B_2 LOAD(b)

#define OP(id, name, arity, syntax, properties, formula, slope_a, slope_b, ...)                              \
    static void value_##id(const struct tile_work *work)                                                     \
    {                                                                                                        \
        LOOP(LOAD(a) LOAD_B_##arity IGNORE(b) vec_store(out + lane, formula);)                               \
    }                                                                                                        \
    static void value_slope_##id(const struct tile_work *work)                                               \
    {                                                                                                        \
        float *out_slope = work->out_slope;                                                                  \
        LOOP(LOAD(a) LOAD_B_##arity IGNORE(b) vec y = formula; vec_store(out_slope + lane, slope_a);         \
             vec_store(out + lane, y); if (lane + VEC_LANES == LANES) out_slope += LANES;)                   \
    }                                                                                                        \
    static void slope_a_##id(const struct tile_work *work)                                                   \
    {                                                                                                        \
        LOOP(LOAD(g) LOAD(a) LOAD(b) LOAD(y) IGNORE(a) IGNORE(b) IGNORE(y)                                   \
                 vec_store(out + lane, g * (slope_a));)                                                      \
    }                                                                                                        \
    static void slope_b_##id(const struct tile_work *work)                                                   \
    {                                                                                                        \
        LOOP(LOAD(g) LOAD(a) LOAD(b) LOAD(y) IGNORE(a) IGNORE(b) IGNORE(y)                                   \
                 vec_store(out + lane, g * (slope_b));)                                                      \
    }
#include "common/expr/ops.def"
#undef OP

static void copy(const struct tile_work *work)
{
    LOOP(LOAD(a) vec_store(out + lane, a);)
}

static void sum(const struct tile_work *work)
{
    const float *from = work->operand[TILE_A].at;
    vec total[LANES / VEC_LANES];
    memcpy(total, work->out, sizeof total);
    for (size_t row = 0; row < work->rows; row++, from += work->operand[TILE_A].step)
        for (int i = 0; i < LANES / VEC_LANES; i++)
            total[i] += vec_load(from + i * VEC_LANES);
    memcpy(work->out, total, sizeof total);
}

extern const struct tile_functions SIMD_NAME(tile_functions);
const struct tile_functions SIMD_NAME(tile_functions) = {
    .copy = copy,
    .sum = sum,
#define OP(id, ...)                                                                                          \
    .value[OP_##id] = value_##id, .value_slope[OP_##id] = value_slope_##id,                                  \
    .slope[0][OP_##id] = slope_a_##id, .slope[1][OP_##id] = slope_b_##id,
#include "common/expr/ops.def"
#undef OP
};
