#include "proto/link.h"

#include "common/hash.h"
#include "proto/msg.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ROUTING_ID_BYTES = 5, /* what ROUTER makes up for a peer that asks for nothing */
    BACKLOG = 65535, /* connections that wait to be accepted; the kernel takes net.core.somaxconn of them */
    PING_MS = 15000, /* connections whose other end is gone without a word are closed */
    PING_TIMEOUT_MS = 60000,
    RECONNECT_MS = 100, /* and up to twice that, by chance */
    RECONNECT_MAX_MS = 5000,
    DOOR_PER_TURN = 1000, /* connections that are let in, or not, before messages have their turn */
    CURVE_KEY_BYTES = 32,
    DOOR_FRAMES = 7, /* of a request in ZAP (ZeroMQ RFC 27) with one credential */
};

static const char DOOR[] = "inproc://zeromq.zap.01";

struct link {
    struct link_settings settings;
    zsock_t *socket;
    zsock_t *door;    /* asked about each key (ZAP); NULL without a key, and for a worker */
    zsock_t *monitor; /* tells what becomes of a worker's connection; NULL for a coordinator */
    char *endpoint;
    zmq_msg_t body; /* of the last message */
};

/* ---- signals ---- */

int link_take_signals(int *ret_fd, struct problem *problem)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before the socket's threads start, so that they inherit it */
    zsys_handler_set(NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return problem_set(problem, ERR_IO, "signalfd: %s", strerror(errno));
    *ret_fd = fd;
    return 0;
}

int link_signal(int fd)
{
    struct signalfd_siginfo signal;
    return read(fd, &signal, sizeof signal) == (ssize_t)sizeof signal ? (int)signal.ssi_signo : 0;
}

/* ---- sockets ---- */

static int make_socket(struct link *link, int type, struct problem *problem)
{
    link->socket = zsock_new(type);
    if (!link->socket)
        return problem_set(problem, ERR_IO, "no socket: %s", zmq_strerror(errno));
    zsock_set_sndhwm(link->socket, link->settings.queued);
    zsock_set_rcvhwm(link->socket, link->settings.queued);
    zsock_set_maxmsgsize(link->socket, MSG_MAX_BYTES);
    zsock_set_linger(link->socket, link->settings.linger_ms);
    zsock_set_tcp_keepalive(link->socket, 1);
    zsock_set_heartbeat_ivl(link->socket, PING_MS);
    zsock_set_heartbeat_timeout(link->socket, PING_TIMEOUT_MS);
    if (link->settings.handshake_ms > 0)
        zsock_set_handshake_ivl(link->socket, link->settings.handshake_ms);
    zsock_set_ipv6(link->socket, strchr(link->settings.endpoint, '[') != NULL);
    return 0;
}

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

/* Each worker is a descriptor, and where they run out libzmq spins. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_door(struct link *link, struct problem *problem)
{
    link->door = zsock_new(ZMQ_REP);
    if (!link->door || zmq_bind(zsock_resolve(link->door), DOOR) != 0)
        return problem_set(problem, ERR_IO, "no place to check keys: %s", zmq_strerror(errno));
    zsock_set_linger(link->door, 0);
    zsock_set_zap_domain(link->socket, "actsearch");
    zsock_set_curve_server(link->socket, 1);
    zsock_set_curve_publickey(link->socket, link->settings.key->public_key);
    zsock_set_curve_secretkey(link->socket, link->settings.key->secret_key);
    return 0;
}

static int bind_socket(struct link *link, struct problem *problem)
{
    const char *endpoint = link->settings.endpoint;
    int err = make_socket(link, ZMQ_ROUTER, problem);
    if (err)
        return err;
    zsock_set_router_mandatory(link->socket, 1);
    zsock_set_backlog(link->socket, BACKLOG);
    if (link->settings.key && (err = open_door(link, problem)) != 0)
        return err;
    if (strncmp(endpoint, "ipc://", 6) == 0 && somebody_listens_at(endpoint + 6))
        return problem_set(problem, ERR_BUSY, "%s is in use: another coordinator listens there", endpoint);
    if (zmq_bind(zsock_resolve(link->socket), endpoint) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return problem_set(problem, ERR_BUSY,
                           "%s is in use: another program listens there; name another port with --bind",
                           endpoint);
    const bool elsewhere = errno == EADDRNOTAVAIL || errno == ENODEV;
    return problem_set(problem, ERR_IO, "cannot listen at %s: %s%s", endpoint, zmq_strerror(errno),
                       elsewhere ? "; expected an address or an interface of this machine, or * for all"
                                 : "");
}

int link_bind(const struct link_settings *settings, struct link **ret_link, struct problem *problem)
{
    struct link *link = xcalloc(1, sizeof *link);
    link->settings = *settings;
    zmq_msg_init(&link->body);
    allow_descriptors();
    int err = bind_socket(link, problem);
    if (err) {
        link_destroy(&link);
        return err;
    }
    link->endpoint = zsock_last_endpoint(link->socket);
    *ret_link = link;
    return 0;
}

static int watch(struct link *link, struct problem *problem)
{
    uint64_t number; /* never one of before: a monitor's name is free some time after its end */
    random_bytes(&number, sizeof number);
    char *name = xasprintf("inproc://link-%016" PRIx64, number);
    link->monitor = zsock_new(ZMQ_PAIR);
    int rc = zmq_socket_monitor(zsock_resolve(link->socket), name,
                                ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    if (rc == 0 && link->monitor)
        rc = zmq_connect(zsock_resolve(link->monitor), name);
    free(name);
    if (rc == 0 && link->monitor)
        return 0;
    return problem_set(problem, ERR_IO, "the connection cannot be watched: %s", zmq_strerror(errno));
}

