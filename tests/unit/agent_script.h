/* agent_script: an agent in a test's hands: what it hears, what it says, and the time between. Each test
 * program includes it once. */
#ifndef TESTS_UNIT_AGENT_SCRIPT_H
#define TESTS_UNIT_AGENT_SCRIPT_H

#include "worker/agent.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEARTBEAT_MS = 1000, LEASE_MS = 10000, NOTED_MAX = 64 };
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What an agent said and asked for, each as it came out. */
struct noted {
    enum agent_action_type action;
    enum msg_type type; /* AGENT_SEND */
    int64_t attempt;    /* what a report or PROGRESS is about */
    int64_t free;       /* REQUEST */
    char hash[65];      /* REQUEST */
    int64_t holding[16];
    int holding_count;
    int slot;       /* AGENT_START, AGENT_HALT, AGENT_STOP */
    char text[481]; /* AGENT_DATA: the name; BYE, FAILURE: the reason */
};

struct script {
    struct agent *agent;
    int64_t now_ms;
    struct noted noted[NOTED_MAX];
    int count;
};

static int setup(void **state)
{
    struct script *script = xcalloc(1, sizeof *script);
    struct msg_hello hello = {.version = PROTO_VERSION, .numerics = 1, .pid = 1, .slots = 2};
    snprintf(hello.worker, sizeof hello.worker, "me");
    script->now_ms = 5000000;
    script->agent = agent_new(&hello, rng_seed(1, "test", 0), script->now_ms);
    *state = script;
    return 0;
}

static int teardown(void **state)
{
    struct script *script = *state;
    agent_destroy(&script->agent);
    free(script);
    return 0;
}

static void note_message(struct noted *noted, const struct msg *msg)
{
    noted->type = msg->type;
    switch (msg->type) {
    case MSG_REQUEST:
        noted->free = msg->request_.free;
        snprintf(noted->hash, sizeof noted->hash, "%s", msg->request_.data_hash);
        assert_in_range(msg->request_.holding_count, 0, 16);
        noted->holding_count = msg->request_.holding_count;
        memcpy(noted->holding, msg->request_.holding, (size_t)noted->holding_count * sizeof *noted->holding);
        break;
    case MSG_RESULT:
        noted->attempt = msg->result_.attempt;
        break;
    case MSG_FAILURE:
        noted->attempt = msg->failure_.attempt;
        snprintf(noted->text, sizeof noted->text, "%s", msg->failure_.reason);
        break;
    case MSG_RETURN:
        noted->attempt = msg->return_.attempt;
        break;
    case MSG_PROGRESS:
        noted->attempt = msg->progress_.attempt;
        break;
    case MSG_BYE:
        assert_false(msg->bye_.finished);
        snprintf(noted->text, sizeof noted->text, "%s", msg->bye_.reason);
        break;
    default:
        assert_int_equal(msg->type, MSG_HELLO);
    }
}

/* All that is due now; the notes of before are gone. */
static void act(struct script *script)
{
    static struct msg message;
    struct agent_action action;
    script->count = 0;
    while (agent_next(script->agent, script->now_ms, &action, &message)) {
        assert_true(script->count < NOTED_MAX);
        struct noted *noted = &script->noted[script->count++];
        *noted = (struct noted){.action = action.type, .slot = action.slot};
        if (action.type == AGENT_SEND)
            note_message(noted, &message);
        else if (action.type == AGENT_DATA)
            snprintf(noted->text, sizeof noted->text, "%s", action.data);
    }
}

static int count_of(const struct script *script, enum msg_type type)
{
    int count = 0;
    for (int i = 0; i < script->count; i++)
        count += script->noted[i].action == AGENT_SEND && script->noted[i].type == type;
    return count;
}

static int count_actions(const struct script *script, enum agent_action_type action)
{
    int count = 0;
    for (int i = 0; i < script->count; i++)
        count += script->noted[i].action == action;
    return count;
}

static const struct noted *said(const struct script *script, enum msg_type type)
{
    for (int i = 0; i < script->count; i++)
        if (script->noted[i].action == AGENT_SEND && script->noted[i].type == type)
            return &script->noted[i];
    fail_msg("no %s was said", msg_type_name(type));
    return NULL;
}

static bool holds(const struct noted *request, int64_t attempt)
{
    for (int i = 0; i < request->holding_count; i++)
        if (request->holding[i] == attempt)
            return true;
    return false;
}

static void hear(struct script *script, struct msg msg)
{
    agent_receive(script->agent, &msg, script->now_ms);
}

static void hear_about(struct script *script, enum msg_type type, int64_t attempt)
{
    struct msg msg = {.type = type};
    if (type == MSG_ACK)
        msg.ack_.attempt = attempt;
    else if (type == MSG_STALE)
        msg.stale_.attempt = attempt;
    else
        msg.cancel_.attempt = attempt;
    hear(script, msg);
}

static void hear_welcome(struct script *script, const char *data)
{
    struct msg msg = {
        .type = MSG_WELCOME,
        .welcome_ = {.version = PROTO_VERSION, .heartbeat_ms = HEARTBEAT_MS, .lease_ms = LEASE_MS}};
    snprintf(msg.welcome_.data, sizeof msg.welcome_.data, "%s", data);
    hear(script, msg);
}

static void hear_lease(struct script *script, int64_t attempt)
{
    struct msg msg = {.type = MSG_LEASE, .lease_ = {.attempt = attempt, .trial = attempt + 1000, .seed = 1}};
    snprintf(msg.lease_.activation, sizeof msg.lease_.activation, "max(x,0)");
    hear(script, msg);
}

static void hear_bye(struct script *script, bool finished, const char *reason)
{
    struct msg msg = {.type = MSG_BYE, .bye_ = {.finished = finished}};
    snprintf(msg.bye_.reason, sizeof msg.bye_.reason, "%s", reason);
    hear(script, msg);
}

static void trainer_ends(struct script *script, int slot, enum msg_type type)
{
    struct msg msg = {.type = type};
    if (type == MSG_RESULT)
        msg.result_ = (struct msg_result){.validation_count = 10, .correct = 5};
    else if (type == MSG_FAILURE)
        snprintf(msg.failure_.reason, sizeof msg.failure_.reason, "it crashed");
    agent_ended(script->agent, slot, &msg, script->now_ms);
}

/* As far as working, with nothing to do. */
static void start_work(struct script *script)
{
    act(script);
    hear_welcome(script, "pictures");
    act(script);
    agent_data(script->agent, "pictures", HASH, NULL, script->now_ms);
    act(script);
}

/* Lets time pass as the shell does: in the agent's own steps. Counts what is said meanwhile. */
static int pass(struct script *script, int64_t ms, enum msg_type type)
{
    int64_t until_ms = script->now_ms + ms;
    int count = 0;
    for (;;) {
        int64_t next_ms = agent_next_ms(script->agent);
        assert_true(next_ms > script->now_ms);
        if (next_ms > until_ms)
            break;
        script->now_ms = next_ms;
        act(script);
        count += count_of(script, type);
    }
    script->now_ms = until_ms;
    return count;
}

#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
