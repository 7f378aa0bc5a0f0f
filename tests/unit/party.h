/* party: the real core and real agents in the world of core_world.h: daemons that are killed, paused and told
 * to leave, trainers that crash, and peers that lie. All from one seed.
 *
 * Invariants besides those of core_world.h, checked at each step
 *  9. A slot runs one trial at a time: START only where none runs, HALT and STOP only where one does, each at
 * most once.
 * 10. An agent says nothing but HELLO before WELCOME, and nothing but BYE after its end; it does not talk
 * without end, and after each turn it may sleep.
 * 11. Honest daemons are never refused, and leave only when they are told to or the experiment is done.
 * 12. All of it ends once the troubles do, after TROUBLE_STEPS: the search, and each daemon hears of it.
 * 13. Where no message is lost, each daemon hears of the end before the coordinator ends, however often that
 * is killed meanwhile.
 * 14. No host that computes right is ever shut out. One that computes wrong is refused from the moment on that
 * it is; at the end nothing rests on what it alone said.
 */
#ifndef TESTS_UNIT_PARTY_H
#define TESTS_UNIT_PARTY_H

#include "tests/unit/core_world.h"

#include "worker/agent.h"
#include "worker/fetch.h"

enum { SLOTS_MAX = 4, LIES_KEPT = 8, TROUBLE_STEPS = 20000, STEPS_MAX = 2 * TROUBLE_STEPS };
enum { RESTARTS_MAX = 10 }; /* a start is most of the work of a world */

/* What happens besides the weather of core_world.h, in a thousand. */
struct fate {
    struct weather weather;
    int trainer_crash, sigterm;
    int lie;   /* how talkative a liar is */
    int wrong; /* of the results of daemon 0: other bits than everybody else's */
    int daemons, liars;
};

struct trainer {
    bool runs;
    struct msg_lease lease;
    int64_t ends_ms;
    bool halted, stopped, crashes;
};

struct daemon {
    struct agent *agent;
    int slots;
    bool told; /* to leave */
    bool fetching;
    struct fetch fetch;
    struct trainer trainers[SLOTS_MAX];
};

/* A peer that speaks the protocol and means nothing by it. What it is leased it may lose, return, report as
 * failed, or hold and never do a step; it does not report wrong numbers for it (see `wrong`). */
struct liar {
    struct msg_lease leases[LIES_KEPT]; /* that it was given, the last ones */
    uint64_t leased;
};

struct party {
    struct world *world;
    struct daemon daemons[MAX_WORKERS];
    struct liar liars[MAX_LIARS];
    struct fate fate;
    int64_t kept[MAX_WORKERS]; /* bytes of the data set on the disk of each daemon's host */
    int fetched;               /* data sets */
    int starts, stops, trainer_crashes, left, trainings, lies, wrongs, refused;
};

/* ---- daemons ---- */

static void start_daemon(struct party *party, int index)
{
    struct world *world = party->world;
    struct daemon *daemon = &party->daemons[index];
    agent_destroy(&daemon->agent);
    char name[40];
    snprintf(name, sizeof name, "d%llu", (unsigned long long)world->next_name++);
    *daemon = (struct daemon){.slots = 1 + (int)rng_below(&world->rng, SLOTS_MAX)};
    struct msg hello = hello_of(name, daemon->slots);
    snprintf(hello.hello_.host, sizeof hello.hello_.host, "host-%d", index);
    daemon->agent = agent_new(&hello.hello_, rng_seed(world->next_name, "agent", 0), world->now_ms);
    world->workers[index].peer = world->next_peer++;
    if (happens(world, 200)) /* on another host */
        party->kept[index] = 0;
    party->starts++;
    tell(world, "daemon %d is %s, peer %llu", index, name, (unsigned long long)world->workers[index].peer);
}

static void start_trainer(struct party *party, struct daemon *daemon, const struct agent_action *action)
{
    struct world *world = party->world;
    assert_in_range(action->slot, 0, daemon->slots - 1);
    struct trainer *trainer = &daemon->trainers[action->slot];
    party->trainings++;
    assert_false(trainer->runs);
    *trainer = (struct trainer){.runs = true,
                                .lease = *action->lease,
                                .ends_ms = world->now_ms + 50 + (int64_t)rng_below(&world->rng, 3000),
                                .crashes = happens(world, party->fate.trainer_crash)};
}

/* Bad memory gives other bits each time, another build always the same. */
static void compute_wrong(struct party *party, struct msg_result *result)
{
    if (result->diverged || happens(party->world, 500))
        result->step++;
    else
        result->correct = (result->correct + 1 + (int64_t)rng_below(&party->world->rng, 5)) % 5001;
    party->wrongs++;
}

