/* core_world: the real core in a made-up world: workers that crash and fall silent, a network that drops,
 * doubles, delays and reorders, and a coordinator that is killed between any two steps and started again from
 * what was committed. All from one seed. */
#ifndef TESTS_UNIT_CORE_WORLD_H
#define TESTS_UNIT_CORE_WORLD_H

#include "tests/unit/core_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

enum { MAX_WORKERS = 6, MAX_HELD = 8, MAX_FLYING = 4096 };

/* How rough the world is: in a thousand. */
struct weather {
    int drop, twice, worker_crash, coordinator_crash, silence, reconnect, unsent;
    int64_t delay_ms; /* at most */
};

struct held {
    struct msg_lease lease; /* attempt 0: free */
    int64_t done_ms;        /* when the training ends */
    int64_t said_ms;        /* when its result was last sent */
};

struct worker_model {
    char name[40];
    uint64_t peer;
    bool known;
    int64_t slots, spoke_ms, silent_until_ms;
    struct held held[MAX_HELD];
};

struct flying {
    int64_t at_ms;
    uint64_t order;
    uint64_t peer;
    int worker; /* −1: to the coordinator */
    struct msg *msg;
};

/* A real disk behind the made-up one. */
struct second_disk {
    void (*commit)(struct second_disk *disk, const struct rows *changes);
    /* The coordinator was killed: opens the disk anew and returns what is restored from it. `expected` is
     * what was committed. */
    struct rows (*reopen)(struct second_disk *disk, const struct rows *expected);
};

struct world {
    struct experiment *experiment;
    struct space *space;
    struct rng rng;
    struct weather weather;
    struct rows disk;
    struct second_disk *second_disk; /* or NULL */
    struct core *core;
    struct worker_model workers[MAX_WORKERS];
    int worker_count;
    uint64_t next_peer, next_name, next_order;
    int64_t now_ms;
    struct flying flying[MAX_FLYING];
    int flying_count;
    int restarts, crashes;
};

static bool happens(struct world *world, int in_a_thousand)
{
    return (int)rng_below(&world->rng, 1000) < in_a_thousand;
}

static size_t message_size(const struct msg *msg)
{
    switch (msg->type) {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning)                                                        \
    case MSG_##NAME:                                                                                         \
        return offsetof(struct msg, Name##_) + sizeof(struct msg_##Name);
#include "proto/messages.def"
    default:
        return sizeof *msg;
    }
}

/* Into the network: lost, once or twice, each after its own delay. */
static void fly(struct world *world, int worker, uint64_t peer, const struct msg *msg)
{
    if (happens(world, world->weather.drop))
        return;
    for (int copies = happens(world, world->weather.twice) ? 2 : 1; copies > 0; copies--) {
        if (world->flying_count == MAX_FLYING)
            return;
        struct flying *flying = &world->flying[world->flying_count++];
        *flying = (struct flying){.at_ms = world->now_ms +
                                           (int64_t)rng_below(&world->rng, (uint64_t)world->weather.delay_ms),
                                  .order = world->next_order++,
                                  .peer = peer,
                                  .worker = worker,
                                  .msg = malloc(message_size(msg))};
        memcpy(flying->msg, msg, message_size(msg));
    }
}

static void say(struct world *world, struct worker_model *worker, const struct msg *msg)
{
    worker->spoke_ms = world->now_ms;
    fly(world, -1, worker->peer, msg);
}

static void start_worker(struct world *world, struct worker_model *worker)
{
    *worker =
        (struct worker_model){.peer = world->next_peer++, .slots = 1 + (int64_t)rng_below(&world->rng, 4)};
    snprintf(worker->name, sizeof worker->name, "w%llu", (unsigned long long)world->next_name++);
}

static void say_request(struct world *world, struct worker_model *worker)
{
    struct msg request = request_of(worker->slots);
    for (int i = 0; i < MAX_HELD; i++)
        if (worker->held[i].lease.attempt != 0) {
            request.request_.holding[request.request_.holding_count++] = worker->held[i].lease.attempt;
            request.request_.free--;
        }
    if (request.request_.free < 0)
        request.request_.free = 0;
    say(world, worker, &request);
}

