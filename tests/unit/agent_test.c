/* The promises of worker/agent.h about greeting, data, leases and outcomes. */
#include "tests/unit/agent_script.h"

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
    static struct msg message;
    struct agent_action action;
    act(script);
    assert_true(agent_next(other, script->now_ms, &action, &message));
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

static void a_refused_socket_is_replaced_soon_and_ever_more_patiently(void **state)
{
    struct script *script = *state;
    act(script);
    int64_t refused_ms = script->now_ms, waits_ms[12];
    int count = 0;
    agent_refused(script->agent, script->now_ms);
    while (count < 12) {
        script->now_ms = agent_next_ms(script->agent);
        act(script);
        if (count_actions(script, AGENT_RECONNECT) == 0)
            continue;
        assert_int_equal(script->noted[0].action, AGENT_RECONNECT);
        assert_int_equal(count_of(script, MSG_HELLO), 1);
        waits_ms[count++] = script->now_ms - refused_ms;
        refused_ms = script->now_ms;
        agent_refused(script->agent, script->now_ms);
        agent_refused(script->agent, script->now_ms); /* told twice it waits no longer */
    }
    assert_in_range(waits_ms[0], AGENT_REFUSED_MS * 3 / 4, AGENT_REFUSED_MS * 5 / 4);
    assert_in_range(waits_ms[2], AGENT_REFUSED_MS * 3, AGENT_REFUSED_MS * 5);
    assert_in_range(waits_ms[11], 15000, 75000);
    hear_welcome(script, "pictures"); /* let in at last: the next time begins anew */
    act(script);
    agent_refused(script->agent, script->now_ms);
    refused_ms = script->now_ms;
    do {
        script->now_ms = agent_next_ms(script->agent);
        act(script);
    } while (count_actions(script, AGENT_RECONNECT) == 0);
    assert_in_range(script->now_ms - refused_ms, AGENT_REFUSED_MS * 3 / 4, AGENT_REFUSED_MS * 5 / 4);
}

static void a_worker_that_is_answered_keeps_its_socket(void **state)
{
    struct script *script = *state;
    start_work(script);
    for (int i = 0; i < 1000;
         i++) { /* an idle hour and more: the answers to its HELLOs are all that it hears */
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
    struct msg msg = {.type = MSG_WELCOME,
                      .welcome_ = {.version = PROTO_VERSION + 1, .heartbeat_ms = 1, .lease_ms = 1}};
    hear(script, msg);
    assert_int_equal(agent_left(script->agent), AGENT_REFUSED);
    assert_non_null(strstr(agent_reason(script->agent), "protocol version"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(hello_comes_first_and_alone),
        PROMISE(hello_is_said_again_ever_more_slowly_while_nothing_is_heard),
        PROMISE(two_agents_do_not_come_back_in_step),
        PROMISE(long_silence_asks_for_a_new_socket_and_says_hello_on_it),
        PROMISE(a_refused_socket_is_replaced_soon_and_ever_more_patiently),
        PROMISE(a_worker_that_is_answered_keeps_its_socket),
        PROMISE(a_coordinator_of_another_version_is_left),
        PROMISE(a_refusal_leaves_with_the_reason),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