static void trainers_act(struct party *party, struct daemon *daemon)
{
    static struct msg outcome;
    for (int slot = 0; slot < daemon->slots; slot++) {
        struct trainer *trainer = &daemon->trainers[slot];
        if (!trainer->runs)
            continue;
        agent_progress(daemon->agent, slot, 1 + (int64_t)rng_below(&party->world->rng, 100), 2.5);
        if (party->world->now_ms < trainer->ends_ms)
            continue;
        trainer->runs = false;
        if (trainer->halted && happens(party->world, 800)) {
            outcome.type = MSG_RETURN;
        } else if (trainer->stopped || trainer->crashes) {
            outcome.type = MSG_FAILURE;
            outcome.failure_ = (struct msg_failure){.reason = "it crashed"};
            party->trainer_crashes += !trainer->stopped;
        } else {
            outcome.type = MSG_RESULT;
            outcome.result_ = result_of(&trainer->lease);
            if (daemon == &party->daemons[0] && happens(party->world, party->fate.wrong))
                compute_wrong(party, &outcome.result_);
        }
        agent_ended(daemon->agent, slot, &outcome, party->world->now_ms);
    }
}

static void obey_about_trainer(struct party *party, struct daemon *daemon, const struct agent_action *action)
{
    struct world *world = party->world;
    struct trainer *trainer = &daemon->trainers[action->slot];
    if (action->type == AGENT_START) {
        start_trainer(party, daemon, action);
    } else if (action->type == AGENT_HALT) { /* it may take long over it, be done just now, or crash */
        assert_true(trainer->runs && !trainer->halted && !trainer->stopped);
        trainer->halted = true;
        if (happens(world, 800))
            trainer->ends_ms = world->now_ms + (int64_t)rng_below(&world->rng, 2 * AGENT_LEAVE_MS);
    } else {
        assert_true(trainer->runs && !trainer->stopped);
        trainer->stopped = true;
        trainer->ends_ms = world->now_ms + (int64_t)rng_below(&world->rng, 200);
    }
}

/* ---- the data set ---- */

static void tell_data(struct party *party, struct daemon *daemon)
{
    daemon->fetching = false;
    agent_data(daemon->agent, party->world->experiment->child.data, DATA_HASH, NULL, party->world->now_ms);
}

static void want_data(struct party *party, int index, const struct agent_action *action)
{
    struct daemon *daemon = &party->daemons[index];
    assert_string_equal(action->data, party->world->experiment->child.data);
    assert_string_equal(action->data_hash, DATA_HASH);
    fetch_start(&daemon->fetch, action->data_hash, action->data_bytes, party->kept[index],
                rng_seed(party->world->next_name++, "fetch", 0));
    daemon->fetching = true;
    if (fetch_done(&daemon->fetch))
        tell_data(party, daemon);
}

static void hear_about_data(struct party *party, int index, const struct msg *msg)
{
    struct daemon *daemon = &party->daemons[index];
    if (daemon->fetching && msg->type == MSG_WELCOME)
        fetch_greeted(&daemon->fetch);
    if (!daemon->fetching || msg->type != MSG_CHUNK)
        return;
    if (fetch_receive(&daemon->fetch, &msg->chunk_, party->world->now_ms) == FETCH_PIECE)
        party->kept[index] = daemon->fetch.have;
    if (fetch_done(&daemon->fetch)) {
        party->fetched++;
        tell_data(party, daemon);
    }
}

static void ask_for_data(struct party *party, int index)
{
    struct world *world = party->world;
    struct daemon *daemon = &party->daemons[index];
    static struct msg message;
    if (!daemon->fetching || !agent_greeted(daemon->agent) || agent_left(daemon->agent) != AGENT_STAYS)
        return;
    message.type = MSG_FETCH;
    while (fetch_next(&daemon->fetch, world->now_ms, &message.fetch_))
        fly(world, -1, world->workers[index].peer, &message);
    assert_true(fetch_next_ms(&daemon->fetch) > world->now_ms);
}

