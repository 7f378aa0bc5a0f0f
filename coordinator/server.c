#include "coordinator/server.h"

#include "common/hash.h"
#include "common/log.h"
#include "coordinator/allow.h"
#include "proto/endpoint.h"
#include "proto/link.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGES_PER_TURN = 1000, /* received before the turn is committed */
    MESSAGES_QUEUED = 1000,   /* by the socket, for each peer and direction */
    LINGER_MS = 2000,         /* how long the last messages may take to leave */
    HANDSHAKE_MS = 15 * 1000, /* for 2,000 that come back at once, half a millisecond each, many times over */
    BAD_GROUPS = 1024,
    BAD_LOG_MS = 60 * 1000,
    PROGRESS_LOG_MS = 30 * 1000,
    SLEEP_MAX_MS = 60 * 1000,
    ALLOW_CHECK_MS = 2000, /* how often the allow-list's folder is looked at */
    ROOM_WAIT_MS = 250, /* before a commit is tried again on a full disk; doubled each time, up to the next */
    ROOM_WAIT_MAX_MS = 5 * 1000,
    ROOM_LOG_MS = 60 * 1000,
};

struct server {
    struct link *link;
    struct key key;      /* wiped where there is none */
    struct allow *allow; /* NULL: no keys */
    int64_t allow_checked_ms;
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

int server_check(const struct server_settings *settings, struct problem *problem)
{
    const char *endpoint = settings->endpoint;
    int err = endpoint_check(endpoint, problem);
    if (err || settings->keys_dir || settings->insecure || endpoint_is_local(endpoint))
        return err;
    return problem_set(
        problem, ERR_INPUT,
        "%s can be reached from other machines, and anyone there could send results: give --keys DIR (made "
        "by 'actsearch keygen DIR'), bind to tcp://127.0.0.1:PORT or ipc://PATH, or say --insecure where you "
        "trust the whole network",
        endpoint);
}

static int read_keys(struct server *server, const char *dir, struct problem *problem)
{
    char *path = xasprintf("%s/" KEYS_SERVER_FILE, dir);
    int err = key_read(path, KEY_SERVER, &server->key, problem);
    if (!err)
        err = allow_new(dir, &server->allow, problem);
    if (err == ERR_NOT_FOUND) {
        size_t used = strlen(problem->text);
        snprintf(problem->text + used, sizeof problem->text - used, "; 'actsearch keygen %.200s' makes keys",
                 dir);
    }
    free(path);
    return err;
}

static int open_link(struct server *server, const struct server_settings *settings, struct problem *problem)
{
    struct link_settings link = {.endpoint = settings->endpoint,
                                 .key = settings->keys_dir ? &server->key : NULL,
                                 .queued = MESSAGES_QUEUED,
                                 .linger_ms = LINGER_MS,
                                 .handshake_ms = HANDSHAKE_MS};
    int err = settings->keys_dir ? read_keys(server, settings->keys_dir, problem) : 0;
    if (!err)
        err = link_take_signals(&server->signals, problem);
    return err ? err : link_bind(&link, &server->link, problem);
}

int server_new(const struct server_settings *settings, struct server **ret_server, struct problem *problem)
{
    int err = server_check(settings, problem);
    if (err)
        return err;
    struct server *server = xcalloc(1, sizeof *server);
    server->signals = -1;
    server->unix_offset_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
    err = open_link(server, settings, problem);
    if (err) {
        server_destroy(&server);
        return err;
    }
    server->progress_logged_ms = server_now_ms(server);
    *ret_server = server;
    return 0;
}

void server_destroy(struct server **server)
{
    if (!*server)
        return;
    link_destroy(&(*server)->link);
    key_wipe(&(*server)->key);
    allow_destroy(&(*server)->allow);
    if ((*server)->signals >= 0)
        close((*server)->signals);
    buf_release(&(*server)->bytes);
    free(*server);
    *server = NULL;
}

const char *server_endpoint(const struct server *server)
{
    return link_endpoint(server->link);
}

/* ---- in ---- */

/* `who` is what the sender is counted and logged by: its key where it has one. */
static void count_bad(struct server *server, const char *who, const char *why)
{
    int64_t now_ms = server_now_ms(server);
    size_t group = hash64(who, strlen(who)) % BAD_GROUPS;
    server->bad[group].count++;
    if (server->bad[group].logged_ms != 0 && now_ms - server->bad[group].logged_ms < BAD_LOG_MS)
        return;
    server->bad[group].logged_ms = now_ms;
    log_warning("%s: %s (%" PRId64 " so far)", who, why, server->bad[group].count);
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

/* Who sent it may send it: without keys anyone, else whoever holds a key of the list and does not flood us.
 * One whose key was taken off the list loses the connection. */
static bool may_speak(struct server *server, const struct link_message *message)
{
    if (!server->allow)
        return true;
    struct allowed *allowed = allow_find(server->allow, message->key ? message->key : "");
    char who[128];
    if (!allowed) {
        link_cut(server->link);
        return false;
    }
    if (allow_spend(allowed, server_now_ms(server)))
        return true;
    snprintf(who, sizeof who, "key '%s'", allowed->name);
    count_bad(server, who, "more messages than a key may send, dropped");
    return false;
}

static void receive_bad(struct server *server, const struct link_message *message, const char *why)
{
    const struct allowed *allowed = server->allow ? allow_find(server->allow, message->key) : NULL;
    char who[128];
    if (allowed)
        snprintf(who, sizeof who, "bad message from key '%s'", allowed->name);
    else
        snprintf(who, sizeof who, "bad message from peer %" PRIx64, message->peer);
    count_bad(server, who, why);
}

/* Gives one message to the core. False where none is there. */
static bool receive_one(struct server *server, struct core *core)
{
    struct link_message message;
    enum link_receipt receipt = link_receive(server->link, &message);
    if (receipt == LINK_NOTHING)
        return false;
    struct problem problem = {0};
    if (!may_speak(server, &message))
        return true;
    if (receipt == LINK_BAD)
        receive_bad(server, &message, message.data);
    else if (msg_decode(message.data, message.size, &server->message, &problem) != 0)
        receive_bad(server, &message, problem.text);
    else if (!from_worker(server->message.type))
        receive_bad(server, &message, "a message that only a coordinator sends");
    else if (server->allow && server->message.type == MSG_HELLO)
        core_hello(core, message.peer, message.key, &server->message.hello_, server_now_ms(server));
    else
        core_receive(core, message.peer, &server->message, server_now_ms(server));
    return true;
}

/* ---- keys ---- */

/* For both kinds of call back. */
struct keys_context {
    struct server *server;
    struct core *core;
    bool first; /* of the list: it is not worth a line for each key */
};

static bool may_enter(void *context, const char *key, const char *address)
{
    struct server *server = ((struct keys_context *)context)->server;
    if (allow_find(server->allow, key))
        return true;
    char who[256], *why = xasprintf("refused: its key %s is not in the allow-list", key);
    snprintf(who, sizeof who, "connection from %.200s", address);
    count_bad(server, who, why);
    free(why);
    return false;
}

static void take_news(void *context, enum allow_news news, const char *key, const char *name)
{
    struct keys_context *keys = context;
    if (news == ALLOW_BAD) {
        log_warning("%s", name);
        return;
    }
    log_line(keys->first ? LEVEL_DEBUG : LEVEL_INFO, "key '%s' (%.8s…) %s", name, key,
             news == ALLOW_ADDED ? "is allowed" : "is not allowed any more");
    if (news == ALLOW_REMOVED)
        core_revoke(keys->core, key, server_now_ms(keys->server));
}

/* The list first, so that nobody is let in, or heard, by an old one for longer than ALLOW_CHECK_MS. */
static void tend_keys(struct server *server, struct core *core)
{
    if (!server->allow)
        return;
    struct keys_context context = {server, core, server->allow_checked_ms == 0};
    int64_t now_ms = server_now_ms(server);
    if (now_ms - server->allow_checked_ms >= ALLOW_CHECK_MS) {
        server->allow_checked_ms = now_ms;
        allow_refresh(server->allow, take_news, &context);
        if (context.first)
            log_info("%zu keys are allowed", allow_count(server->allow));
    }
    link_answer_door(server->link, may_enter, &context);
}

/* ---- out ---- */

static bool send_one(struct server *server, const struct core *core, const struct core_send *item)
{
    core_message(core, item, &server->message);
    buf_clear(&server->bytes);
    msg_encode(&server->message, &server->bytes);
    return link_send(server->link, item->peer, server->bytes.data, server->bytes.size);
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
    int signal = poll(&signals, 1, wait_ms) > 0 ? link_signal(server->signals) : 0;
    return signal == 0
               ? 0
               : problem_set(problem, ERR_STOPPED, "stopped by signal %d while the disk was full", signal);
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
    tend_keys(server, core);
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
    int64_t longest_ms = server->allow ? ALLOW_CHECK_MS : SLEEP_MAX_MS;
    sleep_ms = sleep_ms < 0 ? 0 : sleep_ms > longest_ms ? longest_ms : sleep_ms;
    int err = link_wait(server->link, &server->signals, 1, sleep_ms, problem);
    int signal = err ? 0 : link_signal(server->signals);
    return signal != 0 ? problem_set(problem, ERR_STOPPED, "stopped by signal %d", signal) : err;
}

int server_run(struct server *server, struct core *core, server_commit *commit, void *context,
               struct problem *problem)
{
    for (;;) {
        int err = turn(server, core, commit, context, problem);
        if (err)
            return err;
        if (core_is_over(core))
            return 0;
        err = sleep_until_needed(server, core, problem);
        if (err)
            return err;
    }
}
