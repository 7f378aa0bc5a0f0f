/* synthetic_reward: a reward for every function of a one-unit space without any training, for tests and
 * benchmarks of the search.
 *
 * Reward: 1 / (1 + RMS distance to x·σ(b·x) on the fingerprint grid, b at its initial value), 0 where the
 * function is rejected. Several functions have reward 1 (x·σ(x) is as near as x·σ(b·x)); the target is the
 * one with the fingerprint of x·σ(b·x).
 */
#ifndef TESTS_SYNTHETIC_REWARD_H
#define TESTS_SYNTHETIC_REWARD_H

#include "common/expr/fingerprint.h"
#include "common/space.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct synthetic {
    const struct space *space;
    size_t strings;
    double *reward; /* of each string, in the order of space_unrank */
    bool *target;   /* whether it is x·σ(b·x) */
};

static inline double synthetic_value(const struct expr *expr, double x)
{
    double beta[EXPR_MAX_BETAS];
    for (int i = 0; i < expr_betas(expr); i++)
        beta[i] = expr_beta_init(expr, i);
    return expr_eval(expr, x, beta);
}

static inline double synthetic_reward(const struct expr *expr, const struct expr *target)
{
    double square = 0;
    for (int i = 0; i < FINGERPRINT_POINTS; i++) {
        double x = fingerprint_grid()[i], distance = synthetic_value(expr, x) - synthetic_value(target, x);
        square += distance * distance;
    }
    return 1 / (1 + sqrt(square / FINGERPRINT_POINTS));
}

static inline struct synthetic synthetic_new(const struct space *space)
{
    bool exact;
    double approximate;
    struct synthetic synthetic = {.space = space, .strings = space_strings(space, &exact, &approximate)};
    assert(exact && synthetic.strings < 1000000);
    synthetic.reward = xcalloc(synthetic.strings, sizeof *synthetic.reward);
    synthetic.target = xcalloc(synthetic.strings, sizeof *synthetic.target);
    struct expr *target;
    struct problem ignored;
    enum verdict verdict;
    int err = expr_parse("x*sigmoid(b*x)", &target, &ignored);
    assert(!err);
    struct hash wanted = fingerprint_of(target, &verdict);
    for (size_t i = 0; i < synthetic.strings; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        struct expr *expr;
        space_unrank(space, i, tokens);
        if (space_expr(space, tokens, &expr) != 0)
            continue;
        struct hash fingerprint = fingerprint_of(expr, &verdict);
        if (verdict == VERDICT_USABLE) {
            synthetic.reward[i] = synthetic_reward(expr, target);
            synthetic.target[i] = memcmp(&fingerprint, &wanted, sizeof wanted) == 0;
        }
        expr_destroy(&expr);
    }
    expr_destroy(&target);
    return synthetic;
}

static inline void synthetic_release(struct synthetic *synthetic)
{
    free(synthetic->reward);
    free(synthetic->target);
    *synthetic = (struct synthetic){0};
}

/* The place of a sequence in the order of space_unrank. */
static inline size_t synthetic_rank(const struct synthetic *synthetic, const uint16_t *tokens)
{
    size_t rank = 0;
    for (int at = 0; at < space_tokens(synthetic->space); at++)
        rank = rank * (size_t)space_choices(synthetic->space, at) + tokens[at];
    return rank;
}

#endif
