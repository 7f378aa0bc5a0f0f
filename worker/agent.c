#include "worker/agent.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECENT = 64,             /* attempts that were settled last, so that a delayed LEASE does not start them again */
    HEARTBEAT_MIN_MS = 10,   /* whatever WELCOME says */
    DEAF_MAX_MS = 60000,
    HOLDING_MAX = 4096,      /* bound of REQUEST's list */
};

enum link {
    LINK_CONNECTING, /* says HELLO */
    LINK_GREETED,    /* waits for the data set */
    LINK_WORKING,
};

enum slot_state { SLOT_IDLE, SLOT_START_DUE, SLOT_RUNNING, SLOT_STOP_DUE, SLOT_STOPPING };

struct agent_slot {
    enum slot_state state;
    struct msg_lease lease;
    int64_t step, said_step;
    int64_t said_ms;
    double train_loss;
};

/* A repetition that waits longer each time. */
struct again {
    int64_t at_ms;
    int64_t wait_ms;
};

/* An attempt that the coordinator has not settled. */
struct held {
    int64_t attempt, trial;
    int slot;             /* where it runs; −1 once it is to be reported */
    enum msg_type report; /* RESULT, FAILURE, RETURN */
    union {
        struct msg_result *result; /* owned */
        char *reason;              /* of a FAILURE, owned */
    };
    struct again again;
};

struct agent {
    struct msg_hello hello;
    struct rng rng;
    int64_t now_ms;

    enum link link;
    struct again say_hello;
    int64_t heard_ms;
    struct again reconnect;
    int64_t heartbeat_ms;
    int64_t request_at_ms;

    char data[65];      /* the data set that is asked for; "" before the first WELCOME */
    char data_hash[65]; /* "" while it is not there */
    bool data_due;

    struct agent_slot *slots; /* hello.slots */
    struct held *held;
    int held_count, held_max;
    int64_t recent[RECENT];
    unsigned recent_next;

    bool leaving;
    int64_t leave_by_ms;
    bool bye_due;
    enum agent_end end;
    char reason[481];

    struct msg out; /* what the last AGENT_SEND showed */
};

/* ---- time ---- */

static void set_now(struct agent *agent, int64_t now_ms)
{
    if (now_ms > agent->now_ms)
        agent->now_ms = now_ms;
}

/* Between three and five quarters of it. */
static int64_t jittered(struct agent *agent, int64_t ms)
{
    return ms - ms / 4 + (int64_t)rng_below(&agent->rng, (uint64_t)(ms / 2 + 1));
}

static void again_now(struct again *again, int64_t now_ms)
{
    *again = (struct again){.at_ms = now_ms};
}

static void again_later(struct agent *agent, struct again *again, int64_t first_ms, int64_t max_ms)
{
    again->wait_ms = again->wait_ms == 0 ? first_ms : again->wait_ms * 2;
    if (again->wait_ms > max_ms)
        again->wait_ms = max_ms;
    again->at_ms = agent->now_ms + jittered(agent, again->wait_ms);
}

static int64_t quiet_ms(const struct agent *agent)
{
    int64_t ms = 3 * agent->heartbeat_ms;
    return ms < AGENT_QUIET_MS ? AGENT_QUIET_MS : ms;
}

/* ---- life ---- */

struct agent *agent_new(const struct msg_hello *hello, struct rng rng, int64_t now_ms)
{
    assert(hello->slots >= 1 && hello->slots <= AGENT_MAX_SLOTS);
    struct agent *agent = xcalloc(1, sizeof *agent);
    agent->hello = *hello;
    agent->rng = rng;
    agent->now_ms = agent->heard_ms = now_ms;
    agent->heartbeat_ms = AGENT_QUIET_MS;
    again_now(&agent->say_hello, now_ms);
    again_later(agent, &agent->reconnect, AGENT_DEAF_MS, DEAF_MAX_MS);
    agent->slots = xcalloc((size_t)hello->slots, sizeof *agent->slots);
    agent->held_max = HOLDING_MAX;
    agent->held = xcalloc((size_t)agent->held_max, sizeof *agent->held);
    return agent;
}

