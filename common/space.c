#include "common/space.h"

#include "common/json.h"
#include "common/text.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The functions of the paper (arXiv:1710.05941, section 2), to the letter; epsilon is replaced by the
 * setting. */
static const char *const paper_unary[] = {
    "x",
    "-x",
    "abs(x)",
    "x^2",
    "x^3",
    "sqrt(x)",
    "b*x",
    "x+b",
    "log(abs(x)+epsilon)",
    "exp(x)",
    "sin(x)",
    "cos(x)",
    "sinh(x)",
    "cosh(x)",
    "tanh(x)",
    "asinh(x)",
    "atan(x)",
    "sinc(x)",
    "max(x,0)",
    "min(x,0)",
    "sigmoid(x)",
    "log(1+exp(x))",
    "exp(-x^2)",
    "erf(x)",
    "b",
};
static const char *const paper_binary[] = {
    "x1+x2",
    "x1*x2",
    "x1-x2",
    "x1/(x2+epsilon)",
    "max(x1,x2)",
    "min(x1,x2)",
    "sigmoid(x1)*x2",
    "exp(-b*(x1-x2)^2)",
    "exp(-b*abs(x1-x2))",
    "b*x1+(1-b)*x2",
};

/* The templates of one kind. */
struct offer {
    char **text;
    struct expr **pattern;
    bool (*uses)[2]; /* whether a pattern depends on its first and its second argument */
    int count;
};

struct space {
    int units;
    bool shared_beta;
    double beta_init;
    struct offer unary, binary;
};

static void offer_add(struct offer *offer, const char *text)
{
    offer->text = xrealloc(offer->text, (size_t)offer->count + 1, sizeof *offer->text);
    offer->pattern = xrealloc(offer->pattern, (size_t)offer->count + 1, sizeof *offer->pattern);
    offer->uses = xrealloc(offer->uses, (size_t)offer->count + 1, sizeof *offer->uses);
    offer->text[offer->count] = xstrdup(text);
    offer->pattern[offer->count] = NULL;
    offer->count++;
}

static void offer_release(struct offer *offer)
{
    for (int i = 0; i < offer->count; i++) {
        free(offer->text[i]);
        expr_destroy(&offer->pattern[i]);
    }
    free(offer->text);
    free(offer->pattern);
    free(offer->uses);
}

static void add_paper(struct offer *offer, const char *const *texts, size_t count, double epsilon)
{
    char number[REAL_TEXT];
    real_text(epsilon, number);
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(texts[i], "epsilon");
        char *text =
            at ? xasprintf("%.*s%s%s", (int)(at - texts[i]), texts[i], number, at + strlen("epsilon"))
               : xstrdup(texts[i]);
        offer_add(offer, text);
        free(text);
    }
}

/* Fills one kind from the setting: `paper`, a list of templates, or both in one list. */
static int offer_fill(struct offer *offer, const char *key, const char *setting, const char *const *paper,
                      size_t paper_count, const char *const *names, int name_count, double epsilon,
                      struct problem *problem)
{
    struct text_list list;
    int err = text_list_parse(setting, SPACE_MAX_TEMPLATES, &list, problem);
    if (err) {
        problem_prefix(problem, "space.%s", key);
        return err;
    }
    for (int i = 0; i < list.count && !err; i++) {
        int first = offer->count;
        if (strcmp(list.items[i], "paper") == 0)
            add_paper(offer, paper, paper_count, epsilon);
        else
            offer_add(offer, list.items[i]);
        if (offer->count > SPACE_MAX_TEMPLATES)
            err =
                problem_set(problem, ERR_LIMIT, "space.%s: more than %d functions", key, SPACE_MAX_TEMPLATES);
        for (int j = first; j < offer->count && !err; j++) {
            err = expr_template_parse(offer->text[j], names, name_count, &offer->pattern[j], problem);
            if (err) {
                char *shown = expr_problem_text(offer->text[j], problem);
                problem_set(problem, err, "space.%s: item %d of %d:\n%.400s", key, i + 1, list.count, shown);
                free(shown);
            }
            for (int k = 0; k < name_count && !err; k++)
                offer->uses[j][k] = expr_template_uses(offer->pattern[j], names[k]);
        }
        /* The same function twice would only waste choices; it is a slip. */
        for (int j = 0; j < first && !err; j++)
            for (int k = first; k < offer->count && !err; k++)
                if (expr_equal(offer->pattern[j], offer->pattern[k]))
                    err = problem_set(problem, ERR_INPUT,
                                      "space.%s: item %d of %d: '%.80s' is on offer already", key, i + 1,
                                      list.count, offer->text[k]);
    }
    text_list_release(&list);
    return err;
}

