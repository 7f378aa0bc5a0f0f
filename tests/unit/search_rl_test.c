/* Promises of the controller's search: what it learns, and that its course hangs on the seed and the rewards
 * alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/matrix.h"
#include "coordinator/search/search.h"

#include "tests/unit/search_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void the_state_does_not_depend_on_the_order_of_the_reports(void **state)
{
    (void)state;
    check_order_of_reports(ALGORITHM_RL);
}

static void a_batch_waits_for_its_last_reward(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 1);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    for (uint64_t version = 0; version < 3; version++) {
        for (uint64_t i = 0; i < 8; i++) {
            assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
            assert_int_equal(proposal.number, version * 8 + i);
            assert_int_equal(proposal.policy_version, version);
        }
        for (uint64_t i = 0; i < 8; i++) {
            assert_int_equal(search_next(search, &proposal), SEARCH_WAIT);
            assert_int_equal(search_status(search).policy_version, version);
            search_report(search, version * 8 + 7 - i, 0.5);
        }
    }
    assert_int_equal(search_status(search).policy_version, 3);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_state_saved_at_any_moment_of_a_batch_goes_on_bit_for_bit(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 7);
    experiment.rl.layers = 2;
    struct search *a = search_new(&experiment, space);
    struct proposal proposal, open[8];
    for (int moment = 0; moment < 32;
         moment++) { /* two batches, saved before each proposal and each report */
        struct search *b = twin_of(a, &experiment, space);
        assert_same_state(a, b);
        if (moment % 16 < 8) {
            assert_int_equal(search_next(a, &proposal), SEARCH_PROPOSED);
            assert_int_equal(search_next(b, &open[moment % 16]), SEARCH_PROPOSED);
            assert_memory_equal(proposal.tokens, open[moment % 16].tokens, sizeof proposal.tokens);
            assert_true(proposal.log_probability == open[moment % 16].log_probability);
        } else {
            const struct proposal *p = &open[15 - moment % 16];
            search_report(a, p->number, reward_of(space, p->tokens));
            search_report(b, p->number, reward_of(space, p->tokens));
        }
        assert_same_state(a, b);
        search_destroy(&a);
        a = b;
    }
    assert_int_equal(search_status(a).policy_version, 2);
    search_destroy(&a);
    space_destroy(&space);
}

static void a_damaged_state_of_a_controller_is_refused(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 7);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    run_batch(search, space, 8, NULL);
    for (int i = 0; i < 3; i++)
        search_next(search, &proposal);
    struct buf saved = state_of(search), model = model_of(search);
    for (size_t size = 0; size < saved.size; size += 7)
        assert_int_equal(load_fresh(&experiment, space, &model, saved.data, size), ERR_CORRUPT);
    for (size_t at = 0; at < saved.size; at += 9) {
        saved.data[at] ^= 0x10;
        assert_int_equal(load_fresh(&experiment, space, &model, saved.data, saved.size), ERR_CORRUPT);
        saved.data[at] ^= 0x10;
    }
    for (size_t at = 0; at < model.size; at += 89) {
        struct buf cut = {model.data, at + 1, 0};
        assert_int_equal(load_fresh(&experiment, space, &cut, saved.data, saved.size), ERR_CORRUPT);
        model.data[at] ^= 0x10;
        assert_int_equal(load_fresh(&experiment, space, &model, saved.data, saved.size), ERR_CORRUPT);
        model.data[at] ^= 0x10;
    }
    assert_int_equal(load_fresh(&experiment, space, &model, saved.data, saved.size), 0);
    experiment.rl.hidden++;
    assert_int_equal(load_fresh(&experiment, space, &model, saved.data, saved.size), ERR_CORRUPT);
    buf_release(&saved);
    buf_release(&model);
    search_destroy(&search);
    space_destroy(&space);
}