static struct held *held_as(struct worker_model *worker, int64_t attempt)
{
    for (int i = 0; i < MAX_HELD; i++)
        if (worker->held[i].lease.attempt == attempt)
            return &worker->held[i];
    return NULL;
}

static const struct attempt_row *attempt_on(const struct rows *disk, int64_t attempt)
{
    for (size_t i = disk->attempts.count; i > 0; i--)
        if (disk->attempts.items[i - 1].id == attempt)
            return &disk->attempts.items[i - 1];
    return NULL;
}

static void on_lease(struct world *world, struct worker_model *worker, const struct msg_lease *lease)
{
    const struct attempt_row *row = attempt_on(&world->disk, lease->attempt);
    assert_non_null(row); /* durable before it was sent */
    assert_int_equal(row->trial, lease->trial);
    if (held_as(worker, lease->attempt))
        return;
    struct held *place = held_as(worker, 0);
    int64_t busy = 0;
    for (int i = 0; i < MAX_HELD; i++)
        busy += worker->held[i].lease.attempt != 0;
    if (!place ||
        busy >= worker->slots) { /* a delayed message made the coordinator think that there was room */
        struct msg back = {.type = MSG_RETURN, .return_ = {.attempt = lease->attempt, .trial = lease->trial}};
        say(world, worker, &back);
        return;
    }
    *place =
        (struct held){.lease = *lease, .done_ms = world->now_ms + 50 + (int64_t)rng_below(&world->rng, 3000)};
}

static void worker_hears(struct world *world, struct worker_model *worker, const struct msg *msg)
{
    struct held *held;
    switch (msg->type) {
    case MSG_WELCOME:
        worker->known = true;
        say_request(world, worker);
        break;
    case MSG_WHO:
        worker->known = false;
        break;
    case MSG_LEASE:
        on_lease(world, worker, &msg->lease_);
        break;
    case MSG_ACK:
        /* What is acknowledged is on disk. */
        assert_int_not_equal(attempt_on(&world->disk, msg->ack_.attempt)->state, ATTEMPT_LEASED);
        /* fall through */
    case MSG_STALE:
    case MSG_CANCEL:
        held = held_as(worker, msg->type == MSG_ACK     ? msg->ack_.attempt
                               : msg->type == MSG_STALE ? msg->stale_.attempt
                                                        : msg->cancel_.attempt);
        if (held && msg->type == MSG_CANCEL) /* nothing is told to stop that is still wanted */
            assert_int_not_equal(attempt_on(&world->disk, held->lease.attempt)->state, ATTEMPT_LEASED);
        if (held) {
            *held = (struct held){0};
            say_request(world, worker);
        }
        break;
    case MSG_BYE:
        assert_true(msg->bye_.finished);
        assert_string_not_equal(world->disk.experiment.finished_because, "");
        break;
    default:
        fail();
    }
}

static void worker_acts(struct world *world, struct worker_model *worker)
{
    if (happens(world, world->weather.worker_crash)) {
        start_worker(world, worker);
        world->crashes++;
    }
    if (happens(world, world->weather.silence))
        worker->silent_until_ms = world->now_ms + (int64_t)rng_below(&world->rng, 30000);
    if (world->now_ms < worker->silent_until_ms)
        return;
    if (happens(world, world->weather.reconnect)) {
        worker->peer = world->next_peer++;
        worker->known = false;
    }
    bool quiet = world->now_ms - worker->spoke_ms >= 500;
    if (!worker->known) {
        struct msg hello = hello_of(worker->name, worker->slots);
        if (quiet || worker->spoke_ms == 0)
            say(world, worker, &hello);
        return;
    }
    for (int i = 0; i < MAX_HELD; i++) {
        struct held *held = &worker->held[i];
        if (held->lease.attempt == 0 || world->now_ms < held->done_ms || world->now_ms - held->said_ms < 400)
            continue;
        struct msg result = {.type = MSG_RESULT};
        result.result_ = result_of(&held->lease);
        held->said_ms = world->now_ms;
        say(world, worker, &result);
    }
    if (quiet)
        say_request(world, worker);
}