static int connect_socket(struct link *link, struct problem *problem)
{
    const struct key *key = link->settings.key;
    int err = make_socket(link, ZMQ_DEALER, problem);
    if (err)
        return err;
    zsock_set_reconnect_ivl(link->socket, RECONNECT_MS);
    zsock_set_reconnect_ivl_max(link->socket, RECONNECT_MAX_MS);
    if (key) {
        assert(key->kind == KEY_WORKER);
        zsock_set_curve_serverkey(link->socket, key->server_key);
        zsock_set_curve_publickey(link->socket, key->public_key);
        zsock_set_curve_secretkey(link->socket, key->secret_key);
    }
    err = watch(link, problem);
    if (!err && zmq_connect(zsock_resolve(link->socket), link->settings.endpoint) != 0)
        err = problem_set(problem, ERR_IO, "cannot connect to %s: %s", link->settings.endpoint,
                          zmq_strerror(errno));
    return err;
}

static void close_sockets(struct link *link)
{
    if (link->monitor && link->socket)
        zmq_socket_monitor(zsock_resolve(link->socket), NULL, 0);
    zsock_destroy(&link->monitor);
    zsock_destroy(&link->socket); /* before the door: while it is open, somebody stands there */
    if (link->door)
        zmq_unbind(zsock_resolve(link->door), DOOR); /* now, not when the context gets round to it */
    zsock_destroy(&link->door);
}

int link_connect(const struct link_settings *settings, struct link **ret_link, struct problem *problem)
{
    struct link *link = xcalloc(1, sizeof *link);
    link->settings = *settings;
    zmq_msg_init(&link->body);
    int err = connect_socket(link, problem);
    if (err)
        link_destroy(&link);
    else
        *ret_link = link;
    return err;
}

int link_renew(struct link *link, struct problem *problem)
{
    zsock_set_linger(link->socket, 0);
    close_sockets(link);
    return connect_socket(link, problem);
}

void link_destroy(struct link **link)
{
    if (!*link)
        return;
    close_sockets(*link);
    zmq_msg_close(&(*link)->body);
    free((*link)->endpoint);
    free(*link);
    *link = NULL;
}

const char *link_endpoint(const struct link *link)
{
    return link->endpoint ? link->endpoint : link->settings.endpoint;
}

/* ---- messages ---- */

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

/* The next frame of a message that has begun: those come together. */
static bool next_frame(void *socket, zmq_msg_t *frame)
{
    zmq_msg_close(frame);
    zmq_msg_init(frame);
    return zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) >= 0;
}

enum link_receipt link_receive(struct link *link, struct link_message *ret_message)
{
    void *socket = zsock_resolve(link->socket);
    bool routed = !link->monitor, single = true;
    uint64_t peer = 0;
    if (!next_frame(socket, &link->body))
        return LINK_NOTHING;
    if (routed) {
        peer = peer_of(&link->body);
        single = zmq_msg_more(&link->body) && next_frame(socket, &link->body);
    }
    *ret_message = (struct link_message){.peer = peer,
                                         .key = zmq_msg_gets(&link->body, "User-Id"),
                                         .data = zmq_msg_data(&link->body),
                                         .size = zmq_msg_size(&link->body)};
    if (single && zmq_msg_more(&link->body)) {
        single = false;
        zmq_msg_t surplus;
        zmq_msg_init(&surplus);
        while (next_frame(socket, &surplus) && zmq_msg_more(&surplus))
            continue;
        zmq_msg_close(&surplus);
    }
    if (routed && peer == 0)
        ret_message->data = "a routing id that the socket did not give";
    else if (!single)
        ret_message->data = "expected one frame";
    else
        return LINK_MESSAGE;
    return LINK_BAD;
}