int space_new(const struct space_settings *settings, struct space **ret_space, struct problem *problem)
{
    static const char *const unary_names[] = {"x"}, *const binary_names[] = {"x1", "x2"};
    if (settings->units < 1 || settings->units > SPACE_MAX_UNITS)
        return problem_set(problem, ERR_INPUT, "space.units: expected a whole number from 1 to %d, not %d",
                           SPACE_MAX_UNITS, settings->units);
    struct space *space = xcalloc(1, sizeof *space);
    space->units = settings->units;
    space->shared_beta = settings->shared_beta;
    space->beta_init = settings->beta_init;
    int err =
        offer_fill(&space->unary, "unary", settings->unary, paper_unary,
                   sizeof paper_unary / sizeof *paper_unary, unary_names, 1, settings->epsilon, problem);
    if (!err)
        err = offer_fill(&space->binary, "binary", settings->binary, paper_binary,
                         sizeof paper_binary / sizeof *paper_binary, binary_names, 2, settings->epsilon,
                         problem);
    if (err)
        space_destroy(&space);
    else
        *ret_space = space;
    return err;
}

void space_destroy(struct space **space)
{
    if (!*space)
        return;
    offer_release(&(*space)->unary);
    offer_release(&(*space)->binary);
    free(*space);
    *space = NULL;
}

int space_tokens(const struct space *space)
{
    return SPACE_TOKENS_PER_UNIT * space->units;
}

enum token_kind space_token_kind(int at)
{
    return (enum token_kind)(at % SPACE_TOKENS_PER_UNIT);
}

const char *space_token_text(int at)
{
    static const char *const texts[] = {"input 1", "input 2", "unary 1", "unary 2", "binary"};
    return texts[space_token_kind(at)];
}

int space_choices(const struct space *space, int at)
{
    assert(at >= 0 && at < space_tokens(space));
    switch (space_token_kind(at)) {
    case TOKEN_INPUT_1:
    case TOKEN_INPUT_2:
        return at / SPACE_TOKENS_PER_UNIT + 1;
    case TOKEN_UNARY_1:
    case TOKEN_UNARY_2:
        return space->unary.count;
    case TOKEN_BINARY:
        break;
    }
    return space->binary.count;
}

const char *space_choice_text(const struct space *space, int at, int choice)
{
    static const char *const inputs[SPACE_MAX_UNITS] = {"x",      "unit 1", "unit 2", "unit 3",
                                                        "unit 4", "unit 5", "unit 6", "unit 7"};
    assert(choice >= 0 && choice < space_choices(space, at));
    switch (space_token_kind(at)) {
    case TOKEN_INPUT_1:
    case TOKEN_INPUT_2:
        return inputs[choice];
    case TOKEN_UNARY_1:
    case TOKEN_UNARY_2:
        return space->unary.text[choice];
    case TOKEN_BINARY:
        break;
    }
    return space->binary.text[choice];
}

uint64_t space_strings(const struct space *space, bool *ret_exact, double *ret_approximate)
{
    uint64_t strings = 1;
    double approximate = 1;
    bool exact = true;
    for (int at = 0; at < space_tokens(space); at++) {
        uint64_t choices = (uint64_t)space_choices(space, at);
        approximate *= (double)choices;
        exact = exact && !__builtin_mul_overflow(strings, choices, &strings);
    }
    *ret_exact = exact;
    *ret_approximate = approximate;
    return exact ? strings : UINT64_MAX;
}

