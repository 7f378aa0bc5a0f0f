/* Search spaces: how many strings, which function a sequence of tokens is, and the paper's functions to the
 * letter. */
#include "common/space.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct space *space_with(struct space_settings settings)
{
    struct space *space = NULL;
    struct problem problem = {0};
    if (settings.beta_init == 0)
        settings.beta_init = 1;
    if (settings.epsilon == 0)
        settings.epsilon = 1e-6;
    if (space_new(&settings, &space, &problem) != 0)
        fail_msg("%s", problem.text);
    return space;
}

static struct space *paper(int units)
{
    return space_with((struct space_settings){.units = units, .unary = "paper", .binary = "paper"});
}

static void the_papers_functions_are_on_offer_to_the_letter(void **state)
{
    (void)state;
    static const char *const unary[] = {"x",
                                        "-x",
                                        "abs(x)",
                                        "x^2",
                                        "x^3",
                                        "sqrt(x)",
                                        "b*x",
                                        "x+b",
                                        "log(abs(x)+1e-06)",
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
                                        "b"};
    static const char *const binary[] = {"x1+x2",
                                         "x1*x2",
                                         "x1-x2",
                                         "x1/(x2+1e-06)",
                                         "max(x1,x2)",
                                         "min(x1,x2)",
                                         "sigmoid(x1)*x2",
                                         "exp(-b*(x1-x2)^2)",
                                         "exp(-b*abs(x1-x2))",
                                         "b*x1+(1-b)*x2"};
    struct space *space = paper(1);
    assert_int_equal(space_choices(space, TOKEN_UNARY_1), 25);
    assert_int_equal(space_choices(space, TOKEN_UNARY_2), 25);
    assert_int_equal(space_choices(space, TOKEN_BINARY), 10);
    for (int i = 0; i < 25; i++) {
        assert_string_equal(space_choice_text(space, TOKEN_UNARY_1, i), unary[i]);
        assert_string_equal(space_choice_text(space, TOKEN_UNARY_2, i), unary[i]);
    }
    for (int i = 0; i < 10; i++)
        assert_string_equal(space_choice_text(space, TOKEN_BINARY, i), binary[i]);
    space_destroy(&space);
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(x) / x;
}

/* The value of the function that the tokens pick. */
static double value_at(const struct space *space, const uint16_t *tokens, double x, const double *beta)
{
    struct expr *expr = NULL;
    assert_int_equal(space_expr(space, tokens, &expr), 0);
    double value = expr_eval(expr, x, beta);
    expr_destroy(&expr);
    return value;
}

static void close_to(double value, double expected)
{
    if (!(isnan(value) && isnan(expected)) && fabs(value - expected) > 1e-12 * fmax(1, fabs(expected)))
        fail_msg("%.17g, expected %.17g", value, expected);
}

/* Against the C library. x1 + x2 of u(x) and 0·… would bring in another function: min(u(x), u(x)) is u(x). */
static void the_papers_unary_functions_have_their_values(void **state)
{
    (void)state;
    enum { BINARY_MIN = 5 };
    struct space *space = paper(1);
    static const double beta[] = {0.75, 0.75};
    static const double xs[] = {-3, -0.5, 0, 0.25, 2};
    for (size_t i = 0; i < sizeof xs / sizeof *xs; i++) {
        const double x = xs[i], b = beta[0];
        const double expected[] = {x,
                                   -x,
                                   fabs(x),
                                   x * x,
                                   x * x * x,
                                   sqrt(x),
                                   b * x,
                                   x + b,
                                   log(fabs(x) + 1e-6),
                                   exp(x),
                                   sin(x),
                                   cos(x),
                                   sinh(x),
                                   cosh(x),
                                   tanh(x),
                                   asinh(x),
                                   atan(x),
                                   sinc(x),
                                   fmax(x, 0),
                                   fmin(x, 0),
                                   1 / (1 + exp(-x)),
                                   log(1 + exp(x)),
                                   exp(-x * x),
                                   erf(x),
                                   b};
        for (uint16_t u = 0; u < 25; u++)
            close_to(value_at(space, (const uint16_t[]){0, 0, u, u, BINARY_MIN}, x, beta), expected[u]);
    }
    space_destroy(&space);
}

/* x1 = sin(x), x2 = x². */
static void the_papers_binary_functions_have_their_values(void **state)
{
    (void)state;
    enum { UNARY_SQUARE = 3, UNARY_SIN = 10 };
    struct space *space = paper(1);
    static const double beta[] = {0.75};
    static const double xs[] = {-3, -0.5, 0, 0.25, 2};
    for (size_t i = 0; i < sizeof xs / sizeof *xs; i++) {
        const double x1 = sin(xs[i]), x2 = xs[i] * xs[i], b = beta[0];
        const double expected[] = {x1 + x2,
                                   x1 * x2,
                                   x1 - x2,
                                   x1 / (x2 + 1e-6),
                                   fmax(x1, x2),
                                   fmin(x1, x2),
                                   x2 / (1 + exp(-x1)),
                                   exp(-b * (x1 - x2) * (x1 - x2)),
                                   exp(-b * fabs(x1 - x2)),
                                   b * x1 + (1 - b) * x2};
        for (uint16_t k = 0; k < 10; k++)
            close_to(value_at(space, (const uint16_t[]){0, 0, UNARY_SIN, UNARY_SQUARE, k}, xs[i], beta),
                     expected[k]);
    }
    space_destroy(&space);
}

