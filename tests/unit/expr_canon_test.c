/* The canonical form and the fingerprint, and what they promise about each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/expr/fingerprint.h"
#include "tests/unit/expr_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct expr *parsed(const char *text)
{
    struct expr *expr = NULL;
    struct problem problem;
    if (expr_parse(text, &expr, &problem) != 0)
        fail_msg("%s: %s", text, problem.text);
    return expr;
}

static char *canonical(const char *text)
{
    struct expr *expr = parsed(text), *canon = expr_canon(expr);
    char *printed = expr_print(canon);
    expr_destroy(&expr);
    expr_destroy(&canon);
    return printed;
}

static void the_canonical_form_is_the_one_that_people_write(void **state)
{
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        {"x*sigmoid(b*x)", "x*sigmoid(b0*x)"},
        {"sigmoid(x*b)*x", "x*sigmoid(b0*x)"},
        {"max(0,x)", "max(x,0)"},
        {"min(0,x)*b+max(0,x); b=0.25", "max(x,0)+b0*min(x,0); b0=0.25"},
        {"1+x", "x+1"},
        {"x*2", "2*x"},
        {"2*3+x", "x+6"},
        {"sigmoid(0)*x", "0.5*x"},
        {"log(0)+x", "x+log(0)"}, /* not finite: not folded */
        {"1/0*x", "1/0*x"},
        {"sqrt(-1)", "sqrt(-1)"},
        {"x-x", "x-x"}, /* NaN where x is */
        {"0*x", "0*x"},
        {"x/x", "x/x"},
        {"x+0", "x+0"}, /* −0 + 0 is 0 */
        {"0+x", "x+0"},
        {"1*x", "1*x"},
        {"(x+1)+2", "x+1+2"}, /* no reassociation */
        {"2+(x+1)", "x+1+2"},
        {"sin(x)+cos(x)*sin(x)", "sin(x)+sin(x)*cos(x)"},
        {"cos(x)*sin(x)+sin(x)", "sin(x)+sin(x)*cos(x)"},
        {"b1*x+b0", "b0*x+b1"},
        {"b0*x^2+b1*x", "b0*x+b1*x^2"},
        {"b1*sin(x)+b0*x", "b0*x+b1*sin(x)"},
        {"x-(1+x)", "x-(x+1)"},
        {"exp(-(x^2))", "exp(-x^2)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *printed = canonical(rows[i].text);
        assert_string_equal(printed, rows[i].canonical);
        free(printed);
    }
}

/* The expression with operands of commutative primitives turned at random and parameters numbered anew. */
static struct expr *disguised(const struct expr *expr, struct rng *rng)
{
    uint32_t number[EXPR_MAX_BETAS];
    for (uint32_t k = 0; k < EXPR_MAX_BETAS; k++)
        number[k] = k;
    rng_shuffle(rng, number, (uint32_t)expr->betas);
    struct expr like = *expr;
    for (int k = 0; k < expr->betas; k++)
        like.beta_init[number[k]] = expr->beta_init[k];
    struct builder builder = builder_new(EXPR_MAX_NODES);
    int32_t at[EXPR_MAX_NODES];
    for (int i = 0; i < expr->count; i++) {
        struct node node = expr->nodes[i];
        if (node.op == OP_BETA)
            node.index = (int32_t)number[node.index];
        for (int k = 0; k < op_rows[node.op].arity; k++)
            node.operand[k] = at[node.operand[k]];
        if (op_rows[node.op].property == PROPERTY_COMMUTATIVE && rng_below(rng, 2)) {
            int32_t first = node.operand[0];
            node.operand[0] = node.operand[1];
            node.operand[1] = first;
        }
        at[i] = builder_add(&builder, node);
    }
    return builder_finish(&builder, at[expr->count - 1], &like);
}

/* Mostly commutative, with many parameters that stand in like places: hard for the order of operands. */
static void symmetric_text(struct rng *rng, struct buf *out, int size, int betas)
{
    static const char *const binary[] = {"+", "*", "max", "min", "-"};
    if (size <= 0) {
        if (rng_below(rng, 4) == 0)
            buf_printf(out, "x");
        else
            buf_printf(out, "b%d", (int)rng_below(rng, (uint64_t)betas));
        return;
    }
    if (rng_below(rng, 6) == 0) {
        buf_printf(out, "sin(");
        symmetric_text(rng, out, size - 1, betas);
        buf_printf(out, ")");
        return;
    }
    int half = (size - 1) / 2, which = (int)rng_below(rng, 9) / 2;
    buf_printf(out, which == 2 || which == 3 ? "%s(" : "%.0s(", binary[which]);
    symmetric_text(rng, out, half, betas);
    buf_printf(out, "%s", which == 2 || which == 3 ? "," : binary[which]);
    symmetric_text(rng, out, size - 1 - half, betas);
    buf_printf(out, ")");
}

