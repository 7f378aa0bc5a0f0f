/* The promises of worker/agent.h, one by one. */
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
    int slot;      /* AGENT_START, AGENT_STOP */
    char text[481]; /* AGENT_DATA: the name; BYE, FAILURE: the reason */
};

struct script {
    struct agent *agent;
    int64_t now_ms;
    struct noted noted[NOTED_MAX];
    int count;
};

static int setup_slots(void **state, int slots)
{
    struct script *script = xcalloc(1, sizeof *script);
    struct msg_hello hello = {.version = PROTO_VERSION, .numerics = 1, .pid = 1, .slots = slots};
    snprintf(hello.worker, sizeof hello.worker, "me");
    script->now_ms = 5000000;
    script->agent = agent_new(&hello, rng_seed(1, "test", 0), script->now_ms);
    *state = script;
    return 0;
}

static int setup(void **state)
{
    return setup_slots(state, 2);
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
    struct agent_action action;
    script->count = 0;
    while (agent_next(script->agent, script->now_ms, &action)) {
        assert_true(script->count < NOTED_MAX);
        struct noted *noted = &script->noted[script->count++];
        *noted = (struct noted){.action = action.type, .slot = action.slot};
        if (action.type == AGENT_SEND)
            note_message(noted, action.message);
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
    struct msg msg = {.type = MSG_WELCOME,
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
    else
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

/* ---- hello ---- */

static void hello_comes_first_and_alone(void **state)
{
    struct script *script = *state;
    act(script);
    assert_int_equal(script->count, 1);
    said(script, MSG_HELLO);
}

static void hello_is_said_again_ever_more_slowly_while_nothing_is_heard(void **state)
{
    struct script *script = *state;
    act(script);
    assert_in_range(pass(script, 10000, MSG_HELLO), 3, 6);
    int slow = pass(script, 60000, MSG_HELLO);
    assert_in_range(slow, 60000 / AGENT_HELLO_MAX_MS - 2, 60000 * 4 / 3 / AGENT_HELLO_MAX_MS + 6);
}

static void two_agents_do_not_come_back_in_step(void **state)
{
    struct script *script = *state;
    struct msg_hello hello = {.version = PROTO_VERSION, .slots = 1};
    struct agent *other = agent_new(&hello, rng_seed(2, "test", 0), script->now_ms);
    struct agent_action action;
    act(script);
    assert_true(agent_next(other, script->now_ms, &action));
    assert_int_not_equal(agent_next_ms(other), agent_next_ms(script->agent));
    agent_destroy(&other);
}

static void long_silence_asks_for_a_new_socket_and_says_hello_on_it(void **state)
{
    struct script *script = *state;
    act(script);
    int reconnects = 0;
    for (int64_t end_ms = script->now_ms + 2 * AGENT_DEAF_MS; script->now_ms < end_ms;) {
        script->now_ms = agent_next_ms(script->agent);
        act(script);
        if (count_actions(script, AGENT_RECONNECT) == 0)
            continue;
        reconnects++;
        assert_int_equal(script->noted[0].action, AGENT_RECONNECT);
        assert_int_equal(count_of(script, MSG_HELLO), 1); /* at once, behind it */
    }
    assert_in_range(reconnects, 1, 2);
}

static void a_worker_that_is_answered_keeps_its_socket(void **state)
{
    struct script *script = *state;
    start_work(script);
    for (int i = 0; i < 1000; i++) { /* an idle hour and more: the answers to its HELLOs are all that it hears */
        script->now_ms = agent_next_ms(script->agent);
        act(script);
        assert_int_equal(count_actions(script, AGENT_RECONNECT), 0);
        if (count_of(script, MSG_HELLO) > 0)
            hear_welcome(script, "pictures");
    }
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
}

static void a_coordinator_of_another_version_is_left(void **state)
{
    struct script *script = *state;
    act(script);
    struct msg msg = {.type = MSG_WELCOME, .welcome_ = {.version = PROTO_VERSION + 1, .heartbeat_ms = 1, .lease_ms = 1}};
    hear(script, msg);
    assert_int_equal(agent_left(script->agent), AGENT_REFUSED);
    assert_non_null(strstr(agent_reason(script->agent), "protocol version"));
}

/* ---- data ---- */

static void welcome_asks_for_the_data_set_before_any_work_is_asked_for(void **state)
{
    struct script *script = *state;
    act(script);
    hear_welcome(script, "pictures");
    act(script);
    assert_int_equal(script->noted[0].action, AGENT_DATA);
    assert_string_equal(script->noted[0].text, "pictures");
    const struct noted *request = said(script, MSG_REQUEST);
    assert_int_equal(request->free, 0);
    assert_string_equal(request->hash, "");
    agent_data(script->agent, "pictures", HASH, NULL, script->now_ms);
    act(script);
    request = said(script, MSG_REQUEST);
    assert_int_equal(request->free, 2);
    assert_string_equal(request->hash, HASH);
}

static void a_data_set_that_is_not_to_be_had_ends_the_work(void **state)
{
    struct script *script = *state;
    act(script);
    hear_welcome(script, "pictures");
    act(script);
    agent_data(script->agent, "pictures", NULL, "there is no data set 'pictures'", script->now_ms);
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_REFUSED);
    assert_string_equal(agent_reason(script->agent), "there is no data set 'pictures'");
    assert_string_equal(said(script, MSG_BYE)->text, "there is no data set 'pictures'");
}

static void another_experiment_at_the_same_address_may_need_other_data(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_welcome(script, "letters");
    hear_lease(script, 7); /* before the data are there: it cannot be run */
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 0);
    assert_int_equal(said(script, MSG_RETURN)->attempt, 7);
    assert_int_equal(count_actions(script, AGENT_DATA), 1);
    agent_data(script->agent, "pictures", HASH, NULL, script->now_ms); /* an answer to an old question */
    script->now_ms += HEARTBEAT_MS;
    act(script);
    assert_string_equal(said(script, MSG_REQUEST)->hash, "");
}

/* ---- leases ---- */

static void a_lease_starts_a_trainer_and_is_held(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 1);
    script->now_ms += HEARTBEAT_MS;
    act(script);
    const struct noted *request = said(script, MSG_REQUEST);
    assert_int_equal(request->free, 1);
    assert_true(holds(request, 7));
}