void space_unrank(const struct space *space, uint64_t index, uint16_t *ret_tokens)
{
    for (int at = space_tokens(space); at-- > 0;) {
        uint64_t choices = (uint64_t)space_choices(space, at);
        ret_tokens[at] = (uint16_t)(index % choices);
        index /= choices;
    }
}

void space_sample(const struct space *space, struct rng *rng, uint16_t *ret_tokens)
{
    for (int at = 0; at < space_tokens(space); at++)
        ret_tokens[at] = (uint16_t)rng_below(rng, (uint64_t)space_choices(space, at));
}

/* One template on its arguments; counts the parameters that it brings. */
static int apply(const struct space *space, const struct expr *pattern, const struct expr_binding *bindings,
                 int count, int *betas, struct expr **ret_expr)
{
    int own = expr_betas(pattern);
    int err = expr_template_apply(pattern, bindings, count, space->shared_beta ? 0 : *betas, space->beta_init,
                                  ret_expr);
    if (!err)
        *betas = space->shared_beta ? (own > *betas ? own : *betas) : *betas + own;
    return err;
}

void space_relevant(const struct space *space, const uint16_t *tokens, bool *ret_relevant)
{
    bool used[SPACE_MAX_UNITS + 1] = {false}; /* x, then the output of each unit */
    used[space->units] = true;
    for (int unit = space->units; unit-- > 0;) {
        const uint16_t *token = tokens + unit * SPACE_TOKENS_PER_UNIT;
        bool *relevant = ret_relevant + unit * SPACE_TOKENS_PER_UNIT;
        for (int at = 0; at < SPACE_TOKENS_PER_UNIT; at++)
            assert(token[at] < space_choices(space, unit * SPACE_TOKENS_PER_UNIT + at));
        relevant[TOKEN_BINARY] = used[unit + 1];
        for (int i = 0; i < 2; i++) {
            relevant[TOKEN_UNARY_1 + i] =
                relevant[TOKEN_BINARY] && space->binary.uses[token[TOKEN_BINARY]][i];
            relevant[TOKEN_INPUT_1 + i] =
                relevant[TOKEN_UNARY_1 + i] && space->unary.uses[token[TOKEN_UNARY_1 + i]][0];
            used[token[TOKEN_INPUT_1 + i]] |= relevant[TOKEN_INPUT_1 + i];
        }
    }
}

/* What nothing depends on is left out: x stands in its place. */
int space_expr(const struct space *space, const uint16_t *tokens, struct expr **ret_expr)
{
    struct expr *value[SPACE_MAX_UNITS + 1] = {NULL}; /* x, then the output of each unit */
    bool relevant[SPACE_MAX_TOKENS];
    int betas = 0, err = 0;
    struct problem ignored;

    space_relevant(space, tokens, relevant);
    err = expr_parse("x", &value[0], &ignored);
    assert(!err);
    for (int unit = 0; unit < space->units && !err; unit++) {
        const uint16_t *token = tokens + unit * SPACE_TOKENS_PER_UNIT;
        const bool *matters = relevant + unit * SPACE_TOKENS_PER_UNIT;
        struct expr *side[2] = {NULL, NULL};
        if (!matters[TOKEN_BINARY])
            continue;
        for (int i = 0; i < 2 && !err; i++) {
            struct expr_binding x = {"x", value[matters[TOKEN_INPUT_1 + i] ? token[TOKEN_INPUT_1 + i] : 0]};
            if (matters[TOKEN_UNARY_1 + i])
                err = apply(space, space->unary.pattern[token[TOKEN_UNARY_1 + i]], &x, 1, &betas, &side[i]);
        }
        struct expr_binding both[] = {{"x1", side[0] ? side[0] : value[0]},
                                      {"x2", side[1] ? side[1] : value[0]}};
        if (!err)
            err = apply(space, space->binary.pattern[token[TOKEN_BINARY]], both, 2, &betas, &value[unit + 1]);
        expr_destroy(&side[0]);
        expr_destroy(&side[1]);
    }
    if (!err) {
        *ret_expr = value[space->units];
        value[space->units] = NULL;
    }
    for (int i = 0; i <= space->units; i++)
        expr_destroy(&value[i]);
    return err;
}
