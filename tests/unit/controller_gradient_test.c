/* The gradient of the whole loss (policy, clipping, entropy; through heads, LSTM and embeddings) against
 * central differences. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/search/ppo.h"

#include "tests/unit/search_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWN = 6, BATCH = 8 /* two are replayed */, HIDDEN = 5, LAYERS = 2, UNITS = 3 };

struct setup {
    struct space *space;
    struct controller *controller;
    struct pass *pass;
    struct ppo_batch batch;
    struct ppo_settings settings;
    double *old, *advantage, *gradient;
    bool *relevant;
};

/* A batch whose ratios lie on both sides of the clip range, with advantages of both signs; `capacity` of the
 * pass. */
static struct setup setup_new(size_t capacity)
{
    struct setup setup = {.space = small_space(UNITS), .settings = {.clip = 0.2, .entropy_weight = 0.3}};
    struct rng rng = rng_seed(3, "test", 0);
    setup.controller = controller_new(setup.space, HIDDEN, LAYERS, &rng);
    for (size_t i = 0; i < setup.controller->count; i++) /* away from the near-linear start */
        setup.controller->weights[i] *= 8;
    setup.pass = pass_new(setup.controller, capacity);
    size_t steps = setup.controller->steps;
    setup.old = xcalloc(BATCH * steps, sizeof(double));
    setup.relevant = xcalloc(BATCH * steps, sizeof(bool));
    setup.advantage = xcalloc(BATCH, sizeof(double));
    setup.gradient = xcalloc(setup.controller->count, sizeof(double));
    setup.batch = (struct ppo_batch){BATCH,     DRAWN,          xcalloc(BATCH * steps, sizeof(uint16_t)),
                                     setup.old, setup.relevant, setup.advantage};
    for (size_t first = 0; first < BATCH; first += capacity) {
        size_t count = BATCH - first < capacity ? BATCH - first : capacity;
        controller_forward(setup.controller, setup.pass, count, setup.batch.tokens + first * steps, &rng);
        for (size_t b = 0; b < count; b++)
            for (size_t t = 0; t < steps; t++) {
                uint16_t token = setup.batch.tokens[(first + b) * steps + t];
                double now = pass_row(setup.controller, setup.pass, setup.pass->log_probability, t, b)[token];
                double other = now + 0.8 * rng_uniform(&rng) - 0.4;
                setup.old[(first + b) * steps + t] = first + b >= DRAWN ? NAN : now == 0 ? 0 : other;
            }
    }
    for (size_t b = 0; b < BATCH; b++) {
        setup.advantage[b] = rng_normal(&rng);
        space_relevant(setup.space, setup.batch.tokens + b * steps, setup.relevant + b * steps);
    }
    return setup;
}

static void setup_release(struct setup *setup)
{
    free(setup->batch.tokens);
    free(setup->old);
    free(setup->relevant);
    free(setup->advantage);
    free(setup->gradient);
    pass_destroy(&setup->pass);
    controller_destroy(&setup->controller);
    space_destroy(&setup->space);
}

static double loss_of(struct setup *setup, double *gradient)
{
    return ppo_gradient(setup->controller, setup->pass, &setup->batch, &setup->settings, gradient, NULL);
}

/* |analytic − numeric| over the group, relative to its norm. Fourth-order central differences. */
static double group_error(struct setup *setup, struct parameter_group group, double *ret_norm)
{
    double *scratch = xcalloc(setup->controller->count, sizeof(double)), difference = 0, norm = 0;
    for (size_t i = group.first; i < group.first + group.count; i++) {
        double *weight = &setup->controller->weights[i], kept = *weight, step = 1e-3, at[4];
        for (int k = 0; k < 4; k++) {
            *weight = kept + step * (double[]){-2, -1, 1, 2}[k];
            at[k] = loss_of(setup, scratch);
        }
        *weight = kept;
        double numeric = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step);
        difference += (numeric - setup->gradient[i]) * (numeric - setup->gradient[i]);
        norm += numeric * numeric;
    }
    free(scratch);
    *ret_norm = sqrt(norm);
    return sqrt(difference) / (sqrt(norm) + 1e-9);
}

static void check_groups(struct setup *setup)
{
    const struct controller *controller = setup->controller;
    loss_of(setup, setup->gradient);
    double norm;
    assert_true(group_error(setup, controller->start, &norm) < 1e-6);
    assert_true(norm > 0);
    assert_true(group_error(setup, controller->lstm, &norm) < 1e-6);
    assert_true(norm > 0);
    for (int kind = 0; kind < TOKEN_KINDS; kind++) {
        assert_true(group_error(setup, controller->embedding[kind], &norm) < 1e-6);
        assert_true(norm > 0);
        assert_true(group_error(setup, controller->head[kind], &norm) < 1e-6);
        assert_true(norm > 0);
    }
}

static void the_gradient_of_the_loss_is_that_of_finite_differences(void **state)
{
    (void)state;
    struct setup setup = setup_new(BATCH);
    check_groups(&setup);
    setup_release(&setup);
}

