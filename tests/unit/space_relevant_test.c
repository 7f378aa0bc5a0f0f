/* Which tokens of a sequence can change the function that it picks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/search_fixture.h"

#include <stdlib.h>

/* Unary and binary functions, some of which ignore what they are given. */
static struct space *wasteful_space(int units)
{
    return space_of(units, "x, sin(x), b*x, b, 2", "x1+x2, x1*x2, sin(x1), b*x2, 3, b");
}

static struct expr *canonical(const struct space *space, const uint16_t *tokens)
{
    struct expr *expr = NULL;
    assert_int_equal(space_expr(space, tokens, &expr), 0);
    struct expr *canon = expr_canon(expr);
    expr_destroy(&expr);
    return canon;
}

static void a_token_that_is_not_relevant_never_changes_the_function(void **state)
{
    (void)state;
    struct rng rng = rng_seed(1, "tokens", 0);
    int tried = 0;
    for (int units = 1; units <= 4; units++) {
        struct space *space = wasteful_space(units);
        for (int round = 0; round < 300; round++) {
            uint16_t tokens[SPACE_MAX_TOKENS];
            bool relevant[SPACE_MAX_TOKENS];
            space_sample(space, &rng, tokens);
            space_relevant(space, tokens, relevant);
            struct expr *before = canonical(space, tokens);
            for (int at = 0; at < space_tokens(space); at++) {
                if (relevant[at])
                    continue;
                uint16_t kept = tokens[at];
                tokens[at] = (uint16_t)rng_below(&rng, (uint64_t)space_choices(space, at));
                struct expr *after = canonical(space, tokens);
                assert_true(expr_equal(before, after));
                expr_destroy(&after);
                tokens[at] = kept;
                tried++;
            }
            expr_destroy(&before);
        }
        space_destroy(&space);
    }
    assert_true(tried > 2000);
}

static void a_relevant_token_changes_the_function(void **state)
{
    (void)state;
    /* No two of these functions are the same, nor do two ways of wiring them give the same. */
    struct space *space = space_of(3, "x, sin(x), b*x, b", "x1-2*x2, 3*x1*cos(x2), sinh(x1)");
    struct rng rng = rng_seed(2, "tokens", 0);
    int same = 0, tried = 0;
    for (int round = 0; round < 500; round++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        bool relevant[SPACE_MAX_TOKENS];
        space_sample(space, &rng, tokens);
        space_relevant(space, tokens, relevant);
        struct expr *before = canonical(space, tokens);
        for (int at = 0; at < space_tokens(space); at++) {
            int choices = space_choices(space, at);
            if (!relevant[at] || choices == 1)
                continue;
            uint16_t kept = tokens[at];
            tokens[at] = (uint16_t)((kept + 1 + rng_below(&rng, (uint64_t)choices - 1)) % (uint64_t)choices);
            struct expr *after = canonical(space, tokens);
            same += expr_equal(before, after);
            tried++;
            expr_destroy(&after);
            tokens[at] = kept;
        }
        expr_destroy(&before);
    }
    assert_true(tried > 3000);
    assert_in_range(same, 0, tried / 100); /* two units that happen to be equal */
    space_destroy(&space);
}

static void assert_relevant(const struct space *space, const uint16_t *tokens, const char *expected)
{
    bool relevant[SPACE_MAX_TOKENS];
    space_relevant(space, tokens, relevant);
    for (int at = 0; at < space_tokens(space); at++)
        assert_int_equal(relevant[at], expected[at] == '1');
}

static void units_and_arguments_that_nothing_uses_are_not_relevant(void **state)
{
    (void)state;
    struct space *space = wasteful_space(2);
    enum { X, SIN, SCALE, BETA, TWO };
    enum { SUM, PRODUCT, FIRST, SECOND, THREE };
    /* input 1, input 2, unary 1, unary 2, binary; twice */
    assert_relevant(space, (uint16_t[]){0, 0, X, SIN, SUM, 1, 0, X, X, SUM}, "1111111111");
    assert_relevant(space, (uint16_t[]){0, 0, X, SIN, SUM, 0, 0, X, X, SUM}, "0000011111");
    assert_relevant(space, (uint16_t[]){0, 0, X, SIN, SUM, 1, 0, BETA, X, SUM}, "0000001111");
    assert_relevant(space, (uint16_t[]){0, 0, X, SIN, FIRST, 1, 0, X, TWO, SUM}, "1010110111");
    assert_relevant(space, (uint16_t[]){0, 0, X, SIN, SUM, 1, 0, X, X, SECOND}, "0000001011");
    assert_relevant(space, (uint16_t[]){0, 0, X, SIN, SUM, 1, 1, X, X, THREE}, "0000000001");
    space_destroy(&space);
}

static void what_is_not_relevant_cannot_make_a_function_too_large(void **state)
{
    (void)state;
    struct space *space = space_of(SPACE_MAX_UNITS, "b*x, b", "x1+b*x2, b*x1");
    uint16_t tokens[SPACE_MAX_TOKENS] = {0};
    struct expr *expr;
    for (int unit = 1; unit < SPACE_MAX_UNITS; unit++)
        tokens[unit * SPACE_TOKENS_PER_UNIT] = tokens[unit * SPACE_TOKENS_PER_UNIT + 1] = (uint16_t)unit;
    assert_int_equal(space_expr(space, tokens, &expr), ERR_LIMIT);
    uint16_t *last = tokens + (SPACE_MAX_UNITS - 1) * SPACE_TOKENS_PER_UNIT;
    last[TOKEN_UNARY_1] = last[TOKEN_UNARY_2] = 1; /* b: the units before it are dropped */
    assert_int_equal(space_expr(space, tokens, &expr), 0);
    assert_int_equal(expr_betas(expr), 3);
    expr_destroy(&expr);
    space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_is_not_relevant_never_changes_the_function),
        cmocka_unit_test(a_relevant_token_changes_the_function),
        cmocka_unit_test(units_and_arguments_that_nothing_uses_are_not_relevant),
        cmocka_unit_test(what_is_not_relevant_cannot_make_a_function_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