static void strings_are_counted(void **state)
{
    (void)state;
    static const struct {
        int units;
        bool exact;
        uint64_t strings;
        double approximate;
    } rows[] = {
        {1, true, 6250, 6250},
        {2, true, UINT64_C(156250000), 1.5625e8},         /* × 25 · 25 · 10 · 2 · 2 */
        {3, true, UINT64_C(8789062500000), 8.7890625e12}, /* × 25 · 25 · 10 · 3 · 3 */
        {4, true, UINT64_C(878906250000000000), 8.7890625e17},
        {8, false, UINT64_MAX, 3.7847e39},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct space *space = paper(rows[i].units);
        bool exact = !rows[i].exact;
        double approximate = 0;
        assert_true(space_strings(space, &exact, &approximate) == rows[i].strings);
        assert_int_equal(exact, rows[i].exact);
        assert_true(fabs(approximate / rows[i].approximate - 1) < 0.001);
        assert_int_equal(space_tokens(space), 5 * rows[i].units);
        space_destroy(&space);
    }
}

static void each_number_is_another_sequence_the_last_token_fastest(void **state)
{
    (void)state;
    struct space *space =
        space_with((struct space_settings){.units = 2, .unary = "x, -x", .binary = "x1+x2, x1*x2, x1-x2"});
    bool exact;
    double approximate;
    uint64_t strings = space_strings(space, &exact, &approximate);
    assert_int_equal(strings, (2 * 2 * 3) * (2 * 2 * 2 * 2 * 3));
    uint16_t before[SPACE_MAX_TOKENS], tokens[SPACE_MAX_TOKENS];
    for (uint64_t index = 0; index < strings; index++) {
        space_unrank(space, index, tokens);
        for (int at = 0; at < 10; at++)
            assert_true(tokens[at] < space_choices(space, at));
        if (index > 0) { /* as numbers are counted: the first token that differs went up */
            int at = 0;
            while (at < 10 && tokens[at] == before[at])
                at++;
            assert_true(at < 10 && tokens[at] > before[at]);
        }
        memcpy(before, tokens, sizeof before);
    }
    space_unrank(space, 1, tokens);
    assert_int_equal(tokens[9], 1);
    space_destroy(&space);
}

/* The canonical text of what the tokens pick; the caller's. */
static char *text_of(const struct space *space, const uint16_t *tokens)
{
    struct expr *expr = NULL;
    assert_int_equal(space_expr(space, tokens, &expr), 0);
    char *text = expr_print(expr);
    expr_destroy(&expr);
    return text;
}