static void check_canon(const char *text, struct rng *rng, int disguises)
{
    struct expr *expr = parsed(text), *canon = expr_canon(expr), *again = expr_canon(canon);
    char *printed = expr_print(canon);
    if (!expr_equal(canon, again)) {
        char *twice = expr_print(again);
        fail_msg("not idempotent: %s: %s, then %s", text, printed, twice);
    }
    struct expr *read = parsed(printed);
    assert_true(expr_equal(read, canon));
    for (int i = 0; i < disguises; i++) {
        struct expr *other = disguised(expr, rng), *other_canon = expr_canon(other);
        if (!expr_equal(other_canon, canon)) {
            char *spelled = expr_print(other), *form = expr_print(other_canon);
            fail_msg("%s gives %s, but %s gives %s", text, printed, spelled, form);
        }
        expr_destroy(&other);
        expr_destroy(&other_canon);
    }
    free(printed);
    expr_destroy(&expr);
    expr_destroy(&canon);
    expr_destroy(&again);
    expr_destroy(&read);
}

static void it_is_idempotent_and_the_same_however_operands_stand_and_parameters_are_numbered(void **state)
{
    (void)state;
    struct rng rng = rng_seed(1, "canon", 0);
    for (int round = 0; round < 4000; round++) {
        struct buf text = {0};
        if (round % 2)
            random_text(&rng, &text, (int)rng_below(&rng, 25), 1 + (int)rng_below(&rng, 8));
        else
            symmetric_text(&rng, &text, 3 + (int)rng_below(&rng, 28), 1 + (int)rng_below(&rng, 8));
        if (round % 3 == 0) {
            struct expr *expr = parsed(buf_text(&text));
            for (int k = 0, betas = expr_betas(expr); k < betas && k < 2; k++) {
                char *printed = expr_print(expr);
                if (!strchr(printed, ';') && strstr(printed, "b0")) {
                    buf_clear(&text);
                    buf_printf(&text, "%s; b0=0.5", printed);
                }
                free(printed);
            }
            expr_destroy(&expr);
        }
        check_canon(buf_text(&text), &rng, 4);
        buf_release(&text);
    }
}

