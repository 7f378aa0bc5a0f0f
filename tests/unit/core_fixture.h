/* core_fixture: what the tests of the core share: an experiment, a search that can be relied on to notice any
 * disorder, a disk that keeps what was committed, and a made-up training. Each test program includes it once;
 * it defines CORE_FIXTURE_REAL_SEARCH before where it wants the real search algorithms.
 */
#ifndef TESTS_UNIT_CORE_FIXTURE_H
#define TESTS_UNIT_CORE_FIXTURE_H

#include "common/hash.h"
#include "common/numerics.h"
#include "coordinator/core.h"
#include "coordinator/search/search.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED __attribute__((unused))

#ifndef CORE_FIXTURE_REAL_SEARCH
/* ---- a search: batches of random proposals, where each batch depends on every reward of those before, unless
 * it is called exhaustive */

struct search {
    const struct experiment *experiment;
    const struct space *space;
    uint64_t made, reported;
    double *rewards; /* by number; NaN: not reported */
};

struct search *search_new(const struct experiment *experiment, const struct space *space)
{
    struct search *search = xcalloc(1, sizeof *search);
    search->experiment = experiment;
    search->space = space;
    return search;
}

void search_destroy(struct search **search)
{
    if (*search)
        free((*search)->rewards);
    free(*search);
    *search = NULL;
}

bool search_asynchronous(const struct search *search)
{
    (void)search;
    return false;
}

enum search_answer search_next(struct search *search, struct proposal *ret_proposal)
{
    uint64_t batch = (uint64_t)search->experiment->search.batch;
    uint64_t learnt = search->made / batch * batch;
    for (uint64_t i = 0; i < learnt; i++)
        if (isnan(search->rewards[i]))
            return SEARCH_WAIT;
    const bool learns = search->experiment->search.algorithm != ALGORITHM_EXHAUSTIVE;
    uint64_t seed = search->experiment->seed;
    if (learns)
        seed ^= hash64(search->rewards, (size_t)learnt * sizeof(double));
    struct rng rng = rng_seed(seed, "fake search", search->made);
    *ret_proposal = (struct proposal){.number = search->made, .policy_version = search->made / batch};
    space_sample(search->space, &rng, ret_proposal->tokens);
    search->rewards = xrealloc(search->rewards, ++search->made, sizeof *search->rewards);
    search->rewards[search->made - 1] = NAN;
    return SEARCH_PROPOSED;
}

void search_report(struct search *search, uint64_t number, double reward)
{
    assert(number < search->made && isnan(search->rewards[number]) && reward >= 0 && reward <= 1);
    search->rewards[number] = reward;
    search->reported++;
}

bool search_waits_for(const struct search *search, uint64_t number)
{
    return number < search->made && isnan(search->rewards[number]);
}

struct search_status search_status(const struct search *search)
{
    return (struct search_status){
        .proposals = search->made, .rewards = search->reported, .tokens = space_tokens(search->space)};
}

void search_save(const struct search *search, struct buf *ret_state)
{
    buf_put_u64(ret_state, search->made);
    buf_put_u64(ret_state, search->reported);
    for (uint64_t i = 0; i < search->made; i++)
        buf_put_f64(ret_state, search->rewards[i]);
}

void search_save_model(const struct search *search, struct buf *ret_model)
{
    (void)search;
    (void)ret_model;
}

int search_load_model(struct search *search, const void *model, size_t size)
{
    (void)search;
    (void)model;
    (void)size;
    return ERR_CORRUPT;
}

int search_load(struct search *search, const void *state, size_t size)
{
    struct cursor cursor = cursor_of(state, size);
    search->made = cursor_take_u64(&cursor);
    search->reported = cursor_take_u64(&cursor);
    if (search->made != (size - 16) / 8)
        return ERR_CORRUPT;
    search->rewards = xrealloc(search->rewards, search->made, sizeof *search->rewards);
    for (uint64_t i = 0; i < search->made; i++)
        search->rewards[i] = cursor_take_f64(&cursor);
    return cursor_done(&cursor) ? 0 : ERR_CORRUPT;
}

#endif

/* ---- an experiment
 * ------------------------------------------------------------------------------------------------------- */

UNUSED static const char *const DATA_HASH =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* The defaults with these overrides ("search.candidates=8"), which end in NULL. */
UNUSED static struct experiment *experiment_with(const char *const *overrides)
{
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    int count = 0;
    while (overrides[count])
        count++;
    int err = experiment_parse("test", "[experiment]\nname = test\nseed = 7\n[space]\nunits = 1\n", overrides,
                               count, &experiment, &problem);
    if (err)
        fprintf(stderr, "%s\n", problem.text);
    assert(err == 0);
    return experiment;
}