static void obey(struct party *party, int index)
{
    struct world *world = party->world;
    struct daemon *daemon = &party->daemons[index];
    static struct msg message;
    struct agent_action action;
    for (int count = 0; agent_next(daemon->agent, world->now_ms, &action, &message); count++) {
        assert_true(count < 200);
        switch (action.type) {
        case AGENT_SEND:
            if (agent_left(daemon->agent) != AGENT_STAYS)
                assert_int_equal(message.type, MSG_BYE);
            else if (!agent_greeted(daemon->agent))
                assert_int_equal(message.type, MSG_HELLO);
            fly(world, -1, world->workers[index].peer, &message);
            break;
        case AGENT_START:
        case AGENT_HALT:
        case AGENT_STOP:
            obey_about_trainer(party, daemon, &action);
            break;
        case AGENT_DATA:
            want_data(party, index, &action);
            break;
        case AGENT_RECONNECT:
            world->workers[index].peer = world->next_peer++;
            break;
        }
    }
    ask_for_data(party, index);
    assert_true(agent_next_ms(daemon->agent) > world->now_ms);
}

static bool holds_attempt(const struct daemon *daemon, int64_t attempt)
{
    for (int slot = 0; slot < daemon->slots; slot++)
        if (daemon->trainers[slot].runs && daemon->trainers[slot].lease.attempt == attempt)
            return true;
    return false;
}

static void hear_as_liar(struct liar *liar, const struct msg *msg)
{
    if (msg->type == MSG_LEASE)
        liar->leases[liar->leased++ % LIES_KEPT] = msg->lease_;
}

static void deliver(struct party *party, int index)
{
    struct world *world = party->world;
    for (int i = 0; i < world->flying_count;) {
        struct flying flying = world->flying[i];
        if (flying.worker != index || flying.at_ms > world->now_ms) {
            i++;
            continue;
        }
        world->flying[i] = world->flying[--world->flying_count];
        if (flying.peer == world->workers[index].peer) { /* else its connection is gone */
            tell(world, "to %llu: %s %llx", (unsigned long long)flying.peer, msg_type_name(flying.msg->type),
                 (unsigned long long)attempt_of(flying.msg));
            if (index < party->fate.daemons) {
                struct daemon *daemon = &party->daemons[index];
                check_heard(world, flying.msg,
                            !daemon->told && holds_attempt(daemon, attempt_of(flying.msg)));
                daemon->told = daemon->told || flying.msg->type == MSG_LEAVE;
                agent_receive(daemon->agent, flying.msg, world->now_ms);
                hear_about_data(party, index, flying.msg);
            } else {
                check_heard(world, flying.msg, false);
                hear_as_liar(&party->liars[index - party->fate.daemons], flying.msg);
            }
        }
        free(flying.msg);
    }
}

/* Killed, paused, cut off: what happens to a place whoever is there. False while it cannot act. */
static bool place_acts(struct party *party, int index)
{
    struct world *world = party->world;
    struct worker_model *place = &world->workers[index];
    const struct weather *weather = &party->fate.weather;
    if (happens(world, weather->silence))
        place->silent_until_ms = world->now_ms + (int64_t)rng_below(&world->rng, 30000);
    if (happens(world, weather->parting)) {
        place->parted_until_ms = world->now_ms + (int64_t)rng_below(&world->rng, 60000);
        tell(world, "the cable to peer %llu is cut", (unsigned long long)place->peer);
    }
    if (world->now_ms < place->silent_until_ms)
        return false;
    if (happens(world, weather->reconnect))
        place->peer = world->next_peer++;
    return true;
}

static bool has_finished(const struct daemon *daemon)
{
    return (agent_left(daemon->agent) == AGENT_FINISHED || agent_left(daemon->agent) == AGENT_REFUSED) &&
           agent_busy(daemon->agent) == 0;
}

static bool host_is_shut_out(const struct rows *disk, const char *host)
{
    for (size_t i = 0; i < disk->workers.count; i++)
        if (disk->workers.items[i].shut_out_ms != 0 && strcmp(disk->workers.items[i].host, host) == 0)
            return true;
    return false;
}

static void daemon_acts(struct party *party, int index)
{
    struct world *world = party->world;
    struct daemon *daemon = &party->daemons[index];
    if (has_finished(daemon))
        return;
    if (happens(world, party->fate.weather.worker_crash)) {
        start_daemon(party, index);
        world->crashes++;
    }
    if (!place_acts(party, index))
        return;
    if (happens(world, party->fate.sigterm)) {
        agent_stop(daemon->agent, world->now_ms);
        daemon->told = true;
        party->stops++;
    }
    trainers_act(party, daemon);
    deliver(party, index);
    obey(party, index);
    bool finished = world->disk.experiment.finished_because[0] != '\0';
    enum agent_end end = agent_left(daemon->agent);
    assert_true(end != AGENT_REFUSED || (index == 0 && host_is_shut_out(&world->disk, "host-0")));
    if (end == AGENT_REFUSED && agent_busy(daemon->agent) == 0) {
        party->refused++;
        if (!finished && happens(world, 500)) /* it tries again, under another name */
            start_daemon(party, index);
    }
    assert_true(end != AGENT_FINISHED || finished);
    assert_true(end != AGENT_STOPPED || daemon->told);
    if (end == AGENT_STOPPED && agent_busy(daemon->agent) == 0) {
        party->left++;
        start_daemon(party, index);
    }
}

