#include "coordinator/admit.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Unary 0…4 and binary 0…2 of a space of one unit. */
static struct space *small_space(void)
{
    struct space_settings settings = {.units = 1,
                                      .unary = "x, -x, tanh(x), 3, log(x)",
                                      .binary = "x1+x2, x1*x2, x1-x2",
                                      .beta_init = 1,
                                      .epsilon = 1e-6};
    struct space *space = NULL;
    struct problem problem = {0};
    assert_int_equal(space_new(&settings, &space, &problem), 0);
    return space;
}

static struct admission admit_unit(struct admit *admit, int unary_1, int unary_2, int binary, int64_t next)
{
    uint16_t tokens[SPACE_MAX_TOKENS] = {0};
    tokens[TOKEN_UNARY_1] = (uint16_t)unary_1;
    tokens[TOKEN_UNARY_2] = (uint16_t)unary_2;
    tokens[TOKEN_BINARY] = (uint16_t)binary;
    return admit_tokens(admit, tokens, next);
}

static void a_new_function_becomes_the_next_candidate(void **state)
{
    (void)state;
    struct space *space = small_space();
    struct admit admit;
    admit_start(&admit, space);
    struct admission admission = admit_unit(&admit, 0, 2, 0, 1);
    assert_int_equal(admission.outcome, PROPOSAL_NEW);
    assert_int_equal(admission.candidate, 1);
    assert_int_equal(admission.verdict, VERDICT_USABLE);
    assert_int_not_equal(strlen(admission.activation), 0);
    admit_release(&admit);
    space_destroy(&space);
}

static void the_same_function_by_another_string_is_a_duplicate(void **state)
{
    (void)state;
    struct space *space = small_space();
    struct admit admit;
    admit_start(&admit, space);
    admit_unit(&admit, 0, 2, 0, 1);                            /* x + tanh(x) */
    struct admission swapped = admit_unit(&admit, 2, 0, 0, 2); /* tanh(x) + x */
    struct admission negated = admit_unit(&admit, 0, 1, 2, 2); /* x − (−x): another function */
    struct admission doubled = admit_unit(&admit, 0, 0, 0, 3); /* x + x: the same as that */
    assert_int_equal(swapped.outcome, PROPOSAL_DUPLICATE);
    assert_int_equal(swapped.candidate, 1);
    assert_int_equal(negated.outcome, PROPOSAL_NEW);
    assert_int_equal(doubled.outcome, PROPOSAL_DUPLICATE);
    assert_int_equal(doubled.candidate, 2);
    admit_release(&admit);
    space_destroy(&space);
}

static void a_hopeless_function_is_rejected_with_its_reason_each_time(void **state)
{
    (void)state;
    struct space *space = small_space();
    struct admit admit;
    admit_start(&admit, space);
    for (int i = 0; i < 2; i++) {
        struct admission constant = admit_unit(&admit, 3, 3, 0, 1);
        assert_int_equal(constant.outcome, PROPOSAL_REJECTED);
        assert_int_equal(constant.verdict, VERDICT_CONSTANT);
        assert_int_equal(constant.candidate, 0);
        struct admission logarithm = admit_unit(&admit, 4, 0, 0, 1);
        assert_int_equal(logarithm.outcome, PROPOSAL_REJECTED);
        assert_int_equal(logarithm.verdict, VERDICT_NOT_FINITE);
    }
    admit_release(&admit);
    space_destroy(&space);
}

static void a_reference_is_a_candidate_even_where_it_is_hopeless(void **state)
{
    (void)state;
    struct space *space = small_space();
    struct problem problem = {0};
    struct expr *expr = NULL;
    struct admit admit;
    admit_start(&admit, space);
    assert_int_equal(expr_parse("log(x)+x", &expr, &problem), 0);
    assert_int_equal(admit_reference(&admit, expr, 1).outcome, PROPOSAL_NEW);
    struct admission again = admit_unit(&admit, 4, 0, 0, 2); /* proposed too: it has a reward of its own */
    assert_int_equal(again.outcome, PROPOSAL_DUPLICATE);
    assert_int_equal(again.candidate, 1);
    expr_destroy(&expr);
    admit_release(&admit);
    space_destroy(&space);
}

static void a_restored_admit_answers_the_same(void **state)
{
    (void)state;
    struct space *space = small_space();
    struct admit first, restored;
    struct problem problem = {0};
    struct candidate_row row = {0};
    admit_start(&first, space);
    admit_start(&restored, space);
    int64_t count = 0;
    for (int half = 0; half < 2; half++) {
        for (int at = half; at < 5 * 5 * 3; at += 2) {
            struct admission a = admit_unit(&first, at % 5, at / 5 % 5, at / 25, count + 1);
            if (half == 1) { /* after the restart */
                struct admission b = admit_unit(&restored, at % 5, at / 5 % 5, at / 25, count + 1);
                assert_int_equal(a.outcome, b.outcome);
                assert_int_equal(a.verdict, b.verdict);
                assert_int_equal(a.candidate, b.candidate);
                assert_string_equal(a.activation, b.activation);
            } else if (a.outcome == PROPOSAL_NEW) {
                row = (struct candidate_row){
                    .id = count + 1, .activation = a.activation, .fingerprint = a.fingerprint};
                assert_int_equal(admit_restore(&restored, &row, &problem), 0);
            }
            count += a.outcome == PROPOSAL_NEW;
        }
    }
    row.id = count + 1; /* the fingerprint of another one, and not the same text */
    assert_int_equal(admit_restore(&restored, &row, &problem), ERR_CORRUPT);
    row = (struct candidate_row){.id = count + 1, .activation = "x + tanh(x)", .reference = true};
    assert_int_equal(admit_restore(&restored, &row, &problem), ERR_CORRUPT);
    row = (struct candidate_row){.id = count + 1, .activation = "tanh("};
    assert_int_equal(admit_restore(&restored, &row, &problem), ERR_CORRUPT);
    admit_release(&first);
    admit_release(&restored);
    space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_function_becomes_the_next_candidate),
        cmocka_unit_test(the_same_function_by_another_string_is_a_duplicate),
        cmocka_unit_test(a_hopeless_function_is_rejected_with_its_reason_each_time),
        cmocka_unit_test(a_reference_is_a_candidate_even_where_it_is_hopeless),
        cmocka_unit_test(a_restored_admit_answers_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
