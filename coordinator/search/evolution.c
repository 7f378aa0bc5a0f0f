/* evolution: regularised evolution (Real, Aggarwal, Huang and Le, arXiv:1802.01548, algorithm 1). The
 * population is the latest proposals that have a reward; a new one is the best of a few that are drawn from
 * it, with one token changed; the oldest dies.
 *
 * Invariants: all proposals of a batch (batch.h) are drawn from the population of the batches before it, in
 * which each stands at the age of its number. So the members that exist when proposal n is drawn, and with
 * the generator of number n the proposal itself, do not depend on the order of the reports. Asynchronously
 * each reward makes a member at once, and members age in the order of their rewards. The first `size`
 * proposals are uniformly drawn.
 */
#include "coordinator/search/algorithm.h"
#include "coordinator/search/batch.h"

#include "common/vecmath.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 64 }; /* to draw a sequence that is not known yet, before a known one is proposed */

struct member {
    double reward;
    uint16_t tokens[SPACE_MAX_TOKENS];
};

struct evolution {
    const struct space *space;
    uint64_t seed;
    int free_token[SPACE_MAX_TOKENS]; /* the tokens with more than one choice */
    int free_count;
    size_t size, sample;
    uint64_t per_version; /* members that make a new version of the population: search.batch, in both modes */
    struct member *members; /* a ring of `size` */
    size_t count, oldest;
    struct batch batch;
};

static void *evolution_new(const struct experiment *experiment, const struct space *space)
{
    struct evolution *evolution = xcalloc(1, sizeof *evolution);
    evolution->space = space;
    evolution->seed = experiment->seed;
    for (int at = 0; at < space_tokens(space); at++)
        if (space_choices(space, at) > 1)
            evolution->free_token[evolution->free_count++] = at;
    evolution->size = (size_t)experiment->evolution.population;
    evolution->sample = (size_t)experiment->evolution.sample;
    evolution->per_version = (uint64_t)experiment->search.batch;
    evolution->members = xcalloc(evolution->size, sizeof *evolution->members);
    bool asynchronous = experiment->search.mode == MODE_ASYNC;
    batch_init(&evolution->batch, space, asynchronous ? 1 : (size_t)experiment->search.batch, asynchronous);
    return evolution;
}

static void evolution_destroy(void *state)
{
    struct evolution *evolution = state;
    batch_release(&evolution->batch);
    free(evolution->members);
    free(evolution);
}

static uint64_t version_of(const struct evolution *evolution)
{
    return evolution->batch.cleared * evolution->batch.size / evolution->per_version;
}

/* Number `age` of the population, from 0, the oldest. */
static struct member *member_at(const struct evolution *evolution, size_t age)
{
    return &evolution->members[(evolution->oldest + age) % evolution->size];
}

static void enter(struct evolution *evolution, const struct sample *sample)
{
    struct member *place = member_at(evolution, evolution->count);
    place->reward = sample->reward;
    memcpy(place->tokens, sample->tokens, sizeof place->tokens);
    if (evolution->count < evolution->size)
        evolution->count++;
    else
        evolution->oldest = (evolution->oldest + 1) % evolution->size;
}

/* Whether the sequence is in the population or in the batch that is out. */
static bool known(const struct evolution *evolution, const uint16_t *tokens)
{
    const struct batch *batch = &evolution->batch;
    size_t bytes = SPACE_MAX_TOKENS * sizeof *tokens;
    for (size_t i = 0; i < evolution->count; i++)
        if (memcmp(evolution->members[i].tokens, tokens, bytes) == 0)
            return true;
    for (size_t i = 0; i < batch->out_count; i++)
        if (memcmp(batch->out[i].tokens, tokens, bytes) == 0)
            return true;
    for (size_t i = 0; i < batch->size; i++)
        if (!isnan(batch->done[i].reward) && memcmp(batch->done[i].tokens, tokens, bytes) == 0)
            return true;
    return false;
}

/* The best of `sample` members, drawn with replacement; of equals the first. */
static const struct member *parent(const struct evolution *evolution, struct rng *rng)
{
    const struct member *best = NULL;
    for (size_t i = 0; i < evolution->sample; i++) {
        const struct member *member = member_at(evolution, (size_t)rng_below(rng, evolution->count));
        if (!best || member->reward > best->reward)
            best = member;
    }
    return best;
}

/* One token, uniformly chosen of those with a choice, takes another value. */
static void mutate(const struct evolution *evolution, struct rng *rng, uint16_t *tokens)
{
    if (evolution->free_count == 0)
        return;
    int at = evolution->free_token[rng_below(rng, (uint64_t)evolution->free_count)];
    uint64_t other = rng_below(rng, (uint64_t)space_choices(evolution->space, at) - 1);
    tokens[at] = (uint16_t)(other < tokens[at] ? other : other + 1);
}

