/* On a full disk the server stands still: nothing is acknowledged and nobody counts as silent; when there is
 * room, the same rows go in and it goes on. */
#include "tests/unit/core_bench.h"

#include "coordinator/server.h"

#include <czmq.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { PATIENCE_MS = 20000, LULL_MS = 700 }; /* a lull is longer than the first tries again */

/* A disk that is full when told so. */
struct disk {
    atomic_bool full;
    atomic_int refused;
    struct rows rows;
    size_t trials_refused;
    bool other_rows; /* offered while it was full */
};

static int commit(void *context, const struct rows *rows, struct problem *problem)
{
    struct disk *disk = context;
    if (atomic_load(&disk->full)) {
        if (atomic_fetch_add(&disk->refused, 1) == 0)
            disk->trials_refused = rows->trials.count;
        disk->other_rows = disk->other_rows || rows->trials.count != disk->trials_refused;
        return problem_set(problem, ERR_FULL, "full.db: the disk of this test is full");
    }
    disk_commit(&disk->rows, rows);
    return 0;
}

struct stage {
    struct bench bench; /* for its experiment and core */
    struct server *server;
    struct disk disk;
    pthread_t thread;
    zsock_t *peer;
    char folder[64], endpoint[128], database[128];
    struct control *control;
    int err;
};

static void *serve(void *context)
{
    struct stage *stage = context;
    struct problem problem = {0};
    stage->err = server_run(stage->server, stage->bench.core, commit, &stage->disk, &problem);
    control_close(&stage->control);
    return NULL;
}

static void say_to(zsock_t *peer, struct msg msg)
{
    struct buf bytes = {0};
    msg_encode(&msg, &bytes);
    assert_true(zmq_send(zsock_resolve(peer), bytes.data, bytes.size, 0) >= 0);
    buf_release(&bytes);
}

/* The next message of that type; false where none comes in time. */
static bool hear(zsock_t *peer, int patience_ms, enum msg_type type, struct msg *ret_msg)
{
    static uint8_t block[MSG_MAX_BYTES];
    struct problem problem;
    zsock_set_rcvtimeo(peer, patience_ms);
    int size;
    while ((size = zmq_recv(zsock_resolve(peer), block, sizeof block, 0)) >= 0) {
        assert_int_equal(msg_decode(block, (size_t)size, ret_msg, &problem), 0);
        if (ret_msg->type == type)
            return true;
    }
    return false;
}

/* A server with a worker that holds a lease. */
static void open_stage(struct stage *stage, struct msg_lease *ret_lease)
{
    static struct msg msg;
    struct problem problem = {0};
    *stage = (struct stage){.folder = "/tmp/actsearch-full-XXXXXX"};
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->endpoint, sizeof stage->endpoint, "ipc://%s/socket", stage->folder);
    open_bench(&stage->bench, few);
    snprintf(stage->database, sizeof stage->database, "%s/a.db", stage->folder);
    fclose(fopen(stage->database, "w"));
    if (control_listen(stage->database, &stage->control, &problem) != 0)
        fail_msg("%s", problem.text);
    const struct server_settings settings = {.endpoint = stage->endpoint, .control = stage->control};
    if (server_new(&settings, &stage->server, &problem) != 0)
        fail_msg("%s", problem.text);
    assert_int_equal(pthread_create(&stage->thread, NULL, serve, stage), 0);
    stage->peer = zsock_new(ZMQ_DEALER);
    assert_int_equal(zsock_connect(stage->peer, "%s", stage->endpoint), 0);
    say_to(stage->peer, hello_of("w", 1));
    assert_true(hear(stage->peer, PATIENCE_MS, MSG_WELCOME, &msg));
    say_to(stage->peer, request_of(1));
    assert_true(hear(stage->peer, PATIENCE_MS, MSG_LEASE, &msg));
    *ret_lease = msg.lease_;
}

/* A signal, as from a terminal. */
static void close_stage(struct stage *stage)
{
    pthread_kill(stage->thread, SIGTERM); /* other threads, OpenBLAS has some, need not hold it back */
    assert_int_equal(pthread_join(stage->thread, NULL), 0);
    assert_int_equal(stage->err, ERR_STOPPED);
    zsock_destroy(&stage->peer);
    server_destroy(&stage->server);
    close_bench(&stage->bench);
    rows_release(&stage->disk.rows);
    unlink(stage->endpoint + strlen("ipc://"));
    unlink(stage->database);
    rmdir(stage->folder);
}

static void nothing_is_acknowledged_until_there_is_room(void **state)
{
    (void)state;
    static struct stage stage;
    static struct msg msg;
    struct msg_lease lease;
    open_stage(&stage, &lease);
    atomic_store(&stage.disk.full, true);
    say_to(stage.peer, result_msg(&lease));
    say_to(stage.peer, request_of(1));
    assert_false(hear(stage.peer, LULL_MS, MSG_ACK, &msg));
    assert_true(atomic_load(&stage.disk.refused) > 1);
    atomic_store(&stage.disk.full, false);
    assert_true(hear(stage.peer, PATIENCE_MS, MSG_ACK, &msg));
    assert_int_equal(msg.ack_.attempt, lease.attempt);
    assert_true(hear(stage.peer, PATIENCE_MS, MSG_LEASE, &msg));
    close_stage(&stage);
    assert_false(stage.disk.other_rows);
}

static void a_signal_ends_it_while_the_disk_is_full(void **state)
{
    (void)state;
    static struct stage stage;
    static struct msg msg;
    struct msg_lease lease;
    open_stage(&stage, &lease);
    atomic_store(&stage.disk.full, true);
    say_to(stage.peer, result_msg(&lease));
    assert_false(hear(stage.peer, LULL_MS, MSG_ACK, &msg));
    assert_true(atomic_load(&stage.disk.refused) > 1);
    close_stage(&stage);
}

/* The order is the first thing that finds no room, so that the rows that it has made wait too. */
static void an_order_is_answered_while_the_disk_is_full(void **state)
{
    (void)state;
    static struct stage stage;
    struct msg_lease lease;
    char answer[CONTROL_ANSWER_MAX];
    struct problem problem;
    open_stage(&stage, &lease);
    atomic_store(&stage.disk.full, true);
    assert_int_equal(control_call(stage.database, CONTROL_PAUSE, answer, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "disk is full"));
    assert_int_equal(control_call(stage.database, CONTROL_STOP, answer, &problem), 0);
    assert_non_null(strstr(answer, "stopping"));
    assert_true(server_was_ordered(stage.server));
    close_stage(&stage);
    open_stage(&stage, &lease);
    atomic_store(&stage.disk.full, true);
    assert_int_equal(control_call(stage.database, CONTROL_STOP, answer, &problem), 0);
    close_stage(&stage);
}

static void time_that_the_server_stood_still_is_nobodys_silence(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        struct bench bench;
        open_bench(&bench, few);
        struct msg_lease lease = join(&bench, 1, "w", 1);
        core_advance(bench.core, bench.now_ms);
        bench.now_ms += 24 * 3600 * 1000;
        if (told)
            core_stood_still(bench.core, bench.now_ms);
        core_clear(bench.core, bench.now_ms);
        turn(&bench);
        assert_int_equal(attempt_on_disk(&bench, lease.attempt)->state,
                         told ? ATTEMPT_LEASED : ATTEMPT_LAPSED);
        close_bench(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_acknowledged_until_there_is_room),
        cmocka_unit_test(a_signal_ends_it_while_the_disk_is_full),
        cmocka_unit_test(an_order_is_answered_while_the_disk_is_full),
        cmocka_unit_test(time_that_the_server_stood_still_is_nobodys_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