static void the_model_changes_with_the_version_only(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 7);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    assert_same_buf(model_of(search), (struct buf){0}); /* the start follows from the seed */
    for (uint64_t version = 0; version < 3; version++) {
        struct buf model = model_of(search);
        for (int i = 0; i < 8; i++)
            search_next(search, &proposal);
        for (uint64_t i = 0; i < 7; i++)
            search_report(search, version * 8 + i, 0.1 * (double)i);
        assert_same_buf(model, model_of(search));
        model = model_of(search);
        search_report(search, version * 8 + 7, 0.9);
        struct buf later = model_of(search), small = state_of(search);
        assert_true(later.size > 20 * small.size);
        assert_true(later.size != model.size || memcmp(later.data, model.data, later.size) != 0);
        buf_release(&model);
        buf_release(&later);
        buf_release(&small);
    }
    search_destroy(&search);
    space_destroy(&space);
}

static void a_state_and_a_model_of_different_versions_are_refused(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 7);
    struct search *search = search_new(&experiment, space);
    struct buf none = {0};
    run_batch(search, space, 8, NULL);
    struct buf old_state = state_of(search), old_model = model_of(search);
    run_batch(search, space, 8, NULL);
    struct buf new_state = state_of(search), new_model = model_of(search);
    assert_int_equal(load_fresh(&experiment, space, &old_model, old_state.data, old_state.size), 0);
    assert_int_equal(load_fresh(&experiment, space, &new_model, new_state.data, new_state.size), 0);
    assert_int_equal(load_fresh(&experiment, space, &old_model, new_state.data, new_state.size), ERR_CORRUPT);
    assert_int_equal(load_fresh(&experiment, space, &new_model, old_state.data, old_state.size), ERR_CORRUPT);
    assert_int_equal(load_fresh(&experiment, space, &none, new_state.data, new_state.size), ERR_CORRUPT);
    assert_int_equal(load_fresh(&experiment, space, &new_state, new_model.data, new_model.size), ERR_CORRUPT);
    buf_release(&old_state);
    buf_release(&old_model);
    buf_release(&new_state);
    buf_release(&new_model);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_forged_state_with_a_right_hash_is_read_within_bounds(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 7);
    struct search *search = search_new(&experiment, space);
    struct proposal proposal;
    run_batch(search, space, 8, NULL);
    for (int i = 0; i < 3; i++)
        search_next(search, &proposal);
    struct buf saved = state_of(search), model = model_of(search);
    static const uint64_t values[] = {0, 1, 2, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7ff8000000000000)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t at = 0; at < saved.size - 16; at += 4)
            load_forged(&experiment, space, &model, &saved, at, values[i]);
        for (size_t at = 0; at < model.size - 16; at += at < 120 ? 4 : 1003)
            load_forged(&experiment, space, &model, NULL, at, values[i]);
    }
    enum { IDENTITY = 8, PROPOSALS = 16, OPEN = 24, VERSION = 16 };
    assert_int_equal(load_forged(&experiment, space, &model, &saved, IDENTITY, 0), ERR_CORRUPT);
    assert_int_equal(load_forged(&experiment, space, &model, &saved, PROPOSALS, 9),
                     ERR_CORRUPT); /* fewer than handed out */
    assert_int_equal(load_forged(&experiment, space, &model, &saved, OPEN, UINT64_MAX), ERR_CORRUPT);
    assert_int_equal(load_forged(&experiment, space, &model, NULL, IDENTITY, 0), ERR_CORRUPT);
    assert_int_equal(load_forged(&experiment, space, &model, NULL, VERSION, 0), ERR_CORRUPT);
    buf_release(&saved);
    buf_release(&model);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_reward_with_a_known_optimum_is_learnt_and_entropy_falls(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 2);
    experiment.search.batch = 20;
    experiment.rl.repeats = true;
    struct search *search = search_new(&experiment, space);
    double first = run_batch(search, space, 20, NULL), last = 0;
    struct search_status at_first = search_status(search);
    for (int i = 0; i < 150; i++)
        last = run_batch(search, space, 20, NULL);
    struct search_status at_last = search_status(search);
    assert_true(first < 0.6);
    assert_true(last > 0.9);
    assert_true(at_first.entropy > 1.0 && at_last.entropy < 0.5 * at_first.entropy);
    assert_true(fabs(at_last.baseline - last) < 0.1);
    search_destroy(&search);
    space_destroy(&space);
}

