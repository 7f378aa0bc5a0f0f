/* core_world: the real core in a made-up world: workers that crash and fall silent, a network that drops,
 * doubles, delays, reorders and parts, a coordinator that is killed between any two steps and started again
 * from what was committed, and whose clock jumps. All from one seed.
 *
 * Invariants, checked at each step
 *  1. A trial that is closed on disk never changes, and a reward that is there never changes, unless the
 * result is withdrawn in the same turn. A worker that is shut out gets no lease.
 *  2. An attempt's number is higher than all before it; one that is taken stays so, or is withdrawn.
 *  3. An open trial is leased on disk if and only if exactly one attempt of it is; of a closed one, at most
 * one is, its audit.
 *  4. The counters on disk are those of the rows on disk.
 *  5. A LEASE that is heard is on disk. So is the outcome whose ACK is heard.
 *  6. Nothing is cancelled that is still leased; BYE comes only after the end is on disk. Nothing is leased in a
 *     turn after which the search is paused on disk, or while it is being stopped.
 * Those of the core itself (core.h) it asserts.
 *
 * The end, against the undisturbed run (check_accounts, check_same_list)
 *  7. Nothing is lost, nothing is counted twice: each trial is closed by exactly one attempt that says so,
 * and none is open.
 *  8. The ranked list, the proposals and their rewards are the same to the bit.
 */
#ifndef TESTS_UNIT_CORE_WORLD_H
#define TESTS_UNIT_CORE_WORLD_H

#include "coordinator/blobs.h"
#include "tests/unit/core_fixture.h"
#include "tests/unit/disk_checks.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum {
    MAX_WORKERS = 6,
    MAX_LIARS = 2,
    MAX_PLACES = MAX_WORKERS + MAX_LIARS,
    MAX_HELD = 8,
    DATA_BYTES = 9 * 32768 + 1, /* the size of the data set */
    MAX_FLYING = 4096
};