static void parameters_in_perfect_symmetry_take_no_time_and_have_one_form(void **state)
{
    (void)state;
    struct rng rng = rng_seed(2, "symmetry", 0);
    static const char *const texts[] = {
        "(((b0+b1)+(b2+b3))+((b4+b5)+(b6+b7)))*(((b8+b9)+(b10+b11))+((b12+b13)+(b14+b15)))*x",
        "(((b0+b1)+(b2+b3))+((b4+b5)+(b6+b7)))*(((b0*b1)+(b2*b3))*((b4*b5)+(b6*b7)))*x",
        "max(max(b0*b1,b1*b2),max(b2*b3,b3*b0))*x",                                             /* a square */
        "max(max(max(b0*b1,b1*b2),max(b2*b3,b3*b4)),max(max(b4*b5,b5*b6),max(b6*b7,b7*b0)))*x", /* a ring */
        "max(b0*b1,b2*b3)+max(b0*b2,b1*b3)+max(b0*b3,b1*b2)+x", /* all pairs of four */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_canon(texts[i], &rng, 20);
}

static void equal_canonical_forms_have_equal_fingerprints_and_keep_the_function(void **state)
{
    (void)state;
    struct rng rng = rng_seed(3, "fingerprint", 0);
    for (int round = 0; round < 1500; round++) {
        struct buf text = {0};
        random_text(&rng, &text, (int)rng_below(&rng, 15), 1 + (int)rng_below(&rng, 4));
        struct expr *expr = parsed(buf_text(&text)), *canon = expr_canon(expr),
                    *other = disguised(expr, &rng);
        enum verdict verdict, canon_verdict, other_verdict;
        struct hash print = fingerprint_of(expr, &verdict);
        struct hash canon_print = fingerprint_of(canon, &canon_verdict);
        struct hash other_print = fingerprint_of(other, &other_verdict);
        if (memcmp(&print, &canon_print, sizeof print) != 0 ||
            memcmp(&print, &other_print, sizeof print) != 0)
            fail_msg("%s", buf_text(&text));
        assert_int_equal(verdict, canon_verdict);
        assert_int_equal(verdict, other_verdict);
        if (!expr_same_function(expr, canon) || !expr_same_function(other, expr))
            fail_msg("not the same function: %s", buf_text(&text));
        expr_destroy(&expr);
        expr_destroy(&canon);
        expr_destroy(&other);
        buf_release(&text);
    }
}

static struct hash print_of(const char *text, enum verdict *ret_verdict)
{
    struct expr *expr = parsed(text);
    struct hash hash = fingerprint_of(expr, ret_verdict);
    expr_destroy(&expr);
    return hash;
}

static void fingerprints_tell_functions_apart_and_find_other_spellings(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"relu(x)", "max(x,0)", true},
        {"relu(x)", "0.5*(x+abs(x))", true},
        {"x*sigmoid(x)", "x/(1+exp(-x))", true},
        {"softplus(x)", "log(1+exp(x))", true},
        {"tanh(x)", "2*sigmoid(2*x)-1", true},
        {"b0*x+b1*x^2", "b1*x+b0*x^2", true},
        {"x*x", "x^2", true},
        {"-x^2", "(-x)^2", false},
        {"sin(x)", "cos(x)", false},
        {"b*x", "x", false},
        {"b*x", "b^2*x", false},
        {"b*x; b=0.25", "b*x", false},
        {"b0*x+b1; b0=0.25", "b0*x+b1; b1=0.25", false},
        {"b0*x+b1; b0=0.25", "b0+b1*x; b1=0.25", true},
        {"b0*b1*x", "b0^2*x", false},
        {"0*x", "-0*x", true},  /* −0 counts as 0 */
        {"x", "x+1e-12", true}, /* ten digits */
        {"x", "x+1e-6", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum verdict verdict;
        struct hash a = print_of(rows[i].a, &verdict), b = print_of(rows[i].b, &verdict);
        if ((memcmp(&a, &b, sizeof a) == 0) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
        struct expr *left = parsed(rows[i].a), *right = parsed(rows[i].b);
        if (expr_same_function(left, right) != rows[i].same)
            fail_msg("same function: %s and %s", rows[i].a, rows[i].b);
        expr_destroy(&left);
        expr_destroy(&right);
    }
}

static void verdicts_say_why_a_function_is_not_worth_a_trial(void **state)
{
    static const struct {
        const char *text;
        enum verdict verdict;
    } rows[] = {
        {"x", VERDICT_USABLE},
        {"relu(x)", VERDICT_USABLE},
        {"x*sigmoid(b*x)", VERDICT_USABLE},
        {"1/(x+1e-6)", VERDICT_USABLE},
        {"log(abs(x)+1e-6)", VERDICT_USABLE},
        {"3", VERDICT_CONSTANT},
        {"b", VERDICT_CONSTANT},
        {"0*x", VERDICT_CONSTANT},
        {"x-x", VERDICT_CONSTANT},
        {"x/x", VERDICT_CONSTANT},
        {"cosh(x)^2-sinh(x)^2-1+1e5", VERDICT_CONSTANT}, /* to ten digits */
        {"sqrt(x)", VERDICT_NOT_FINITE},
        {"log(x)", VERDICT_NOT_FINITE},
        {"exp(exp(exp(x)))", VERDICT_NOT_FINITE},
        {"1/(x-x)", VERDICT_NOT_FINITE},
        {"sqrt(relu(x))", VERDICT_SLOPE_NOT_FINITE},
        {"b*x; b=0", VERDICT_CONSTANT}, /* at its initial value */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum verdict verdict;
        print_of(rows[i].text, &verdict);
        if (verdict != rows[i].verdict)
            fail_msg("%s: %s", rows[i].text, verdict_text(verdict));
    }
}

static void the_grid_is_ascending_within_its_range_and_off_zero(void **state)
{
    (void)state;
    const double *grid = fingerprint_grid();
    for (int i = 0; i < FINGERPRINT_POINTS; i++) {
        assert_true(grid[i] > -5 && grid[i] < 5 && (i == 0 || grid[i] > grid[i - 1]));
        assert_true(fabs(grid[i] * 2 - round(grid[i] * 2)) > 1e-3); /* off 0, ½, 1 … */
    }
}

/* A fingerprint is stored in databases and compared between machines: it must never change by itself. */
static void fingerprints_stay_what_they_are(void **state)
{
    (void)state;
    enum verdict verdict;
    struct hash hash = print_of("x*sigmoid(b*x)", &verdict);
    char hex[HASH_HEX];
    hash_hex(&hash, hex);
    assert_string_equal(hex, "e09e2b2b3c0244ca6b55ab94062813ef5e8a2d07d21f119c1087c74c9d3c539f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_form_is_the_one_that_people_write),
        cmocka_unit_test(it_is_idempotent_and_the_same_however_operands_stand_and_parameters_are_numbered),
        cmocka_unit_test(parameters_in_perfect_symmetry_take_no_time_and_have_one_form),
        cmocka_unit_test(equal_canonical_forms_have_equal_fingerprints_and_keep_the_function),
        cmocka_unit_test(fingerprints_tell_functions_apart_and_find_other_spellings),
        cmocka_unit_test(verdicts_say_why_a_function_is_not_worth_a_trial),
        cmocka_unit_test(the_grid_is_ascending_within_its_range_and_off_zero),
        cmocka_unit_test(fingerprints_stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