static void what_is_learnt_of_each_token_is_visible(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 2);
    experiment.search.batch = 20;
    struct search *search = search_new(&experiment, space);
    assert_int_equal(search_status(search).tokens, 0);
    run_batch(search, space, 20, NULL);
    struct search_status status = search_status(search);
    double sum = 0;
    int choosable = 0;
    assert_int_equal(status.tokens, space_tokens(space));
    for (int at = 0; at < status.tokens; at++) { /* still nearly uniform */
        double choices = space_choices(space, at);
        assert_true(fabs(status.token[at].entropy - log(choices)) < 0.05);
        assert_true(fabs(status.token[at].probability - 1 / choices) < 0.15);
        sum += status.token[at].entropy;
        choosable += choices > 1;
    }
    assert_true(fabs(status.entropy - sum / choosable) < 1e-12);
    for (int i = 0; i < 150; i++)
        run_batch(search, space, 20, NULL);
    status = search_status(search);
    for (int at = 0; at < status.tokens; at++) {
        assert_int_equal(status.token[at].likeliest, space_choices(space, at) > 1 ? 1 : 0);
        assert_true(status.token[at].probability > 0.6);
        assert_true(status.token[at].entropy < 0.8 * log(space_choices(space, at)) + 1e-12);
    }
    struct search *twin = twin_of(search, &experiment, space);
    struct search_status again = search_status(twin);
    assert_memory_equal(&again, &status, sizeof status);
    search_destroy(&twin);
    search_destroy(&search);
    space_destroy(&space);
}

/* All sequences drawn so far, in the order of their numbers. */
struct drawn {
    size_t count;
    uint16_t tokens[400][SPACE_MAX_TOKENS];
};

static bool was_drawn(const struct drawn *drawn, const uint16_t *tokens)
{
    for (size_t i = 0; i < drawn->count; i++)
        if (memcmp(drawn->tokens[i], tokens, sizeof drawn->tokens[i]) == 0)
            return true;
    return false;
}

/* Runs whole batches until `drawn` has `count`, and returns how many of them had been drawn before. */
static size_t draw_until(struct search *search, const struct space *space, size_t count, struct drawn *drawn)
{
    size_t repeated = 0;
    while (drawn->count < count) {
        struct proposal proposal[8];
        for (int i = 0; i < 8; i++) {
            assert_int_equal(search_next(search, &proposal[i]), SEARCH_PROPOSED);
            repeated += was_drawn(drawn, proposal[i].tokens);
            memcpy(drawn->tokens[drawn->count++], proposal[i].tokens, sizeof proposal[i].tokens);
        }
        for (int i = 0; i < 8; i++)
            search_report(search, proposal[i].number, reward_of(space, proposal[i].tokens));
    }
    return repeated;
}

static void no_sequence_is_proposed_twice_however_settled_the_policy(void **state)
{
    (void)state;
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 2);
    experiment.rl.entropy = 0;
    experiment.rl.lr = 0.03; /* it collapses at once */
    struct drawn *drawn = xcalloc(1, sizeof *drawn);
    struct search *search = search_new(&experiment, space);
    assert_int_equal(draw_until(search, space, 200, drawn), 0);
    struct search *twin =
        twin_of(search, &experiment, space); /* nor by one that goes on from what is saved */
    search_destroy(&search);
    assert_int_equal(draw_until(twin, space, 400, drawn), 0);
    search_destroy(&twin);
    drawn->count = 0;
    experiment.rl.repeats = true;
    search = search_new(&experiment, space);
    assert_true(draw_until(search, space, 400, drawn) > 100);
    search_destroy(&search);
    space_destroy(&space);
    free(drawn);
}

