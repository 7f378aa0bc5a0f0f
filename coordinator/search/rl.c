/* rl: the paper's search. A controller proposes a batch; when all of it is rewarded, PPO moves the
 * controller; and so on.
 *
 * Invariants: batch number v holds the proposals v·size … v·size + size−1 and is drawn, whole, from the
 * policy after v updates, when its first proposal is asked for. Its rewards are kept by their place in the
 * batch and used only when the last has come, so that the order of the reports does not matter. All chance
 * comes from `rng`.
 */
#include "coordinator/search/adam.h"
#include "coordinator/search/algorithm.h"
#include "coordinator/search/ppo.h"

#include <assert.h>
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
    size_t size; /* of a batch */

    struct rng rng;
    struct controller *controller;
    struct adam adam;
    double baseline, variance; /* moving averages of the reward and of its squared distance to the baseline */
    double entropy;
    uint64_t version; /* updates made */

    size_t drawn; /* proposals of the batch that were handed out; the arrays below mean something when > 0 */
    size_t rewarded;         /* of these, with a reward */
    uint16_t *tokens;        /* size × steps */
    double *log_probability; /* size × steps */
    double *reward;          /* size: NaN where none has come */

    struct pass *pass;
    double *advantage, *gradient; /* scratch: size, parameters */
};

static void *rl_new(const struct experiment *experiment, const struct space *space)
{
    struct rl *rl = xcalloc(1, sizeof *rl);
    rl->ppo = (struct ppo_settings){experiment->rl.clip, experiment->rl.entropy};
    rl->lr = experiment->rl.lr;
    rl->baseline_decay = experiment->rl.baseline_decay;
    rl->gradient_limit = experiment->rl.gradient_clip;
    rl->epochs = experiment->rl.epochs;
    rl->size = (size_t)experiment->search.batch;
    struct rng weights = rng_seed(experiment->seed, "controller", 0);
    rl->controller =
        controller_new(space, (size_t)experiment->rl.hidden, (size_t)experiment->rl.layers, &weights);
    rl->rng = rng_seed(experiment->seed, "policy", 0);
    adam_init(&rl->adam, rl->controller->count);
    rl->pass = pass_new(rl->controller, rl->size < PASS_SEQUENCES ? rl->size : PASS_SEQUENCES);
    rl->tokens = xcalloc(rl->size * rl->controller->steps, sizeof *rl->tokens);
    rl->log_probability = xcalloc(rl->size * rl->controller->steps, sizeof *rl->log_probability);
    rl->reward = xcalloc(rl->size, sizeof *rl->reward);
    rl->advantage = xcalloc(rl->size, sizeof *rl->advantage);
    rl->gradient = xcalloc(rl->controller->count, sizeof *rl->gradient);
    return rl;
}

static void rl_destroy(void *state)
{
    struct rl *rl = state;
    controller_destroy(&rl->controller);
    adam_release(&rl->adam);
    pass_destroy(&rl->pass);
    free(rl->tokens);
    free(rl->log_probability);
    free(rl->reward);
    free(rl->advantage);
    free(rl->gradient);
    free(rl);
}

static void draw_batch(struct rl *rl)
{
    const struct controller *controller = rl->controller;
    size_t steps = controller->steps;
    for (size_t first = 0; first < rl->size; first += rl->pass->capacity) {
        size_t left = rl->size - first, count = left < rl->pass->capacity ? left : rl->pass->capacity;
        uint16_t *tokens = rl->tokens + first * steps;
        controller_forward(controller, rl->pass, count, tokens, &rl->rng);
        for (size_t b = 0; b < count; b++)
            for (size_t t = 0; t < steps; t++)
                rl->log_probability[(first + b) * steps + t] =
                    pass_row(controller, rl->pass, rl->pass->log_probability, t, b)[tokens[b * steps + t]];
    }
    for (size_t i = 0; i < rl->size; i++)
        rl->reward[i] = NAN;
}

static enum search_answer rl_next(void *state, struct proposal *proposal)
{
    struct rl *rl = state;
    if (rl->drawn == rl->size)
        return SEARCH_WAIT;
    if (rl->drawn == 0)
        draw_batch(rl);
    size_t steps = rl->controller->steps, at = rl->drawn++;
    memcpy(proposal->tokens, rl->tokens + at * steps, steps * sizeof *proposal->tokens);
    for (size_t t = 0; t < steps; t++)
        proposal->log_probability += rl->log_probability[at * steps + t];
    proposal->policy_version = rl->version;
    return SEARCH_PROPOSED;
}

/* The first batch has no past: its own mean and variance stand in for the moving averages. */
static void start_baseline(struct rl *rl)
{
    double sum = 0, square = 0, size = (double)rl->size;
    for (size_t i = 0; i < rl->size; i++)
        sum += rl->reward[i];
    rl->baseline = sum / size;
    for (size_t i = 0; i < rl->size; i++)
        square += (rl->reward[i] - rl->baseline) * (rl->reward[i] - rl->baseline);
    rl->variance = square / size;
}