static void the_same_lease_twice_is_one_trial(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    hear_lease(script, 7);
    act(script);
    hear_lease(script, 7);
    act(script);
    assert_int_equal(agent_busy(script->agent), 1);
    trainer_ends(script, 0, MSG_RESULT);
    hear_lease(script, 7); /* its result waits for an ACK */
    act(script);
    hear_about(script, MSG_ACK, 7);
    hear_lease(script, 7); /* a late copy of what is settled */
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 0);
    assert_int_equal(agent_held(script->agent), 0);
}

static void after_a_new_greeting_the_same_number_may_be_another_trial(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    hear_about(script, MSG_CANCEL, 7);
    act(script);
    trainer_ends(script, 0, MSG_FAILURE);
    hear(script, (struct msg){.type = MSG_WHO}); /* a coordinator with a new database counts anew */
    act(script);
    hear_welcome(script, "pictures");
    hear_lease(script, 7);
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 1);
}

static void a_lease_without_a_free_slot_is_returned_until_that_is_known(void **state)
{
    struct script *script = *state;
    start_work(script);
    for (int64_t attempt = 1; attempt <= 3; attempt++)
        hear_lease(script, attempt);
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 2);
    assert_int_equal(said(script, MSG_RETURN)->attempt, 3);
    assert_true(pass(script, 2 * AGENT_REPORT_MS, MSG_RETURN) >= 1);
    hear_about(script, MSG_ACK, 3);
    assert_int_equal(pass(script, AGENT_REPORT_MAX_MS, MSG_RETURN), 0);
}

static void a_flood_of_leases_costs_no_more_than_the_list_of_a_request(void **state)
{
    struct script *script = *state;
    start_work(script);
    for (int64_t attempt = 1; attempt <= 10000; attempt++)
        hear_lease(script, attempt);
    assert_int_equal(agent_busy(script->agent), 2);
    assert_int_equal(agent_held(script->agent), 4096);
}