UNUSED static struct space *space_with(const struct experiment *experiment)
{
    struct space *space = NULL;
    struct problem problem = {0};
    int err = space_new(&experiment->space, &space, &problem);
    if (err)
        fprintf(stderr, "%s\n", problem.text);
    assert(err == 0);
    return space;
}

/* ---- a disk: what was committed
 * ------------------------------------------------------------------------------------------ */

/* One without points takes away the one that is there. */
UNUSED static void disk_put_curve(struct rows *disk, const struct curve_row *curve)
{
    size_t at = 0;
    while (at < disk->curves.count && disk->curves.items[at].trial != curve->trial)
        at++;
    if (curve->count > 0)
        *(at == disk->curves.count ? rows_curve(disk) : &disk->curves.items[at]) = *curve;
    else if (at < disk->curves.count)
        disk->curves.items[at] = disk->curves.items[--disk->curves.count];
}

/* Puts each changed row in place of the one with its key, or behind the others. Keys count from 1 but for
 * attempts (searched from the end) and proposals (from 0). Texts are copied. */
UNUSED static void disk_commit(struct rows *disk, const struct rows *changes)
{
    if (changes->experiment_changed) {
        disk->experiment = changes->experiment;
        disk->experiment.name = rows_keep(disk, changes->experiment.name);
        disk->experiment.text = rows_keep(disk, changes->experiment.text);
        disk->experiment.trainer = rows_keep(disk, changes->experiment.trainer);
        disk->experiment.data_hash = rows_keep(disk, changes->experiment.data_hash);
        disk->experiment.finished_because = rows_keep(disk, changes->experiment.finished_because);
        disk->experiment_changed = true;
    }
    if (changes->counters_changed) {
        disk->counters = changes->counters;
        disk->counters_changed = true;
    }
    for (size_t i = 0; i < changes->workers.count; i++) {
        const struct worker_row *row = &changes->workers.items[i];
        assert((size_t)row->id <= disk->workers.count + 1);
        struct worker_row *place =
            (size_t)row->id > disk->workers.count ? rows_worker(disk) : &disk->workers.items[row->id - 1];
        *place = *row;
        place->name = rows_keep(disk, row->name);
        place->host = rows_keep(disk, row->host);
        place->trainer = rows_keep(disk, row->trainer);
        place->kernels = rows_keep(disk, row->kernels);
        place->cpu = rows_keep(disk, row->cpu);
        place->key = rows_keep(disk, row->key);
    }
    for (size_t i = 0; i < changes->candidates.count; i++) {
        const struct candidate_row *row = &changes->candidates.items[i];
        assert((size_t)row->id <= disk->candidates.count + 1);
        struct candidate_row *place = (size_t)row->id > disk->candidates.count
                                          ? rows_candidate(disk)
                                          : &disk->candidates.items[row->id - 1];
        *place = *row;
        place->activation = rows_keep(disk, row->activation);
    }
    for (size_t i = 0; i < changes->proposals.count; i++) {
        const struct proposal_row *row = &changes->proposals.items[i];
        assert((size_t)row->number <= disk->proposals.count);
        struct proposal_row *place = (size_t)row->number == disk->proposals.count
                                         ? rows_proposal(disk)
                                         : &disk->proposals.items[row->number];
        *place = *row;
        place->activation = rows_keep(disk, row->activation);
    }
    for (size_t i = 0; i < changes->trials.count; i++) {
        const struct trial_row *row = &changes->trials.items[i];
        assert((size_t)row->id <= disk->trials.count + 1);
        *((size_t)row->id > disk->trials.count ? rows_trial(disk) : &disk->trials.items[row->id - 1]) = *row;
    }
    for (size_t i = 0; i < changes->attempts.count; i++) {
        const struct attempt_row *row = &changes->attempts.items[i];
        size_t at = disk->attempts.count;
        while (at > 0 && disk->attempts.items[at - 1].id != row->id)
            at--;
        struct attempt_row *place = at == 0 ? rows_attempt(disk) : &disk->attempts.items[at - 1];
        *place = *row;
        place->reason = rows_keep(disk, row->reason);
    }
    for (size_t i = 0; i < changes->events.count; i++) {
        struct event_row *event = rows_event(disk);
        *event = changes->events.items[i];
        event->text = rows_keep(disk, event->text);
    }
    for (size_t i = 0; i < changes->curves.count; i++)
        disk_put_curve(disk, &changes->curves.items[i]);
    if (changes->search_changed) {
        struct buf state = disk->search.state;
        const char *policy = disk->search.policy;
        disk->search = changes->search;
        disk->search.policy = policy && strcmp(policy, changes->search.policy) == 0
                                  ? policy
                                  : rows_keep(disk, changes->search.policy);
        disk->search.state = state;
        buf_clear(&disk->search.state);
        buf_put(&disk->search.state, changes->search.state.data, changes->search.state.size);
        disk->search_changed = true;
    }
    if (changes->model_changed) {
        disk->model.policy_version = changes->model.policy_version;
        disk->model.at_ms = changes->model.at_ms;
        buf_clear(&disk->model.model);
        buf_put(&disk->model.model, changes->model.model.data, changes->model.model.size);
        disk->model_changed = true;
    }
}