static void release_report(struct held *held)
{
    if (held->report == MSG_RESULT)
        free(held->result);
    else if (held->report == MSG_FAILURE)
        free(held->reason);
}

void agent_destroy(struct agent **agent)
{
    if (!*agent)
        return;
    for (int i = 0; i < (*agent)->held_count; i++)
        if ((*agent)->held[i].slot < 0)
            release_report(&(*agent)->held[i]);
    free((*agent)->held);
    free((*agent)->slots);
    free(*agent);
    *agent = NULL;
}

/* ---- what is held ---- */

static struct held *held_find(struct agent *agent, int64_t attempt)
{
    for (int i = 0; i < agent->held_count; i++)
        if (agent->held[i].attempt == attempt)
            return &agent->held[i];
    return NULL;
}

static struct held *held_in(struct agent *agent, int slot)
{
    for (int i = 0; i < agent->held_count; i++)
        if (agent->held[i].slot == slot)
            return &agent->held[i];
    return NULL;
}

static bool is_recent(const struct agent *agent, int64_t attempt)
{
    for (int i = 0; i < RECENT; i++)
        if (agent->recent[i] == attempt && attempt != 0)
            return true;
    return false;
}

static int idle_slot(const struct agent *agent)
{
    for (int i = 0; i < agent->hello.slots; i++)
        if (agent->slots[i].state == SLOT_IDLE)
            return i;
    return -1;
}

static int idle_slots(const struct agent *agent)
{
    return (int)agent->hello.slots - agent_busy(agent);
}

/* Its trainer, if it has one, is not wanted any more. */
static void stop_slot(struct agent *agent, int slot)
{
    enum slot_state *state = &agent->slots[slot].state;
    if (*state == SLOT_START_DUE) {
        *state = SLOT_IDLE;
        agent->request_at_ms = agent->now_ms;
    } else if (*state == SLOT_RUNNING) {
        *state = SLOT_STOP_DUE;
    }
}

/* The coordinator has settled it. */
static void forget(struct agent *agent, int64_t attempt)
{
    struct held *held = held_find(agent, attempt);
    if (!held)
        return;
    if (held->slot >= 0)
        stop_slot(agent, held->slot);
    else
        release_report(held);
    *held = agent->held[--agent->held_count];
    agent->recent[agent->recent_next++ % RECENT] = attempt;
}

static void report(struct agent *agent, struct held *held, enum msg_type type)
{
    held->slot = -1;
    held->report = type;
    again_now(&held->again, agent->now_ms);
}

/* ---- the end ---- */

static void end(struct agent *agent, enum agent_end how, const char *reason, bool say_bye)
{
    agent->end = how;
    agent->bye_due = say_bye;
    snprintf(agent->reason, sizeof agent->reason, "%s", reason);
    for (int i = 0; i < agent->hello.slots; i++)
        stop_slot(agent, i);
}

void agent_stop(struct agent *agent, int64_t now_ms)
{
    set_now(agent, now_ms);
    if (agent->end != AGENT_STAYS)
        return;
    if (agent->leaving)
        agent->leave_by_ms = agent->now_ms;
    else
        agent->leave_by_ms = agent->now_ms + AGENT_LEAVE_MS;
    agent->leaving = true;
    for (int i = 0; i < agent->held_count; i++) {
        struct held *held = &agent->held[i];
        if (held->slot >= 0) {
            stop_slot(agent, held->slot);
            report(agent, held, MSG_RETURN);
        } else {
            again_now(&held->again, agent->now_ms); /* the last chance for an outcome that waits */
        }
    }
}

/* ---- messages ---- */

static void connect_again(struct agent *agent)
{
    agent->link = LINK_CONNECTING;
    again_now(&agent->say_hello, agent->now_ms);
}

