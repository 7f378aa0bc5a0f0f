/* Hosts that differ: a third one decides, and the one that is wrong is shut out with all that rested on it. */
#include "tests/unit/core_bench.h"

#include "coordinator/ledger.h"
#include "coordinator/workers.h"

static const char *const audited[] = {"search.algorithm=exhaustive",
                                      "search.candidates=6",
                                      "search.batch=4",
                                      "queue.audit=1",
                                      "queue.attempts=3",
                                      NULL};

enum { HOSTS = 5 };

/* Workers "a" to "e", one slot each, through peers 1 to 5. */
struct hosts {
    struct bench *bench;
    struct msg_lease lease[HOSTS + 1];
    bool holds[HOSTS + 1];
};

static void come(struct hosts *hosts, int peer)
{
    const char name[2] = {(char)('a' + peer - 1), '\0'};
    say(hosts->bench, (uint64_t)peer, hello_of(name, 1));
}

static void ask(struct hosts *hosts, int peer)
{
    say(hosts->bench, (uint64_t)peer,
        hosts->holds[peer] ? holding_msg(0, hosts->lease[peer].attempt) : request_of(1));
}

static void settle(struct hosts *hosts)
{
    turn(hosts->bench);
    for (int peer = 1; peer <= HOSTS; peer++) {
        const struct core_send *lease = sent(hosts->bench, (uint64_t)peer, MSG_LEASE, 0);
        if (sent(hosts->bench, (uint64_t)peer, MSG_CANCEL, 0) ||
            sent(hosts->bench, (uint64_t)peer, MSG_BYE, 0))
            hosts->holds[peer] = false;
        if (!lease)
            continue;
        hosts->lease[peer] = lease_in(hosts->bench, lease);
        hosts->holds[peer] = true;
    }
}

static void report(struct hosts *hosts, int peer, int64_t more_correct)
{
    struct msg msg = result_msg(&hosts->lease[peer]);
    if (more_correct != 0) {
        msg.result_.diverged = false;
        msg.result_.validation_loss = 1;
        msg.result_.correct = more_correct;
    }
    hosts->holds[peer] = false;
    say(hosts->bench, (uint64_t)peer, msg);
}

static const struct worker_row *worker_on_disk(const struct hosts *hosts, int peer)
{
    const char name[2] = {(char)('a' + peer - 1), '\0'};
    for (size_t i = 0; i < hosts->bench->disk.workers.count; i++)
        if (strcmp(hosts->bench->disk.workers.items[i].name, name) == 0)
            return &hosts->bench->disk.workers.items[i];
    fail();
    return NULL;
}

static int attempts_in(const struct hosts *hosts, enum attempt_state state)
{
    int count = 0;
    for (size_t i = 0; i < hosts->bench->disk.attempts.count; i++)
        count += hosts->bench->disk.attempts.items[i].state == state;
    return count;
}

/* The first `count` hosts work until the end; `wrong` of them (0: none) always wrong. */
static void work(struct hosts *hosts, int count, int wrong)
{
    for (int turns = 0; !core_finished(hosts->bench->core); turns++) {
        assert_true(turns < 400);
        hosts->bench->now_ms += 500;
        for (int peer = 1; peer <= count; peer++) {
            if (hosts->holds[peer])
                report(hosts, peer, peer == wrong ? 4000 + turns % 7 : 0);
            ask(hosts, peer);
        }
        settle(hosts);
    }
}

static void open_hosts(struct hosts *hosts, struct bench *bench, int count)
{
    *hosts = (struct hosts){.bench = bench};
    open_bench(bench, audited);
    for (int peer = 1; peer <= count; peer++)
        come(hosts, peer);
}

static void check_right(const struct bench *bench)
{
    struct bench calm;
    struct hosts hosts;
    open_hosts(&hosts, &calm, 1);
    work(&hosts, 1, 0);
    assert_int_equal(bench->disk.candidates.count, calm.disk.candidates.count);
    for (size_t i = 0; i < calm.disk.candidates.count; i++) {
        const struct candidate_row *a = &bench->disk.candidates.items[i], *b = &calm.disk.candidates.items[i];
        assert_string_equal(a->activation, b->activation);
        assert_int_equal(a->diverged, b->diverged);
        assert_memory_equal(&a->accuracy_mean, &b->accuracy_mean, sizeof(double));
        assert_memory_equal(&a->validation_loss_mean, &b->validation_loss_mean, sizeof(double));
        assert_memory_equal(&a->reward, &b->reward, sizeof(double));
    }
    close_bench(&calm);
}

