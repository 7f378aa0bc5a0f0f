/* core_bench: a core on a bench, for tests that speak to it message by message. */
#ifndef TESTS_UNIT_CORE_BENCH_H
#define TESTS_UNIT_CORE_BENCH_H

#include "tests/unit/core_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* A core with its disk and its clock. Lists are ended by NULL. */
struct bench {
    struct experiment *experiment;
    struct space *space;
    struct rows disk;
    struct core *core;
    int64_t now_ms;
    struct core_send sends[256]; /* of the last turn */
    size_t send_count;
};

UNUSED static void open_bench(struct bench *bench, const char *const *overrides)
{
    *bench = (struct bench){.now_ms = 1000000};
    bench->experiment = experiment_with(overrides);
    bench->space = space_with(bench->experiment);
    bench->disk = disk_new(bench->experiment);
    bench->core = core_on(bench->experiment, bench->space, &bench->disk, bench->now_ms);
}

UNUSED static void close_bench(struct bench *bench)
{
    core_destroy(&bench->core);
    space_destroy(&bench->space);
    experiment_destroy(&bench->experiment);
    rows_release(&bench->disk);
}

/* What the shell does with it: msg_encode asserts that it is within the bounds. */
UNUSED static void encode(const struct bench *bench, const struct core_send *send)
{
    static struct msg msg;
    struct buf bytes = {0};
    core_message(bench->core, send, &msg);
    msg_encode(&msg, &bytes);
    buf_release(&bytes);
}

/* One turn as the shell makes it; what is in `unsent` (a type) cannot be handed over. */
UNUSED static void turn_but(struct bench *bench, enum msg_type unsent)
{
    core_advance(bench->core, bench->now_ms);
    disk_commit(&bench->disk, core_rows(bench->core));
    size_t count;
    struct core_send *sends = core_sends(bench->core, &count);
    assert_true(count <= 256);
    for (size_t i = 0; i < count; i++) {
        bench->sends[i] = sends[i];
        bench->sends[i].reason = rows_keep(&bench->disk, sends[i].reason);
        encode(bench, &sends[i]);
        sends[i].unsent = sends[i].type == unsent;
    }
    bench->send_count = count;
    core_clear(bench->core, bench->now_ms);
}

UNUSED static void turn(struct bench *bench)
{
    turn_but(bench, MSG_TYPES);
}

UNUSED static void say(struct bench *bench, uint64_t peer, struct msg msg)
{
    core_receive(bench->core, peer, &msg, bench->now_ms);
}

UNUSED static void restart(struct bench *bench)
{
    core_destroy(&bench->core);
    bench->core = core_on(bench->experiment, bench->space, &bench->disk, bench->now_ms);
    turn(bench);
}

/* The n-th send of that type to that peer in the last turn, or NULL. */
UNUSED static const struct core_send *sent(const struct bench *bench, uint64_t peer, enum msg_type type,
                                           int n)
{
    for (size_t i = 0; i < bench->send_count; i++)
        if (bench->sends[i].peer == peer && bench->sends[i].type == type && n-- == 0)
            return &bench->sends[i];
    return NULL;
}

UNUSED static struct msg_lease lease_in(const struct bench *bench, const struct core_send *send)
{
    struct msg msg;
    assert_non_null(send);
    core_message(bench->core, send, &msg);
    return msg.lease_;
}

UNUSED static struct msg result_msg(const struct msg_lease *lease)
{
    struct msg msg = {.type = MSG_RESULT};
    msg.result_ = result_of(lease);
    return msg;
}

UNUSED static struct msg failure_msg(const struct msg_lease *lease, const char *reason)
{
    struct msg msg = {.type = MSG_FAILURE};
    msg.failure_ = (struct msg_failure){.attempt = lease->attempt, .trial = lease->trial};
    snprintf(msg.failure_.reason, sizeof msg.failure_.reason, "%s", reason);
    return msg;
}

UNUSED static struct msg holding_msg(int64_t free_slots, int64_t attempt)
{
    struct msg msg = request_of(free_slots);
    msg.request_.holding[msg.request_.holding_count++] = attempt;
    return msg;
}

/* Worker `name` with its slots, through this peer; returns its first lease. */
UNUSED static struct msg_lease join(struct bench *bench, uint64_t peer, const char *name, int64_t slots)
{
    say(bench, peer, hello_of(name, slots));
    say(bench, peer, request_of(slots));
    turn(bench);
    assert_non_null(sent(bench, peer, MSG_WELCOME, 0));
    return lease_in(bench, sent(bench, peer, MSG_LEASE, 0));
}

UNUSED static const struct trial_row *trial_on_disk(const struct bench *bench, int64_t trial)
{
    return &bench->disk.trials.items[trial - 1];
}

UNUSED static const struct attempt_row *attempt_on_disk(const struct bench *bench, int64_t attempt)
{
    for (size_t i = 0; i < bench->disk.attempts.count; i++)
        if (bench->disk.attempts.items[i].id == attempt)
            return &bench->disk.attempts.items[i];
    return NULL;
}

UNUSED static int events_on_disk(const struct bench *bench, const char *kind)
{
    int count = 0;
    for (size_t i = 0; i < bench->disk.events.count; i++)
        count += strcmp(bench->disk.events.items[i].kind, kind) == 0;
    return count;
}

UNUSED static const char *const few[] = {"search.algorithm=random", "search.candidates=6", "search.batch=4",
                                         NULL};

/* Runs the whole search with one worker and returns when it is finished. */
UNUSED static void run_to_the_end(struct bench *bench, int64_t slots)
{
    say(bench, 1, hello_of("runner", slots));
    say(bench, 1, request_of(slots));
    for (int turns = 0; turns < 10000 && !core_finished(bench->core); turns++) {
        turn(bench);
        for (int n = 0; sent(bench, 1, MSG_LEASE, n); n++) {
            struct msg_lease lease = lease_in(bench, sent(bench, 1, MSG_LEASE, n));
            say(bench, 1, result_msg(&lease));
        }
        say(bench, 1, request_of(slots));
        bench->now_ms += 10;
    }
    assert_non_null(core_finished(bench->core));
}

#endif