static void tokens_pick_inputs_unary_and_binary_functions(void **state)
{
    (void)state;
    struct space *space = space_with((struct space_settings){
        .units = 3, .unary = "x, sin(x), x^2, b*x", .binary = "x1+x2, x1*x2, max(x1,x2)"});
    static const struct {
        uint16_t tokens[15]; /* input 1, input 2, unary 1, unary 2, binary; three units */
        const char *text;
    } rows[] = {
        {{0, 0, 1, 2, 0, 1, 0, 0, 0, 1, 2, 1, 0, 0, 2}, "max((sin(x)+x^2)*x,sin(x)+x^2)"},
        {{0, 0, 1, 2, 0, 0, 0, 0, 0, 1, 2, 2, 1, 0, 0}, "sin(x*x)+x*x"}, /* unit 1 is not used */
        {{0, 0, 1, 2, 0, 1, 1, 3, 3, 1, 0, 0, 0, 2, 1}, "x*x^2"},        /* only the last unit is */
        {{0, 0, 3, 3, 1, 1, 0, 0, 3, 0, 2, 1, 3, 0, 2}, "max(b3*(b0*x*(b1*x)+b2*x),b0*x*(b1*x))"},
        {{0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 0}, "x+x+(x+x)+(x+x+(x+x))"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = text_of(space, rows[i].tokens);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
    for (int at = 0; at < 15; at++) {
        static const enum token_kind kinds[] = {TOKEN_INPUT_1, TOKEN_INPUT_2, TOKEN_UNARY_1, TOKEN_UNARY_2,
                                                TOKEN_BINARY};
        static const int choices[] = {1, 1, 4, 4, 3};
        assert_int_equal(space_token_kind(at), kinds[at % 5]);
        assert_int_equal(space_choices(space, at), at % 5 < 2 ? 1 + at / 5 : choices[at % 5]);
    }
    assert_string_equal(space_choice_text(space, 10, 0), "x");
    assert_string_equal(space_choice_text(space, 10, 2), "unit 2");
    assert_string_equal(space_choice_text(space, 12, 3), "b*x");
    assert_string_equal(space_choice_text(space, 14, 2), "max(x1,x2)");
    space_destroy(&space);
}

static void each_b_is_a_parameter_of_its_own_unless_they_are_shared(void **state)
{
    (void)state;
    static const uint16_t tokens[] = {0, 0, 0, 1, 0};
    struct space_settings settings = {
        .units = 1, .unary = "b*x, x+b", .binary = "b*x1+(1-b)*x2", .beta_init = 0.5};
    struct space *space = space_with(settings);
    char *text = text_of(space, tokens);
    assert_string_equal(text, "b2*(b0*x)+(1-b2)*(x+b1); b0=0.5; b1=0.5; b2=0.5");
    free(text);
    space_destroy(&space);
    settings.shared_beta = true;
    space = space_with(settings);
    text = text_of(space, tokens);
    assert_string_equal(text, "b0*(b0*x)+(1-b0)*(x+b0); b0=0.5");
    free(text);
    space_destroy(&space);
}

static void paper_may_stand_in_a_list(void **state)
{
    (void)state;
    struct space *space =
        space_with((struct space_settings){.units = 1, .unary = "paper, x^4", .binary = "x1, paper"});
    assert_int_equal(space_choices(space, TOKEN_UNARY_1), 26);
    assert_string_equal(space_choice_text(space, TOKEN_UNARY_1, 25), "x^4");
    assert_int_equal(space_choices(space, TOKEN_BINARY), 11);
    assert_string_equal(space_choice_text(space, TOKEN_BINARY, 0), "x1");
    space_destroy(&space);
}

static void a_sample_reaches_every_choice(void **state)
{
    (void)state;
    struct space *space = paper(2);
    struct rng rng = rng_seed(1, "sample", 0);
    bool seen[10][25] = {{false}};
    uint16_t tokens[SPACE_MAX_TOKENS];
    for (int i = 0; i < 1000; i++) {
        space_sample(space, &rng, tokens);
        for (int at = 0; at < 10; at++) {
            assert_true(tokens[at] < space_choices(space, at));
            seen[at][tokens[at]] = true;
        }
    }
    for (int at = 0; at < 10; at++)
        for (int choice = 0; choice < space_choices(space, at); choice++)
            assert_true(seen[at][choice]);
    space_destroy(&space);
}

static void what_passes_a_bound_of_the_language_says_so(void **state)
{
    (void)state;
    struct space *space = space_with((struct space_settings){
        .units = 8, .unary = "sigmoid(b*x)*tanh(b1*x)+log(abs(x)+1e-6)", .binary = "exp(-b*(x1-x2)^2)"});
    uint16_t tokens[SPACE_MAX_TOKENS] = {0};
    for (int unit = 0; unit < 8; unit++)
        tokens[5 * unit] = tokens[5 * unit + 1] = (uint16_t)unit;
    struct expr *expr = NULL;
    assert_int_equal(space_expr(space, tokens, &expr), ERR_LIMIT);
    assert_null(expr);
    space_destroy(&space);
}

static void a_wrong_space_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct space_settings settings;
        const char *said;
    } rows[] = {
        {{.units = 0, .unary = "x", .binary = "x1"},
         "space.units: expected a whole number from 1 to 8, not 0"},
        {{.units = 9, .unary = "x", .binary = "x1"},
         "space.units: expected a whole number from 1 to 8, not 9"},
        {{.units = 1, .unary = "y", .binary = "x1"}, "space.unary: item 1 of 1:\ny\n^"},
        {{.units = 1, .unary = "x", .binary = "x1, x"}, "space.binary: item 2 of 2:\nx\n^"},
        {{.units = 1, .unary = "x, -x, (x)", .binary = "x1"},
         "space.unary: item 3 of 3: '(x)' is on offer already"},
        {{.units = 1, .unary = "paper, sin(x)", .binary = "x1"},
         "space.unary: item 2 of 2: 'sin(x)' is on offer already"},
        {{.units = 1, .unary = "", .binary = "x1"}, "space.unary: the list is empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct space *space = NULL;
        struct problem problem = {0};
        struct space_settings settings = rows[i].settings;
        settings.beta_init = 1;
        settings.epsilon = 1e-6;
        assert_true(space_new(&settings, &space, &problem) < 0);
        assert_null(space);
        if (strncmp(problem.text, rows[i].said, strlen(rows[i].said)) != 0)
            fail_msg("expected '%s': %s", rows[i].said, problem.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_papers_functions_are_on_offer_to_the_letter),
        cmocka_unit_test(the_papers_unary_functions_have_their_values),
        cmocka_unit_test(the_papers_binary_functions_have_their_values),
        cmocka_unit_test(strings_are_counted),
        cmocka_unit_test(each_number_is_another_sequence_the_last_token_fastest),
        cmocka_unit_test(tokens_pick_inputs_unary_and_binary_functions),
        cmocka_unit_test(each_b_is_a_parameter_of_its_own_unless_they_are_shared),
        cmocka_unit_test(paper_may_stand_in_a_list),
        cmocka_unit_test(a_sample_reaches_every_choice),
        cmocka_unit_test(what_passes_a_bound_of_the_language_says_so),
        cmocka_unit_test(a_wrong_space_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