static void restart(struct world *world)
{
    core_destroy(&world->core);
    world->now_ms += (int64_t)rng_below(&world->rng, 20000);
    struct rows restored = disk_read(&world->disk);
    if (world->second_disk) {
        struct rows expected = restored;
        restored = world->second_disk->reopen(world->second_disk, &expected);
        rows_release(&expected);
    }
    world->core = core_from(world->experiment, world->space, restored, world->now_ms);
    world->restarts++;
}

/* A turn of the shell, which may be killed at any point of it. */
static void coordinator_acts(struct world *world)
{
    for (int i = 0; i < world->flying_count;) {
        struct flying flying = world->flying[i];
        if (flying.worker >= 0 || flying.at_ms > world->now_ms) {
            i++;
            continue;
        }
        core_receive(world->core, flying.peer, flying.msg, world->now_ms);
        free(flying.msg);
        world->flying[i] = world->flying[--world->flying_count]; /* the order of arrival is any */
    }
    core_advance(world->core, world->now_ms);
    if (happens(world, world->weather.coordinator_crash)) {
        restart(world);
        return;
    }
    const struct rows *changes = core_rows(world->core);
    disk_commit(&world->disk, changes);
    if (world->second_disk && !rows_empty(changes))
        world->second_disk->commit(world->second_disk, changes);
    if (happens(world, world->weather.coordinator_crash)) {
        restart(world);
        return;
    }
    size_t count;
    struct core_send *sends = core_sends(world->core, &count);
    for (size_t i = 0; i < count; i++) {
        struct msg msg;
        int to = -1;
        for (int w = 0; w < world->worker_count; w++)
            if (world->workers[w].peer == sends[i].peer)
                to = w;
        if (to < 0 || happens(world, world->weather.unsent)) {
            sends[i].unsent = true;
            continue;
        }
        core_message(world->core, &sends[i], &msg);
        fly(world, to, sends[i].peer, &msg);
    }
    core_clear(world->core, world->now_ms);
}

static void deliver_to_workers(struct world *world)
{
    for (int i = 0; i < world->flying_count;) {
        struct flying flying = world->flying[i];
        if (flying.worker < 0 || flying.at_ms > world->now_ms) {
            i++;
            continue;
        }
        world->flying[i] = world->flying[--world->flying_count];
        struct worker_model *worker = &world->workers[flying.worker];
        if (worker->peer == flying.peer) /* else its connection is gone */
            worker_hears(world, worker, flying.msg);
        free(flying.msg);
    }
}

/* Runs a search to its end in that weather and returns what is on its disk. */
static struct rows run_world_on(struct second_disk *second_disk, const char *const *settings, uint64_t seed,
                                struct weather weather, int worker_count, int *restarts, int *crashes)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->second_disk = second_disk;
    world->experiment = experiment_with(settings);
    world->space = space_with(world->experiment);
    world->rng = rng_seed(seed, "world", 0);
    world->weather = weather;
    world->worker_count = worker_count;
    world->next_peer = 1;
    world->now_ms = 1000000;
    world->disk = disk_new(world->experiment);
    world->core = core_on(world->experiment, world->space, &world->disk, world->now_ms);
    for (int i = 0; i < worker_count; i++)
        start_worker(world, &world->workers[i]);
    int steps = 0;
    while (world->disk.experiment.finished_because[0] == '\0') {
        assert_true(++steps < 100000); /* it does end */
        world->now_ms += 1 + (int64_t)rng_below(&world->rng, 100);
        for (int i = 0; i < worker_count; i++)
            worker_acts(world, &world->workers[i]);
        coordinator_acts(world);
        deliver_to_workers(world);
    }
    *restarts += world->restarts;
    *crashes += world->crashes;
    for (int i = 0; i < world->flying_count; i++)
        free(world->flying[i].msg);
    core_destroy(&world->core);
    space_destroy(&world->space);
    experiment_destroy(&world->experiment);
    struct rows disk = world->disk;
    free(world);
    return disk;
}

UNUSED static struct rows run_world(const char *const *settings, uint64_t seed, struct weather weather,
                                    int worker_count, int *restarts, int *crashes)
{
    return run_world_on(NULL, settings, seed, weather, worker_count, restarts, crashes);
}

