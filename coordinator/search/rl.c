/* rl: the paper's search. A controller proposes a batch; when all of it is rewarded, PPO moves the
 * controller; and so on.
 *
 * Invariants
 * 1. Batch number v (batch.h) is drawn, whole, from the policy after v updates, when its first proposal is asked
 *    for. Asynchronously each proposal is drawn when it is asked for, from the policy of that moment, and an
 *    update is made of the next batch of rewards that come; the log-probabilities that are kept with each sample
 *    make the ratios right. All chance comes from `rng`.
 * 2. With rl.repeats = no, `known` holds what was drawn, in the order of the numbers. The model has it as it was at
 *    the last update; what was drawn since then is in the batch, and so in the state.
 */
#include "coordinator/search/adam.h"
#include "coordinator/search/algorithm.h"
#include "coordinator/search/batch.h"
#include "coordinator/search/elite.h"
#include "coordinator/search/known.h"
#include "coordinator/search/ppo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PASS_SEQUENCES = 64, /* that go through the controller at once: bounds the memory of a large batch */
    ROUNDS = 8,          /* of drawing, until the known sequences among those drawn are changed instead */
    CHANGES = 64,        /* of a token, until a known sequence is let through */
};

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
    struct elite elite;
    bool repeats;
    struct known known;    /* now */
    uint64_t drawn;        /* sequences */
    struct buf remembered; /* known and drawn as saved at the last update; empty before it */

    struct pass *pass;
    struct scratch {
        uint16_t *tokens; /* (size + elite.size) × steps, as the next two */
        double *log_probability;
        bool *relevant;
        double *advantage; /* size + elite.size */
        uint16_t *drawn;   /* a pass × steps */
        double *gradient;  /* parameters */
        struct ppo_view view;
    } scratch; /* means something within an update only, tokens also while a batch is drawn */
};

/* The weight for each token. A sequence of n tokens with a choice has one advantage, in units of its deviation: the part
 * of each in it is about 1/√n, while the bonus is each token's own. Without the root a weight that keeps one unit open
 * leaves three at chance. */
static double entropy_weight(const struct controller *controller, double entropy)
{
    double choosable = 0;
    for (size_t t = 0; t < controller->steps; t++)
        choosable += controller->choices[t] > 1;
    return choosable > 0 ? entropy / sqrt(choosable) : 0;
}