/* ---- outcomes ---- */

static void a_result_is_said_before_the_request_for_more_work(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    trainer_ends(script, 0, MSG_RESULT);
    act(script);
    assert_int_equal(script->count, 2);
    assert_int_equal(script->noted[0].type, MSG_RESULT);
    assert_int_equal(script->noted[0].attempt, 7);
    assert_int_equal(script->noted[1].type, MSG_REQUEST);
    assert_int_equal(script->noted[1].free, 2);
    assert_true(holds(&script->noted[1], 7)); /* it is not settled yet */
}

static void a_result_is_said_again_until_it_is_acknowledged(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    trainer_ends(script, 0, MSG_RESULT);
    act(script);
    for (int i = 0; i < 20; i++) {
        assert_true(pass(script, 2 * AGENT_REPORT_MAX_MS, MSG_HELLO) > 0);
        hear_welcome(script, "pictures");
        act(script);
        assert_int_equal(said(script, MSG_RESULT)->attempt, 7);
    }
    hear_about(script, MSG_ACK, 7);
    assert_int_equal(pass(script, 2 * AGENT_REPORT_MAX_MS, MSG_RESULT), 0);
    assert_int_equal(agent_held(script->agent), 0);
}

static void stale_settles_a_result_too(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    trainer_ends(script, 0, MSG_RESULT);
    hear_about(script, MSG_STALE, 7);
    act(script);
    assert_int_equal(count_of(script, MSG_RESULT), 0);
    assert_int_equal(agent_held(script->agent), 0);
}

static void a_failure_is_reported_with_its_reason(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    trainer_ends(script, 0, MSG_FAILURE);
    act(script);
    assert_int_equal(said(script, MSG_FAILURE)->attempt, 7);
    assert_string_equal(said(script, MSG_FAILURE)->text, "it crashed");
}

static void results_outlive_the_absence_of_the_coordinator(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    hear_lease(script, 8);
    act(script);
    pass(script, AGENT_DEAF_MS, MSG_HELLO); /* it is away */
    trainer_ends(script, 0, MSG_RESULT);
    act(script);
    assert_int_equal(count_of(script, MSG_RESULT), 0); /* nobody would hear it */
    pass(script, 600000, MSG_HELLO);
    hear_welcome(script, "pictures");
    act(script);
    assert_int_equal(said(script, MSG_RESULT)->attempt, 7);
    const struct noted *request = said(script, MSG_REQUEST);
    assert_true(holds(request, 7) && holds(request, 8));
    assert_int_equal(request->free, 1);
}

/* ---- a coordinator that was started again ---- */

static void who_is_answered_by_one_hello_and_nothing_else_until_welcome(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    for (int i = 0; i < 5; i++) /* one for each message that was under way */
        hear(script, (struct msg){.type = MSG_WHO});
    act(script);
    assert_int_equal(script->count, 1);
    said(script, MSG_HELLO);
    assert_int_equal(pass(script, 5 * HEARTBEAT_MS, MSG_REQUEST), 0);
    hear_welcome(script, "pictures");
    act(script);
    assert_true(holds(said(script, MSG_REQUEST), 7)); /* it was going on with it all the time */
    assert_int_equal(agent_busy(script->agent), 1);
}

/* ---- heartbeats ---- */

static void it_speaks_at_least_each_heartbeat(void **state)
{
    struct script *script = *state;
    start_work(script);
    int64_t spoke_ms = script->now_ms;
    for (int i = 0; i < 200; i++) {
        script->now_ms = agent_next_ms(script->agent);
        act(script);
        if (count_of(script, MSG_REQUEST) > 0) {
            assert_true(script->now_ms - spoke_ms <= HEARTBEAT_MS);
            spoke_ms = script->now_ms;
        }
        hear_about(script, MSG_ACK, 1); /* about nothing: but somebody is there */
    }
}

