/* queue: cycles of lease and result that the pure core makes in a second, without socket and disk.
 *
 * Workers with 64 slots each answer every lease at once; a turn takes all that is there, as the server's
 * does. With one training for each candidate, admission (canonical form, fingerprint, duplicates) is part of
 * each cycle; with 100 it hardly counts. */
#include "common/matrix.h"
#include "common/numerics.h"
#include "coordinator/core.h"
#include "tests/bench/seconds.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 100, SLOTS = 64 };

static void run(const char *seeds, const char *candidates)
{
    const char *overrides[] = {"search.algorithm=random", "space.units=2", seeds, candidates};
    struct experiment *experiment = NULL;
    struct space *space = NULL;
    struct core *core = NULL;
    struct problem problem = {0};
    struct rows rows = {0};
    int err = experiment_parse("bench", "", overrides, 4, &experiment, &problem);
    if (!err)
        err = space_new(&experiment->space, &space, &problem);
    rows.experiment = (struct experiment_row){.name = "bench",
                                              .text = "",
                                              .numerics = NUMERICS,
                                              .trainer = "",
                                              .data_hash = "",
                                              .finished_because = ""};
    if (!err)
        err = core_new(experiment, space, &rows, 0, &core, &problem);
    if (err) {
        printf("%s\n", problem.text);
        exit(1);
    }

    static struct msg hello = {.type = MSG_HELLO}, request = {.type = MSG_REQUEST},
                      result = {.type = MSG_RESULT}, lease;
    hello.hello_ = (struct msg_hello){.version = PROTO_VERSION,
                                      .numerics = NUMERICS,
                                      .slots = SLOTS,
                                      .trainer = "actsearch",
                                      .host = "here"};
    request.request_ = (struct msg_request){.free = SLOTS, .data_hash = "00"};
    result.result_ = (struct msg_result){.data_hash = "00",
                                         .step = 1,
                                         .correct = 1,
                                         .validation_count = 2,
                                         .validation_loss = 1,
                                         .seconds = 1};
    for (uint64_t peer = 1; peer <= WORKERS; peer++) {
        snprintf(hello.hello_.worker, sizeof hello.hello_.worker, "%d", (int)peer);
        core_receive(core, peer, &hello, 0);
        core_receive(core, peer, &request, 0);
    }
    struct {
        uint64_t peer;
        int64_t attempt, trial;
    } *held = xcalloc(WORKERS * SLOTS, sizeof *held);
    size_t held_count = 0;
    double start = now_seconds();
    int64_t turns = 0;
    while (!core_finished(core)) {
        int64_t now_ms = ++turns;
        for (size_t i = 0; i < held_count; i++) {
            result.result_.attempt = held[i].attempt;
            result.result_.trial = held[i].trial;
            core_receive(core, held[i].peer, &result, now_ms);
            core_receive(core, held[i].peer, &request, now_ms);
        }
        held_count = 0;
        core_advance(core, now_ms);
        core_rows(core);
        size_t count;
        struct core_send *sends = core_sends(core, &count);
        for (size_t i = 0; i < count; i++)
            if (sends[i].type == MSG_LEASE) {
                core_message(core, &sends[i], &lease);
                held[held_count].peer = sends[i].peer;
                held[held_count].attempt = lease.lease_.attempt;
                held[held_count++].trial = lease.lease_.trial;
            }
        core_clear(core, now_ms);
    }
    double seconds = now_seconds() - start;
    const struct counters_row *counters = core_counters(core);
    assert(counters->done == counters->trials);
    printf(
        "%s: %lld candidates, %lld trials, %lld turns in %.2f s: %.0f cycles of lease and result a second\n",
        seeds, (long long)counters->candidates, (long long)counters->trials, (long long)turns, seconds,
        (double)counters->trials / seconds);
    free(held);
    core_destroy(&core);
    space_destroy(&space);
    experiment_destroy(&experiment);
}

int main(int argc, char **argv)
{
    (void)argc;
    matrix_fix_core(argv);
    run("child.seeds=1", "search.candidates=2000");
    run("child.seeds=100", "search.candidates=1000");
    return 0;
}
