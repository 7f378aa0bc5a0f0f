/* expr_random: random activation strings for the tests of expressions. Every primitive of ops.def comes up.
 */
#ifndef TESTS_EXPR_RANDOM_H
#define TESTS_EXPR_RANDOM_H

#include "common/buf.h"
#include "common/expr/node.h"
#include "common/rng.h"

#include <stdio.h>

static inline void random_leaf(struct rng *rng, struct buf *out, int betas)
{
    static const char *const numbers[] = {"0", "1", "2", "0.5", "1e-6", "3.25", "10", "0.1"};
    switch (rng_below(rng, betas ? 6 : 4)) {
    case 0:
        buf_printf(out, "%s", numbers[rng_below(rng, sizeof numbers / sizeof *numbers)]);
        break;
    case 4:
    case 5:
        buf_printf(out, "b%d", (int)rng_below(rng, (uint64_t)betas));
        break;
    default:
        buf_printf(out, "x");
    }
}

/* Appends a string with at most `size` primitives; more parentheses than needed. */
static inline void random_text(struct rng *rng, struct buf *out, int size, int betas)
{
    if (size <= 0) {
        random_leaf(rng, out, betas);
        return;
    }
    int op = OP_BETA + 1 + (int)rng_below(rng, OPS - OP_BETA - 1);
    const struct op_row *row = &op_rows[op];
    int left = row->arity == 2 ? (int)rng_below(rng, (uint64_t)size) : size - 1, right = size - 1 - left;
    if (row->syntax == SYNTAX_CALL) {
        buf_printf(out, "%s(", row->name);
        random_text(rng, out, left, betas);
        if (row->arity == 2) {
            buf_printf(out, ",");
            random_text(rng, out, right, betas);
        }
    } else if (row->arity == 2) {
        buf_printf(out, "(");
        random_text(rng, out, left, betas);
        buf_printf(out, "%s", row->name);
        random_text(rng, out, right, betas);
    } else if (row->syntax == SYNTAX_POWER) {
        buf_printf(out, "((");
        random_text(rng, out, left, betas);
        buf_printf(out, ")^%d", (int)rng_below(rng, 6) - 2);
    } else {
        buf_printf(out, "(-");
        random_text(rng, out, left, betas);
    }
    buf_printf(out, ")");
}

#endif