static void *rl_new(const struct experiment *experiment, const struct space *space)
{
    struct rl *rl = xcalloc(1, sizeof *rl);
    rl->lr = experiment->rl.lr;
    rl->baseline_decay = experiment->rl.baseline_decay;
    rl->gradient_limit = experiment->rl.gradient_clip;
    rl->epochs = experiment->rl.epochs;
    size_t size = (size_t)experiment->search.batch;
    batch_init(&rl->batch, space, size, experiment->search.mode == MODE_ASYNC);
    struct rng weights = rng_seed(experiment->seed, "controller", 0);
    rl->controller =
        controller_new(space, (size_t)experiment->rl.hidden, (size_t)experiment->rl.layers, &weights);
    rl->ppo = (struct ppo_settings){experiment->rl.clip, entropy_weight(rl->controller, experiment->rl.entropy)};
    rl->rng = rng_seed(experiment->seed, "policy", 0);
    adam_init(&rl->adam, rl->controller->count);
    elite_init(&rl->elite, space, (size_t)experiment->rl.replay);
    size_t steps = rl->controller->steps, most = size + rl->elite.size;
    rl->repeats = experiment->rl.repeats;
    known_init(&rl->known, steps);
    rl->pass = pass_new(rl->controller, most < PASS_SEQUENCES ? most : PASS_SEQUENCES);
    rl->scratch = (struct scratch){
        .tokens = xcalloc(most * steps, sizeof(uint16_t)),
        .log_probability = xcalloc(most * steps, sizeof(double)),
        .relevant = xcalloc(most * steps, sizeof(bool)),
        .advantage = xcalloc(most, sizeof(double)),
        .drawn = xcalloc(rl->pass->capacity * steps, sizeof(uint16_t)),
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
    elite_release(&rl->elite);
    known_release(&rl->known);
    buf_release(&rl->remembered);
    free(rl->scratch.tokens);
    free(rl->scratch.log_probability);
    free(rl->scratch.relevant);
    free(rl->scratch.advantage);
    free(rl->scratch.drawn);
    free(rl->scratch.gradient);
    free(rl->scratch.view.entropy);
    free(rl->scratch.view.probability);
    free(rl);
}

/* One token, uniformly chosen of those with a choice, takes another value. Nothing where no token has one. */
static void change_token(struct rl *rl, uint16_t *tokens)
{
    const struct controller *controller = rl->controller;
    int free_token[SPACE_MAX_TOKENS];
    uint64_t free_count = 0;
    for (size_t t = 0; t < controller->steps; t++)
        if (controller->choices[t] > 1)
            free_token[free_count++] = (int)t;
    if (free_count == 0)
        return;
    int at = free_token[rng_below(&rl->rng, free_count)];
    uint64_t other = rng_below(&rl->rng, controller->choices[at] - 1);
    tokens[at] = (uint16_t)(other < tokens[at] ? other : other + 1);
}

/* Draws `count` sequences, at most a pass, into scratch.tokens; the pass has their log-probabilities. What is known
 * is drawn anew; a policy that has nothing else to say any more has a token of what it says changed. */
static void draw_pass(struct rl *rl, size_t count)
{
    const struct controller *controller = rl->controller;
    size_t steps = controller->steps, bytes = steps * sizeof(uint16_t), have = 0;
    int round = 0;
    for (; have < count; round++) {
        size_t missing = count - have;
        controller_forward(controller, rl->pass, missing, rl->scratch.drawn, &rl->rng);
        for (size_t b = 0; b < missing; b++) {
            uint16_t *tokens = rl->scratch.drawn + b * steps;
            if (round + 1 < ROUNDS && !rl->repeats && known_has(&rl->known, tokens))
                continue;
            for (int i = 0; i < CHANGES && !rl->repeats && known_has(&rl->known, tokens); i++)
                change_token(rl, tokens);
            if (!rl->repeats)
                known_add(&rl->known, tokens);
            memcpy(rl->scratch.tokens + have++ * steps, tokens, bytes);
        }
    }
    if (round > 1) /* the pass is of the last round, and of what was drawn before the changes */
        controller_forward(controller, rl->pass, count, rl->scratch.tokens, NULL);
}

/* Adds `count` samples from number `first`, drawn from the present policy. */
static void draw(struct rl *rl, uint64_t first, size_t count)
{
    const struct controller *controller = rl->controller;
    size_t steps = controller->steps;
    for (size_t drawn = 0; drawn < count; drawn += rl->pass->batch) {
        size_t left = count - drawn;
        draw_pass(rl, left < rl->pass->capacity ? left : rl->pass->capacity);
        for (size_t b = 0; b < rl->pass->batch; b++) {
            struct sample *sample = batch_add(&rl->batch, first + drawn + b);
            memcpy(sample->tokens, rl->scratch.tokens + b * steps, steps * sizeof *sample->tokens);
            for (size_t t = 0; t < steps; t++)
                sample->log_probability[t] =
                    pass_row(controller, rl->pass, rl->pass->log_probability, t, b)[sample->tokens[t]];
        }
    }
    rl->drawn = first + count;
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

/* How good a reward is, in deviations. */
static double advantage_of(const struct rl *rl, double reward)
{
    double deviation = sqrt(rl->variance);
    return (reward - rl->baseline) / (deviation < least_deviation ? least_deviation : deviation);
}

/* Advantages from the averages as they were before this batch; then the averages take the batch in, in its
 * order. */
static void fill_advantages(struct rl *rl)
{
    const struct batch *batch = &rl->batch;
    if (batch->cleared == 0)
        start_baseline(rl);
    for (size_t i = 0; i < batch->size; i++)
        rl->scratch.advantage[i] = advantage_of(rl, batch->done[i].reward);
    for (size_t i = 0; i < rl->elite.count; i++)
        rl->scratch.advantage[batch->size + i] = advantage_of(rl, rl->elite.member[i].reward);
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

/* The batch, and behind it the best so far, as PPO takes them. */
static struct ppo_batch fill_batch(struct rl *rl)
{
    const struct scratch *scratch = &rl->scratch;
    const struct batch *batch = &rl->batch;
    size_t steps = rl->controller->steps, size = batch->size;
    for (size_t i = 0; i < size; i++)
        elite_add(&rl->elite, batch->done[i].tokens, batch->done[i].reward);
    for (size_t i = 0; i < size + rl->elite.count; i++) {
        const uint16_t *tokens = i < size ? batch->done[i].tokens : rl->elite.member[i - size].tokens;
        memcpy(scratch->tokens + i * steps, tokens, steps * sizeof *tokens);
        space_relevant(batch->space, tokens, scratch->relevant + i * steps);
    }
    for (size_t i = 0; i < size; i++)
        memcpy(scratch->log_probability + i * steps, batch->done[i].log_probability,
               steps * sizeof *scratch->log_probability);
    fill_advantages(rl);
    return (struct ppo_batch){size + rl->elite.count, size,
                              scratch->tokens,        scratch->log_probability,
                              scratch->relevant,      scratch->advantage};
}

static void learn(struct rl *rl)
{
    const struct scratch *scratch = &rl->scratch;
    struct ppo_batch batch = fill_batch(rl);
    for (int64_t epoch = 0; epoch < rl->epochs; epoch++) {
        ppo_gradient(rl->controller, rl->pass, &batch, &rl->ppo, scratch->gradient,
                     epoch == 0 ? &scratch->view : NULL);
        if (epoch == 0)
            keep_view(rl, &scratch->view);
        gradient_clip(scratch->gradient, rl->controller->count, rl->gradient_limit);
        adam_step(&rl->adam, rl->lr, scratch->gradient, rl->controller->weights);
    }
    batch_clear(&rl->batch);
    buf_clear(&rl->remembered);
    buf_put_u64(&rl->remembered, rl->drawn);
    known_save(&rl->known, &rl->remembered);
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
    if (!err && rl->batch.cleared != version)
        err = ERR_CORRUPT;
    for (const struct sample *sample; !err && (sample = batch_sample(&rl->batch, rl->drawn)); rl->drawn++)
        if (!rl->repeats)
            known_add(&rl->known, sample->tokens);
    return err;
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
    elite_save(&rl->elite, buf);
    buf_put(buf, rl->remembered.data, rl->remembered.size);
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
    if (!err)
        err = elite_load(&rl->elite, cursor);
    rl->drawn = cursor_take_u64(cursor);
    if (!err)
        err = known_load(&rl->known, cursor);
    if (!err && (cursor->failed || rl->batch.cleared == 0))
        err = ERR_CORRUPT;
    buf_put_u64(&rl->remembered, rl->drawn);
    known_save(&rl->known, &rl->remembered);
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
    .save_model = rl_save_model,
    .load_model = rl_load_model,
};
