#include "coordinator/server.h"

#include "common/log.h"
#include "proto/endpoint.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUTING_ID_BYTES = 5,     /* what ROUTER makes up for a peer that asks for nothing */
    MESSAGES_PER_TURN = 1000, /* received before the turn is committed */
    MESSAGES_QUEUED = 1000,   /* by the socket, for each peer and direction */
    LINGER_MS = 2000,         /* how long the last messages may take to leave */
    BAD_GROUPS = 1024,
    BAD_LOG_MS = 60 * 1000,
    PROGRESS_LOG_MS = 30 * 1000,
    SLEEP_MAX_MS = 60 * 1000,
    ROOM_WAIT_MS = 250, /* before a commit is tried again on a full disk; doubled each time, up to the next */
    ROOM_WAIT_MAX_MS = 5 * 1000,
    ROOM_LOG_MS = 60 * 1000,
};

struct server {
    zsock_t *router;
    char *endpoint;
    int signals;
    int64_t unix_offset_ms; /* Unix time less the monotonic clock, at the start */
    struct {
        int64_t count;
        int64_t logged_ms;
    } bad[BAD_GROUPS];
    int64_t progress_logged_ms;
    struct msg message; /* the one at hand: too large for the stack of a deep call */
    struct buf bytes;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t server_now_ms(const struct server *server)
{
    return server->unix_offset_ms + clock_ms(CLOCK_MONOTONIC);
}

/* ---- start ---- */

/* libzmq removes what stands at an ipc path before it binds there: without this, a second coordinator would
 * take the place of a living one without a word. */
static bool somebody_listens_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return listens;
}

static int bind_router(struct server *server, const char *endpoint, struct problem *problem)
{
    server->router = zsock_new(ZMQ_ROUTER);
    if (!server->router)
        return problem_set(problem, ERR_IO, "no socket: %s", zmq_strerror(errno));
    zsock_set_router_mandatory(server->router, 1);
    zsock_set_sndhwm(server->router, MESSAGES_QUEUED);
    zsock_set_rcvhwm(server->router, MESSAGES_QUEUED);
    zsock_set_maxmsgsize(server->router, MSG_MAX_BYTES);
    zsock_set_linger(server->router, LINGER_MS);
    zsock_set_backlog(server->router, 1024);
    zsock_set_tcp_keepalive(server->router, 1);
    zsock_set_heartbeat_ivl(server->router,
                            15000); /* connections whose other end is gone without a word are closed */
    zsock_set_heartbeat_timeout(server->router, 60000);
    zsock_set_ipv6(server->router, strchr(endpoint, '[') != NULL);
    if (strncmp(endpoint, "ipc://", 6) == 0 && somebody_listens_at(endpoint + 6))
        return problem_set(problem, ERR_BUSY, "%s is in use: another coordinator listens there", endpoint);
    if (zmq_bind(zsock_resolve(server->router), endpoint) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return problem_set(problem, ERR_BUSY,
                           "%s is in use: another program listens there; name another port with --bind",
                           endpoint);
    return problem_set(problem, ERR_IO, "cannot listen at %s: %s", endpoint, zmq_strerror(errno));
}

static int take_signals(struct server *server, struct problem *problem)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before the socket's threads start, so that they inherit it */
    zsys_handler_set(NULL);
    server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signals < 0)
        return problem_set(problem, ERR_IO, "signalfd: %s", strerror(errno));
    return 0;
}

int server_check(const char *endpoint, bool insecure, struct problem *problem)
{
    int err = endpoint_check(endpoint, problem);
    if (err || insecure || endpoint_is_local(endpoint))
        return err;
    return problem_set(
        problem, ERR_INPUT,
        "%s can be reached from other machines, and anyone there could send results: bind to "
        "tcp://127.0.0.1:PORT or ipc://PATH, or say --insecure where you trust the whole network",
        endpoint);
}

int server_new(const char *endpoint, bool insecure, struct server **ret_server, struct problem *problem)
{
    int err = server_check(endpoint, insecure, problem);
    if (err)
        return err;
    struct server *server = xcalloc(1, sizeof *server);
    server->signals = -1;
    server->unix_offset_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
    err = take_signals(server, problem);
    if (!err)
        err = bind_router(server, endpoint, problem);
    if (err) {
        server_destroy(&server);
        return err;
    }
    server->endpoint = zsock_last_endpoint(server->router);
    server->progress_logged_ms = server_now_ms(server);
    *ret_server = server;
    return 0;
}

void server_destroy(struct server **server)
{
    if (!*server)
        return;
    zsock_destroy(&(*server)->router);
    if ((*server)->signals >= 0)
        close((*server)->signals);
    buf_release(&(*server)->bytes);
    free((*server)->endpoint);
    free(*server);
    *server = NULL;
}

