/* space: a search space is data. Templates of unary functions (in x) and binary functions (in x1, x2), and a number of core units
 * b(u1(i1), u2(i2)); a sequence of tokens picks one function of it (DESIGN 4.1).
 *
 * Five tokens a unit, in this order: input 1, input 2, unary 1, unary 2, binary. Inputs of unit k (from 0): 0 is x, j ≥ 1 the
 * output of unit j−1, so there are k+1 choices; the function is the output of the last unit. Each b of a template becomes its own
 * parameter (beta = shared: one for the whole function), numbered in order of appearance after canonicalisation.
 */
#ifndef COMMON_SPACE_H
#define COMMON_SPACE_H

#include "common/expr/expr.h"
#include "common/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SPACE_MAX_UNITS = 8,
    SPACE_TOKENS_PER_UNIT = 5,
    SPACE_MAX_TOKENS = SPACE_MAX_UNITS * SPACE_TOKENS_PER_UNIT,
    SPACE_MAX_TEMPLATES = 256,
};

enum token_kind { TOKEN_INPUT_1, TOKEN_INPUT_2, TOKEN_UNARY_1, TOKEN_UNARY_2, TOKEN_BINARY };

/* What the experiment file's [space] says. `unary` and `binary` are "paper" or a list of templates, separated by commas outside
 * of parentheses and quotes; a template may stand in double quotes. */
struct space_settings {
    int units;
    const char *unary;
    const char *binary;
    bool shared_beta;
    double beta_init;
    double epsilon;
};

struct space;

int space_new(const struct space_settings *settings, struct space **ret_space, struct problem *problem);
void space_destroy(struct space **space);

int space_tokens(const struct space *space); /* 5 × units */
/* Number of choices of token `at` (0 … space_tokens−1). */
int space_choices(const struct space *space, int at);
enum token_kind space_token_kind(int at);
const char *space_token_text(int at); /* its kind as people read it: "input 1", …, "binary" */
/* The choice as people read it: "x", "unit 1", or the template's text. Borrowed. */
const char *space_choice_text(const struct space *space, int at, int choice);
/* Product of all choices; exact up to 2^64−1, then UINT64_MAX with *ret_exact = false. The double is close in any case. */
uint64_t space_strings(const struct space *space, bool *ret_exact, double *ret_approximate);

/* Token sequence number `index` (0 … strings−1), last token fastest. */
void space_unrank(const struct space *space, uint64_t index, uint16_t *ret_tokens);
void space_sample(const struct space *space, struct rng *rng, uint16_t *ret_tokens);
/* Which tokens can change the function while the others stay (a single choice counts as one that can): not those of a unit that
 * nothing uses, nor the input of a unary function that ignores it, nor what a binary function ignores. */
void space_relevant(const struct space *space, const uint16_t *tokens, bool *ret_relevant);
/* The expression that the tokens pick, not yet canonical. ERR_LIMIT where it passes a bound of the language. */
int space_expr(const struct space *space, const uint16_t *tokens, struct expr **ret_expr);

#endif