static void the_host_that_two_others_contradict_is_shut_out_and_its_results_done_again(void **state)
{
    (void)state;
    for (int wrong = 1; wrong <= 3; wrong++) {
        struct bench bench;
        struct hosts hosts;
        open_hosts(&hosts, &bench, 3);
        work(&hosts, 3, wrong);
        for (int peer = 1; peer <= 3; peer++) {
            assert_int_equal(worker_on_disk(&hosts, peer)->shut_out_ms != 0, peer == wrong);
            assert_true(peer != wrong || !worker_on_disk(&hosts, peer)->connected);
        }
        for (size_t i = 0; i < bench.disk.trials.count; i++) {
            const struct attempt_row *closing = attempt_on_disk(&bench, bench.disk.trials.items[i].closed_by);
            assert_int_equal(closing->state, ATTEMPT_TAKEN);
            assert_int_not_equal(closing->worker, worker_on_disk(&hosts, wrong)->id);
        }
        check_right(&bench);
        close_bench(&bench);
    }
}

/* Trial 1 was closed by "a" with other bits, "b" has differed, and "c" trains it now. */
static void dispute_first_trial(struct hosts *hosts, struct bench *bench)
{
    open_hosts(hosts, bench, 1);
    ask(hosts, 1);
    settle(hosts);
    assert_int_equal(hosts->lease[1].trial, 1);
    report(hosts, 1, 17);
    ask(hosts, 1);
    settle(hosts);
    come(hosts, 2);
    for (int turns = 0; attempts_in(hosts, ATTEMPT_DIFFERED) == 0; turns++) {
        assert_true(turns < 100);
        if (hosts->holds[2])
            report(hosts, 2, 0);
        ask(hosts, 1);
        ask(hosts, 2);
        settle(hosts);
    }
    come(hosts, 3);
    for (int turns = 0; hosts->lease[3].trial != 1; turns++) {
        assert_true(turns < 100);
        if (hosts->holds[2])
            report(hosts, 2, 0);
        if (hosts->holds[3])
            report(hosts, 3, 0);
        ask(hosts, 2);
        ask(hosts, 1);
        ask(hosts, 3);
        settle(hosts);
    }
    assert_int_equal(bench->disk.trials.items[0].correct, 17); /* what came first stands for now */
}

static void the_third_report_closes_the_trial_with_the_bits_of_two(void **state)
{
    (void)state;
    struct bench bench;
    struct hosts hosts;
    dispute_first_trial(&hosts, &bench);
    const int64_t held = hosts.lease[1].attempt, deciding = hosts.lease[3].attempt;
    report(&hosts, 3, 0);
    settle(&hosts);
    assert_int_equal(bench.disk.trials.items[0].closed_by, deciding);
    assert_int_equal(attempts_in(&hosts, ATTEMPT_DIFFERED), 0);
    assert_int_equal(attempts_in(&hosts, ATTEMPT_WITHDRAWN), 1);
    assert_non_null(sent(&bench, 3, MSG_ACK, 0));
    assert_false(sent(&bench, 1, MSG_BYE, 0)->finished);
    assert_int_equal(attempt_on_disk(&bench, held)->state, ATTEMPT_RETURNED);
    assert_int_equal(worker_on_disk(&hosts, 1)->lost, 0);
    close_bench(&bench);
}

static void what_is_in_dispute_survives_a_restart(void **state)
{
    (void)state;
    struct bench bench;
    struct hosts hosts;
    dispute_first_trial(&hosts, &bench);
    restart(&bench);
    for (int peer = 1; peer <= 3; peer++) {
        come(&hosts, peer);
        ask(&hosts, peer);
    }
    settle(&hosts);
    report(&hosts, 3, 0);
    settle(&hosts);
    assert_true(worker_on_disk(&hosts, 1)->shut_out_ms != 0);
    restart(&bench);
    for (int peer = 2; peer <= 3; peer++)
        come(&hosts, peer);
    work(&hosts, 3, 0);
    check_right(&bench);
    close_bench(&bench);
}