static void an_exhausted_space_is_proposed_whole_and_then_again(void **state)
{
    (void)state;
    struct space *space = small_space(1); /* 48 sequences */
    struct experiment experiment = small_experiment(ALGORITHM_RL, 2);
    struct drawn *drawn = xcalloc(1, sizeof *drawn);
    struct search *search = search_new(&experiment, space);
    size_t early = draw_until(search, space, 40, drawn);
    assert_in_range(early, 0, 4); /* the last ones may not be found by chance */
    assert_in_range(draw_until(search, space, 240, drawn), 200 - 8, 200);
    size_t distinct = 0;
    for (size_t i = 0; i < drawn->count; i++) {
        struct drawn before = {.count = i};
        memcpy(before.tokens, drawn->tokens, i * sizeof *drawn->tokens);
        distinct += !was_drawn(&before, drawn->tokens[i]);
    }
    assert_int_equal(distinct, 48);
    search_destroy(&search);
    space_destroy(&space);
    free(drawn);
}

/* Only the very first proposal has a reward: of its tokens that matter and have a choice, how many the policy
 * prefers as they were, after so many batches; and how many there are. */
static int preferred(int64_t replay, int batches, int *ret_free)
{
    struct space *space = small_space(2);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 2);
    experiment.rl.replay = replay;
    struct search *search = search_new(&experiment, space);
    struct proposal first, proposal;
    int same = 0;
    for (int i = 0; i < 8 * batches; i++) {
        search_next(search, i == 0 ? &first : &proposal);
        for (int j = 0; i % 8 == 7 && j < 8; j++)
            search_report(search, (uint64_t)(i - 7 + j), i - 7 + j == 0 ? 1 : 0);
    }
    struct search_status status = search_status(search);
    bool relevant[SPACE_MAX_TOKENS];
    space_relevant(space, first.tokens, relevant);
    *ret_free = 0;
    for (int at = 0; at < status.tokens; at++) {
        if (space_choices(space, at) == 1 || !relevant[at])
            continue;
        ++*ret_free;
        same += status.token[at].likeliest == first.tokens[at] && status.token[at].probability > 0.6;
    }
    search_destroy(&search);
    space_destroy(&space);
    return same;
}

static void the_best_so_far_is_learnt_again_though_it_is_not_proposed_again(void **state)
{
    (void)state;
    int choosable;
    const int without = preferred(0, 120, &choosable), with = preferred(1, 120, &choosable);
    assert_true(without <= choosable / 2);
    assert_true(with >= choosable - 1);
}

static void rewards_that_are_all_equal_teach_nothing(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 2);
    experiment.rl.entropy = 0;
    struct search *search = search_new(&experiment, space);
    struct proposal proposal[8], again;
    for (int i = 0; i < 8; i++)
        search_next(search, &proposal[i]);
    for (int i = 0; i < 8; i++)
        search_report(search, (uint64_t)i, 0);
    for (int i = 0; i < 2000;
         i++) { /* the policy is still that of the start: the same tokens, the same probability */
        search_next(search, &again);
        if (memcmp(again.tokens, proposal[0].tokens, sizeof again.tokens) == 0)
            assert_true(again.log_probability == proposal[0].log_probability);
        search_report(search, again.number, 0);
        for (int j = 1; j < 8; j++) {
            search_next(search, &again);
            search_report(search, again.number, 0);
        }
    }
    search_destroy(&search);
    space_destroy(&space);
}

static void the_log_probability_is_that_of_the_whole_sequence(void **state)
{
    (void)state;
    struct space *space = space_of(1, "x", "x1+x2, x1*x2"); /* one token with two choices */
    struct experiment experiment = small_experiment(ALGORITHM_RL, 3);
    struct search *search = search_new(&experiment, space);
    double of_choice[2] = {0, 0};
    for (int i = 0; i < 8; i++) {
        struct proposal proposal;
        search_next(search, &proposal);
        of_choice[proposal.tokens[TOKEN_BINARY]] = proposal.log_probability;
    }
    assert_true(of_choice[0] < 0 && of_choice[1] < 0);
    assert_true(fabs(exp(of_choice[0]) + exp(of_choice[1]) - 1) < 1e-12);
    search_destroy(&search);
    space_destroy(&space);
}