/* ---- liars ---- */

static void become_somebody(struct party *party, int index)
{
    struct world *world = party->world;
    struct worker_model *place = &world->workers[index];
    place->peer = world->next_peer++;
    snprintf(place->name, sizeof place->name, "liar%llu", (unsigned long long)world->next_name++);
    party->liars[index - party->fate.daemons].leased = 0;
}

/* About an attempt of its own, of somebody else, or of nobody. */
static struct msg_lease any_lease(struct party *party, const struct liar *liar, bool *ret_own)
{
    struct world *world = party->world;
    const struct rows *disk = &world->disk;
    *ret_own = liar->leased > 0 && happens(world, 400);
    if (*ret_own)
        return liar->leases[rng_below(&world->rng, liar->leased < LIES_KEPT ? liar->leased : LIES_KEPT)];
    struct msg_lease lease = {.attempt = (int64_t)rng_below(&world->rng, 1 << 20),
                              .trial = (int64_t)rng_below(&world->rng, 40)};
    if (disk->attempts.count > 0 && happens(world, 900)) {
        const struct attempt_row *row = &disk->attempts.items[rng_below(&world->rng, disk->attempts.count)];
        const struct worker_row *worker = &disk->workers.items[row->worker - 1];
        if (strncmp(worker->name, "liar", 4) != 0) /* what another liar has may be its own, from before */
            lease.attempt = row->id, lease.trial = row->trial;
    }
    return lease;
}

static struct msg any_lie(struct party *party, const struct worker_model *place, const struct liar *liar)
{
    enum { HELLO, REQUEST, FETCH, PROGRESS, RESULT, FAILURE, RETURN, BYE, WRONG_VERSION, NOT_FOR_US, LIES };
    struct world *world = party->world;
    bool own;
    const struct msg_lease lease = any_lease(party, liar, &own);
    const bool pinned = world->disk.experiment.data_hash[0] != '\0';
    struct msg msg = {0};
    switch (rng_below(&world->rng, LIES)) {
    case HELLO:
        return hello_of(place->name, 1 + (int64_t)rng_below(&world->rng, 4096));
    case REQUEST:
        msg = request_of((int64_t)rng_below(&world->rng, 4));
        if (pinned && happens(world, 100))
            msg.request_.data_hash[0] = 'f';
        msg.request_.holding_count = 1; /* it may hold what it is leased for ever, and do nothing for it */
        msg.request_.holding[0] = lease.attempt;
        return msg;
    case FETCH: /* and never says that it came */
        msg.type = MSG_FETCH;
        msg.fetch_ = (struct msg_fetch){.offset = (int64_t)rng_below(&world->rng, 2 * DATA_BYTES),
                                        .pieces = 1 + (int64_t)rng_below(&world->rng, 16),
                                        .receipt = (int64_t)rng_below(&world->rng, 100)};
        memcpy(msg.fetch_.data_hash, DATA_HASH, sizeof msg.fetch_.data_hash);
        return msg;
    case PROGRESS:
        msg.type = MSG_PROGRESS;
        msg.progress_.attempt = lease.attempt;
        return msg;
    case RESULT:
        msg.type = MSG_RESULT;
        msg.result_ = result_of(&lease);
        if (own && pinned)
            msg.result_.data_hash[0] = 'f'; /* which shows */
        else if (own)
            msg = (struct msg){.type = MSG_PROGRESS};
        return msg;
    case FAILURE:
        msg.type = MSG_FAILURE;
        msg.failure_ =
            (struct msg_failure){.attempt = lease.attempt, .trial = lease.trial, .reason = "no reason"};
        return msg;
    case RETURN:
        msg.type = MSG_RETURN;
        msg.return_ = (struct msg_return){.attempt = lease.attempt, .trial = lease.trial};
        return msg;
    case BYE:
        msg.type = MSG_BYE;
        return msg;
    case WRONG_VERSION:
        msg = hello_of("liar of another version", 1);
        msg.hello_.version++;
        return msg;
    default:
        msg.type = MSG_ACK;
        msg.ack_.attempt = lease.attempt;
        return msg;
    }
}