/* Advantages from the averages as they were before this batch; then the averages take the batch in, in the
 * order proposed. */
static void fill_advantages(struct rl *rl)
{
    if (rl->version == 0)
        start_baseline(rl);
    double deviation = sqrt(rl->variance);
    deviation = deviation < least_deviation ? least_deviation : deviation;
    for (size_t i = 0; i < rl->size; i++)
        rl->advantage[i] = (rl->reward[i] - rl->baseline) / deviation;
    for (size_t i = 0; i < rl->size; i++) {
        double distance = rl->reward[i] - rl->baseline;
        rl->baseline += (1 - rl->baseline_decay) * distance;
        rl->variance += (1 - rl->baseline_decay) * (distance * distance - rl->variance);
    }
}

static void learn(struct rl *rl)
{
    fill_advantages(rl);
    struct ppo_batch batch = {rl->size, rl->tokens, rl->log_probability, rl->advantage};
    for (int64_t epoch = 0; epoch < rl->epochs; epoch++) {
        double entropy;
        ppo_gradient(rl->controller, rl->pass, &batch, &rl->ppo, rl->gradient, &entropy);
        if (epoch == 0)
            rl->entropy = entropy;
        gradient_clip(rl->gradient, rl->controller->count, rl->gradient_limit);
        adam_step(&rl->adam, rl->lr, rl->gradient, rl->controller->weights);
    }
    rl->version++;
    rl->drawn = rl->rewarded = 0;
}

static void rl_report(void *state, uint64_t number, double reward)
{
    struct rl *rl = state;
    size_t at = (size_t)(number - rl->version * rl->size);
    assert(at < rl->drawn && isnan(rl->reward[at]));
    rl->reward[at] = reward;
    if (++rl->rewarded == rl->size)
        learn(rl);
}

static void rl_status(const void *state, struct search_status *status)
{
    const struct rl *rl = state;
    status->policy_version = rl->version;
    status->baseline = rl->baseline;
    status->entropy = rl->entropy;
}

static void rl_save(const void *state, struct buf *buf)
{
    const struct rl *rl = state;
    size_t tokens = rl->drawn > 0 ? rl->size * rl->controller->steps : 0;
    buf_put_u64(buf, rl->version);
    rng_save(&rl->rng, buf);
    buf_put_f64(buf, rl->baseline);
    buf_put_f64(buf, rl->variance);
    buf_put_f64(buf, rl->entropy);
    buf_put_f64s(buf, rl->controller->weights, rl->controller->count);
    adam_save(&rl->adam, buf);
    for (size_t i = 0; i < tokens; i++)
        buf_put_u32(buf, rl->tokens[i]);
    buf_put_f64s(buf, rl->log_probability, tokens);
    buf_put_f64s(buf, rl->reward, tokens > 0 ? rl->size : 0);
}

/* The batch that is out, whole; its tokens are looked at before they are used as indices. */
static bool load_batch(struct rl *rl, struct cursor *cursor)
{
    size_t steps = rl->controller->steps;
    for (size_t i = 0; i < rl->size * steps; i++) {
        uint32_t token = cursor_take_u32(cursor);
        if (token >= rl->controller->choices[i % steps])
            return false;
        rl->tokens[i] = (uint16_t)token;
    }
    cursor_take_f64s(cursor, rl->log_probability, rl->size * steps);
    cursor_take_f64s(cursor, rl->reward, rl->size);
    for (size_t i = 0; i < rl->size; i++) {
        if (isnan(rl->reward[i]))
            continue;
        if (i >= rl->drawn || !(rl->reward[i] >= 0 && rl->reward[i] <= 1))
            return false;
        rl->rewarded++;
    }
    return rl->rewarded < rl->size;
}

static int rl_load(void *state, struct cursor *cursor, uint64_t proposals)
{
    struct rl *rl = state;
    rl->version = cursor_take_u64(cursor);
    if (rl->version > proposals / rl->size || proposals - rl->version * rl->size > rl->size)
        return ERR_CORRUPT;
    rl->drawn = (size_t)(proposals - rl->version * rl->size);
    rng_load(&rl->rng, cursor);
    rl->baseline = cursor_take_f64(cursor);
    rl->variance = cursor_take_f64(cursor);
    rl->entropy = cursor_take_f64(cursor);
    cursor_take_f64s(cursor, rl->controller->weights, rl->controller->count);
    int err = adam_load(&rl->adam, cursor);
    if (!err && rl->drawn > 0 && !load_batch(rl, cursor))
        err = ERR_CORRUPT;
    return err;
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
};