static void a_space_without_a_choice_is_proposed_with_probability_one(void **state)
{
    (void)state;
    struct space *space = space_of(1, "x", "x1+x2");
    struct experiment experiment = small_experiment(ALGORITHM_RL, 3);
    struct search *search = search_new(&experiment, space);
    for (int i = 0; i < 24; i++) {
        struct proposal proposal;
        assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
        assert_true(proposal.log_probability == 0);
        search_report(search, proposal.number, 0.1 * (i % 8));
    }
    assert_true(search_status(search).entropy == 0);
    search_destroy(&search);
    space_destroy(&space);
}

static void every_unit_up_to_the_most_is_proposed_within_its_choices(void **state)
{
    (void)state;
    struct space *space = small_space(SPACE_MAX_UNITS);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 3);
    struct search *search = search_new(&experiment, space);
    for (int i = 0; i < 80; i++) {
        struct proposal proposal;
        assert_int_equal(search_next(search, &proposal), SEARCH_PROPOSED);
        for (int at = 0; at < space_tokens(space); at++)
            assert_true(proposal.tokens[at] < space_choices(space, at));
        search_report(search, proposal.number, reward_of(space, proposal.tokens));
    }
    search_destroy(&search);
    space_destroy(&space);
}

static void a_batch_larger_than_one_pass_is_learnt_from(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct experiment experiment = small_experiment(ALGORITHM_RL, 3);
    experiment.search.batch = 150;
    experiment.rl.repeats = true;
    struct search *search = search_new(&experiment, space);
    double sum[2] = {0};
    for (int batch = 0; batch < 40; batch++) {
        struct proposal proposal[150];
        for (int i = 0; i < 150; i++)
            assert_int_equal(search_next(search, &proposal[i]), SEARCH_PROPOSED);
        for (int i = 0; i < 150; i++) {
            sum[batch >= 20] += reward_of(space, proposal[i].tokens);
            search_report(search, proposal[i].number, reward_of(space, proposal[i].tokens));
        }
    }
    assert_int_equal(search_status(search).policy_version, 40);
    assert_true(sum[1] > 1.2 * sum[0]);
    search_destroy(&search);
    space_destroy(&space);
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_does_not_depend_on_the_order_of_the_reports),
        cmocka_unit_test(a_batch_waits_for_its_last_reward),
        cmocka_unit_test(a_state_saved_at_any_moment_of_a_batch_goes_on_bit_for_bit),
        cmocka_unit_test(a_damaged_state_of_a_controller_is_refused),
        cmocka_unit_test(the_model_changes_with_the_version_only),
        cmocka_unit_test(a_state_and_a_model_of_different_versions_are_refused),
        cmocka_unit_test(a_forged_state_with_a_right_hash_is_read_within_bounds),
        cmocka_unit_test(a_reward_with_a_known_optimum_is_learnt_and_entropy_falls),
        cmocka_unit_test(what_is_learnt_of_each_token_is_visible),
        cmocka_unit_test(no_sequence_is_proposed_twice_however_settled_the_policy),
        cmocka_unit_test(an_exhausted_space_is_proposed_whole_and_then_again),
        cmocka_unit_test(the_best_so_far_is_learnt_again_though_it_is_not_proposed_again),
        cmocka_unit_test(rewards_that_are_all_equal_teach_nothing),
        cmocka_unit_test(the_log_probability_is_that_of_the_whole_sequence),
        cmocka_unit_test(a_space_without_a_choice_is_proposed_with_probability_one),
        cmocka_unit_test(every_unit_up_to_the_most_is_proposed_within_its_choices),
        cmocka_unit_test(a_batch_larger_than_one_pass_is_learnt_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
