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
    int tokens;                /* that there is a status of: all, after the first update */
    struct token_status token[SPACE_MAX_TOKENS];
    struct batch batch; /* as many were cleared as updates were made */

    struct pass *pass;
    struct scratch {
        uint16_t *tokens; /* size × steps, as the next two */
        double *log_probability;
        bool *relevant;
        double *advantage; /* size */
        double *gradient;  /* parameters */
        struct ppo_view view;
    } scratch; /* means something within an update only, tokens also while a batch is drawn */
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
    size_t steps = rl->controller->steps;
    rl->scratch = (struct scratch){
        .tokens = xcalloc(size * steps, sizeof(uint16_t)),
        .log_probability = xcalloc(size * steps, sizeof(double)),
        .relevant = xcalloc(size * steps, sizeof(bool)),
        .advantage = xcalloc(size, sizeof(double)),
        .gradient = xcalloc(rl->controller->count, sizeof(double)),
        .view = {xcalloc(steps, sizeof(double)), xcalloc(steps * rl->controller->widest, sizeof(double))},
    };
    return rl;
}

static void rl_destroy(void *state)
{
    struct rl *rl = state;
    controller_destroy(&rl->controller);
    adam_release(&rl->adam);
    pass_destroy(&rl->pass);
    batch_release(&rl->batch);
    free(rl->scratch.tokens);
    free(rl->scratch.log_probability);
    free(rl->scratch.relevant);
    free(rl->scratch.advantage);
    free(rl->scratch.gradient);
    free(rl->scratch.view.entropy);
    free(rl->scratch.view.probability);
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
                           rl->scratch.tokens, &rl->rng);
        for (size_t b = 0; b < rl->pass->batch; b++) {
            struct sample *sample = batch_add(&rl->batch, first + drawn + b);
            memcpy(sample->tokens, rl->scratch.tokens + b * steps, steps * sizeof *sample->tokens);
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
        rl->scratch.advantage[i] = (batch->done[i].reward - rl->baseline) / deviation;
    for (size_t i = 0; i < batch->size; i++) {
        double distance = batch->done[i].reward - rl->baseline;
        rl->baseline += (1 - rl->baseline_decay) * distance;
        rl->variance += (1 - rl->baseline_decay) * (distance * distance - rl->variance);
    }
}

/* Keeps what is to be seen of the policy that this update starts from. */
static void keep_view(struct rl *rl, const struct ppo_view *view)
{
    const struct controller *controller = rl->controller;
    rl->tokens = (int)controller->steps;
    for (size_t t = 0; t < controller->steps; t++) {
        const double *probability = view->probability + t * controller->widest;
        size_t likeliest = 0;
        for (size_t j = 1; j < controller->choices[t]; j++)
            likeliest = probability[j] > probability[likeliest] ? j : likeliest;
        rl->token[t] = (struct token_status){view->entropy[t], (int)likeliest, probability[likeliest]};
    }
}

static void learn(struct rl *rl)
{
    const struct scratch *scratch = &rl->scratch;
    size_t steps = rl->controller->steps, size = rl->batch.size;
    fill_advantages(rl);
    for (size_t i = 0; i < size; i++) {
        memcpy(scratch->tokens + i * steps, rl->batch.done[i].tokens, steps * sizeof *scratch->tokens);
        memcpy(scratch->log_probability + i * steps, rl->batch.done[i].log_probability,
               steps * sizeof *scratch->log_probability);
        space_relevant(rl->batch.space, rl->batch.done[i].tokens, scratch->relevant + i * steps);
    }
    struct ppo_batch batch = {size, scratch->tokens, scratch->log_probability, scratch->relevant,
                              scratch->advantage};
    for (int64_t epoch = 0; epoch < rl->epochs; epoch++) {
        ppo_gradient(rl->controller, rl->pass, &batch, &rl->ppo, scratch->gradient,
                     epoch == 0 ? &scratch->view : NULL);
        if (epoch == 0)
            keep_view(rl, &scratch->view);
        gradient_clip(scratch->gradient, rl->controller->count, rl->gradient_limit);
        adam_step(&rl->adam, rl->lr, scratch->gradient, rl->controller->weights);
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
    int free_tokens = 0;
    status->policy_version = rl->batch.cleared;
    status->baseline = rl->baseline;
    status->tokens = rl->tokens;
    for (int at = 0; at < rl->tokens; at++) {
        status->token[at] = rl->token[at];
        status->entropy += rl->token[at].entropy;
        free_tokens += rl->controller->choices[at] > 1;
    }
    status->entropy /= free_tokens > 0 ? free_tokens : 1;
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
    for (size_t t = 0; t < rl->controller->steps; t++) {
        buf_put_f64(buf, rl->token[t].entropy);
        buf_put_u32(buf, (uint32_t)rl->token[t].likeliest);
        buf_put_f64(buf, rl->token[t].probability);
    }
    buf_put_f64s(buf, rl->controller->weights, rl->controller->count);
    adam_save(&rl->adam, buf);
}

static int rl_load_model(void *state, struct cursor *cursor)
{
    struct rl *rl = state;
    rl->batch.cleared = cursor_take_u64(cursor);
    rl->baseline = cursor_take_f64(cursor);
    rl->variance = cursor_take_f64(cursor);
    rl->tokens = (int)rl->controller->steps;
    for (int t = 0; t < rl->tokens; t++) {
        rl->token[t].entropy = cursor_take_f64(cursor);
        uint32_t likeliest = cursor_take_u32(cursor);
        if (likeliest >= rl->controller->choices[t])
            return ERR_CORRUPT;
        rl->token[t].likeliest = (int)likeliest;
        rl->token[t].probability = cursor_take_f64(cursor);
    }
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