static void who_was_shut_out_does_not_get_in_again(void **state)
{
    (void)state;
    struct bench bench;
    struct hosts hosts;
    dispute_first_trial(&hosts, &bench);
    report(&hosts, 3, 0);
    settle(&hosts);
    for (int again = 0; again < 2; again++) {
        struct msg hello = hello_of("another name", 1);
        snprintf(hello.hello_.host, sizeof hello.hello_.host, "host-a");
        say(&bench, 9, hello);
        settle(&hosts);
        assert_false(sent(&bench, 9, MSG_BYE, 0)->finished);
        assert_non_null(strstr(sent(&bench, 9, MSG_BYE, 0)->reason, "host-a"));
        core_hello(bench.core, 10, "another key", &hello.hello_, bench.now_ms);
        settle(&hosts);
        assert_non_null(sent(&bench, 10, MSG_WELCOME, 0));
        restart(&bench);
    }
    close_bench(&bench);
}

static void a_host_that_contradicts_itself_needs_no_second_opinion(void **state)
{
    (void)state;
    struct bench bench;
    struct hosts hosts;
    open_hosts(&hosts, &bench, 1);
    ask(&hosts, 1);
    settle(&hosts);
    const struct msg_lease old = hosts.lease[1];
    bench.now_ms += bench.experiment->queue.lease_ms;
    settle(&hosts);
    hosts.holds[1] = false;
    come(&hosts, 1);
    ask(&hosts, 1);
    settle(&hosts);
    assert_int_equal(hosts.lease[1].trial, old.trial);
    assert_int_not_equal(hosts.lease[1].attempt, old.attempt);
    report(&hosts, 1, 0);
    hosts.lease[1] = old;
    report(&hosts, 1, 99);
    settle(&hosts);
    assert_true(worker_on_disk(&hosts, 1)->shut_out_ms != 0);
    assert_int_equal(bench.disk.trials.items[old.trial - 1].state, TRIAL_READY);
    assert_int_equal(bench.disk.curves.count, 0);
    come(&hosts, 2);
    work(&hosts, 2, 0);
    check_right(&bench);
    close_bench(&bench);
}

/* A machine of the host "host-x" with that key. */
static void come_with_key(struct hosts *hosts, int peer, const char *key)
{
    struct msg hello = hello_of(key, 1);
    snprintf(hello.hello_.host, sizeof hello.hello_.host, "host-x");
    core_hello(hosts->bench->core, (uint64_t)peer, key, &hello.hello_, hosts->bench->now_ms);
}

/* The lease that this host has gets too old, and so does its connection. */
static struct msg_lease let_lapse(struct hosts *hosts, int peer)
{
    ask(hosts, peer);
    settle(hosts);
    assert_true(hosts->holds[peer]);
    hosts->bench->now_ms += hosts->bench->experiment->queue.lease_ms;
    settle(hosts);
    hosts->holds[peer] = false;
    return hosts->lease[peer];
}

/* The trial is open, and there is an attempt that agreed with what was withdrawn. */
static void a_second_host_may_be_shut_out_while_what_rested_on_the_first_is_still_open(void **state)
{
    (void)state;
    struct bench bench;
    struct hosts hosts;
    open_hosts(&hosts, &bench, 0);
    come_with_key(&hosts, 1, "key 1");
    const struct msg_lease agreeing = let_lapse(&hosts, 1);
    come_with_key(&hosts, 2, "key 2"); /* another machine of that name, which counts for no other host */
    ask(&hosts, 2);
    settle(&hosts);
    assert_int_equal(hosts.lease[2].trial, agreeing.trial);
    report(&hosts, 2, 0);
    come_with_key(&hosts, 1, "key 1");
    hosts.lease[1] = agreeing;
    report(&hosts, 1, 0);
    settle(&hosts);
    assert_int_equal(attempts_in(&hosts, ATTEMPT_AGREED), 1);

    come(&hosts, 3);
    const struct msg_lease contrary = let_lapse(&hosts, 3);
    come(&hosts, 3);
    ask(&hosts, 3);
    settle(&hosts);
    assert_int_equal(hosts.lease[3].trial, contrary.trial);
    report(&hosts, 3, 0);

    come_with_key(&hosts, 2, "key 2");
    const struct msg_lease first = let_lapse(&hosts, 2);
    come_with_key(&hosts, 2, "key 2");
    ask(&hosts, 2);
    settle(&hosts);
    assert_int_equal(hosts.lease[2].trial, first.trial);
    report(&hosts, 2, 0);
    hosts.lease[2] = first;
    report(&hosts, 2, 99);
    settle(&hosts);
    assert_int_equal(bench.disk.trials.items[agreeing.trial - 1].closed_by, 0);

    come(&hosts, 3);
    hosts.lease[3] = contrary;
    report(&hosts, 3, 99);
    settle(&hosts);
    assert_true(worker_on_disk(&hosts, 3)->shut_out_ms != 0);
    close_bench(&bench);
}