static void liar_acts(struct party *party, int index)
{
    struct world *world = party->world;
    struct worker_model *place = &world->workers[index];
    struct liar *liar = &party->liars[index - party->fate.daemons];
    if (happens(world, 5))
        become_somebody(party, index);
    if (!place_acts(party, index))
        return;
    deliver(party, index);
    if (!happens(world, party->fate.lie))
        return;
    struct msg *msg = xcalloc(1, sizeof *msg);
    *msg = any_lie(party, place, liar);
    for (uint64_t copies = 1 + rng_below(&world->rng, 3); copies > 0; copies--) /* it repeats itself */
        fly(world, -1, place->peer, msg);
    free(msg);
    party->lies++;
}

/* ---- the whole ---- */

static void end_troubles(struct party *party)
{
    tell(party->world, "the troubles end; the coordinator's clock is %lld ms ahead",
         (long long)party->world->clock_ms);
    party->fate = (struct fate){.daemons = party->fate.daemons, .liars = party->fate.liars};
    party->fate.weather.delay_ms = 50;
    party->world->weather = party->fate.weather;
}

static bool all_have_left(const struct party *party)
{
    for (int i = 0; i < party->fate.daemons; i++)
        if (!has_finished(&party->daemons[i]))
            return false;
    return true;
}

/* What is said is heard, and soon. */
static bool loses_nothing(const struct fate *fate)
{
    const struct weather *weather = &fate->weather;
    return weather->drop + weather->worker_crash + weather->silence + weather->reconnect + weather->unsent +
                   weather->parting + weather->late + weather->clock + fate->sigterm ==
               0 &&
           weather->delay_ms <= 1000;
}

/* Runs a search to its end and returns what is on its disk. Adds to *ret_counts. */
static struct rows run_party(const char *const *settings, uint64_t seed, struct fate fate, FILE *trace,
                             struct party *ret_counts)
{
    struct world *world = xcalloc(1, sizeof *world);
    struct party *party = xcalloc(1, sizeof *party);
    party->world = world;
    party->fate = fate;
    world->experiment = experiment_with(settings);
    world->space = space_with(world->experiment);
    world->rng = rng_seed(seed, "party", 0);
    world->weather = fate.weather;
    world->worker_count = fate.daemons + fate.liars;
    world->next_peer = 1;
    world->now_ms = 1000000;
    world->trace = trace;
    world->restarts_max = RESTARTS_MAX;
    world->ends = loses_nothing(&fate);
    world->disk = disk_new(world->experiment);
    world->core = core_on(world->experiment, world->space, &world->disk, world->now_ms);
    offer_data(world);
    for (int i = 0; i < fate.daemons; i++)
        start_daemon(party, i);
    for (int i = fate.daemons; i < world->worker_count; i++)
        become_somebody(party, i);
    for (int steps = 0; world->disk.experiment.finished_because[0] == '\0' || !all_have_left(party);
         steps++) {
        assert_true(steps < STEPS_MAX);
        if (steps == TROUBLE_STEPS)
            end_troubles(party);
        world->now_ms += 1 + (int64_t)rng_below(&world->rng, 100);
        for (int i = 0; i < fate.daemons; i++)
            daemon_acts(party, i);
        for (int i = fate.daemons; i < world->worker_count; i++)
            liar_acts(party, i);
        coordinator_acts(world);
        for (size_t i = 0; i < world->disk.workers.count; i++)
            assert_true(world->disk.workers.items[i].shut_out_ms == 0 ||
                        strcmp(world->disk.workers.items[i].host, "host-0") == 0);
    }
    for (int i = 0; i < fate.daemons; i++)
        agent_destroy(&party->daemons[i].agent);
    for (int i = 0; i < world->flying_count; i++)
        free(world->flying[i].msg);
    core_destroy(&world->core);
    blobs_destroy(&world->blobs);
    space_destroy(&world->space);
    experiment_destroy(&world->experiment);
    ret_counts->starts += world->restarts; /* of the coordinator */
    ret_counts->stops += party->stops;
    ret_counts->left += party->left;
    ret_counts->trainings += party->trainings;
    ret_counts->trainer_crashes += party->trainer_crashes;
    ret_counts->lies += party->lies;
    ret_counts->fetched += party->fetched;
    ret_counts->wrongs += party->wrongs;
    ret_counts->refused += party->refused;
    struct rows disk = world->disk;
    free(party);
    free(world);
    return disk;
}

#endif