static void on_welcome(struct agent *agent, const struct msg_welcome *welcome)
{
    if (welcome->version != PROTO_VERSION) {
        char reason[200];
        snprintf(reason, sizeof reason,
                 "the coordinator speaks protocol version %" PRId64 ", this worker version %d: "
                 "install the same release of actsearch on both",
                 welcome->version, PROTO_VERSION);
        end(agent, AGENT_REFUSED, reason, true);
        return;
    }
    agent->heartbeat_ms = welcome->heartbeat_ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : welcome->heartbeat_ms;
    if (strcmp(agent->data, welcome->data) != 0) {
        snprintf(agent->data, sizeof agent->data, "%s", welcome->data);
        agent->data_hash[0] = '\0';
        agent->data_due = true;
    }
    if (agent->link == LINK_CONNECTING) {
        memset(agent->recent, 0, sizeof agent->recent); /* perhaps another database, whose numbers begin again */
        for (int i = 0; i < agent->held_count; i++)
            again_now(&agent->held[i].again, agent->now_ms);
        agent->request_at_ms = agent->now_ms;
    }
    agent->link = agent->data_hash[0] ? LINK_WORKING : LINK_GREETED;
}

static void on_lease(struct agent *agent, const struct msg_lease *lease)
{
    if (held_find(agent, lease->attempt) || is_recent(agent, lease->attempt) ||
        agent->held_count == agent->held_max)
        return;
    struct held *held = &agent->held[agent->held_count++];
    *held = (struct held){.attempt = lease->attempt, .trial = lease->trial, .slot = -1};
    int slot = agent->leaving || agent->data_hash[0] == '\0' ? -1 : idle_slot(agent);
    if (slot < 0) {
        report(agent, held, MSG_RETURN);
        return;
    }
    held->slot = slot;
    agent->slots[slot] = (struct agent_slot){.state = SLOT_START_DUE, .lease = *lease, .said_ms = agent->now_ms};
}

void agent_receive(struct agent *agent, const struct msg *msg, int64_t now_ms)
{
    set_now(agent, now_ms);
    if (agent->end != AGENT_STAYS)
        return;
    agent->heard_ms = agent->now_ms;
    again_now(&agent->reconnect, agent->now_ms);
    again_later(agent, &agent->reconnect, AGENT_DEAF_MS, DEAF_MAX_MS);
    switch (msg->type) {
    case MSG_WELCOME:
        on_welcome(agent, &msg->welcome_);
        break;
    case MSG_LEASE:
        on_lease(agent, &msg->lease_);
        break;
    case MSG_ACK:
        forget(agent, msg->ack_.attempt);
        break;
    case MSG_STALE:
        forget(agent, msg->stale_.attempt);
        break;
    case MSG_CANCEL:
        forget(agent, msg->cancel_.attempt);
        break;
    case MSG_WHO: /* one HELLO is the answer to all that are under way */
        if (agent->link != LINK_CONNECTING)
            connect_again(agent);
        break;
    case MSG_BYE:
        end(agent, msg->bye_.finished ? AGENT_FINISHED : AGENT_REFUSED, msg->bye_.reason, false);
        break;
    default: /* what only a worker says */
        break;
    }
}

/* ---- trainers and data ---- */

void agent_progress(struct agent *agent, int slot, int64_t step, double train_loss)
{
    agent->slots[slot].step = step;
    agent->slots[slot].train_loss = train_loss;
}

void agent_ended(struct agent *agent, int slot, const struct msg *outcome, int64_t now_ms)
{
    set_now(agent, now_ms);
    enum slot_state was = agent->slots[slot].state;
    assert(was == SLOT_RUNNING || was == SLOT_STOP_DUE || was == SLOT_STOPPING);
    agent->slots[slot].state = SLOT_IDLE;
    agent->request_at_ms = agent->now_ms;
    if (was != SLOT_RUNNING)
        return;
    struct held *held = held_in(agent, slot);
    report(agent, held, outcome->type);
    if (outcome->type == MSG_RESULT) {
        held->result = xcalloc(1, sizeof *held->result);
        *held->result = outcome->result_;
        held->result->attempt = held->attempt;
        held->result->trial = held->trial;
    } else {
        assert(outcome->type == MSG_FAILURE);
        held->reason = xstrdup(outcome->failure_.reason);
    }
}

