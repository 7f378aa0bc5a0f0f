/* What an agent does next. */
#include "worker/agent_state.h"

#include <stdio.h>
#include <string.h>

static int64_t quiet_ms(const struct agent *agent)
{
    int64_t ms = 3 * agent->heartbeat_ms;
    return ms < AGENT_QUIET_MS ? AGENT_QUIET_MS : ms;
}

static int idle_slots(const struct agent *agent)
{
    return (int)agent->hello.slots - agent_busy(agent);
}

/* What time alone brings about. */
static void advance(struct agent *agent)
{
    if (agent->end != AGENT_STAYS)
        return;
    if (!agent->leaving && agent->now_ms - agent->heard_ms >= agent->give_up_ms)
        agent_begin_leaving(agent, AGENT_REFUSED, "no coordinator was heard for as long as --give-up says");
    if (agent->leaving &&
        ((agent->held_count == 0 && agent_busy(agent) == 0) || agent->now_ms >= agent->leave_by_ms))
        agent_leave(agent, agent->leaves_as, agent->leaves_because,
                    agent->data[0] != '\0'); /* whoever never said WELCOME is told nothing */
    else if (agent->link != LINK_CONNECTING && agent->now_ms - agent->heard_ms >= quiet_ms(agent))
        agent_greet_again(agent);
}

struct due {
    enum slot_state state;
    enum agent_action_type action;
    enum slot_state then;
};

/* What is to be done for a slot in that state; NULL: nothing. */
static const struct due *due_in(enum slot_state state)
{
    static const struct due dues[] = {
        {SLOT_START_DUE, AGENT_START, SLOT_RUNNING},
        {SLOT_HALT_DUE, AGENT_HALT, SLOT_HALTING},
        {SLOT_STOP_DUE, AGENT_STOP, SLOT_STOPPING},
    };
    for (size_t i = 0; i < sizeof dues / sizeof *dues; i++)
        if (dues[i].state == state)
            return &dues[i];
    return NULL;
}

static bool next_for_slots(struct agent *agent, struct agent_action *ret_action)
{
    for (int i = 0; i < agent->hello.slots; i++) {
        struct agent_slot *slot = &agent->slots[i];
        const struct due *due = due_in(slot->state);
        if (!due)
            continue;
        *ret_action = (struct agent_action){.type = due->action, .slot = i, .lease = &slot->lease};
        slot->state = due->then;
        return true;
    }
    return false;
}

static bool next_report(struct agent *agent, struct msg *ret_message)
{
    for (int i = 0; i < agent->held_count; i++) {
        struct held *held = &agent->held[i];
        if (held->slot >= 0 || agent->now_ms < held->again.at_ms)
            continue;
        again_later(agent, &held->again, AGENT_REPORT_MS, AGENT_REPORT_MAX_MS);
        ret_message->type = held->report;
        if (held->report == MSG_RESULT) {
            ret_message->result_ = *held->result;
        } else if (held->report == MSG_FAILURE) {
            ret_message->failure_ = (struct msg_failure){.attempt = held->attempt, .trial = held->trial};
            snprintf(ret_message->failure_.reason, sizeof ret_message->failure_.reason, "%s", held->reason);
        } else {
            ret_message->return_ = (struct msg_return){.attempt = held->attempt, .trial = held->trial};
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

static bool next_progress(struct agent *agent, struct msg *ret_message)
{
    for (int i = 0; i < agent->hello.slots; i++) {
        struct agent_slot *slot = &agent->slots[i];
        if (!progress_is_due(agent, slot))
            continue;
        slot->said_step = slot->step;
        slot->said_ms = agent->now_ms;
        ret_message->type = MSG_PROGRESS;
        ret_message->progress_ = (struct msg_progress){
            .attempt = slot->lease.attempt, .step = slot->step, .train_loss = slot->train_loss};
        return true;
    }
    return false;
}

static bool next_request(struct agent *agent, struct msg *ret_message)
{
    if (agent->now_ms < agent->request_at_ms)
        return false;
    int64_t heartbeat = agent->heartbeat_ms;
    agent->request_at_ms =
        agent->now_ms + heartbeat - (int64_t)rng_below(&agent->rng, (uint64_t)(heartbeat / 4 + 1));
    struct msg_request *request = &ret_message->request_;
    ret_message->type = MSG_REQUEST;
    request->free = agent->leaving || agent->data_hash[0] == '\0' ? 0 : idle_slots(agent);
    memcpy(request->data_hash, agent->data_hash, sizeof request->data_hash);
    request->holding_count = agent->held_count;
    for (int i = 0; i < agent->held_count; i++)
        request->holding[i] = agent->held[i].attempt;
    return true;
}

/* Outcomes go before the REQUEST: they end leases, and so make room for what it asks for. */
static bool next_message(struct agent *agent, struct msg *ret_message)
{
    if (agent->end != AGENT_STAYS) {
        if (!agent->bye_due)
            return false;
        agent->bye_due = false;
        ret_message->type = MSG_BYE;
        ret_message->bye_ = (struct msg_bye){.finished = false};
        snprintf(ret_message->bye_.reason, sizeof ret_message->bye_.reason, "%s", agent->reason);
        return true;
    }
    if (agent->link != LINK_CONNECTING)
        return next_report(agent, ret_message) || next_progress(agent, ret_message) ||
               next_request(agent, ret_message);
    if (agent->now_ms < agent->say_hello.at_ms)
        return false;
    again_later(agent, &agent->say_hello, AGENT_HELLO_MS, AGENT_HELLO_MAX_MS);
    ret_message->type = MSG_HELLO;
    ret_message->hello_ = agent->hello;
    return true;
}

bool agent_next(struct agent *agent, int64_t now_ms, struct agent_action *ret_action, struct msg *ret_message)
{
    agent_set_now(agent, now_ms);
    advance(agent);
    if (next_for_slots(agent, ret_action))
        return true;
    *ret_action = (struct agent_action){.type = AGENT_SEND};
    if (agent->end != AGENT_STAYS)
        return next_message(agent, ret_message);
    if (agent->now_ms >= agent->reconnect.at_ms || agent->now_ms >= agent->refused.at_ms) {
        agent->refused.at_ms = INT64_MAX; /* how long it waited is kept */
        again_later(agent, &agent->reconnect, AGENT_DEAF_MS, DEAF_MAX_MS);
        agent_greet_again(agent);
        ret_action->type = AGENT_RECONNECT;
        return true;
    }
    if (agent->data_due) {
        agent->data_due = false;
        *ret_action = (struct agent_action){.type = AGENT_DATA,
                                            .data = agent->data,
                                            .data_hash = agent->offered,
                                            .data_bytes = agent->offered_bytes};
        return true;
    }
    return next_message(agent, ret_message);
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
    sooner(&at_ms, agent->refused.at_ms);
    if (agent->leaving)
        sooner(&at_ms, agent->leave_by_ms);
    else if (agent->give_up_ms < INT64_MAX)
        sooner(&at_ms, agent->heard_ms + agent->give_up_ms);
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