const char *server_endpoint(const struct server *server)
{
    return server->endpoint;
}

/* ---- in ---- */

static void count_bad(struct server *server, uint64_t peer, const char *why)
{
    int64_t now_ms = server_now_ms(server);
    size_t group = peer % BAD_GROUPS;
    server->bad[group].count++;
    if (server->bad[group].logged_ms != 0 && now_ms - server->bad[group].logged_ms < BAD_LOG_MS)
        return;
    server->bad[group].logged_ms = now_ms;
    log_warning("bad message from peer %" PRIx64 ": %s (%" PRId64 " so far)", peer, why,
                server->bad[group].count);
}

static bool from_worker(enum msg_type type)
{
    static const char directions[] = {
#define W                                             'W'
#define C                                             'C'
#define B                                             'B'
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) direction,
#include "proto/messages.def"
#undef W
#undef C
#undef B
    };
    return directions[type] != 'C';
}

/* The peer whose routing id this is; 0 where it is not one that the socket made up. */
static uint64_t peer_of(zmq_msg_t *id)
{
    const uint8_t *bytes = zmq_msg_data(id);
    uint64_t peer = 0;
    if (zmq_msg_size(id) != ROUTING_ID_BYTES || bytes[0] != 0)
        return 0;
    for (int i = 1; i < ROUTING_ID_BYTES; i++)
        peer = peer << 8 | bytes[i];
    return peer | UINT64_C(1) << 32; /* never 0 */
}

static void id_of(uint64_t peer, uint8_t ret_id[ROUTING_ID_BYTES])
{
    ret_id[0] = 0;
    for (int i = ROUTING_ID_BYTES - 1; i > 0; i--, peer >>= 8)
        ret_id[i] = (uint8_t)peer;
}

/* Gives one message to the core. False where none is there. */
static bool receive_one(struct server *server, struct core *core)
{
    void *socket = zsock_resolve(server->router);
    zmq_msg_t id, body, surplus;
    zmq_msg_init(&id);
    if (zmq_msg_recv(&id, socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&id);
        return false;
    }
    uint64_t peer = peer_of(&id);
    zmq_msg_init(&body);
    int frames = 1;
    if (zmq_msg_more(&id) && zmq_msg_recv(&body, socket, ZMQ_DONTWAIT) >= 0)
        frames++;
    for (bool more = frames == 2 && zmq_msg_more(&body); more; frames++) {
        zmq_msg_init(&surplus);
        more = zmq_msg_recv(&surplus, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&surplus);
        zmq_msg_close(&surplus);
    }
    struct problem problem = {0};
    if (peer == 0)
        count_bad(server, 0, "a routing id that the socket did not give");
    else if (frames != 2)
        count_bad(server, peer, "expected one frame");
    else if (msg_decode(zmq_msg_data(&body), zmq_msg_size(&body), &server->message, &problem) != 0)
        count_bad(server, peer, problem.text);
    else if (!from_worker(server->message.type))
        count_bad(server, peer, "a message that only a coordinator sends");
    else
        core_receive(core, peer, &server->message, server_now_ms(server));
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    return true;
}

/* ---- out ---- */