void agent_data(struct agent *agent, const char *name, const char *hash, const char *reason, int64_t now_ms)
{
    set_now(agent, now_ms);
    if (agent->end != AGENT_STAYS || strcmp(name, agent->data) != 0)
        return;
    if (!hash) {
        end(agent, AGENT_REFUSED, reason, true);
        return;
    }
    snprintf(agent->data_hash, sizeof agent->data_hash, "%s", hash);
    agent->request_at_ms = agent->now_ms;
    if (agent->link == LINK_GREETED)
        agent->link = LINK_WORKING;
}

/* ---- out ---- */

/* What time alone brings about. */
static void advance(struct agent *agent)
{
    if (agent->end != AGENT_STAYS)
        return;
    if (agent->leaving && (agent->held_count == 0 || agent->now_ms >= agent->leave_by_ms))
        end(agent, AGENT_STOPPED, "asked to stop", agent->data[0] != '\0'); /* whoever never said WELCOME is told nothing */
    else if (agent->link != LINK_CONNECTING && agent->now_ms - agent->heard_ms >= quiet_ms(agent))
        connect_again(agent);
}

static bool next_for_slots(struct agent *agent, struct agent_action *ret_action)
{
    for (int i = 0; i < agent->hello.slots; i++) {
        struct agent_slot *slot = &agent->slots[i];
        if (slot->state != SLOT_STOP_DUE && slot->state != SLOT_START_DUE)
            continue;
        *ret_action = (struct agent_action){.type = slot->state == SLOT_STOP_DUE ? AGENT_STOP : AGENT_START,
                                            .slot = i,
                                            .lease = &slot->lease};
        slot->state = slot->state == SLOT_STOP_DUE ? SLOT_STOPPING : SLOT_RUNNING;
        return true;
    }
    return false;
}

static bool next_report(struct agent *agent)
{
    struct msg *out = &agent->out;
    for (int i = 0; i < agent->held_count; i++) {
        struct held *held = &agent->held[i];
        if (held->slot >= 0 || agent->now_ms < held->again.at_ms)
            continue;
        again_later(agent, &held->again, AGENT_REPORT_MS, AGENT_REPORT_MAX_MS);
        out->type = held->report;
        if (held->report == MSG_RESULT) {
            out->result_ = *held->result;
        } else if (held->report == MSG_FAILURE) {
            out->failure_ = (struct msg_failure){.attempt = held->attempt, .trial = held->trial};
            snprintf(out->failure_.reason, sizeof out->failure_.reason, "%s", held->reason);
        } else {
            out->return_ = (struct msg_return){.attempt = held->attempt, .trial = held->trial};
        }
        return true;
    }
    return false;
}

static bool progress_is_due(const struct agent *agent, const struct agent_slot *slot)
{
    return slot->state == SLOT_RUNNING && slot->step > slot->said_step &&
           agent->now_ms - slot->said_ms >= agent->heartbeat_ms;
}

static bool next_progress(struct agent *agent)
{
    for (int i = 0; i < agent->hello.slots; i++) {
        struct agent_slot *slot = &agent->slots[i];
        if (!progress_is_due(agent, slot))
            continue;
        slot->said_step = slot->step;
        slot->said_ms = agent->now_ms;
        agent->out.type = MSG_PROGRESS;
        agent->out.progress_ = (struct msg_progress){
            .attempt = slot->lease.attempt, .step = slot->step, .train_loss = slot->train_loss};
        return true;
    }
    return false;
}

