/* rl: the paper's search. A controller proposes a batch; when all of it is rewarded, PPO moves the
 * controller; and so on.
 *
 * Invariants: batch number v (batch.h) is drawn, whole, from the policy after v updates, when its first
 * proposal is asked for. Asynchronously each proposal is drawn when it is asked for, from the policy of that
 * moment, and an update is made of the next batch of rewards that come; the log-probabilities that are kept
 * with each sample make the ratios right. All chance comes from `rng`.
 */
#include "coordinator/search/adam.h"
#include "coordinator/search/algorithm.h"
#include "coordinator/search/batch.h"
#include "coordinator/search/ppo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PASS_SEQUENCES = 64 }; /* that go through the controller at once: bounds the memory of a large batch */

/* A running deviation below this counts as this: rewards that differ by less are noise, and must not be blown
 * up. */
static const double least_deviation = 0.01;

struct rl {
    struct ppo_settings ppo;
    double lr, baseline_decay, gradient_limit;
    int64_t epochs;

    struct rng rng;
    struct controller *controller;
    struct adam adam;
    double baseline, variance; /* moving averages of the reward and of its squared distance to the baseline */
    double entropy;
    struct batch batch; /* as many were cleared as updates were made */

    struct pass *pass;
    uint16_t *tokens;        /* scratch, as the next four: size × steps */
    double *log_probability; /* size × steps */
    bool *relevant;          /* size × steps */
    double *advantage;       /* size */
    double *gradient;        /* parameters */
};

static void *rl_new(const struct experiment *experiment, const struct space *space)
{
    struct rl *rl = xcalloc(1, sizeof *rl);
    rl->ppo = (struct ppo_settings){experiment->rl.clip, experiment->rl.entropy};
    rl->lr = experiment->rl.lr;
    rl->baseline_decay = experiment->rl.baseline_decay;
    rl->gradient_limit = experiment->rl.gradient_clip;
    rl->epochs = experiment->rl.epochs;
    size_t size = (size_t)experiment->search.batch;
    batch_init(&rl->batch, space, size, experiment->search.mode == MODE_ASYNC);
    struct rng weights = rng_seed(experiment->seed, "controller", 0);
    rl->controller =
        controller_new(space, (size_t)experiment->rl.hidden, (size_t)experiment->rl.layers, &weights);
    rl->rng = rng_seed(experiment->seed, "policy", 0);
    adam_init(&rl->adam, rl->controller->count);
    rl->pass = pass_new(rl->controller, size < PASS_SEQUENCES ? size : PASS_SEQUENCES);
    rl->tokens = xcalloc(size * rl->controller->steps, sizeof *rl->tokens);
    rl->log_probability = xcalloc(size * rl->controller->steps, sizeof *rl->log_probability);
    rl->relevant = xcalloc(size * rl->controller->steps, sizeof *rl->relevant);
    rl->advantage = xcalloc(size, sizeof *rl->advantage);
    rl->gradient = xcalloc(rl->controller->count, sizeof *rl->gradient);
    return rl;
}

static void rl_destroy(void *state)
{
    struct rl *rl = state;
    controller_destroy(&rl->controller);
    adam_release(&rl->adam);
    pass_destroy(&rl->pass);
    batch_release(&rl->batch);
    free(rl->tokens);
    free(rl->log_probability);
    free(rl->relevant);
    free(rl->advantage);
    free(rl->gradient);
    free(rl);
}

/* Adds `count` samples from number `first`, drawn from the present policy. */
static void draw(struct rl *rl, uint64_t first, size_t count)
{
    const struct controller *controller = rl->controller;
    size_t steps = controller->steps;
    for (size_t drawn = 0; drawn < count; drawn += rl->pass->batch) {
        size_t left = count - drawn;
        controller_forward(controller, rl->pass, left < rl->pass->capacity ? left : rl->pass->capacity,
                           rl->tokens, &rl->rng);
        for (size_t b = 0; b < rl->pass->batch; b++) {
            struct sample *sample = batch_add(&rl->batch, first + drawn + b);
            memcpy(sample->tokens, rl->tokens + b * steps, steps * sizeof *sample->tokens);
            for (size_t t = 0; t < steps; t++)
                sample->log_probability[t] =
                    pass_row(controller, rl->pass, rl->pass->log_probability, t, b)[sample->tokens[t]];
        }
    }
}

static enum search_answer rl_next(void *state, struct proposal *proposal)
{
    struct rl *rl = state;
    if (batch_waits(&rl->batch, proposal->number))
        return SEARCH_WAIT;
    if (!batch_find(&rl->batch, proposal->number))
        draw(rl, proposal->number, rl->batch.asynchronous ? 1 : rl->batch.size);
    const struct sample *sample = batch_find(&rl->batch, proposal->number);
    memcpy(proposal->tokens, sample->tokens, sizeof proposal->tokens);
    for (size_t t = 0; t < rl->controller->steps; t++)
        proposal->log_probability += sample->log_probability[t];
    proposal->policy_version = rl->batch.cleared;
    return SEARCH_PROPOSED;
}

