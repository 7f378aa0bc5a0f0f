#include "worker/agent_state.h"

#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- time ---- */

void agent_set_now(struct agent *agent, int64_t now_ms)
{
    if (now_ms > agent->now_ms)
        agent->now_ms = now_ms;
}

/* Between three and five quarters of it. */
static int64_t jittered(struct agent *agent, int64_t ms)
{
    return ms - ms / 4 + (int64_t)rng_below(&agent->rng, (uint64_t)(ms / 2 + 1));
}

void again_now(struct again *again, int64_t now_ms)
{
    *again = (struct again){.at_ms = now_ms};
}

void again_later(struct agent *agent, struct again *again, int64_t first_ms, int64_t max_ms)
{
    again->wait_ms = again->wait_ms == 0 ? first_ms : again->wait_ms * 2;
    if (again->wait_ms > max_ms)
        again->wait_ms = max_ms;
    again->at_ms = agent->now_ms + jittered(agent, again->wait_ms);
}

/* ---- life ---- */

struct agent *agent_new(const struct msg_hello *hello, struct rng rng, int64_t now_ms)
{
    assert(hello->slots >= 1 && hello->slots <= AGENT_MAX_SLOTS);
    struct agent *agent = xcalloc(1, sizeof *agent);
    agent->hello = *hello;
    agent->rng = rng;
    agent->now_ms = agent->heard_ms = now_ms;
    agent->give_up_ms = INT64_MAX;
    agent->heartbeat_ms = AGENT_QUIET_MS;
    again_now(&agent->say_hello, now_ms);
    again_later(agent, &agent->reconnect, AGENT_DEAF_MS, DEAF_MAX_MS);
    agent->refused.at_ms = INT64_MAX;
    agent->slots = xcalloc((size_t)hello->slots, sizeof *agent->slots);
    return agent;
}

