/* The core with workers that have keys: a worker is its key's alone, a revoked key loses all at once, and
 * what one key may have is bounded. */
#include "tests/unit/core_bench.h"

static const char *const ALICE = "alice's public key", *const BOB = "bob's public key";

static void say_hello(struct bench *bench, uint64_t peer, const char *key, const char *name, int64_t slots)
{
    struct msg msg = hello_of(name, slots);
    core_hello(bench->core, peer, key, &msg.hello_, bench->now_ms);
}

/* As join, with a key. */
static struct msg_lease join_with(struct bench *bench, uint64_t peer, const char *key, const char *name,
                                  int64_t slots)
{
    say_hello(bench, peer, key, name, slots);
    say(bench, peer, request_of(slots));
    turn(bench);
    assert_non_null(sent(bench, peer, MSG_WELCOME, 0));
    return lease_in(bench, sent(bench, peer, MSG_LEASE, 0));
}

static void another_key_with_the_same_name_is_another_worker(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join_with(&bench, 1, ALICE, "me", 1);
    say_hello(&bench, 2, BOB, "me", 1);
    say(&bench, 2, result_msg(&lease));
    say(&bench, 2, holding_msg(0, lease.attempt));
    turn(&bench);
    assert_non_null(sent(&bench, 2, MSG_STALE, 0));
    assert_non_null(sent(&bench, 2, MSG_CANCEL, 0));
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_LEASED);
    assert_int_equal(bench.disk.workers.count, 2);
    say(&bench, 1, result_msg(&lease)); /* its own connection stands */
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_ACK, 0));
    close_bench(&bench);
}

static void the_same_key_and_name_on_a_new_connection_is_the_same_worker(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join_with(&bench, 1, ALICE, "me", 1);
    say_hello(&bench, 2, ALICE, "me", 1);
    say(&bench, 2, result_msg(&lease));
    turn(&bench);
    assert_non_null(sent(&bench, 2, MSG_ACK, 0));
    assert_int_equal(bench.disk.workers.count, 1);
    say(&bench, 1, request_of(1)); /* the old connection is nobody's */
    turn(&bench);
    assert_non_null(sent(&bench, 1, MSG_WHO, 0));
    close_bench(&bench);
}

static void it_still_is_after_a_restart_whoever_comes_first(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join_with(&bench, 1, ALICE, "me", 1);
    restart(&bench);
    say_hello(&bench, 7, BOB, "me", 1);
    say(&bench, 7, result_msg(&lease));
    say_hello(&bench, 8, ALICE, "me", 1);
    say(&bench, 8, result_msg(&lease));
    turn(&bench);
    assert_non_null(sent(&bench, 7, MSG_STALE, 0));
    assert_non_null(sent(&bench, 8, MSG_ACK, 0));
    close_bench(&bench);
}

static void a_revoked_key_loses_its_leases_at_once_and_others_get_them(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease first = join_with(&bench, 1, ALICE, "one", 1);
    struct msg_lease second = join_with(&bench, 2, ALICE, "two", 1);
    struct msg_lease other = join_with(&bench, 3, BOB, "three", 3);
    core_revoke(bench.core, ALICE, bench.now_ms);
    say(&bench, 3, request_of(2));
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, first.attempt)->state, ATTEMPT_RETURNED);
    assert_int_equal(attempt_on_disk(&bench, second.attempt)->state, ATTEMPT_RETURNED);
    assert_int_equal(attempt_on_disk(&bench, other.attempt)->state, ATTEMPT_LEASED);
    assert_int_equal(trial_on_disk(&bench, first.trial)->lost, 0); /* it counts against nobody */
    assert_false(bench.disk.workers.items[0].connected);
    assert_false(bench.disk.workers.items[1].connected);
    assert_true(bench.disk.workers.items[2].connected);
    assert_int_equal(events_on_disk(&bench, "refusal"), 2);
    for (size_t i = 0; i < bench.send_count; i++) /* those of the key get no word */
        assert_int_equal(bench.sends[i].peer, 3);
    close_bench(&bench);
}

static void so_do_its_workers_that_are_not_connected_at_the_time(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join_with(&bench, 1, ALICE, "one", 1);
    say_hello(&bench, 1, ALICE, "other", 1); /* takes the connection over */
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_LEASED);
    core_revoke(bench.core, ALICE, bench.now_ms);
    turn(&bench);
    assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state, ATTEMPT_RETURNED);
    close_bench(&bench);
}

