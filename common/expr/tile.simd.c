/* The steps of common/expr/tile.h, generated from ops.def for each instruction set. */
#include "common/expr/tile.h"

#include "common/expr/vecmath.h"

#define F(function) vec_##function
#define K(constant) vec_set(constant)

enum { TILE_ROWS = TILE_VECTORS * VEC_LANES / LANES };

/* The accumulator's vectors: as many as calls pass in registers. */
#define ACCUMULATOR vec v0, vec v1, vec v2, vec v3, vec v4, vec v5, vec v6, vec v7
#define EACH(what, ...)                                                                                      \
    what(v0, 0, __VA_ARGS__) what(v1, 1, __VA_ARGS__) what(v2, 2, __VA_ARGS__) what(v3, 3, __VA_ARGS__)      \
        what(v4, 4, __VA_ARGS__) what(v5, 5, __VA_ARGS__) what(v6, 6, __VA_ARGS__) what(v7, 7, __VA_ARGS__)

typedef void step_function(const struct tile_step *step, struct tile_frame *frame, ACCUMULATOR);

#define STEP(name) static void name(const struct tile_step *step, struct tile_frame *frame, ACCUMULATOR)

/* The last thing that a step does. */
#define NEXT                                                                                                 \
    ((step_function *)frame->function[step[1].function])(step + 1, frame, v0, v1, v2, v3, v4, v5, v6, v7);

/* ---- operands in memory: vector i of a tile is a part of a row, a row, or one of several parts ---- */

struct operand {
    float *at;
    size_t stride;
};

static inline struct operand operand(const struct tile_frame *frame, struct tile_at at)
{
    return (struct operand){frame->base[at.base] + at.offset, at.stride};
}

static inline float *part(struct operand from, int i)
{
    return from.at + (size_t)(i * VEC_LANES / LANES) * from.stride + i * VEC_LANES % LANES;
}

#define GET(name, i)         vec_load(part(name, i))
#define OPERAND(name, index) const struct operand name = operand(frame, step->operand[index]);
#define OUT                  const struct operand out = operand(frame, step->out);
#define OUT_2                const struct operand out_2 = operand(frame, step->out_2);

/* ---- the formulas as functions ---- */

#define OP_FUNCTIONS_POWER(...) /* the compiler makes products of it */
#define OP_FUNCTIONS(id, formula, slope_a, slope_b)                                                          \
    static inline __attribute__((always_inline)) vec value_##id(vec a, vec b)                                \
    {                                                                                                        \
        (void)b;                                                                                             \
        return formula;                                                                                      \
    }                                                                                                        \
    static inline __attribute__((always_inline)) vec slope_a_##id(vec a, vec b, vec y)                       \
    {                                                                                                        \
        (void)a, (void)b, (void)y;                                                                           \
        return slope_a;                                                                                      \
    }                                                                                                        \
    static inline __attribute__((always_inline)) vec slope_b_##id(vec a, vec b, vec y)                       \
    {                                                                                                        \
        (void)a, (void)b, (void)y;                                                                           \
        return slope_b;                                                                                      \
    }

/* ---- steps ---- */

/* Where the vector functions do not hold. */
#define OUTSIDE_ANY(a)      vec_nowhere()
#define OUTSIDE_ANGLE(a)    vec_outside(a, 16384)
#define OUTSIDE_MODERATE(a) vec_outside(a, 0x1p30f)
#define OUTSIDE_NORMAL(a)   vec_outside_normal(a)

/* The lanes outside, one after the other in double precision. */
#define MEND(name, formula, range)                                                                           \
    static __attribute__((noinline, cold)) vec name(vec to, vec from)                                        \
    {                                                                                                        \
        const vmask outside = OUTSIDE_##range(from);                                                         \
        for (int lane = 0; lane < VEC_LANES; lane++)                                                         \
            if (vec_lane(outside, lane)) {                                                                   \
                const double a = (double)from[lane];                                                         \
                to[lane] = (float)(formula);                                                                 \
            }                                                                                                \
        return to;                                                                                           \
    }

/* Eight times over, the long functions would not fit in registers: they run in a loop, with their constants
 * there and the vectors in memory. The lanes outside come last, so that nothing is called in the loop. */
