/* The end of a search, and how everybody hears of it: a coordinator that is killed between the COMMIT of the
 * end and its BYEs leaves nobody waiting. */
#include "tests/unit/core_bench.h"

static const char *const small[] = {"search.algorithm=random", "search.candidates=4", "search.batch=4", NULL};

/* Worker "a" does it all; in the turn that ends it, messages of that type cannot be handed over. */
static void finish_but(struct bench *bench, enum msg_type unsent)
{
    struct msg_lease lease = join(bench, 1, "a", 1);
    for (int turns = 0; !core_finished(bench->core); turns++) {
        assert_true(turns < 100);
        say(bench, 1, result_msg(&lease));
        say(bench, 1, request_of(1));
        turn_but(bench, unsent);
        if (sent(bench, 1, MSG_LEASE, 0))
            lease = lease_in(bench, sent(bench, 1, MSG_LEASE, 0));
    }
    assert_non_null(sent(bench, 1, MSG_BYE, 0));
}

static void once_all_are_told_it_is_over_and_a_start_is_too(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, small);
    finish_but(&bench, MSG_TYPES);
    assert_false(core_is_over(bench.core)); /* that they were told is not on disk yet */
    turn(&bench);
    assert_true(core_is_over(bench.core));
    assert_false(bench.disk.workers.items[0].connected);
    assert_int_equal(bench.disk.counters.workers, 0);
    restart(&bench);
    assert_true(core_is_over(bench.core));
    assert_int_equal(bench.disk.experiment.epoch, 1);
    close_bench(&bench);
}

static void killed_before_its_byes_it_tells_the_workers_at_its_next_start(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, small);
    finish_but(&bench, MSG_TYPES); /* committed; the rest of that turn did not happen */
    assert_true(bench.disk.workers.items[0].connected);
    for (int again = 0; again < 2; again++) {
        restart(&bench);
        assert_non_null(core_finished(bench.core));
        assert_false(core_is_over(bench.core));
        assert_true(core_next_ms(bench.core) > bench.now_ms);
    }
    say(&bench, 7, request_of(1));
    turn(&bench);
    assert_non_null(sent(&bench, 7, MSG_WHO, 0));
    say(&bench, 7, hello_of("a", 1));
    turn(&bench);
    assert_true(sent(&bench, 7, MSG_BYE, 0)->finished);
    turn(&bench);
    assert_true(core_is_over(bench.core));
    assert_false(bench.disk.workers.items[0].connected);
    close_bench(&bench);
}

static void who_cannot_be_told_is_waited_for_a_moment(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, small);
    finish_but(&bench, MSG_BYE);
    turn(&bench);
    assert_false(core_is_over(bench.core));
    const int64_t end_ms = core_next_ms(bench.core);
    assert_true(end_ms <= bench.now_ms + FAREWELL_MS);
    say(&bench, 9, hello_of("stranger", 1)); /* is told, and changes nothing else */
    turn(&bench);
    assert_true(sent(&bench, 9, MSG_BYE, 0)->finished);
    assert_int_equal(bench.disk.workers.count, 1);
    bench.now_ms = end_ms - 1;
    turn(&bench);
    assert_false(core_is_over(bench.core));
    bench.now_ms = end_ms;
    turn(&bench);
    assert_true(core_is_over(bench.core));
    assert_int_equal(bench.disk.counters.workers, 0);
    close_bench(&bench);
}

static void a_worker_that_was_not_back_yet_after_a_restart_is_told_too(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, small);
    say(&bench, 2, hello_of("b", 1));
    turn(&bench);
    restart(&bench);
    assert_int_equal(bench.disk.counters.workers, 0);
    finish_but(&bench, MSG_TYPES);
    turn(&bench);
    assert_false(core_is_over(bench.core));
    restart(&bench);
    say(&bench, 3, hello_of("b", 1));
    turn(&bench);
    assert_true(sent(&bench, 3, MSG_BYE, 0)->finished);
    turn(&bench);
    assert_true(core_is_over(bench.core));
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_all_are_told_it_is_over_and_a_start_is_too),
        cmocka_unit_test(killed_before_its_byes_it_tells_the_workers_at_its_next_start),
        cmocka_unit_test(who_cannot_be_told_is_waited_for_a_moment),
        cmocka_unit_test(a_worker_that_was_not_back_yet_after_a_restart_is_told_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