static bool send_one(struct server *server, const struct core *core, const struct core_send *item)
{
    void *socket = zsock_resolve(server->router);
    uint8_t id[ROUTING_ID_BYTES];
    id_of(item->peer, id);
    core_message(core, item, &server->message);
    buf_clear(&server->bytes);
    msg_encode(&server->message, &server->bytes);
    return zmq_send(socket, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(socket, server->bytes.data, server->bytes.size, ZMQ_DONTWAIT) >= 0;
}

static void log_events(const struct rows *rows)
{
    for (size_t i = 0; i < rows->events.count; i++) {
        const struct event_row *event = &rows->events.items[i];
        bool plain = strcmp(event->kind, "start") == 0 || strcmp(event->kind, "finish") == 0 ||
                     strcmp(event->kind, "worker") == 0;
        log_line(plain ? LEVEL_INFO : LEVEL_WARNING, "%s", event->text);
    }
    for (size_t i = 0; i < rows->workers.count; i++) {
        const struct worker_row *row = &rows->workers.items[i];
        log_debug("worker %.8s on %s: %s, %" PRId64 " slots, %" PRId64 " results", row->name, row->host,
                  row->connected ? "connected" : "gone", row->slots, row->results);
    }
}

static void log_progress(struct server *server, const struct core *core, bool now)
{
    int64_t now_ms = server_now_ms(server);
    if (!now && now_ms - server->progress_logged_ms < PROGRESS_LOG_MS)
        return;
    server->progress_logged_ms = now_ms;
    const struct counters_row *counters = core_counters(core);
    log_info("%" PRId64 " proposals, %" PRId64 " candidates (+%" PRId64 " references), %" PRId64
             " duplicates, %" PRId64 " rejected; trials: %" PRId64 " done, %" PRId64 " diverged, %" PRId64
             " failed, %" PRId64 " leased, %" PRId64 " ready; %" PRId64 " workers",
             counters->proposals, counters->candidates, counters->references, counters->duplicates,
             counters->rejected, counters->done, counters->diverged, counters->failed, counters->leased,
             counters->ready, counters->workers);
}

/* ---- a full disk ---- */

/* ERR_STOPPED after a signal. */
static int wait_for_room(struct server *server, int wait_ms, struct problem *problem)
{
    struct pollfd signals = {.fd = server->signals, .events = POLLIN};
    struct signalfd_siginfo signal;
    if (poll(&signals, 1, wait_ms) <= 0 ||
        read(server->signals, &signal, sizeof signal) != (ssize_t)sizeof signal)
        return 0;
    return problem_set(problem, ERR_STOPPED, "stopped by signal %u while the disk was full", signal.ssi_signo);
}

/* Commits, however long that takes. What comes in meanwhile waits in the socket. */
static int commit_when_there_is_room(struct server *server, struct core *core, const struct rows *rows,
                                     server_commit *commit, void *context, struct problem *problem)
{
    int64_t since_ms = server_now_ms(server), said_ms = 0;
    int wait_ms = ROOM_WAIT_MS, err;
    while ((err = commit(context, rows, problem)) == ERR_FULL) {
        int64_t now_ms = server_now_ms(server);
        if (said_ms == 0 || now_ms - said_ms >= ROOM_LOG_MS) {
            said_ms = now_ms;
            log_error("%s. The search pauses, nothing is lost; it goes on when there is room", problem->text);
        }
        err = wait_for_room(server, wait_ms, problem);
        if (err)
            return err;
        wait_ms = 2 * wait_ms < ROOM_WAIT_MAX_MS ? 2 * wait_ms : ROOM_WAIT_MAX_MS;
    }
    if (!err && said_ms != 0) {
        core_stood_still(core, server_now_ms(server));
        log_info("there is room on the disk again; going on after %.0f s",
                 (double)(server_now_ms(server) - since_ms) / 1000);
    }
    return err;
}

/* ---- the turn ---- */

static int turn(struct server *server, struct core *core, server_commit *commit, void *context,
                struct problem *problem)
{
    for (int i = 0; i < MESSAGES_PER_TURN && receive_one(server, core); i++)
        continue;
    core_advance(core, server_now_ms(server));
    const struct rows *rows = core_rows(core);
    bool changed = !rows_empty(rows);
    if (changed) {
        int err = commit_when_there_is_room(server, core, rows, commit, context, problem);
        if (err)
            return err;
        log_events(rows);
    }
    size_t count;
    struct core_send *sends = core_sends(core, &count);
    for (size_t i = 0; i < count; i++)
        sends[i].unsent = !send_one(server, core, &sends[i]);
    core_clear(core, server_now_ms(server));
    if (changed)
        log_progress(server, core, core_finished(core) != NULL);
    return 0;
}

/* Sleeps until a message or a signal comes or the core has something to do. ERR_STOPPED after a signal. */
static int sleep_until_needed(struct server *server, const struct core *core, struct problem *problem)
{
    int64_t sleep_ms = core_next_ms(core) - server_now_ms(server);
    sleep_ms = sleep_ms < 0 ? 0 : sleep_ms > SLEEP_MAX_MS ? SLEEP_MAX_MS : sleep_ms;
    zmq_pollitem_t items[] = {
        {.socket = zsock_resolve(server->router), .events = ZMQ_POLLIN},
        {.fd = server->signals, .events = ZMQ_POLLIN},
    };
    if (zmq_poll(items, 2, (long)sleep_ms) < 0 && errno != EINTR)
        return problem_set(problem, ERR_IO, "waiting for messages: %s", zmq_strerror(errno));
    struct signalfd_siginfo signal;
    if (read(server->signals, &signal, sizeof signal) == (ssize_t)sizeof signal)
        return problem_set(problem, ERR_STOPPED, "stopped by signal %u", signal.ssi_signo);
    return 0;
}

int server_run(struct server *server, struct core *core, server_commit *commit, void *context,
               struct problem *problem)
{
    for (;;) {
        int err = turn(server, core, commit, context, problem);
        if (err)
            return err;
        if (core_finished(core))
            return 0;
        err = sleep_until_needed(server, core, problem);
        if (err)
            return err;
    }
}