#define GATHER(v, i, from) v = from[i];
#define LOOP               for (int i = 0; i < TILE_VECTORS; i++)
#define LONG_STEP(name, formula, mend, range)                                                                \
    STEP(name)                                                                                               \
    {                                                                                                        \
        const vec from[TILE_VECTORS] = {v0, v1, v2, v3, v4, v5, v6, v7};                                     \
        vec to[TILE_VECTORS];                                                                                \
        vmask outside = vec_nowhere();                                                                       \
        LOOP                                                                                                 \
        {                                                                                                    \
            to[i] = formula(from[i]);                                                                        \
            outside |= OUTSIDE_##range(from[i]);                                                             \
        }                                                                                                    \
        if (__builtin_expect(vec_any(outside), 0))                                                           \
            LOOP to[i] = mend(to[i], from[i]);                                                               \
        EACH(GATHER, to) NEXT                                                                                \
    }
#define LONG_BOTH(name, id, range)                                                                           \
    STEP(name)                                                                                               \
    {                                                                                                        \
        vmask outside = vec_nowhere();                                                                       \
        OPERAND(a, TILE_A) OUT OUT_2 LOOP                                                                    \
        {                                                                                                    \
            const vec from = GET(a, i), y = value_##id(from, from);                                          \
            vec_store(part(out, i), y);                                                                      \
            vec_store(part(out_2, i), slope_a_##id(from, from, y));                                          \
            outside |= OUTSIDE_##range(from);                                                                \
        }                                                                                                    \
        if (__builtin_expect(vec_any(outside), 0))                                                           \
            LOOP                                                                                             \
            {                                                                                                \
                const vec from = GET(a, i);                                                                  \
                vec_store(part(out, i), mend_value_##id(GET(out, i), from));                                 \
                vec_store(part(out_2, i), mend_slope_##id(GET(out_2, i), from));                             \
            }                                                                                                \
        NEXT                                                                                                 \
    }
#define STEPS_1_LONG(id, range)                                                                              \
    MEND(mend_value_##id, node_value(&(struct node){.op = OP_##id}, a, 0), range)                            \
    MEND(mend_slope_##id, node_slope(&(struct node){.op = OP_##id}, 0, a, 0, 0), range)                      \
    static inline vec value_of_##id(vec a)                                                                   \
    {                                                                                                        \
        return value_##id(a, a);                                                                             \
    }                                                                                                        \
    static inline vec slope_of_##id(vec a)                                                                   \
    {                                                                                                        \
        return slope_a_##id(a, a, a);                                                                        \
    }                                                                                                        \
    LONG_STEP(step_value_##id, value_of_##id, mend_value_##id, range)                                        \
    LONG_STEP(step_slope_##id, slope_of_##id, mend_slope_##id, range)                                        \
    LONG_BOTH(step_both_##id, id, range)
#define TABLE_1_LONG(id, range)                                                                              \
    TABLE_1_SHORT(id, range)                                                                                 \
    [STEP_BOTH * OPS + OP_##id] = (tile_any_function *)step_both_##id,

#define VALUE_1(v, i, id) v = value_##id(v, v);
#define SLOPE_1(v, i, id) v = slope_a_##id(v, v, v);
#define STEP_OF(name, operands, what, id)                                                                    \
    STEP(name)                                                                                               \
    {                                                                                                        \
        operands EACH(what, id) NEXT                                                                         \
    }
#define STEPS_1_SHORT(id, range)                                                                             \
    STEP_OF(step_value_##id, , VALUE_1, id)                                                                  \
    STEP_OF(step_slope_##id, , SLOPE_1, id)
#define TABLE_1_SHORT(id, range)                                                                             \
    [STEP_VALUE * OPS + OP_##id] = (tile_any_function *)step_value_##id,                                     \
                        [STEP_SLOPE * OPS + OP_##id] = (tile_any_function *)step_slope_##id,

/* Slopes load all that a formula might name; the compiler drops what this one does not. */
#define OPERANDS            OPERAND(g, TILE_G) OPERAND(a, TILE_A) OPERAND(b, TILE_B) OPERAND(y, TILE_Y)
#define VALUE_2(v, i, id)   v = value_##id(GET(a, i), GET(b, i));
#define VALUE_2_A(v, i, id) v = value_##id(v, GET(b, i));
#define VALUE_2_B(v, i, id) v = value_##id(GET(a, i), v);
#define SLOPE_2(v, i, a_id) v = GET(g, i) * slope_##a_id(GET(a, i), GET(b, i), GET(y, i));
#define BOTH_2(v, i, id)                                                                                     \
    {                                                                                                        \
        vec gi = GET(g, i), ai = GET(a, i), bi = GET(b, i), yi = GET(y, i);                                  \
        vec_store(part(out_2, i), gi *slope_a_##id(ai, bi, yi));                                             \
        v = gi * slope_b_##id(ai, bi, yi);                                                                   \
    }
#define STEPS_2_SHORT(id, range)                                                                             \
    STEP_OF(step_value_##id, OPERAND(a, TILE_A) OPERAND(b, TILE_B), VALUE_2, id)                             \
    STEP_OF(step_value_a_##id, OPERAND(b, TILE_B), VALUE_2_A, id)                                            \
    STEP_OF(step_value_b_##id, OPERAND(a, TILE_A), VALUE_2_B, id)                                            \
    STEP_OF(step_value_ab_##id, , VALUE_1, id)                                                               \
    STEP_OF(step_slope_##id, OPERANDS, SLOPE_2, a_##id)                                                      \
    STEP_OF(step_slope_b_##id, OPERANDS, SLOPE_2, b_##id)                                                    \
    STEP_OF(step_both_##id, OUT_2 OPERANDS, BOTH_2, id)
#define TABLE_2_SHORT(id, range)                                                                             \
    TABLE_1_SHORT(id, range)                                                                                 \
    [STEP_VALUE_A * OPS + OP_##id] = (tile_any_function *)step_value_a_##id,                                 \
                          [STEP_VALUE_B * OPS + OP_##id] = (tile_any_function *)step_value_b_##id,           \
                          [STEP_VALUE_AB * OPS + OP_##id] = (tile_any_function *)step_value_ab_##id,         \
                          [STEP_SLOPE_B * OPS + OP_##id] = (tile_any_function *)step_slope_b_##id,           \
                          [STEP_BOTH * OPS + OP_##id] = (tile_any_function *)step_both_##id,

#define FOR_SUM(macro, arity, length, ...)     macro##_##arity##_##length(__VA_ARGS__)
#define FOR_PRODUCT(macro, arity, length, ...) macro##_##arity##_##length(__VA_ARGS__)
#define FOR_SIGN(macro, arity, length, ...)    macro##_##arity##_##length(__VA_ARGS__)
#define FOR_CALL(macro, arity, length, ...)    macro##_##arity##_##length(__VA_ARGS__)
#define FOR_POWER(...)                         /* the program is made of products instead */

#define FORMULAS_SUM                           OP_FUNCTIONS
#define FORMULAS_PRODUCT                       OP_FUNCTIONS
#define FORMULAS_SIGN                          OP_FUNCTIONS
#define FORMULAS_CALL                          OP_FUNCTIONS
#define FORMULAS_POWER                         OP_FUNCTIONS_POWER

#define OP(id, name, arity, syntax, properties, length, range, formula, slope_a, slope_b, ...)               \
    FORMULAS_##syntax(id, formula, slope_a, slope_b) FOR_##syntax(STEPS, arity, length, id, range)
#include "common/expr/ops.def"
#undef OP

#define LOAD_ONE(v, i, from) v = GET(from, i);
#define STORE_ONE(v, i, to)  vec_store(part(to, i), v);

STEP(step_load){OPERAND(a, TILE_A) EACH(LOAD_ONE, a) NEXT}

STEP(step_store){OUT EACH(STORE_ONE, out) NEXT}

STEP(step_sum)
{
    OUT enum { PARTS = LANES / VEC_LANES };
    vec total[PARTS];
    memcpy(total, out.at, sizeof total);
#define SUM_ONE(v, i, all)                                                                                   \
    if (all || i / PARTS < frame->rows)                                                                      \
        total[i % PARTS] += v;
    if (frame->rows == TILE_ROWS) {
        EACH(SUM_ONE, 1)
    } else {
        EACH(SUM_ONE, 0)
    }
    memcpy(out.at, total, sizeof total);
    NEXT
}

STEP(step_end)
{
    (void)step, (void)frame;
    (void)v0, (void)v1, (void)v2, (void)v3, (void)v4, (void)v5, (void)v6, (void)v7;
}

static void run(const struct tile_step *step, struct tile_frame *frame)
{
    const vec zero = {0};
    ((step_function *)frame->function[step->function])(step, frame, zero, zero, zero, zero, zero, zero, zero,
                                                       zero);
}

extern const struct tile_functions SIMD_NAME(tile_functions);
const struct tile_functions SIMD_NAME(tile_functions) = {
    .rows = TILE_ROWS,
    .run = run,
    .function =
        {
#define OP(id, name, arity, syntax, properties, length, range, ...)                                          \
    FOR_##syntax(TABLE, arity, length, id, range)
#include "common/expr/ops.def"
#undef OP
            [STEP_LOAD * OPS] = (tile_any_function *)step_load,
            [STEP_STORE * OPS] = (tile_any_function *)step_store,
            [STEP_SUM * OPS] = (tile_any_function *)step_sum,
            [STEP_END * OPS] = (tile_any_function *)step_end,
        },
};
