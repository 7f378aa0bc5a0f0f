#include "coordinator/server.h"

#include "common/data_cache.h"
#include "common/hash.h"
#include "common/log.h"
#include "coordinator/allow.h"
#include "coordinator/blobs.h"
#include "coordinator/offer.h"
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
    OFFER_LOOK_MS = 1000, /* how often a data set that is not there is looked for, while workers come */
    PIECES_PER_TURN = 16, /* of the data set, sent before other messages are looked at again */
    PIECES_MS = 5,        /* how long that may take on a cold disk, give or take one piece */
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
    char *cache_dir;
    const char *data;         /* the data set's name; NULL before server_offer */
    struct offer *offer;      /* NULL: there is none to hand over */
    struct blobs *blobs;      /* beside it */
    int64_t offer_look_ms;    /* when to look for it next; INT64_MAX: it is there, or cannot be used */
    struct control *control;  /* borrowed; NULL: none */
    enum control_order order; /* of this turn, answered after its commit */
    bool order_changes;       /* something: else it was so already */
    int64_t stop_by_ms;       /* 0 while nobody ordered it */
    struct msg message;       /* the one at hand: too large for the stack of a deep call */
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
    server->cache_dir = data_cache_dir(settings->cache_dir);
    server->control = settings->control;
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
    offer_close(&(*server)->offer);
    blobs_destroy(&(*server)->blobs);
    free((*server)->cache_dir);
    buf_release(&(*server)->bytes);
    free(*server);
    *server = NULL;
}

const char *server_endpoint(const struct server *server)
{
    return link_endpoint(server->link);
}

/* ---- the data set ---- */

int server_offer(struct server *server, struct core *core, const char *name, struct problem *problem)
{
    server->data = name;
    server->offer_look_ms = INT64_MAX;
    int err = offer_open(server->cache_dir, name, &server->offer, problem);
    if (err == ERR_NOT_FOUND) {
        server->offer_look_ms = server_now_ms(server) + OFFER_LOOK_MS;
        return problem_set(problem, err, "data set '%s' is not in %.200s", name, server->cache_dir);
    }
    if (err)
        return err;
    const char *hash = offer_hash(server->offer), *begun = core_data_hash(core);
    if (begun[0] != '\0' && strcmp(begun, hash) != 0) {
        err = problem_set(problem, ERR_CONFLICT,
                          "data set '%s' in %.200s has content hash %.16s…, the experiment was begun with "
                          "%.16s…: they are not the same images",
                          name, server->cache_dir, hash, begun);
        offer_close(&server->offer);
        return err;
    }
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    server->blobs = blobs_new(hash, offer_bytes(server->offer), rng_seed(seed, "receipts", 0));
    core_offer(core, hash, offer_bytes(server->offer));
    log_info("data set '%s' is handed over to workers that lack it: %.1f MB, %.16s", name,
             (double)offer_bytes(server->offer) / 1e6, hash);
    return 0;
}

/* Somebody may have added it by now: a worker on this host, or a person. */
static void look_for_offer(struct server *server, struct core *core)
{
    struct problem problem = {0};
    if (!server->data || server_now_ms(server) < server->offer_look_ms)
        return;
    int err = server_offer(server, core, server->data, &problem);
    if (err && err != ERR_NOT_FOUND)
        log_warning("%s", problem.text);
}

/* False where it could not be handed to the peer. */
static bool send_piece(struct server *server, struct core *core, const struct blobs_piece *piece)
{
    struct msg_chunk *chunk = &server->message.chunk_;
    server->message.type = MSG_CHUNK;
    snprintf(chunk->data_hash, sizeof chunk->data_hash, "%s", blobs_hash(server->blobs));
    chunk->offset = piece->offset;
    chunk->receipt = piece->receipt;
    chunk->bytes_count = piece->size;
    struct problem problem;
    if (piece->size > 0 &&
        offer_read(server->offer, piece->offset, chunk->bytes, piece->size, &problem) != 0) {
        log_error("%s: it is not handed over any more", problem.text);
        blobs_fail(server->blobs);
        core_offer(core, "", 0);
        chunk->bytes_count = 0;
    }
    buf_clear(&server->bytes);
    msg_encode(&server->message, &server->bytes);
    return link_send(server->link, piece->peer, server->bytes.data, server->bytes.size);
}