static void a_key_that_is_allowed_again_goes_on(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, few);
    struct msg_lease lease = join_with(&bench, 1, ALICE, "one", 1);
    core_revoke(bench.core, ALICE, bench.now_ms);
    core_revoke(bench.core, "a key that nobody ever used", bench.now_ms);
    turn(&bench);
    say_hello(&bench, 2, ALICE, "one", 1);
    say(&bench, 2, result_msg(&lease)); /* trained meanwhile: the bits are the same whoever computes them */
    turn(&bench);
    assert_non_null(sent(&bench, 2, MSG_ACK, 0));
    assert_int_equal(bench.disk.workers.count, 1);
    close_bench(&bench);
}

static void a_key_has_a_bounded_number_of_workers(void **state)
{
    (void)state;
    struct bench bench;
    char name[32];
    open_bench(&bench, few);
    for (int i = 0; i < KEY_MAX_WORKERS; i++) {
        snprintf(name, sizeof name, "w%d", i);
        say_hello(&bench, 100 + (uint64_t)i, ALICE, name, 1);
        if (i % 200 == 199)
            turn(&bench);
    }
    turn(&bench);
    say_hello(&bench, 50, ALICE, "one too many", 1);
    say_hello(&bench, 51, BOB, "of another key", 1);
    say(&bench, 52, hello_of("without a key", 1));
    say_hello(&bench, 53, ALICE, "w7", 1); /* it is one of them, on a new connection */
    turn(&bench);
    assert_non_null(strstr(sent(&bench, 50, MSG_BYE, 0)->reason, "more are not allowed"));
    assert_non_null(sent(&bench, 51, MSG_WELCOME, 0));
    assert_non_null(sent(&bench, 52, MSG_WELCOME, 0));
    assert_non_null(sent(&bench, 53, MSG_WELCOME, 0));
    say(&bench, 53, (struct msg){.type = MSG_BYE}); /* one leaves, and there is room for one */
    say_hello(&bench, 50, ALICE, "one too many", 1);
    turn(&bench);
    assert_non_null(sent(&bench, 50, MSG_WELCOME, 0));
    close_bench(&bench);
}

static void a_key_has_a_bounded_number_of_leases(void **state)
{
    (void)state;
    enum { SLOTS = 4096, WORKERS = KEY_MAX_LEASES / SLOTS + 2 };
    struct bench bench;
    char name[32];
    int64_t leases[WORKERS + 1] = {0}, total = 0;
    open_bench(&bench, (const char *const[]){"search.algorithm=random", "search.candidates=100",
                                             "search.batch=100", "child.seeds=1000", NULL});
    for (int turns = 0; turns < 200; turns++) { /* nothing is stored: the rows would be searched for ever */
        for (int i = 0; i <= WORKERS; i++) {
            snprintf(name, sizeof name, "w%d", i);
            if (turns == 0)
                say_hello(&bench, 1 + (uint64_t)i, i < WORKERS ? ALICE : BOB, name, SLOTS);
            say(&bench, 1 + (uint64_t)i, request_of(SLOTS));
        }
        core_advance(bench.core, bench.now_ms);
        core_rows(bench.core);
        size_t count;
        struct core_send *sends = core_sends(bench.core, &count);
        for (size_t i = 0; i < count; i++)
            leases[sends[i].peer - 1] += sends[i].type == MSG_LEASE;
        core_clear(bench.core, bench.now_ms);
    }
    for (int i = 0; i < WORKERS; i++)
        total += leases[i];
    assert_int_equal(total, KEY_MAX_LEASES);
    assert_int_equal(leases[WORKERS], SLOTS); /* another key has what it asks for */
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_key_with_the_same_name_is_another_worker),
        cmocka_unit_test(the_same_key_and_name_on_a_new_connection_is_the_same_worker),
        cmocka_unit_test(it_still_is_after_a_restart_whoever_comes_first),
        cmocka_unit_test(a_revoked_key_loses_its_leases_at_once_and_others_get_them),
        cmocka_unit_test(so_do_its_workers_that_are_not_connected_at_the_time),
        cmocka_unit_test(a_key_that_is_allowed_again_goes_on),
        cmocka_unit_test(a_key_has_a_bounded_number_of_workers),
        cmocka_unit_test(a_key_has_a_bounded_number_of_leases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