static enum search_answer evolution_next(void *state, struct proposal *proposal)
{
    struct evolution *evolution = state;
    if (batch_waits(&evolution->batch, proposal->number))
        return SEARCH_WAIT;
    struct rng rng = rng_seed(evolution->seed, "evolution", proposal->number);
    for (int try = 0; try == 0 || (try < TRIES && known(evolution, proposal->tokens)); try++) {
        if (proposal->number < evolution->size || evolution->count == 0) {
            space_sample(evolution->space, &rng, proposal->tokens);
        } else {
            memcpy(proposal->tokens, parent(evolution, &rng)->tokens, sizeof proposal->tokens);
            mutate(evolution, &rng, proposal->tokens);
        }
    }
    proposal->policy_version = version_of(evolution);
    struct sample *sample = batch_add(&evolution->batch, proposal->number);
    memcpy(sample->tokens, proposal->tokens, sizeof sample->tokens);
    return SEARCH_PROPOSED;
}

static void evolution_report(void *state, uint64_t number, double reward)
{
    struct evolution *evolution = state;
    if (!batch_report(&evolution->batch, number, reward))
        return;
    for (size_t i = 0; i < evolution->batch.size; i++)
        enter(evolution, &evolution->batch.done[i]);
    batch_clear(&evolution->batch);
}

/* How often each choice of a token stands in the population is what it has learnt of it. */
static struct token_status token_status(const struct evolution *evolution, int at)
{
    struct token_status status = {0};
    size_t times[SPACE_MAX_TEMPLATES] = {0};
    for (size_t i = 0; i < evolution->count; i++)
        times[member_at(evolution, i)->tokens[at]]++;
    for (int choice = 0; choice < space_choices(evolution->space, at); choice++) {
        double share = (double)times[choice] / (double)evolution->count;
        status.entropy -= share > 0 ? share * vm_log(share) : 0;
        if (share > status.probability) {
            status.probability = share;
            status.likeliest = choice;
        }
    }
    return status;
}

static void evolution_status(const void *state, struct search_status *status)
{
    const struct evolution *evolution = state;
    status->policy_version = version_of(evolution);
    if (evolution->count == 0)
        return;
    double sum = 0;
    for (size_t i = 0; i < evolution->count; i++)
        sum += member_at(evolution, i)->reward;
    status->baseline = sum / (double)evolution->count;
    status->tokens = space_tokens(evolution->space);
    for (int at = 0; at < status->tokens; at++) {
        status->token[at] = token_status(evolution, at);
        status->entropy += evolution->free_count > 0 ? status->token[at].entropy / evolution->free_count : 0;
    }
}

static void evolution_save(const void *state, struct buf *buf)
{
    const struct evolution *evolution = state;
    buf_put_u64(buf, evolution->count);
    for (size_t i = 0; i < evolution->count; i++) {
        const struct member *member = member_at(evolution, i);
        buf_put_f64(buf, member->reward);
        for (int at = 0; at < space_tokens(evolution->space); at++)
            buf_put_u32(buf, member->tokens[at]);
    }
    batch_save(&evolution->batch, buf);
}

static int evolution_load(void *state, struct cursor *cursor, const struct search_frame *frame)
{
    struct evolution *evolution = state;
    uint64_t count = cursor_take_u64(cursor);
    if (count > evolution->size)
        return ERR_CORRUPT;
    for (; evolution->count < count; evolution->count++) {
        struct member *member = &evolution->members[evolution->count];
        member->reward = cursor_take_f64(cursor);
        if (!(member->reward >= 0 && member->reward <= 1))
            return ERR_CORRUPT;
        for (int at = 0; at < space_tokens(evolution->space); at++) {
            uint32_t token = cursor_take_u32(cursor);
            if (token >= (uint32_t)space_choices(evolution->space, at))
                return ERR_CORRUPT;
            member->tokens[at] = (uint16_t)token;
        }
    }
    int err = batch_load(&evolution->batch, cursor, frame);
    uint64_t entered = evolution->batch.cleared * evolution->batch.size;
    if (!err && count != (entered < evolution->size ? entered : evolution->size))
        err = ERR_CORRUPT;
    return err;
}

const struct search_algorithm search_evolution = {
    .name = "evolution",
    .new = evolution_new,
    .destroy = evolution_destroy,
    .next = evolution_next,
    .report = evolution_report,
    .status = evolution_status,
    .save = evolution_save,
    .load = evolution_load,
};
