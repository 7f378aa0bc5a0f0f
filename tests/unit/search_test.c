/* Promises of every search algorithm, and of exhaustive and random. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/search/search.h"

#include "tests/unit/search_fixture.h"

#include <string.h>

enum { STRINGS = 4 * 4 * 3 };

/* The number of a sequence in a one-unit space, as space_unrank counts. */
static int rank_of(const struct space *space, const uint16_t *tokens)
{
    int rank = 0;
    for (int at = 0; at < space_tokens(space); at++)
        rank = rank * space_choices(space, at) + tokens[at];
    return rank;
}

static void exhaustive_proposes_each_sequence_once_in_order(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_EXHAUSTIVE, 1);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    for (int i = 0; i < STRINGS; i++) {
        assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
        assert_int_equal(proposal.number, i);
        assert_int_equal(rank_of(space, proposal.tokens), i);
    }
    assert_int_equal(search_next(search, &proposal), SEARCH_DONE);
    assert_int_equal(search_next(search, &proposal), SEARCH_DONE);
    search_destroy(&search);
    space_destroy(&space);
}

static void random_proposes_each_sequence_once_in_an_order_of_its_seed(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    int order[2][STRINGS];
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct experiment experiment = small_experiment(ALGORITHM_RANDOM, seed);
        struct search *search = search_new(&experiment, space);
        struct proposal proposal;
        bool seen[STRINGS] = {false};
        for (int i = 0; i < STRINGS; i++) {
            assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
            int rank = rank_of(space, proposal.tokens);
            assert_false(seen[rank]);
            seen[rank] = true;
            order[seed][i] = rank;
        }
        assert_int_equal(search_next(search, &proposal), SEARCH_DONE);
        search_destroy(&search);
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    space_destroy(&space);
}

static void random_chooses_each_token_equally_often(void **state)
{
    (void)state;
    struct space *space = small_space(3);
    struct experiment experiment = small_experiment(ALGORITHM_RANDOM, 5);
    struct search *search = search_new(&experiment, space);
    enum { PROPOSALS = 12000 };
    int count[SPACE_MAX_TOKENS][4] = {{0}};
    for (int i = 0; i < PROPOSALS; i++) {
        struct proposal proposal;
        assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
        for (int at = 0; at < space_tokens(space); at++) {
            assert_true(proposal.tokens[at] < space_choices(space, at));
            count[at][proposal.tokens[at]]++;
        }
    }
    for (int at = 0; at < space_tokens(space); at++)
        for (int choice = 0; choice < space_choices(space, at); choice++)
            assert_in_range(count[at][choice] * space_choices(space, at), PROPOSALS * 9 / 10,
                            PROPOSALS * 11 / 10);
    search_destroy(&search);
    space_destroy(&space);
}

static void random_goes_on_in_a_space_too_large_to_count(void **state)
{
    (void)state;
    struct space *space = large_space();
    struct experiment experiment = small_experiment(ALGORITHM_RANDOM, 5);
    struct search *search = search_new(&experiment, space);
    struct proposal a, b;
    assert_int_equal(search_next(search, &a), SEARCH_PROPOSED);
    assert_int_equal(search_next(search, &b), SEARCH_PROPOSED);
    assert_memory_not_equal(a.tokens, b.tokens, sizeof a.tokens);
    search_destroy(&search);
    space_destroy(&space);
}

static void the_status_counts_proposals_and_rewards(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RANDOM, 1);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    for (int i = 0; i < 5; i++)
        search_next(search, &proposal);
    search_report(search, 3, 0.5);
    search_report(search, 0, 1);
    struct search_status status = search_status(search);
    assert_int_equal(status.proposals, 5);
    assert_int_equal(status.rewards, 2);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_second_report_of_a_proposal_is_an_impossible_state(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RANDOM, 1);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    search_next(search, &proposal);
    search_report(search, 0, 0.5);
    assert_true(aborts_on_report(search, 0));
    assert_true(aborts_on_report(search, 1));
    search_destroy(&search);
    space_destroy(&space);
}

static void a_saved_state_goes_on_the_same(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    for (int algorithm = ALGORITHM_EXHAUSTIVE; algorithm <= ALGORITHM_RANDOM; algorithm++) {
        struct experiment experiment = small_experiment((enum algorithm)algorithm, 9);
        struct search *a = search_new(&experiment, space);
        struct proposal from_a, from_b;
        for (int i = 0; i < 10; i++)
            search_next(a, &from_a);
        search_report(a, 4, 0.25);
        struct search *b = twin_of(a, &experiment, space);
        assert_same_state(a, b);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(search_next(a, &from_a), SEARCH_PROPOSED);
            assert_int_equal(search_next(b, &from_b), SEARCH_PROPOSED);
            assert_int_equal(from_a.number, from_b.number);
            assert_memory_equal(from_a.tokens, from_b.tokens, sizeof from_a.tokens);
        }
        assert_true(aborts_on_report(b, 4));
        search_report(b, 5, 0.25);
        search_destroy(&a);
        search_destroy(&b);
    }
    space_destroy(&space);
}

static void a_damaged_state_is_refused(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RANDOM, 9);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    for (int i = 0; i < 3; i++)
        search_next(search, &proposal);
    struct buf saved = {0}, none = {0};
    search_save(search, &saved);
    for (size_t size = 0; size < saved.size; size++)
        assert_int_equal(load_fresh(&experiment, space, &none, saved.data, size), ERR_CORRUPT);
    for (size_t at = 0; at < saved.size; at++) {
        saved.data[at] ^= 1;
        assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), ERR_CORRUPT);
        saved.data[at] ^= 1;
    }
    assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), 0);
    buf_release(&saved);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_state_of_another_experiment_is_refused(void **state)
{
    (void)state;
    struct space *space = small_space(1), *other_space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_RANDOM, 9);
    struct search *search = search_new(&experiment, space);
    struct buf saved = {0}, none = {0};
    search_save(search, &saved);
    assert_int_equal(load_fresh(&experiment, space, &none, saved.data, saved.size), 0);
    assert_int_equal(load_fresh(&experiment, other_space, &none, saved.data, saved.size), ERR_CORRUPT);
    struct experiment other = experiment;
    other.seed = 10;
    assert_int_equal(load_fresh(&other, space, &none, saved.data, saved.size), ERR_CORRUPT);
    other = experiment;
    other.search.algorithm = ALGORITHM_EXHAUSTIVE;
    assert_int_equal(load_fresh(&other, space, &none, saved.data, saved.size), ERR_CORRUPT);
    buf_release(&saved);
    search_destroy(&search);
    space_destroy(&space);
    space_destroy(&other_space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exhaustive_proposes_each_sequence_once_in_order),
        cmocka_unit_test(random_proposes_each_sequence_once_in_an_order_of_its_seed),
        cmocka_unit_test(random_chooses_each_token_equally_often),
        cmocka_unit_test(random_goes_on_in_a_space_too_large_to_count),
        cmocka_unit_test(the_status_counts_proposals_and_rewards),
        cmocka_unit_test(a_second_report_of_a_proposal_is_an_impossible_state),
        cmocka_unit_test(a_saved_state_goes_on_the_same),
        cmocka_unit_test(a_damaged_state_is_refused),
        cmocka_unit_test(a_state_of_another_experiment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