static void where_all_differ_the_end_says_so_and_nobody_is_shut_out(void **state)
{
    (void)state;
    struct bench bench;
    struct hosts hosts;
    open_hosts(&hosts, &bench, 3);
    for (int turns = 0; !core_finished(bench.core); turns++) {
        assert_true(turns < 1000);
        bench.now_ms += 500;
        for (int peer = 1; peer <= 3; peer++) {
            if (hosts.holds[peer])
                report(&hosts, peer, 100 * peer);
            ask(&hosts, peer);
        }
        settle(&hosts);
    }
    for (int peer = 1; peer <= 3; peer++)
        assert_int_equal(worker_on_disk(&hosts, peer)->shut_out_ms, 0);
    assert_int_equal(attempts_in(&hosts, ATTEMPT_DIFFERED), 2 * (int)bench.disk.trials.count);
    const struct event_row *event = NULL;
    for (size_t i = 0; i < bench.disk.events.count; i++)
        if (strcmp(bench.disk.events.items[i].kind, "difference") == 0)
            event = &bench.disk.events.items[i];
    assert_non_null(strstr(event->text, "in dispute"));
    close_bench(&bench);
}

static void control_characters_of_a_worker_are_not_kept(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, audited);
    struct msg hello = hello_of("a", 1);
    snprintf(hello.hello_.host, sizeof hello.hello_.host, "a\nb\033[2J");
    snprintf(hello.hello_.cpu, sizeof hello.hello_.cpu, "c\177");
    say(&bench, 1, hello);
    turn(&bench);
    assert_string_equal(bench.disk.workers.items[0].host, "a?b?[2J");
    assert_string_equal(bench.disk.workers.items[0].cpu, "c?");
    say(&bench, 1, request_of(1));
    turn(&bench);
    const struct msg_lease lease = lease_in(&bench, sent(&bench, 1, MSG_LEASE, 0));
    say(&bench, 1, failure_msg(&lease, "\033]0;a title\a"));
    turn(&bench);
    assert_string_equal(attempt_on_disk(&bench, lease.attempt)->reason, "?]0;a title?");
    for (size_t i = 0; i < bench.disk.events.count; i++)
        assert_null(strchr(bench.disk.events.items[i].text, '\033'));
    close_bench(&bench);
}

static void ever_new_names_are_refused_after_a_while(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, audited);
    int refused = 0;
    for (int i = 0; i < KEY_NEW_WORKERS + 100; i++) {
        char name[33];
        snprintf(name, sizeof name, "%032d", i);
        say(&bench, 1, hello_of(name, 1));
        if (i % 100 == 99) {
            turn(&bench);
            refused += sent(&bench, 1, MSG_BYE, 0) != NULL;
        }
    }
    turn(&bench);
    assert_in_range(refused, 1, 2);
    assert_int_equal(bench.disk.workers.count, KEY_NEW_WORKERS);
    say(&bench, 2, hello_of("00000000000000000000000000000007", 1)); /* a known one */
    bench.now_ms += 1000;
    say(&bench, 3, hello_of("one more", 1));
    say(&bench, 4, hello_of("and another", 1));
    const struct msg keyed = hello_of("under a key", 1);
    core_hello(bench.core, 5, "a key", &keyed.hello_, bench.now_ms);
    turn(&bench);
    assert_non_null(sent(&bench, 2, MSG_WELCOME, 0));
    assert_non_null(sent(&bench, 3, MSG_WELCOME, 0));
    assert_non_null(strstr(sent(&bench, 4, MSG_BYE, 0)->reason, "first time"));
    assert_non_null(sent(&bench, 5, MSG_WELCOME, 0));
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_that_two_others_contradict_is_shut_out_and_its_results_done_again),
        cmocka_unit_test(the_third_report_closes_the_trial_with_the_bits_of_two),
        cmocka_unit_test(what_is_in_dispute_survives_a_restart),
        cmocka_unit_test(who_was_shut_out_does_not_get_in_again),
        cmocka_unit_test(a_host_that_contradicts_itself_needs_no_second_opinion),
        cmocka_unit_test(a_second_host_may_be_shut_out_while_what_rested_on_the_first_is_still_open),
        cmocka_unit_test(where_all_differ_the_end_says_so_and_nobody_is_shut_out),
        cmocka_unit_test(control_characters_of_a_worker_are_not_kept),
        cmocka_unit_test(ever_new_names_are_refused_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