static bool next_request(struct agent *agent)
{
    if (agent->now_ms < agent->request_at_ms)
        return false;
    int64_t heartbeat = agent->heartbeat_ms;
    agent->request_at_ms = agent->now_ms + heartbeat - (int64_t)rng_below(&agent->rng, (uint64_t)(heartbeat / 4 + 1));
    struct msg_request *request = &agent->out.request_;
    agent->out.type = MSG_REQUEST;
    request->free = agent->leaving || agent->data_hash[0] == '\0' ? 0 : idle_slots(agent);
    memcpy(request->data_hash, agent->data_hash, sizeof request->data_hash);
    request->holding_count = agent->held_count;
    for (int i = 0; i < agent->held_count; i++)
        request->holding[i] = agent->held[i].attempt;
    return true;
}

/* Outcomes go before the REQUEST: they end leases, and so make room for what it asks for. */
static bool next_message(struct agent *agent)
{
    if (agent->end != AGENT_STAYS) {
        if (!agent->bye_due)
            return false;
        agent->bye_due = false;
        agent->out.type = MSG_BYE;
        agent->out.bye_ = (struct msg_bye){.finished = false};
        snprintf(agent->out.bye_.reason, sizeof agent->out.bye_.reason, "%s", agent->reason);
        return true;
    }
    if (agent->link != LINK_CONNECTING)
        return next_report(agent) || next_progress(agent) || next_request(agent);
    if (agent->now_ms < agent->say_hello.at_ms)
        return false;
    again_later(agent, &agent->say_hello, AGENT_HELLO_MS, AGENT_HELLO_MAX_MS);
    agent->out.type = MSG_HELLO;
    agent->out.hello_ = agent->hello;
    return true;
}

bool agent_next(struct agent *agent, int64_t now_ms, struct agent_action *ret_action)
{
    set_now(agent, now_ms);
    advance(agent);
    if (next_for_slots(agent, ret_action))
        return true;
    *ret_action = (struct agent_action){.type = AGENT_SEND, .message = &agent->out};
    if (agent->end != AGENT_STAYS)
        return next_message(agent);
    if (agent->now_ms >= agent->reconnect.at_ms) {
        again_later(agent, &agent->reconnect, AGENT_DEAF_MS, DEAF_MAX_MS);
        connect_again(agent);
        ret_action->type = AGENT_RECONNECT;
        return true;
    }
    if (agent->data_due) {
        agent->data_due = false;
        *ret_action = (struct agent_action){.type = AGENT_DATA, .data = agent->data};
        return true;
    }
    return next_message(agent);
}

static void sooner(int64_t *at_ms, int64_t other_ms)
{
    if (other_ms < *at_ms)
        *at_ms = other_ms;
}

int64_t agent_next_ms(const struct agent *agent)
{
    int64_t at_ms = INT64_MAX;
    if (agent->end != AGENT_STAYS)
        return at_ms;
    sooner(&at_ms, agent->reconnect.at_ms);
    if (agent->leaving)
        sooner(&at_ms, agent->leave_by_ms);
    if (agent->link == LINK_CONNECTING) {
        sooner(&at_ms, agent->say_hello.at_ms);
        return at_ms;
    }
    sooner(&at_ms, agent->heard_ms + quiet_ms(agent));
    sooner(&at_ms, agent->request_at_ms);
    for (int i = 0; i < agent->held_count; i++)
        if (agent->held[i].slot < 0)
            sooner(&at_ms, agent->held[i].again.at_ms);
    for (int i = 0; i < agent->hello.slots; i++)
        if (agent->slots[i].state == SLOT_RUNNING && agent->slots[i].step > agent->slots[i].said_step)
            sooner(&at_ms, agent->slots[i].said_ms + agent->heartbeat_ms);
    return at_ms;
}

enum agent_end agent_left(const struct agent *agent)
{
    return agent->end;
}

const char *agent_reason(const struct agent *agent)
{
    return agent->reason;
}

bool agent_greeted(const struct agent *agent)
{
    return agent->link != LINK_CONNECTING;
}

int agent_busy(const struct agent *agent)
{
    int busy = 0;
    for (int i = 0; i < agent->hello.slots; i++)
        busy += agent->slots[i].state != SLOT_IDLE;
    return busy;
}

int agent_held(const struct agent *agent)
{
    return agent->held_count;
}
