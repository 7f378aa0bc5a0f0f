/* synthetic_scores: a reward with a known optimum in a space of any size, for tests and benchmarks of the
 * search.
 *
 * Every choice of every token has a hidden score, and so has every pair of a unary function and the binary
 * function of its unit, on either side; all are drawn standard normal. The score of a sequence is the sum over
 * what matters in it (space_relevant), so that all spellings of a function by tokens that do not matter have
 * one score. The reward is the score on a scale from the worst sequence, 0, to the best, 1.
 *
 * The optimum is exact: units from the last to the first, and for each set of units that the later ones use,
 * the best over all choices of this one (the sides of a unit are independent, given its binary function).
 */
#ifndef TESTS_SYNTHETIC_SCORES_H
#define TESTS_SYNTHETIC_SCORES_H

#include "common/err.h"
#include "common/space.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scores {
    const struct space *space; /* borrowed */
    int units, unaries, binaries;
    double *token[SPACE_MAX_TOKENS];     /* by choice */
    double *pair[SPACE_MAX_UNITS][2];    /* unaries × binaries */
    bool *unary_uses, (*binary_uses)[2]; /* whether a function depends on its argument */
    double worst, best;                  /* of all sequences */
};

static inline double scores_pair(const struct scores *scores, int unit, int side, int unary, int binary)
{
    return scores->pair[unit][side][unary * scores->binaries + binary];
}

static inline double scores_of(const struct scores *scores, const uint16_t *tokens)
{
    bool relevant[SPACE_MAX_TOKENS];
    double sum = 0;
    space_relevant(scores->space, tokens, relevant);
    for (int unit = 0; unit < scores->units; unit++) {
        const int first = unit * SPACE_TOKENS_PER_UNIT;
        for (int at = first; at < first + SPACE_TOKENS_PER_UNIT; at++)
            sum += relevant[at] ? scores->token[at][tokens[at]] : 0;
        for (int side = 0; side < 2; side++)
            if (relevant[first + TOKEN_UNARY_1 + side])
                sum += scores_pair(scores, unit, side, tokens[first + TOKEN_UNARY_1 + side],
                                   tokens[first + TOKEN_BINARY]);
    }
    return sum;
}

static inline double scores_reward(const struct scores *scores, const uint16_t *tokens)
{
    double reward = (scores_of(scores, tokens) - scores->worst) / (scores->best - scores->worst);
    return fmin(fmax(reward, 0), 1);
}

/* The most, times sign, that one side of a unit adds; input −1: with a unary function that ignores its input. */
static inline double scores_side(const struct scores *scores, double sign, int unit, int side, int binary,
                                 int input)
{
    const int first = unit * SPACE_TOKENS_PER_UNIT;
    double most = -INFINITY, of_input = input < 0 ? 0 : scores->token[first + TOKEN_INPUT_1 + side][input];
    for (int unary = 0; unary < scores->unaries; unary++)
        if (scores->unary_uses[unary] == (input >= 0))
            most = fmax(most, sign * (of_input + scores->token[first + TOKEN_UNARY_1 + side][unary] +
                                      scores_pair(scores, unit, side, unary, binary)));
    return most;
}

/* The most, times sign, that units 0 … units − 1 add, where the later ones use those in the bits of `used`. */
static inline double scores_most(const struct scores *scores, double sign, int units, unsigned used)
{
    const int unit = units - 1, first = unit * SPACE_TOKENS_PER_UNIT;
    double most = -INFINITY;
    if (units == 0)
        return 0;
    if (!(used >> unit & 1))
        return scores_most(scores, sign, unit, used);
    for (int binary = 0; binary < scores->binaries; binary++) {
        const bool *uses = scores->binary_uses[binary];
        for (int one = -1; one <= (uses[0] ? unit : -1); one++)
            for (int two = -1; two <= (uses[1] ? unit : -1); two++) {
                double sum = sign * scores->token[first + TOKEN_BINARY][binary];
                sum += uses[0] ? scores_side(scores, sign, unit, 0, binary, one) : 0;
                sum += uses[1] ? scores_side(scores, sign, unit, 1, binary, two) : 0;
                unsigned after = used | (one > 0 ? 1u << (one - 1) : 0) | (two > 0 ? 1u << (two - 1) : 0);
                most = fmax(most, sum + scores_most(scores, sign, unit, after));
            }
    }
    return most;
}

static inline double *scores_normal(struct rng *rng, int count)
{
    double *numbers = xcalloc((size_t)count, sizeof *numbers);
    for (int i = 0; i < count; i++)
        numbers[i] = rng_normal(rng);
    return numbers;
}

/* Asks space_relevant of the last unit, which always matters. */
static inline void scores_learn_uses(struct scores *scores)
{
    uint16_t tokens[SPACE_MAX_TOKENS] = {0}, *last = tokens + (scores->units - 1) * SPACE_TOKENS_PER_UNIT;
    bool relevant[SPACE_MAX_TOKENS], *relevant_last = relevant + (last - tokens);
    for (last[TOKEN_BINARY] = 0; last[TOKEN_BINARY] < scores->binaries; last[TOKEN_BINARY]++) {
        space_relevant(scores->space, tokens, relevant);
        memcpy(scores->binary_uses[last[TOKEN_BINARY]], relevant_last + TOKEN_UNARY_1, 2 * sizeof(bool));
    }
    for (last[TOKEN_BINARY] = 0; !scores->binary_uses[last[TOKEN_BINARY]][0];)
        last[TOKEN_BINARY]++;
    for (last[TOKEN_UNARY_1] = 0; last[TOKEN_UNARY_1] < scores->unaries; last[TOKEN_UNARY_1]++) {
        space_relevant(scores->space, tokens, relevant);
        scores->unary_uses[last[TOKEN_UNARY_1]] = relevant_last[TOKEN_INPUT_1];
    }
}

/* A binary function of the space uses its first argument. */
static inline struct scores scores_new(const struct space *space, uint64_t seed)
{
    struct rng rng = rng_seed(seed, "hidden scores", 0);
    struct scores scores = {.space = space,
                            .units = space_tokens(space) / SPACE_TOKENS_PER_UNIT,
                            .unaries = space_choices(space, TOKEN_UNARY_1),
                            .binaries = space_choices(space, TOKEN_BINARY)};
    for (int at = 0; at < space_tokens(space); at++)
        scores.token[at] = scores_normal(&rng, space_choices(space, at));
    for (int unit = 0; unit < scores.units; unit++)
        for (int side = 0; side < 2; side++)
            scores.pair[unit][side] = scores_normal(&rng, scores.unaries * scores.binaries);
    scores.unary_uses = xcalloc((size_t)scores.unaries, sizeof *scores.unary_uses);
    scores.binary_uses = xcalloc((size_t)scores.binaries, sizeof *scores.binary_uses);
    scores_learn_uses(&scores);
    scores.best = scores_most(&scores, 1, scores.units, 1u << (scores.units - 1));
    scores.worst = -scores_most(&scores, -1, scores.units, 1u << (scores.units - 1));
    return scores;
}

static inline void scores_release(struct scores *scores)
{
    for (int at = 0; at < SPACE_MAX_TOKENS; at++)
        free(scores->token[at]);
    for (int unit = 0; unit < SPACE_MAX_UNITS; unit++)
        for (int side = 0; side < 2; side++)
            free(scores->pair[unit][side]);
    free(scores->unary_uses);
    free(scores->binary_uses);
    *scores = (struct scores){0};
}

#endif