static void a_batch_larger_than_the_pass_has_the_same_loss_and_gradient(void **state)
{
    (void)state;
    struct setup whole = setup_new(BATCH), parts = setup_new(BATCH);
    pass_destroy(&parts.pass);
    parts.pass = pass_new(parts.controller, 4);
    double difference = loss_of(&whole, whole.gradient) - loss_of(&parts, parts.gradient);
    assert_true(fabs(difference) < 1e-12);
    for (size_t i = 0; i < whole.controller->count; i++)
        assert_true(fabs(whole.gradient[i] - parts.gradient[i]) < 1e-12);
    setup_release(&whole);
    setup_release(&parts);
}

/* Which side of the clip range the tokens of the batch lie on. */
static void the_batch_of_this_test_has_clipped_and_unclipped_tokens_of_both_signs(void **state)
{
    (void)state;
    struct setup setup = setup_new(BATCH);
    loss_of(&setup, setup.gradient);
    int seen[2][3] = {{0}};
    for (size_t b = 0; b < DRAWN; b++)
        for (size_t t = 0; t < setup.controller->steps; t++) {
            size_t at = b * setup.controller->steps + t;
            double *row = pass_row(setup.controller, setup.pass, setup.pass->log_probability, t, b);
            double ratio = exp(row[setup.batch.tokens[at]] - setup.old[at]);
            seen[setup.advantage[b] > 0][ratio < 0.8 ? 0 : ratio > 1.2 ? 2 : 1]++;
            assert_true(fabs(ratio - 0.8) > 1e-3 &&
                        fabs(ratio - 1.2) > 1e-3); /* no kink within a difference */
        }
    for (int sign = 0; sign < 2; sign++)
        for (int side = 0; side < 3; side++)
            assert_true(seen[sign][side] > 0);
    setup_release(&setup);
}

static void a_forced_token_costs_nothing_and_moves_nothing(void **state)
{
    (void)state;
    struct setup setup = setup_new(BATCH);
    loss_of(&setup, setup.gradient);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t t = 0; t < 2; t++) { /* the inputs of the first unit: only x */
            assert_int_equal(setup.controller->choices[t], 1);
            assert_true(pass_row(setup.controller, setup.pass, setup.pass->log_probability, t, b)[0] == 0);
            assert_true(pass_row(setup.controller, setup.pass, setup.pass->dlogits, t, b)[0] == 0);
        }
    setup_release(&setup);
}

static void probabilities_of_each_token_add_up_to_one(void **state)
{
    (void)state;
    struct setup setup = setup_new(BATCH);
    loss_of(&setup, setup.gradient);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t t = 0; t < setup.controller->steps; t++) {
            double sum = 0;
            for (size_t j = 0; j < setup.controller->choices[t]; j++)
                sum += exp(pass_row(setup.controller, setup.pass, setup.pass->log_probability, t, b)[j]);
            assert_true(fabs(sum - 1) < 1e-12);
        }
    setup_release(&setup);
}

static void a_token_that_cannot_change_the_function_is_moved_by_the_entropy_bonus_alone(void **state)
{
    (void)state;
    struct setup setup = setup_new(BATCH);
    size_t steps = setup.controller->steps;
    int dropped = 0, kept = 0;
    setup.settings.entropy_weight = 0;
    loss_of(&setup, setup.gradient);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t t = 0; t < steps; t++) {
            const double *dlogits = pass_row(setup.controller, setup.pass, setup.pass->dlogits, t, b);
            bool moves = false;
            for (size_t j = 0; j < setup.controller->choices[t]; j++)
                moves = moves || dlogits[j] != 0;
            assert_true(!moves || setup.relevant[b * steps + t]);
            dropped += !setup.relevant[b * steps + t];
            kept += moves;
        }
    assert_true(dropped > 0 && kept > 0);
    setup_release(&setup);
}

static void a_replayed_sequence_is_learnt_as_by_a_ratio_of_one(void **state)
{
    (void)state;
    struct setup setup = setup_new(BATCH);
    size_t steps = setup.controller->steps;
    loss_of(&setup, setup.gradient);
    double *as_replayed = xcalloc(setup.controller->count, sizeof(double));
    for (size_t b = 0; b < BATCH; b++) /* now all are, or all are drawn from this very policy */
        for (size_t t = 0; t < steps; t++)
            setup.old[b * steps + t] = pass_row(setup.controller, setup.pass, setup.pass->log_probability, t,
                                                b)[setup.batch.tokens[b * steps + t]];
    setup.batch.drawn = 0;
    loss_of(&setup, as_replayed);
    setup.batch.drawn = BATCH;
    loss_of(&setup, setup.gradient);
    for (size_t i = 0; i < setup.controller->count; i++)
        assert_true(fabs(setup.gradient[i] - as_replayed[i]) < 1e-12);
    free(as_replayed);
    setup_release(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_of_this_test_has_clipped_and_unclipped_tokens_of_both_signs),
        cmocka_unit_test(the_gradient_of_the_loss_is_that_of_finite_differences),
        cmocka_unit_test(a_replayed_sequence_is_learnt_as_by_a_ratio_of_one),
        cmocka_unit_test(a_batch_larger_than_the_pass_has_the_same_loss_and_gradient),
        cmocka_unit_test(a_token_that_cannot_change_the_function_is_moved_by_the_entropy_bonus_alone),
        cmocka_unit_test(a_forced_token_costs_nothing_and_moves_nothing),
        cmocka_unit_test(probabilities_of_each_token_add_up_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
