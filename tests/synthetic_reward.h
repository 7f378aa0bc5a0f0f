/* synthetic_reward: a reward for every function of a space without any training, for tests and benchmarks of
 * the search.
 *
 * Reward: 1 / (1 + RMS distance to a target function on the fingerprint grid, b at its initial value), 0
 * where the function is rejected. Several functions may have reward 1 (x·σ(x) is as near to x·σ(b·x) as that
 * itself); the target is the one with the same fingerprint. Functions are told apart as the coordinator does,
 * so that repetitions can be told from trainings.
 */
#ifndef TESTS_SYNTHETIC_REWARD_H
#define TESTS_SYNTHETIC_REWARD_H

#include "common/functions.h"
#include "common/space.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SYNTHETIC_TABLE = 1000000 }; /* spaces with fewer strings get a table */

struct synthetic {
    const struct space *space;
    struct expr *target;
    struct hash wanted;          /* its fingerprint */
    struct functions *functions; /* met so far */
    struct synthetic_function {
        double reward;
        bool usable, target;
    } * of; /* by function */
    size_t capacity;
    size_t strings;  /* 0: too many for a table */
    int64_t *string; /* the function of each string, in the order of space_unrank; −1: too large */
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

/* The function that an expression is. */
static inline int64_t synthetic_add_expr(struct synthetic *synthetic, const struct expr *expr)
{
    bool new;
    const struct function *function = functions_add(synthetic->functions, expr, &new);
    if ((size_t)function->id >= synthetic->capacity) {
        synthetic->capacity = 2 * (size_t)function->id + 64;
        synthetic->of = xrealloc(synthetic->of, synthetic->capacity, sizeof *synthetic->of);
    }
    if (new) {
        bool usable = function->verdict == VERDICT_USABLE;
        struct expr *canonical = expr_canon(expr);
        synthetic->of[function->id] = (struct synthetic_function){
            .usable = usable,
            .reward = usable ? synthetic_reward(canonical, synthetic->target) : 0,
            .target = usable && memcmp(&function->fingerprint, &synthetic->wanted, sizeof(struct hash)) == 0,
        };
        expr_destroy(&canonical);
    }
    return function->id;
}

/* The function of a sequence, which is not looked up in the table; −1: too large. */
static inline int64_t synthetic_add(struct synthetic *synthetic, const uint16_t *tokens)
{
    struct expr *expr;
    if (space_expr(synthetic->space, tokens, &expr) != 0)
        return -1;
    int64_t id = synthetic_add_expr(synthetic, expr);
    expr_destroy(&expr);
    return id;
}

/* Takes the target. */
static inline struct synthetic synthetic_of(const struct space *space, struct expr *target)
{
    bool exact;
    double approximate;
    uint64_t strings = space_strings(space, &exact, &approximate);
    enum verdict verdict;
    struct synthetic synthetic = {.space = space, .target = target, .functions = functions_new()};
    synthetic.wanted = fingerprint_of(target, &verdict);
    assert(verdict == VERDICT_USABLE);
    if (!exact || strings >= SYNTHETIC_TABLE)
        return synthetic;
    synthetic.strings = (size_t)strings;
    synthetic.string = xcalloc(synthetic.strings, sizeof *synthetic.string);
    for (size_t i = 0; i < synthetic.strings; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        space_unrank(space, i, tokens);
        synthetic.string[i] = synthetic_add(&synthetic, tokens);
    }
    return synthetic;
}

static inline struct synthetic synthetic_new(const struct space *space)
{
    struct expr *target;
    struct problem ignored;
    int err = expr_parse("x*sigmoid(b*x)", &target, &ignored);
    assert(!err);
    return synthetic_of(space, target);
}

static inline void synthetic_release(struct synthetic *synthetic)
{
    expr_destroy(&synthetic->target);
    functions_destroy(&synthetic->functions);
    free(synthetic->of);
    free(synthetic->string);
    *synthetic = (struct synthetic){0};
}

/* The function that a sequence is; −1: too large, not worth a trial. */
static inline int64_t synthetic_function(struct synthetic *synthetic, const uint16_t *tokens)
{
    size_t rank = 0;
    if (synthetic->strings == 0)
        return synthetic_add(synthetic, tokens);
    for (int at = 0; at < space_tokens(synthetic->space); at++)
        rank = rank * (size_t)space_choices(synthetic->space, at) + tokens[at];
    return synthetic->string[rank];
}

static inline struct synthetic_function synthetic_at(const struct synthetic *synthetic, int64_t function)
{
    return function < 0 ? (struct synthetic_function){0} : synthetic->of[function];
}

#endif