void link_cut(struct link *link)
{
    /* Where the connection is gone and its number another's by now, that one is made anew by its owner. */
    int fd = zmq_msg_get(&link->body, ZMQ_SRCFD);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

bool link_send(struct link *link, uint64_t peer, const void *data, size_t size)
{
    void *socket = zsock_resolve(link->socket);
    if (!link->monitor) {
        uint8_t id[ROUTING_ID_BYTES];
        id_of(peer, id);
        if (zmq_send(socket, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
            return false;
    }
    return zmq_send(socket, data, size, ZMQ_DONTWAIT) >= 0;
}

/* ---- the door ---- */

/* A request is: version, number, domain, address, routing id, mechanism, key. */
static void answer_request(struct link *link, zmsg_t *request, link_door *door, void *context)
{
    char *parts[DOOR_FRAMES - 1], text[KEY_TEXT + 1] = "";
    for (int i = 0; i < DOOR_FRAMES - 1; i++)
        parts[i] = zmsg_popstr(request);
    zframe_t *key = zmsg_pop(request);
    bool good = strcmp(parts[5], "CURVE") == 0 && zframe_size(key) == CURVE_KEY_BYTES &&
                zmq_z85_encode(text, zframe_data(key), CURVE_KEY_BYTES) && door(context, text, parts[3]);
    zmsg_t *answer = zmsg_new();
    zmsg_addstr(answer, parts[0]);
    zmsg_addstr(answer, parts[1]);
    zmsg_addstr(answer, good ? "200" : "400");
    zmsg_addstr(answer, good ? "welcome" : "not in the allow-list");
    zmsg_addstr(answer, good ? text : ""); /* becomes the User-Id of each of its messages */
    zmsg_addstr(answer, "");
    zmsg_send(&answer, link->door);
    zmsg_destroy(&answer);
    zframe_destroy(&key);
    for (int i = 0; i < DOOR_FRAMES - 1; i++)
        free(parts[i]);
}

void link_answer_door(struct link *link, link_door *door, void *context)
{
    for (int i = 0; link->door && i < DOOR_PER_TURN && zsock_events(link->door) & ZMQ_POLLIN; i++) {
        zmsg_t *request = zmsg_recv(link->door);
        assert(request && zmsg_size(request) == DOOR_FRAMES); /* libzmq asks, within this process */
        answer_request(link, request, door, context);
        zmsg_destroy(&request);
    }
}

enum link_news link_news(struct link *link)
{
    static const struct {
        uint16_t event;
        enum link_news news;
    } meanings[] = {
        {ZMQ_EVENT_HANDSHAKE_SUCCEEDED, LINK_OPEN},
        {ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, LINK_REFUSED},
        {ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, LINK_MISMATCH},
        {ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, LINK_BROKEN},
    };
    enum link_news news = LINK_NO_NEWS;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (next_frame(zsock_resolve(link->monitor), &frame)) {
        uint16_t event = 0;
        if (zmq_msg_size(&frame) >= sizeof event)
            memcpy(&event, zmq_msg_data(&frame), sizeof event);
        for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
            if (meanings[i].event == event)
                news = meanings[i].news;
        next_frame(zsock_resolve(link->monitor), &frame); /* the address */
    }
    zmq_msg_close(&frame);
    return news;
}

/* ---- waiting ---- */

int link_wait(struct link *link, const int *fds, int count, int64_t timeout_ms, struct problem *problem)
{
    assert(count <= LINK_MAX_FDS);
    zmq_pollitem_t items[2 + LINK_MAX_FDS] = {{.socket = zsock_resolve(link->socket), .events = ZMQ_POLLIN}};
    int used = 1;
    zsock_t *second = link->monitor ? link->monitor : link->door;
    if (second)
        items[used++] = (zmq_pollitem_t){.socket = zsock_resolve(second), .events = ZMQ_POLLIN};
    for (int i = 0; i < count; i++)
        items[used++] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    if (zmq_poll(items, used, (long)timeout_ms) >= 0 || errno == EINTR)
        return 0;
    return problem_set(problem, ERR_IO, "waiting for messages: %s", zmq_strerror(errno));
}