/* A disk as the store makes it for a new experiment. */
UNUSED static struct rows disk_new(const struct experiment *experiment)
{
    char *text = experiment_text(experiment);
    struct rows disk = {0}, first = {.experiment_changed = true, .counters_changed = true};
    first.experiment = (struct experiment_row){.name = experiment->name,
                                               .text = text,
                                               .numerics = NUMERICS,
                                               .trainer = "",
                                               .data_hash = "",
                                               .target_candidates = experiment->search.candidates,
                                               .finished_because = ""};
    disk_commit(&disk, &first);
    free(text);
    return disk;
}

/* What the store would restore from it. */
UNUSED static struct rows disk_read(const struct rows *disk)
{
    struct rows copy = {0};
    disk_commit(&copy, disk);
    size_t kept = 0;
    for (size_t i = 0; i < copy.proposals.count; i++)
        if (isnan(copy.proposals.items[i].reward))
            copy.proposals.items[kept++] = copy.proposals.items[i];
    copy.proposals.count = kept;
    copy.events.count = copy.curves.count = 0;
    return copy;
}

UNUSED static struct core *core_from(const struct experiment *experiment, const struct space *space,
                                     struct rows restored, int64_t now_ms)
{
    struct core *core = NULL;
    struct problem problem = {0};
    int err = core_new(experiment, space, &restored, now_ms, &core, &problem);
    if (err)
        fprintf(stderr, "%s\n", problem.text);
    assert(err == 0);
    return core;
}

UNUSED static struct core *core_on(const struct experiment *experiment, const struct space *space,
                                   const struct rows *disk, int64_t now_ms)
{
    return core_from(experiment, space, disk_read(disk), now_ms);
}

/* ---- a training that takes no time
 * --------------------------------------------------------------------------------------- */

/* The outcome is a function of activation, settings and seed, as a deterministic trainer's is. One in twenty
 * diverges. */
UNUSED static struct msg_result result_of(const struct msg_lease *lease)
{
    uint64_t hash =
        hash64(lease->activation, strlen(lease->activation)) ^ (uint64_t)lease->seed * 0x9e3779b97f4a7c15u;
    hash ^= hash64(lease->child, strlen(lease->child));
    hash = hash64(&hash, sizeof hash);
    bool diverged = hash % 20 == 0;
    struct msg_result result = {.attempt = lease->attempt,
                                .trial = lease->trial,
                                .diverged = diverged,
                                .step = diverged ? 3 : 100,
                                .correct = diverged ? 0 : (int64_t)(hash >> 8) % 5001,
                                .validation_count = 5000,
                                .validation_loss = diverged ? NAN : (double)(hash >> 40) / 1e6,
                                .train_loss = 1,
                                .parameters = 1234,
                                .seconds = 1,
                                .images_per_second = 100,
                                .cost_ns = 1,
                                .curve_step = {1, 2},
                                .curve_step_count = 2,
                                .curve_loss = {2.5, 2.25},
                                .curve_loss_count = 2};
    snprintf(result.data_hash, sizeof result.data_hash, "%s", DATA_HASH);
    return result;
}

UNUSED static struct msg hello_of(const char *name, int64_t slots)
{
    struct msg msg = {.type = MSG_HELLO};
    msg.hello_ = (struct msg_hello){.version = PROTO_VERSION, .numerics = NUMERICS, .pid = 1, .slots = slots};
    snprintf(msg.hello_.worker, sizeof msg.hello_.worker, "%s", name);
    snprintf(msg.hello_.host, sizeof msg.hello_.host, "host-%.40s", name);
    snprintf(msg.hello_.trainer, sizeof msg.hello_.trainer, "actsearch");
    snprintf(msg.hello_.kernels, sizeof msg.hello_.kernels, "portable");
    snprintf(msg.hello_.cpu, sizeof msg.hello_.cpu, "made up");
    return msg;
}

UNUSED static struct msg request_of(int64_t free_slots)
{
    struct msg msg = {.type = MSG_REQUEST};
    msg.request_.free = free_slots;
    snprintf(msg.request_.data_hash, sizeof msg.request_.data_hash, "%s", DATA_HASH);
    return msg;
}

#endif