/* The first batch has no past: its own mean and variance stand in for the moving averages. */
static void start_baseline(struct rl *rl)
{
    const struct batch *batch = &rl->batch;
    double sum = 0, square = 0, size = (double)batch->size;
    for (size_t i = 0; i < batch->size; i++)
        sum += batch->done[i].reward;
    rl->baseline = sum / size;
    for (size_t i = 0; i < batch->size; i++)
        square += (batch->done[i].reward - rl->baseline) * (batch->done[i].reward - rl->baseline);
    rl->variance = square / size;
}

/* Advantages from the averages as they were before this batch; then the averages take the batch in, in its
 * order. */
static void fill_advantages(struct rl *rl)
{
    const struct batch *batch = &rl->batch;
    if (batch->cleared == 0)
        start_baseline(rl);
    double deviation = sqrt(rl->variance);
    deviation = deviation < least_deviation ? least_deviation : deviation;
    for (size_t i = 0; i < batch->size; i++)
        rl->advantage[i] = (batch->done[i].reward - rl->baseline) / deviation;
    for (size_t i = 0; i < batch->size; i++) {
        double distance = batch->done[i].reward - rl->baseline;
        rl->baseline += (1 - rl->baseline_decay) * distance;
        rl->variance += (1 - rl->baseline_decay) * (distance * distance - rl->variance);
    }
}

static void learn(struct rl *rl)
{
    size_t steps = rl->controller->steps, size = rl->batch.size;
    fill_advantages(rl);
    for (size_t i = 0; i < size; i++) {
        memcpy(rl->tokens + i * steps, rl->batch.done[i].tokens, steps * sizeof *rl->tokens);
        space_relevant(rl->batch.space, rl->batch.done[i].tokens, rl->relevant + i * steps);
        memcpy(rl->log_probability + i * steps, rl->batch.done[i].log_probability,
               steps * sizeof *rl->log_probability);
    }
    struct ppo_batch batch = {size, rl->tokens, rl->log_probability, rl->relevant, rl->advantage};
    for (int64_t epoch = 0; epoch < rl->epochs; epoch++) {
        double entropy;
        ppo_gradient(rl->controller, rl->pass, &batch, &rl->ppo, rl->gradient, &entropy);
        if (epoch == 0)
            rl->entropy = entropy;
        gradient_clip(rl->gradient, rl->controller->count, rl->gradient_limit);
        adam_step(&rl->adam, rl->lr, rl->gradient, rl->controller->weights);
    }
    batch_clear(&rl->batch);
}

static void rl_report(void *state, uint64_t number, double reward)
{
    struct rl *rl = state;
    if (batch_report(&rl->batch, number, reward))
        learn(rl);
}

static void rl_status(const void *state, struct search_status *status)
{
    const struct rl *rl = state;
    status->policy_version = rl->batch.cleared;
    status->baseline = rl->baseline;
    status->entropy = rl->entropy;
}

static void rl_save(const void *state, struct buf *buf)
{
    const struct rl *rl = state;
    rng_save(&rl->rng, buf);
    batch_save(&rl->batch, buf);
}

static int rl_load(void *state, struct cursor *cursor, const struct search_frame *frame)
{
    struct rl *rl = state;
    uint64_t version = rl->batch.cleared;
    rng_load(&rl->rng, cursor);
    int err = batch_load(&rl->batch, cursor, frame);
    return err ? err : rl->batch.cleared == version ? 0 : ERR_CORRUPT;
}

static void rl_save_model(const void *state, struct buf *buf)
{
    const struct rl *rl = state;
    buf_put_u64(buf, rl->batch.cleared);
    buf_put_f64(buf, rl->baseline);
    buf_put_f64(buf, rl->variance);
    buf_put_f64(buf, rl->entropy);
    buf_put_f64s(buf, rl->controller->weights, rl->controller->count);
    adam_save(&rl->adam, buf);
}

static int rl_load_model(void *state, struct cursor *cursor)
{
    struct rl *rl = state;
    rl->batch.cleared = cursor_take_u64(cursor);
    rl->baseline = cursor_take_f64(cursor);
    rl->variance = cursor_take_f64(cursor);
    rl->entropy = cursor_take_f64(cursor);
    cursor_take_f64s(cursor, rl->controller->weights, rl->controller->count);
    int err = adam_load(&rl->adam, cursor);
    return err ? err : rl->batch.cleared > 0 ? 0 : ERR_CORRUPT;
}

const struct search_algorithm search_rl = {
    .name = "rl",
    .new = rl_new,
    .destroy = rl_destroy,
    .next = rl_next,
    .report = rl_report,
    .status = rl_status,
    .save = rl_save,
    .load = rl_load,
    .save_model = rl_save_model,
    .load_model = rl_load_model,
};