static void progress_is_told_once_a_heartbeat_and_only_if_there_is_some(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    int told = 0;
    for (int64_t step = 1; step <= 100; step++) {
        agent_progress(script->agent, 0, step, 2.0);
        told += pass(script, HEARTBEAT_MS / 10, MSG_PROGRESS);
        hear_about(script, MSG_ACK, 1);
    }
    assert_in_range(told, 8, 10);
    pass(script, HEARTBEAT_MS, MSG_PROGRESS);
    hear_about(script, MSG_ACK, 1);
    assert_int_equal(pass(script, 2 * HEARTBEAT_MS, MSG_PROGRESS), 0);
}

/* ---- cancel ---- */

static void cancel_stops_the_trainer_and_frees_the_slot_once_it_is_gone(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    hear_about(script, MSG_CANCEL, 7);
    script->now_ms += HEARTBEAT_MS;
    act(script);
    assert_int_equal(script->noted[0].action, AGENT_STOP);
    const struct noted *request = said(script, MSG_REQUEST);
    assert_false(holds(request, 7));
    assert_int_equal(request->free, 1); /* the trainer is not gone yet */
    trainer_ends(script, 0, MSG_RESULT);
    act(script);
    assert_int_equal(count_of(script, MSG_RESULT), 0); /* no answer wanted */
    assert_int_equal(said(script, MSG_REQUEST)->free, 2);
}

static void what_is_cancelled_before_it_started_never_starts(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    hear_about(script, MSG_CANCEL, 7);
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 0);
    assert_int_equal(count_actions(script, AGENT_STOP), 0);
    assert_int_equal(said(script, MSG_REQUEST)->free, 2);
}

static void an_ack_for_what_still_runs_stops_it(void **state)
{
    struct script *script = *state; /* it was returned once, and the copy of a LEASE started it again */
    start_work(script);
    hear_lease(script, 7);
    act(script);
    hear_about(script, MSG_ACK, 7);
    act(script);
    assert_int_equal(count_actions(script, AGENT_STOP), 1);
}

/* ---- the end ---- */

static void bye_when_the_experiment_is_done_stops_all_and_leaves(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    hear_bye(script, true, "all done");
    act(script);
    assert_int_equal(script->count, 1);
    assert_int_equal(script->noted[0].action, AGENT_STOP);
    assert_int_equal(agent_left(script->agent), AGENT_FINISHED);
    assert_string_equal(agent_reason(script->agent), "all done");
    assert_int_equal(agent_next_ms(script->agent), INT64_MAX);
    trainer_ends(script, 0, MSG_FAILURE);
    assert_int_equal(agent_busy(script->agent), 0);
}

static void a_refusal_leaves_with_the_reason(void **state)
{
    struct script *script = *state;
    act(script);
    hear_bye(script, false, "this worker speaks protocol version 1, the coordinator version 99");
    act(script);
    assert_int_equal(script->count, 0);
    assert_int_equal(agent_left(script->agent), AGENT_REFUSED);
    assert_non_null(strstr(agent_reason(script->agent), "version 99"));
}