/* How rough the world is: in a thousand. */
struct weather {
    int drop, twice, worker_crash, coordinator_crash, silence, reconnect, unsent;
    int parting; /* the cable to one worker is cut for a while */
    int late;    /* a message that takes up to a minute */
    int pause;   /* a person pauses the search; it is resumed after a second or so */
    int stop;    /* a person stops it, and starts it again */
    int clock;   /* the coordinator's clock jumps, to at most two minutes before or after the true time */
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
    int64_t slots, spoke_ms, silent_until_ms, parted_until_ms;
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
    struct blobs *blobs; /* what hands over the data set; NULL: nobody asks for it */
    struct worker_model workers[MAX_PLACES];
    int worker_count;
    uint64_t next_peer, next_name, next_order;
    int64_t now_ms;
    int64_t stop_by_ms; /* it is being stopped until then at most; 0: it is not */
    int64_t clock_ms;   /* how far the coordinator's clock is ahead of it */
    FILE *trace;        /* where each message is told, or NULL */
    struct flying flying[MAX_FLYING];
    int flying_count;
    int restarts, crashes, pauses, stops;
    int restarts_max; /* 0: no bound */
    bool ends;        /* the coordinator ends once it may, and answers nobody then */
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

UNUSED static void tell(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(const struct world *world, const char *format, ...)
{
    if (!world->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(world->trace, "%10.3f  ", (double)world->now_ms / 1000);
    vfprintf(world->trace, format, arguments);
    fputc('\n', world->trace);
    va_end(arguments);
}

/* The attempt that a message is about, or 0. */
static int64_t attempt_of(const struct msg *msg)
{
    switch (msg->type) {
    case MSG_LEASE:
        return msg->lease_.attempt;
    case MSG_RESULT:
        return msg->result_.attempt;
    case MSG_FAILURE:
        return msg->failure_.attempt;
    case MSG_RETURN:
        return msg->return_.attempt;
    case MSG_PROGRESS:
        return msg->progress_.attempt;
    case MSG_ACK:
        return msg->ack_.attempt;
    case MSG_STALE:
        return msg->stale_.attempt;
    case MSG_CANCEL:
        return msg->cancel_.attempt;
    default:
        return 0;
    }
}

static int64_t coordinator_now(const struct world *world)
{
    return world->now_ms + world->clock_ms;
}

static int place_of(const struct world *world, uint64_t peer)
{
    for (int w = 0; w < world->worker_count; w++)
        if (world->workers[w].peer == peer)
            return w;
    return -1;
}

/* When a message that is sent now arrives. */
static int64_t arrival_ms(struct world *world, int place)
{
    const int64_t most = happens(world, world->weather.late) ? 60000 : world->weather.delay_ms;
    const int64_t at_ms = world->now_ms + (int64_t)rng_below(&world->rng, (uint64_t)most);
    const int64_t parted_ms = place < 0 ? 0 : world->workers[place].parted_until_ms;
    return at_ms > parted_ms ? at_ms : parted_ms;
}

/* Into the network: lost, once or twice, each after its own delay. Where the cable is cut, half of it is lost
 * and half waits. */
static void fly(struct world *world, int worker, uint64_t peer, const struct msg *msg)
{
    const int place = worker >= 0 ? worker : place_of(world, peer);
    const bool parted = place >= 0 && world->now_ms < world->workers[place].parted_until_ms;
    if (happens(world, world->weather.drop) || (parted && happens(world, 500)))
        return;
    for (int copies = happens(world, world->weather.twice) ? 2 : 1; copies > 0; copies--) {
        if (world->flying_count == MAX_FLYING)
            return;
        struct flying *flying = &world->flying[world->flying_count++];
        *flying = (struct flying){.at_ms = arrival_ms(world, place),
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

static void on_lease(struct world *world, struct worker_model *worker, const struct msg_lease *lease)
{
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

/* Invariants 5 and 6, for a message that `holds` says whether its attempt is held there. */
static void check_heard(const struct world *world, const struct msg *msg, bool holds)
{
    const struct attempt_row *row = attempt_on(&world->disk, attempt_of(msg));
    switch (msg->type) {
    case MSG_LEASE:
        assert_non_null(row); /* durable before it was sent */
        assert_int_equal(row->trial, msg->lease_.trial);
        break;
    case MSG_ACK:
        assert_non_null(row);
        assert_int_not_equal(row->state, ATTEMPT_LEASED);
        break;
    case MSG_CANCEL:
        assert_true(!holds || row->state != ATTEMPT_LEASED);
        break;
    case MSG_BYE:
        assert_true(!msg->bye_.finished || world->disk.experiment.finished_because[0] != '\0');
        break;
    default:
        break;
    }
}

static void worker_hears(struct world *world, struct worker_model *worker, const struct msg *msg)
{
    struct held *held = held_as(worker, attempt_of(msg));
    check_heard(world, msg, attempt_of(msg) != 0 && held);
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
    case MSG_STALE:
    case MSG_CANCEL:
        if (held) {
            *held = (struct held){0};
            say_request(world, worker);
        }
        break;
    case MSG_LEAVE:
        for (int i = 0; i < MAX_HELD; i++) {
            const struct msg_lease *lease = &worker->held[i].lease;
            struct msg back = {.type = MSG_RETURN,
                               .return_ = {.attempt = lease->attempt, .trial = lease->trial}};
            if (lease->attempt != 0)
                say(world, worker, &back);
        }
        say(world, worker, &(struct msg){.type = MSG_BYE});
        start_worker(world, worker);
        break;
    case MSG_BYE:
        assert_true(msg->bye_.finished);
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

/* The data set can be fetched from the coordinator, as from one that has just been started. */
static void offer_data(struct world *world)
{
    blobs_destroy(&world->blobs);
    world->blobs = blobs_new(DATA_HASH, DATA_BYTES, rng_seed(world->next_order++, "receipts", 0));
    core_offer(world->core, DATA_HASH, DATA_BYTES);
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
    world->core = core_from(world->experiment, world->space, restored, coordinator_now(world));
    if (world->blobs)
        offer_data(world);
    world->restarts++;
    world->stop_by_ms = 0;
    tell(world, "coordinator is started again");
}

/* A start is most of the work of a world. */
static bool may_restart(const struct world *world)
{
    return world->restarts_max == 0 || world->restarts < world->restarts_max;
}

/* The orders of people. */
static void order(struct world *world)
{
    enum { PATIENCE_MS = 4000 };
    if (core_paused(world->core) && happens(world, 50)) {
        assert_true(core_pause(world->core, false, coordinator_now(world)));
    } else if (world->weather.pause > 0 && happens(world, world->weather.pause)) {
        world->pauses += core_pause(world->core, true, coordinator_now(world));
    }
    if (world->weather.stop > 0 && world->stop_by_ms == 0 && may_restart(world) &&
        happens(world, world->weather.stop)) {
        core_stop(world->core, coordinator_now(world));
        world->stop_by_ms = world->now_ms + PATIENCE_MS;
        world->stops++;
        tell(world, "the search is to be stopped");
    }
}

static bool is_killed(struct world *world)
{
    return may_restart(world) &&
           happens(world, world->weather.coordinator_crash);
}

/* The bytes of a piece mean nothing here. */
static void send_pieces(struct world *world)
{
    static struct msg msg = {.type = MSG_CHUNK, .chunk_ = {.data_hash = ""}};
    struct blobs_piece piece;
    for (int i = 0; world->blobs && i < 16 && blobs_next(world->blobs, coordinator_now(world), &piece); i++) {
        const int to = place_of(world, piece.peer);
        if (to < 0 || !core_knows(world->core, piece.peer) || happens(world, world->weather.unsent)) {
            blobs_unsent(world->blobs, piece.peer);
            continue;
        }
        memcpy(msg.chunk_.data_hash, DATA_HASH, sizeof msg.chunk_.data_hash);
        msg.chunk_.offset = piece.offset;
        msg.chunk_.receipt = piece.receipt;
        msg.chunk_.bytes_count = piece.size;
        fly(world, to, piece.peer, &msg);
    }
}

/* A turn of the shell, which may be killed at any point of it. */
static void coordinator_acts(struct world *world)
{
    if (world->ends && core_is_over(world->core))
        return;
    for (int i = 0; i < world->flying_count;) {
        struct flying flying = world->flying[i];
        if (flying.worker >= 0 || flying.at_ms > world->now_ms) {
            i++;
            continue;
        }
        tell(world, "from %llu: %s %llx", (unsigned long long)flying.peer, msg_type_name(flying.msg->type),
             (unsigned long long)attempt_of(flying.msg));
        core_receive(world->core, flying.peer, flying.msg, coordinator_now(world));
        if (world->blobs && flying.msg->type == MSG_FETCH && core_knows(world->core, flying.peer))
            blobs_fetch(world->blobs, flying.peer, &flying.msg->fetch_, coordinator_now(world));
        free(flying.msg);
        world->flying[i] = world->flying[--world->flying_count]; /* the order of arrival is any */
    }
    if (happens(world, world->weather.clock))
        world->clock_ms = (int64_t)rng_below(&world->rng, 240000) - 120000;
    order(world);
    core_advance(world->core, coordinator_now(world));
    if (is_killed(world)) {
        restart(world);
        return;
    }
    const struct rows *changes = core_rows(world->core);
    check_changes(&world->disk, changes);
    for (size_t i = 0; i < changes->events.count; i++)
        tell(world, "event: %s", changes->events.items[i].text);
    disk_commit(&world->disk, changes);
    if (!rows_empty(changes))
        check_disk(&world->disk);
    if (world->second_disk && !rows_empty(changes))
        world->second_disk->commit(world->second_disk, changes);
    if (is_killed(world)) {
        restart(world);
        return;
    }
    size_t count;
    struct core_send *sends = core_sends(world->core, &count);
    for (size_t i = 0; i < count; i++) {
        struct msg msg;
        assert_true(sends[i].type != MSG_LEASE || (!world->disk.experiment.paused && world->stop_by_ms == 0));
        const int to = place_of(world, sends[i].peer);
        if (to < 0 || happens(world, world->weather.unsent)) {
            sends[i].unsent = true;
            continue;
        }
        core_message(world->core, &sends[i], &msg);
        fly(world, to, sends[i].peer, &msg);
    }
    core_clear(world->core, coordinator_now(world));
    send_pieces(world);
    const bool goes_on = world->disk.experiment.finished_because[0] == '\0';
    if (world->stop_by_ms != 0 && goes_on &&
        (core_stopped(world->core) || world->now_ms >= world->stop_by_ms))
        restart(world);
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
    assert_true(weather.stop == 0 || restarts > seeds);
    assert_true(weather.worker_crash == 0 || crashes > seeds);
}

#endif
