/* status_fixture: a small search in a database, and its page asked without a socket. */
#ifndef TESTS_UNIT_STATUS_FIXTURE_H
#define TESTS_UNIT_STATUS_FIXTURE_H

#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_fixture.h"

#include "coordinator/status/status.h"
#include "coordinator/store.h"

/* Turns in which each lease is reported at once, by one worker with eight slots; the last result of the last turn stays out. */
UNUSED static void search_some_turns(const struct experiment *experiment, const struct space *space,
                                     struct store *store, int turns)
{
    struct rows restored = {0};
    struct problem problem = {0};
    struct core *core = NULL;
    struct msg msg = hello_of("0123456789abcdef0123456789abcdef", 8);
    int err = store_restore(store, &restored, &problem);
    if (!err)
        err = core_new(experiment, space, &restored, 1000, &core, &problem);
    assert(err == 0);
    core_receive(core, 1, &msg, 1000);
    for (int turn = 0; turn < turns; turn++) {
        struct msg results[8] = {0};
        int leased = 0;
        size_t count;
        msg = request_of(8);
        core_receive(core, 1, &msg, 1000);
        core_advance(core, 1000);
        err = store_write(store, core_rows(core), &problem);
        assert(err == 0);
        struct core_send *sends = core_sends(core, &count);
        for (size_t i = 0; i < count && leased < 8; i++)
            if (sends[i].type == MSG_LEASE) {
                core_message(core, &sends[i], &msg);
                results[leased].type = MSG_RESULT;
                results[leased++].result_ = result_of(&msg.lease_);
            }
        core_clear(core, 1000);
        for (int i = 0; i < leased - (turn == turns - 1); i++)
            core_receive(core, 1, &results[i], 1000);
    }
    core_advance(core, 1000);
    err = store_write(store, core_rows(core), &problem);
    assert(err == 0);
    core_destroy(&core);
}

/* A database at `path` with a search by the controller in the middle: two seeds, some updates. */
UNUSED static void make_search(const char *path)
{
    static const char *const settings[] = {"experiment.name=page",
                                           "search.algorithm=rl",
                                           "search.candidates=40",
                                           "search.batch=4",
                                           "search.references=relu(x), x*sigmoid(b*x)",
                                           "child.seeds=2",
                                           NULL};
    struct problem problem = {0};
    struct store *store = NULL;
    struct experiment *experiment = experiment_with(settings);
    struct space *space = space_with(experiment);
    int err = store_open(path, experiment, &store, &problem);
    assert(err == 0);
    search_some_turns(experiment, space, store, 12);
    store_close(&store);
    space_destroy(&space);
    experiment_destroy(&experiment);
}

/* A GET from the page itself. The body is the caller's. */
UNUSED static struct http_response get(struct status *status, const char *target)
{
    const struct http_request request = {.method = "GET", .target = target, .host = "127.0.0.1:8080"};
    struct http_response response = {0};
    status_answer(status, &request, &response);
    return response;
}

#endif