static void stop_hands_back_what_runs_and_says_bye_once_that_is_known(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    hear_lease(script, 8);
    act(script);
    trainer_ends(script, 0, MSG_RESULT);
    agent_stop(script->agent, script->now_ms);
    act(script);
    assert_int_equal(count_actions(script, AGENT_STOP), 1);
    assert_int_equal(said(script, MSG_RESULT)->attempt, 7); /* an outcome is not thrown away */
    assert_int_equal(said(script, MSG_RETURN)->attempt, 8);
    assert_int_equal(said(script, MSG_REQUEST)->free, 0);
    trainer_ends(script, 1, MSG_FAILURE);
    hear_about(script, MSG_ACK, 7);
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
    hear_about(script, MSG_ACK, 8);
    act(script);
    said(script, MSG_BYE);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void stop_waits_for_an_absent_coordinator_only_a_short_time(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    agent_stop(script->agent, script->now_ms);
    act(script);
    pass(script, AGENT_LEAVE_MS - 1, MSG_RETURN);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
    script->now_ms = agent_next_ms(script->agent);
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void a_second_stop_waits_for_nothing(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    agent_stop(script->agent, script->now_ms);
    act(script);
    agent_stop(script->agent, script->now_ms);
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void one_that_was_never_greeted_stops_without_a_word(void **state)
{
    struct script *script = *state;
    act(script);
    agent_stop(script->agent, script->now_ms);
    act(script);
    assert_int_equal(script->count, 0);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void a_lease_that_comes_while_it_leaves_is_returned(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    agent_stop(script->agent, script->now_ms);
    hear_lease(script, 8);
    act(script);
    assert_int_equal(count_actions(script, AGENT_START), 0);
    assert_int_equal(count_of(script, MSG_RETURN), 2);
}

static void nothing_brings_it_back_after_the_end(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_bye(script, true, "all done");
    hear_welcome(script, "letters");
    hear_lease(script, 7);
    hear(script, (struct msg){.type = MSG_WHO});
    script->now_ms += 1000000;
    act(script);
    assert_int_equal(script->count, 0);
    assert_int_equal(agent_left(script->agent), AGENT_FINISHED);
}

static void messages_that_only_workers_send_are_ignored(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear(script, (struct msg){.type = MSG_REQUEST, .request_ = {.free = 1}});
    hear(script, (struct msg){.type = MSG_RESULT, .result_ = {.attempt = 1, .validation_count = 1}});
    act(script);
    assert_int_equal(script->count, 0);
}

#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(hello_comes_first_and_alone),
        PROMISE(hello_is_said_again_ever_more_slowly_while_nothing_is_heard),
        PROMISE(two_agents_do_not_come_back_in_step),
        PROMISE(long_silence_asks_for_a_new_socket_and_says_hello_on_it),
        PROMISE(a_worker_that_is_answered_keeps_its_socket),
        PROMISE(a_coordinator_of_another_version_is_left),
        PROMISE(welcome_asks_for_the_data_set_before_any_work_is_asked_for),
        PROMISE(a_data_set_that_is_not_to_be_had_ends_the_work),
        PROMISE(another_experiment_at_the_same_address_may_need_other_data),
        PROMISE(a_lease_starts_a_trainer_and_is_held),
        PROMISE(the_same_lease_twice_is_one_trial),
        PROMISE(after_a_new_greeting_the_same_number_may_be_another_trial),
        PROMISE(a_lease_without_a_free_slot_is_returned_until_that_is_known),
        PROMISE(a_flood_of_leases_costs_no_more_than_the_list_of_a_request),
        PROMISE(a_result_is_said_before_the_request_for_more_work),
        PROMISE(a_result_is_said_again_until_it_is_acknowledged),
        PROMISE(stale_settles_a_result_too),
        PROMISE(a_failure_is_reported_with_its_reason),
        PROMISE(results_outlive_the_absence_of_the_coordinator),
        PROMISE(who_is_answered_by_one_hello_and_nothing_else_until_welcome),
        PROMISE(it_speaks_at_least_each_heartbeat),
        PROMISE(progress_is_told_once_a_heartbeat_and_only_if_there_is_some),
        PROMISE(cancel_stops_the_trainer_and_frees_the_slot_once_it_is_gone),
        PROMISE(what_is_cancelled_before_it_started_never_starts),
        PROMISE(an_ack_for_what_still_runs_stops_it),
        PROMISE(bye_when_the_experiment_is_done_stops_all_and_leaves),
        PROMISE(a_refusal_leaves_with_the_reason),
        PROMISE(stop_hands_back_what_runs_and_says_bye_once_that_is_known),
        PROMISE(stop_waits_for_an_absent_coordinator_only_a_short_time),
        PROMISE(a_second_stop_waits_for_nothing),
        PROMISE(one_that_was_never_greeted_stops_without_a_word),
        PROMISE(a_lease_that_comes_while_it_leaves_is_returned),
        PROMISE(nothing_brings_it_back_after_the_end),
        PROMISE(messages_that_only_workers_send_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