/* What was asked for is sent to those who may still have it. */
static void send_pieces(struct server *server, struct core *core)
{
    const int64_t until_ms = server_now_ms(server) + PIECES_MS;
    struct blobs_piece piece;
    for (int i = 0; server->blobs && i < PIECES_PER_TURN && server_now_ms(server) <= until_ms; i++) {
        if (!blobs_next(server->blobs, server_now_ms(server), &piece))
            return;
        if (!core_knows(core, piece.peer) || !send_piece(server, core, &piece))
            blobs_unsent(server->blobs, piece.peer);
    }
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

static void take_message(struct server *server, struct core *core, const struct link_message *from)
{
    const int64_t now_ms = server_now_ms(server);
    if (server->message.type == MSG_HELLO)
        look_for_offer(server, core);
    if (server->allow && server->message.type == MSG_HELLO)
        core_hello(core, from->peer, from->key, &server->message.hello_, now_ms);
    else
        core_receive(core, from->peer, &server->message, now_ms);
    if (server->message.type == MSG_FETCH && server->blobs && core_knows(core, from->peer))
        blobs_fetch(server->blobs, from->peer, &server->message.fetch_, now_ms);
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
    else
        take_message(server, core, &message);
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
            log_info("allowed keys: %zu", allow_count(server->allow));
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
                     strcmp(event->kind, "worker") == 0 || strcmp(event->kind, "pause") == 0 ||
                     strcmp(event->kind, "resume") == 0 || strcmp(event->kind, "stop") == 0;
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

/* ---- orders ---- */

/* Hands the order that is there to the core. */
static void take_order(struct server *server, struct core *core)
{
    const int64_t now_ms = server_now_ms(server);
    server->order = server->control ? control_read(server->control, now_ms) : CONTROL_NOTHING;
    if (server->order == CONTROL_STOP) {
        core_stop(core, now_ms);
        server->stop_by_ms = now_ms + SERVER_STOP_MS;
    } else if (server->order != CONTROL_NOTHING) {
        server->order_changes = core_pause(core, server->order == CONTROL_PAUSE, now_ms);
    }
}

/* After the commit: what is said is on disk. */
static void answer_order(struct server *server, const struct core *core)
{
    const struct counters_row *counters = core_counters(core);
    if (server->order == CONTROL_NOTHING)
        return;
    if (core_finished(core))
        control_answer(server->control, false, false, "the search is finished: %s", core_finished(core));
    else if (server->order == CONTROL_STOP)
        control_answer(server->control, true, true,
                       "stopping: the workers (%" PRId64 ") hand back what they train and leave",
                       counters->workers);
    else if (!server->order_changes)
        control_answer(server->control, true, false, "nothing to do: it %s",
                       core_paused(core) ? "is paused already" : "is not paused");
    else if (server->order == CONTROL_PAUSE)
        control_answer(server->control, true, false,
                       "paused: no new trainings; those that run (%" PRId64 ") go on to their end",
                       counters->leased);
    else
        control_answer(server->control, true, false, "the search goes on");
    server->order = CONTROL_NOTHING;
}

/* It was ordered to stop, and the workers have left or had time enough. */
static bool stop_is_over(const struct server *server, const struct core *core)
{
    return server->stop_by_ms != 0 && (core_stopped(core) || server_now_ms(server) >= server->stop_by_ms);
}

bool server_was_ordered(const struct server *server)
{
    return server->stop_by_ms != 0;
}

/* ---- a full disk ---- */

/* Nothing can be made durable now; it can be stopped all the same, also by the order whose rows wait for room. */
static int obey_without_disk(struct server *server, struct problem *problem)
{
    if (!server->control)
        return 0;
    const bool taken = server->order != CONTROL_NOTHING;
    const enum control_order order =
        taken ? server->order : control_read(server->control, server_now_ms(server));
    server->order = CONTROL_NOTHING;
    if (order == CONTROL_STOP) {
        control_answer(server->control, true, true,
                       "stopping; the disk is full, so workers are not waited for");
        server->stop_by_ms = server_now_ms(server);
        return problem_set(problem, ERR_STOPPED, "stopped on request while the disk was full");
    }
    if (order != CONTROL_NOTHING)
        control_answer(server->control, false, false,
                       "the disk is full, and the search stands still anyway: %s",
                       taken ? "make room, and this is done" : "make room first");
    return 0;
}

/* ERR_STOPPED after a signal, or when it is ordered to stop. */
static int wait_for_room(struct server *server, int wait_ms, struct problem *problem)
{
    struct pollfd events[] = {
        {.fd = server->signals, .events = POLLIN},
        {.fd = server->control ? control_fd(server->control) : -1, .events = POLLIN},
    };
    int signal = poll(events, 2, wait_ms) > 0 ? link_signal(server->signals) : 0;
    return signal == 0
               ? obey_without_disk(server, problem)
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
    take_order(server, core);
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
    answer_order(server, core);
    core_clear(core, server_now_ms(server));
    send_pieces(server, core);
    if (changed)
        log_progress(server, core, core_finished(core) != NULL);
    return 0;
}

/* Sleeps until a message or a signal comes or the core has something to do. ERR_STOPPED after a signal. */
static int sleep_until_needed(struct server *server, const struct core *core, struct problem *problem)
{
    const int64_t now_ms = server_now_ms(server);
    const int64_t data_ms = server->blobs ? blobs_next_ms(server->blobs) : INT64_MAX;
    int64_t sleep_ms = (data_ms < core_next_ms(core) ? data_ms : core_next_ms(core)) - now_ms;
    int64_t longest_ms = server->allow ? ALLOW_CHECK_MS : SLEEP_MAX_MS;
    int fds[2] = {server->signals}, count = 1;
    if (server->control && control_fd(server->control) >= 0) {
        fds[count++] = control_fd(server->control);
        if (control_next_ms(server->control) - now_ms < longest_ms)
            longest_ms = control_next_ms(server->control) - now_ms;
    }
    if (server->stop_by_ms != 0 && server->stop_by_ms - now_ms < longest_ms)
        longest_ms = server->stop_by_ms - now_ms;
    sleep_ms = sleep_ms > longest_ms ? longest_ms : sleep_ms;
    int err = link_wait(server->link, fds, count, sleep_ms < 0 ? 0 : sleep_ms, problem);
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
        if (stop_is_over(server, core))
            return problem_set(problem, ERR_STOPPED, "stopped on request");
        err = sleep_until_needed(server, core, problem);
        if (err)
            return err;
    }
}
