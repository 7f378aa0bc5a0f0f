/* workers: as many workers as wanted in one process, whose trainings take no time.
 *
 *     workers ENDPOINT WORKERS SLOTS        until the coordinator says that the search is finished
 *
 * Each worker has a connection of its own and speaks as worker/agent.h does: RESULT for each LEASE, a REQUEST
 * for the slots that are free. Prints one line: trials, seconds, cycles of lease and result a second, and how
 * many were in flight at most. Exit status 0 when all have heard that it is finished.
 */
#include "common/err.h"
#include "common/hash.h"
#include "common/numerics.h"
#include "proto/msg.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

enum { SLOTS_MAX = 1024, PATIENCE_MS = 60 * 1000 };

struct worker {
    void *socket;
    int64_t held[SLOTS_MAX]; /* attempts that are not acknowledged yet */
    int held_count;
    int asked; /* leases asked for and not come yet */
    bool finished;
};

static struct {
    int64_t results, in_flight, most_in_flight;
    int slots;
    struct msg msg; /* the one at hand */
    struct buf bytes;
} now;

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void say(struct worker *worker)
{
    buf_clear(&now.bytes);
    msg_encode(&now.msg, &now.bytes);
    if (zmq_send(worker->socket, now.bytes.data, now.bytes.size, 0) < 0) {
        fprintf(stderr, "workers: send: %s\n", zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static void say_hello(struct worker *worker, int number)
{
    now.msg.type = MSG_HELLO;
    now.msg.hello_ = (struct msg_hello){
        .version = PROTO_VERSION, .numerics = NUMERICS, .pid = 1, .slots = now.slots, .trainer = "actsearch"};
    snprintf(now.msg.hello_.worker, sizeof now.msg.hello_.worker, "%032x", number);
    snprintf(now.msg.hello_.host, sizeof now.msg.hello_.host, "host-%d", number);
    snprintf(now.msg.hello_.kernels, sizeof now.msg.hello_.kernels, "none");
    snprintf(now.msg.hello_.cpu, sizeof now.msg.hello_.cpu, "simulated");
    say(worker);
}

static void say_request(struct worker *worker)
{
    struct msg_request *request = &now.msg.request_;
    now.msg.type = MSG_REQUEST;
    *request = (struct msg_request){.free = now.slots - worker->held_count, .data_hash = "00"};
    for (int i = 0; i < worker->held_count; i++)
        request->holding[request->holding_count++] = worker->held[i];
    worker->asked = (int)request->free;
    say(worker);
}

/* The outcome is a function of activation and seed, as a deterministic trainer's is. */
static void say_result(struct worker *worker, const struct msg_lease *lease)
{
    uint64_t hash =
        hash64(lease->activation, strlen(lease->activation)) ^ (uint64_t)lease->seed * 0x9e3779b97f4a7c15u;
    hash = hash64(&hash, sizeof hash);
    int64_t attempt = lease->attempt, trial = lease->trial;
    now.msg.type = MSG_RESULT;
    now.msg.result_ = (struct msg_result){.attempt = attempt,
                                          .trial = trial,
                                          .data_hash = "00",
                                          .step = 100,
                                          .correct = (int64_t)(hash >> 8) % 5001,
                                          .validation_count = 5000,
                                          .validation_loss = (double)(hash >> 40) / 1e6,
                                          .train_loss = 1,
                                          .parameters = 1234,
                                          .seconds = 1,
                                          .images_per_second = 100,
                                          .cost_ns = 1,
                                          .curve_step = {1, 100},
                                          .curve_step_count = 2,
                                          .curve_loss = {2.5, 2.25},
                                          .curve_loss_count = 2};
    say(worker);
}

static void take_lease(struct worker *worker)
{
    struct msg_lease lease = now.msg.lease_;
    assert(worker->held_count < now.slots);
    worker->held[worker->held_count++] = lease.attempt;
    worker->asked--;
    if (++now.in_flight > now.most_in_flight)
        now.most_in_flight = now.in_flight;
    say_result(worker, &lease);
}

static void let_go(struct worker *worker, int64_t attempt)
{
    for (int i = 0; i < worker->held_count; i++)
        if (worker->held[i] == attempt) {
            worker->held[i] = worker->held[--worker->held_count];
            now.in_flight--;
            now.results++;
            return;
        }
}

/* All that is there for this worker. False where the coordinator sends it away. */
static bool hear(struct worker *worker, int number)
{
    static uint8_t block[MSG_MAX_BYTES];
    bool told = false;
    for (int size; (size = zmq_recv(worker->socket, block, sizeof block, ZMQ_DONTWAIT)) >= 0; told = true) {
        struct problem problem;
        if (msg_decode(block, (size_t)size, &now.msg, &problem) != 0) {
            fprintf(stderr, "workers: %s\n", problem.text);
            return false;
        }
        switch (now.msg.type) {
        case MSG_LEASE:
            take_lease(worker);
            break;
        case MSG_ACK:
            let_go(worker, now.msg.ack_.attempt);
            break;
        case MSG_STALE:
            let_go(worker, now.msg.stale_.attempt);
            break;
        case MSG_WHO:
            say_hello(worker, number);
            break;
        case MSG_BYE:
            worker->finished = true;
            return now.msg.bye_.finished;
        default:
            break;
        }
    }
    if (told && worker->held_count + worker->asked < now.slots)
        say_request(worker);
    return true;
}

static int run(void *context, const char *endpoint, int count)
{
    struct worker *workers = xcalloc((size_t)count, sizeof *workers);
    zmq_pollitem_t *items = xcalloc((size_t)count, sizeof *items);
    int hwm = 0, linger = 0, finished = 0, status = 0;
    for (int i = 0; i < count; i++) {
        workers[i].socket = zmq_socket(context, ZMQ_DEALER);
        zmq_setsockopt(workers[i].socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
        zmq_setsockopt(workers[i].socket, ZMQ_LINGER, &linger, sizeof linger);
        if (!workers[i].socket || zmq_connect(workers[i].socket, endpoint) != 0) {
            fprintf(stderr, "workers: %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
            exit(1);
        }
        items[i] = (zmq_pollitem_t){.socket = workers[i].socket, .events = ZMQ_POLLIN};
        say_hello(&workers[i], i + 1);
    }
    double start = seconds(), took;
    while (finished < count && status == 0) {
        int ready = zmq_poll(items, count, PATIENCE_MS);
        if (ready <= 0) {
            fprintf(stderr, "workers: nothing heard of the coordinator\n");
            status = 1;
        }
        for (int i = 0; i < count && ready > 0; i++) {
            if (!(items[i].revents & ZMQ_POLLIN) || workers[i].finished)
                continue;
            if (!hear(&workers[i], i + 1))
                status = 1;
            finished += workers[i].finished;
        }
    }
    took = seconds() - start;
    printf("%" PRId64 " trials in %.2f s: %.0f cycles of lease and result a second, %" PRId64
           " in flight at most\n",
           now.results, took, (double)now.results / took, now.most_in_flight);
    for (int i = 0; i < count; i++)
        zmq_close(workers[i].socket);
    free(workers);
    free(items);
    return status;
}

int main(int argc, char **argv)
{
    int count = argc == 4 ? atoi(argv[2]) : 0;
    now.slots = argc == 4 ? atoi(argv[3]) : 0;
    if (count < 1 || now.slots < 1 || now.slots > SLOTS_MAX) {
        fputs("usage: workers ENDPOINT WORKERS SLOTS\n", stderr);
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    void *context = zmq_ctx_new();
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, count + 16);
    int status = run(context, argv[1], count);
    buf_release(&now.bytes);
    zmq_ctx_term(context);
    return status;
}