void agent_give_up_after(struct agent *agent, int64_t ms)
{
    agent->give_up_ms = ms;
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

static struct held *held_new(struct agent *agent)
{
    if (agent->held_count == agent->held_room) {
        agent->held_room = agent->held_room == 0 ? 8 : 2 * agent->held_room;
        agent->held = xrealloc(agent->held, (size_t)agent->held_room, sizeof *agent->held);
    }
    return &agent->held[agent->held_count++];
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

/* Its trainer, if it has one, is not wanted any more. */
static void stop_slot(struct agent *agent, int slot)
{
    enum slot_state *state = &agent->slots[slot].state;
    if (*state == SLOT_START_DUE) {
        *state = SLOT_IDLE;
        agent->request_at_ms = agent->now_ms;
    } else if (*state == SLOT_RUNNING || *state == SLOT_HALT_DUE || *state == SLOT_HALTING) {
        *state = SLOT_STOP_DUE;
    }
}

/* The same, but its state is worth keeping. */
static void halt_slot(struct agent *agent, int slot)
{
    if (agent->slots[slot].state == SLOT_RUNNING)
        agent->slots[slot].state = SLOT_HALT_DUE;
    else
        stop_slot(agent, slot);
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

void agent_leave(struct agent *agent, enum agent_end how, const char *reason, bool say_bye)
{
    agent->end = how;
    agent->bye_due = say_bye;
    msg_put_text(agent->reason, sizeof agent->reason, reason); /* it may name a path, in any encoding */
    text_disarm(agent->reason);                                /* or be the coordinator's */
    for (int i = 0; i < agent->hello.slots; i++)
        stop_slot(agent, i);
}

void agent_begin_leaving(struct agent *agent, enum agent_end as, const char *because)
{
    agent->leaving = true;
    agent->leaves_as = as;
    agent->leaves_because = because;
    agent->leave_by_ms = agent->now_ms + AGENT_LEAVE_MS;
    for (int i = 0; i < agent->held_count; i++) {
        struct held *held = &agent->held[i];
        if (held->slot >= 0) {
            halt_slot(agent, held->slot);
            report(agent, held, MSG_RETURN);
        } else {
            again_now(&held->again, agent->now_ms); /* the last chance for an outcome that waits */
        }
    }
}

void agent_stop(struct agent *agent, int64_t now_ms)
{
    agent_set_now(agent, now_ms);
    if (agent->end != AGENT_STAYS)
        return;
    if (agent->leaving)
        agent->leave_by_ms = agent->now_ms;
    else
        agent_begin_leaving(agent, AGENT_STOPPED, "asked to stop");
}

/* ---- messages ---- */

void agent_greet_again(struct agent *agent)
{
    agent->link = LINK_CONNECTING;
    again_now(&agent->say_hello, agent->now_ms);
}

/* What is open stays open, whatever can be fetched by now. */
static void take_data(struct agent *agent, const struct msg_welcome *welcome)
{
    const bool other = strcmp(agent->data, welcome->data) != 0;
    if (!other && (agent->data_hash[0] || strcmp(agent->offered, welcome->data_hash) == 0))
        return;
    memcpy(agent->data, welcome->data, sizeof agent->data);
    memcpy(agent->offered, welcome->data_hash, sizeof agent->offered);
    agent->offered_bytes = welcome->data_bytes;
    agent->data_hash[0] = '\0';
    agent->data_due = true;
}

static void on_welcome(struct agent *agent, const struct msg_welcome *welcome)
{
    if (welcome->version != PROTO_VERSION) {
        char reason[200];
        snprintf(reason, sizeof reason,
                 "the coordinator speaks protocol version %" PRId64 ", this worker version %d: "
                 "install the same release of actsearch on both",
                 welcome->version, PROTO_VERSION);
        agent_leave(agent, AGENT_REFUSED, reason, true);
        return;
    }
    agent->heartbeat_ms = welcome->heartbeat_ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : welcome->heartbeat_ms;
    take_data(agent, welcome);
    if (agent->link == LINK_CONNECTING) {
        memset(agent->recent, 0,
               sizeof agent->recent); /* perhaps another database, whose numbers begin again */
        for (int i = 0; i < agent->held_count; i++)
            again_now(&agent->held[i].again, agent->now_ms);
        agent->request_at_ms = agent->now_ms;
    }
    agent->link = agent->data_hash[0] ? LINK_WORKING : LINK_GREETED;
}

static void on_lease(struct agent *agent, const struct msg_lease *lease)
{
    if (held_find(agent, lease->attempt) || is_recent(agent, lease->attempt) ||
        agent->held_count == HOLDING_MAX)
        return;
    struct held *held = held_new(agent);
    *held = (struct held){.attempt = lease->attempt, .trial = lease->trial, .slot = -1};
    int slot = agent->leaving || agent->data_hash[0] == '\0' ? -1 : idle_slot(agent);
    if (slot < 0) {
        report(agent, held, MSG_RETURN);
        return;
    }
    held->slot = slot;
    agent->slots[slot] =
        (struct agent_slot){.state = SLOT_START_DUE, .lease = *lease, .said_ms = agent->now_ms};
}

void agent_receive(struct agent *agent, const struct msg *msg, int64_t now_ms)
{
    agent_set_now(agent, now_ms);
    if (agent->end != AGENT_STAYS)
        return;
    agent->heard_ms = agent->now_ms;
    again_now(&agent->reconnect, agent->now_ms);
    again_later(agent, &agent->reconnect, AGENT_DEAF_MS, DEAF_MAX_MS);
    agent->refused = (struct again){.at_ms = INT64_MAX};
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
    case MSG_LEAVE: /* said again until it has left */
        if (!agent->leaving)
            agent_begin_leaving(agent, AGENT_STOPPED, "the search was stopped");
        break;
    case MSG_WHO: /* one HELLO is the answer to all that are under way */
        if (agent->link != LINK_CONNECTING)
            agent_greet_again(agent);
        break;
    case MSG_BYE:
        agent_leave(agent, msg->bye_.finished ? AGENT_FINISHED : AGENT_REFUSED, msg->bye_.reason, false);
        break;
    default: /* what only a worker says */
        break;
    }
}

void agent_refused(struct agent *agent, int64_t now_ms)
{
    agent_set_now(agent, now_ms);
    if (agent->refused.at_ms == INT64_MAX)
        again_later(agent, &agent->refused, AGENT_REFUSED_MS, DEAF_MAX_MS);
}

/* ---- trainers and data ---- */

void agent_progress(struct agent *agent, int slot, int64_t step, double train_loss)
{
    agent->slots[slot].step = step;
    agent->slots[slot].train_loss = train_loss;
}

void agent_ended(struct agent *agent, int slot, const struct msg *outcome, int64_t now_ms)
{
    agent_set_now(agent, now_ms);
    enum slot_state was = agent->slots[slot].state;
    assert(was >= SLOT_RUNNING);
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
    } else if (outcome->type == MSG_FAILURE) {
        held->reason = xstrdup(outcome->failure_.reason);
    } else {
        assert(outcome->type == MSG_RETURN);
    }
}

void agent_data(struct agent *agent, const char *name, const char *hash, const char *reason, int64_t now_ms)
{
    agent_set_now(agent, now_ms);
    if (agent->end != AGENT_STAYS || strcmp(name, agent->data) != 0)
        return;
    if (!hash) {
        agent_leave(agent, AGENT_REFUSED, reason, true);
        return;
    }
    snprintf(agent->data_hash, sizeof agent->data_hash, "%s", hash);
    agent->request_at_ms = agent->now_ms;
    if (agent->link == LINK_GREETED)
        agent->link = LINK_WORKING;
}

void agent_unfit(struct agent *agent, const char *reason, int64_t now_ms)
{
    agent_set_now(agent, now_ms);
    if (agent->end == AGENT_STAYS)
        agent_leave(agent, AGENT_REFUSED, reason, true);
}

/* ---- for logs and tests ---- */

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
