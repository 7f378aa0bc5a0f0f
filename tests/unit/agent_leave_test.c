/* The promises of worker/agent.h about a coordinator that was started again, heartbeats, cancelling, and the
 * end. */
#include "tests/unit/agent_script.h"

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
    assert_int_equal(count_actions(script, AGENT_HALT), 1);
    assert_int_equal(said(script, MSG_RESULT)->attempt, 7); /* an outcome is not thrown away */
    assert_int_equal(said(script, MSG_RETURN)->attempt, 8);
    assert_int_equal(said(script, MSG_REQUEST)->free, 0);
    trainer_ends(script, 1, MSG_RETURN);
    hear_about(script, MSG_ACK, 7);
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
    hear_about(script, MSG_ACK, 8);
    act(script);
    said(script, MSG_BYE);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void leave_is_as_stop_and_said_again_changes_nothing(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    act(script);
    hear(script, (struct msg){.type = MSG_LEAVE});
    act(script);
    assert_int_equal(count_actions(script, AGENT_HALT), 1); /* its trainer may save */
    assert_int_equal(said(script, MSG_RETURN)->attempt, 7);
    hear(script, (struct msg){.type = MSG_LEAVE});
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS); /* the trainer still saves */
    hear_about(script, MSG_ACK, 7);
    trainer_ends(script, 0, MSG_RETURN);
    act(script);
    said(script, MSG_BYE);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void stop_lets_trainers_save_but_not_for_ever(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    hear_lease(script, 8);
    act(script);
    agent_stop(script->agent, script->now_ms);
    act(script);
    assert_int_equal(count_actions(script, AGENT_HALT), 2);
    hear_about(script, MSG_ACK, 7); /* all is handed back: only the saving is waited for */
    hear_about(script, MSG_ACK, 8);
    act(script);
    trainer_ends(script, 0, MSG_RETURN);
    act(script);
    assert_int_equal(count_actions(script, AGENT_STOP), 0);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
    pass(script, AGENT_LEAVE_MS - 1, MSG_RETURN);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
    script->now_ms = agent_next_ms(script->agent);
    act(script);
    assert_int_equal(count_actions(script, AGENT_STOP), 1);
    assert_int_equal(script->noted[0].slot, 1);
    assert_int_equal(agent_left(script->agent), AGENT_STOPPED);
}

static void a_trainer_that_saved_and_left_by_itself_is_returned(void **state)
{
    struct script *script = *state; /* whoever stops the machine tells each process */
    start_work(script);
    hear_lease(script, 7);
    act(script);
    trainer_ends(script, 0, MSG_RETURN);
    act(script);
    assert_int_equal(said(script, MSG_RETURN)->attempt, 7);
    assert_int_equal(agent_left(script->agent), AGENT_STAYS);
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

static void it_gives_up_after_a_silence_if_it_was_told_to(void **state)
{
    struct script *script = *state;
    agent_give_up_after(script->agent, 60 * 1000);
    start_work(script);
    hear_lease(script, 7);
    act(script);
    script->now_ms += 59 * 1000;
    hear_about(script, MSG_ACK, 1); /* about nothing: but somebody is there */
    script->now_ms += 59 * 1000;
    act(script);
    assert_int_equal(count_actions(script, AGENT_HALT), 0);
    assert_true(agent_next_ms(script->agent) <= script->now_ms + 1000);
    script->now_ms += 1000;
    act(script);
    assert_int_equal(count_actions(script, AGENT_HALT), 1); /* what it trains is worth saving */
    trainer_ends(script, 0, MSG_RETURN);
    script->now_ms += AGENT_LEAVE_MS;
    act(script);
    assert_int_equal(agent_left(script->agent), AGENT_REFUSED);
    assert_non_null(strstr(agent_reason(script->agent), "--give-up"));
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

static void one_that_cannot_do_the_trials_stops_all_and_says_why(void **state)
{
    struct script *script = *state;
    start_work(script);
    hear_lease(script, 7);
    hear_lease(script, 8);
    act(script);
    trainer_ends(script, 0, MSG_RETURN);
    agent_unfit(script->agent, "another kind of training", script->now_ms);
    act(script);
    assert_int_equal(count_actions(script, AGENT_STOP), 1);
    assert_string_equal(said(script, MSG_BYE)->text, "another kind of training");
    assert_int_equal(agent_left(script->agent), AGENT_REFUSED);
    assert_string_equal(agent_reason(script->agent), "another kind of training");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(who_is_answered_by_one_hello_and_nothing_else_until_welcome),
        PROMISE(it_speaks_at_least_each_heartbeat),
        PROMISE(progress_is_told_once_a_heartbeat_and_only_if_there_is_some),
        PROMISE(cancel_stops_the_trainer_and_frees_the_slot_once_it_is_gone),
        PROMISE(what_is_cancelled_before_it_started_never_starts),
        PROMISE(an_ack_for_what_still_runs_stops_it),
        PROMISE(bye_when_the_experiment_is_done_stops_all_and_leaves),
        PROMISE(stop_hands_back_what_runs_and_says_bye_once_that_is_known),
        PROMISE(leave_is_as_stop_and_said_again_changes_nothing),
        PROMISE(stop_lets_trainers_save_but_not_for_ever),
        PROMISE(a_trainer_that_saved_and_left_by_itself_is_returned),
        PROMISE(stop_waits_for_an_absent_coordinator_only_a_short_time),
        PROMISE(a_second_stop_waits_for_nothing),
        PROMISE(one_that_was_never_greeted_stops_without_a_word),
        PROMISE(a_lease_that_comes_while_it_leaves_is_returned),
        PROMISE(one_that_cannot_do_the_trials_stops_all_and_says_why),
        PROMISE(it_gives_up_after_a_silence_if_it_was_told_to),
        PROMISE(nothing_brings_it_back_after_the_end),
        PROMISE(messages_that_only_workers_send_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