/* Nothing lost, nothing counted twice, nothing unexpected. */
static void check_accounts(const struct rows *disk)
{
    const struct counters_row *counters = &disk->counters;
    int64_t taken = 0, open = 0;
    for (size_t i = 0; i < disk->attempts.count; i++) {
        const struct attempt_row *attempt = &disk->attempts.items[i];
        open += attempt->state == ATTEMPT_LEASED;
        taken += attempt->state == ATTEMPT_TAKEN;
        assert_int_not_equal(attempt->state, ATTEMPT_DIFFERED);
        if (attempt->state == ATTEMPT_TAKEN)
            assert_int_equal(disk->trials.items[attempt->trial - 1].closed_by, attempt->id);
    }
    assert_int_equal(open, 0);
    assert_int_equal(taken, counters->trials);
    assert_int_equal(counters->done + counters->diverged, counters->trials);
    assert_int_equal(disk->trials.count, counters->trials);
    assert_int_equal(disk->curves.count, counters->trials);
    for (size_t i = 0; i < disk->trials.count; i++) {
        const struct trial_row *trial = &disk->trials.items[i];
        assert_true(trial->state == TRIAL_DONE || trial->state == TRIAL_DIVERGED);
        assert_int_equal(attempt_on(disk, trial->closed_by)->trial, trial->id);
    }
    for (size_t i = 0; i < disk->proposals.count; i++) {
        const struct proposal_row *row = &disk->proposals.items[i];
        double reward = row->candidate == 0 ? 0 : disk->candidates.items[row->candidate - 1].reward;
        assert_memory_equal(&row->reward, &reward, sizeof reward);
    }
}

static void check_same_list(const struct rows *disk, const struct rows *expected)
{
    assert_int_equal(disk->candidates.count, expected->candidates.count);
    for (size_t i = 0; i < expected->candidates.count; i++) {
        const struct candidate_row *a = &disk->candidates.items[i], *b = &expected->candidates.items[i];
        assert_string_equal(a->activation, b->activation);
        assert_int_equal(a->first_proposal, b->first_proposal);
        assert_int_equal(a->rung, b->rung);
        assert_int_equal(a->steps, b->steps);
        assert_int_equal(a->trials, b->trials);
        assert_int_equal(a->seeds, b->seeds);
        assert_int_equal(a->diverged, b->diverged);
        assert_int_equal(a->parameters, b->parameters);
        assert_memory_equal(&a->accuracy_mean, &b->accuracy_mean, sizeof(double));
        assert_memory_equal(&a->accuracy_sd, &b->accuracy_sd, sizeof(double));
        assert_memory_equal(&a->validation_loss_mean, &b->validation_loss_mean, sizeof(double));
        assert_memory_equal(&a->reward, &b->reward, sizeof(double));
    }
    assert_int_equal(disk->counters.proposals, expected->counters.proposals);
    assert_int_equal(disk->counters.duplicates, expected->counters.duplicates);
    assert_int_equal(disk->counters.rejected, expected->counters.rejected);
    assert_string_equal(disk->experiment.finished_because, expected->experiment.finished_because);
}

static const struct weather calm = {.delay_ms = 10};

UNUSED static void check_weather(const char *name, const char *const *settings, struct weather weather,
                                 int seeds)
{
    int restarts = 0, crashes = 0, ignored = 0;
    struct rows expected = run_world(settings, 0, calm, 1, &ignored, &ignored);
    for (int seed = 1; seed <= seeds; seed++) {
        struct rows disk =
            run_world(settings, (uint64_t)seed, weather, 1 + seed % MAX_WORKERS, &restarts, &crashes);
        check_accounts(&disk);
        check_same_list(&disk, &expected);
        rows_release(&disk);
    }
    rows_release(&expected);
    print_message("%s: %d seeds, %d restarts of the coordinator, %d crashes of workers\n", name, seeds,
                  restarts, crashes);
    assert_true(weather.coordinator_crash == 0 || restarts > seeds);
    assert_true(weather.worker_crash == 0 || crashes > seeds);
}

#endif
