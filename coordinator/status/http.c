#include "coordinator/status/http.h"

#include "coordinator/status/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 16 * 1024, /* for the head of a request, and for what of the answer is under way */
    BACKLOG = 64,
    LOOK_MS = 1000,     /* how often the database is looked at */
    ALIVE_MS = 15000,   /* a listener hears something that often, so that one who is gone is noticed */
    GOODBYE_MS = 1000,  /* what the last events may take to leave */
    BLOCK_BYTES = 4096, /* of events that are sent at a time */
};

/* One who listens at /api/live. Between events its connection is suspended. */
struct listener {
    struct http *http;
    struct MHD_Connection *connection;
    struct buf out; /* what it has not heard yet, from `sent` on */
    size_t sent;
    bool suspended;
    int64_t spoke_ms;
    struct listener *next;
};

struct http {
    struct http_address address;
    char url[HTTP_HOST_MAX + 32];
    int socket, stop; /* the listening socket until the daemon has it; an eventfd */
    struct status *status;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    /* of the thread alone */
    struct listener *listeners;
    int listener_count;
    bool stopping;
    int64_t look_ms; /* when to look at the database next */
    struct buf event;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- who listens --------------------------------------------------------------------------------------- */

static ssize_t listener_read(void *context, uint64_t position, char *data, size_t size)
{
    struct listener *listener = context;
    (void)position;
    const size_t left = listener->out.size - listener->sent, count = left < size ? left : size;
    if (count > 0) {
        memcpy(data, listener->out.data + listener->sent, count);
        listener->sent += count;
        return (ssize_t)count;
    }
    if (listener->http->stopping)
        return MHD_CONTENT_READER_END_OF_STREAM;
    listener->suspended = true;
    MHD_suspend_connection(listener->connection);
    return 0;
}

static void listener_free(void *context)
{
    struct listener *listener = context;
    struct listener **at = &listener->http->listeners;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    listener->http->listener_count--;
    buf_release(&listener->out);
    free(listener);
}

static void listener_resume(struct listener *listener)
{
    if (!listener->suspended)
        return;
    listener->suspended = false;
    MHD_resume_connection(listener->connection);
}

/* One who has not heard the last one yet is not told more: the newest event says all. */
static void listener_tell(struct listener *listener, const struct buf *text, int64_t now)
{
    if (listener->sent < listener->out.size)
        return;
    buf_clear(&listener->out);
    buf_put(&listener->out, text->data, text->size);
    listener->sent = 0;
    listener->spoke_ms = now;
    listener_resume(listener);
}

static struct MHD_Response *listener_response(struct http *http, struct MHD_Connection *connection)
{
    struct listener *listener = xcalloc(1, sizeof *listener);
    *listener = (struct listener){.http = http, .connection = connection, .spoke_ms = now_ms()};
    status_event(http->status, &http->event);
    buf_printf(&listener->out, "retry: 3000\n\n");
    buf_put(&listener->out, http->event.data, http->event.size);
    listener->next = http->listeners;
    http->listeners = listener;
    http->listener_count++;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, listener_read, listener,
                                             listener_free);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

/* A request while MHD reads it. */
struct reading {
    bool begun;
    char target[]; /* as it came: MHD's own reading of it is not used */
};

static void *keep_target(void *context, const char *target, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    struct reading *reading = xcalloc(1, sizeof *reading + strlen(target) + 1);
    strcpy(reading->target, target);
    return reading;
}

static size_t leave_as_it_is(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void forget_target(void *context, struct MHD_Connection *connection, void **reading,
                          enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    free(*reading);
    *reading = NULL;
}

/* "gzip" in a list of encodings; "gzip;q=0" forbids it. */
static bool allows_gzip(const char *encodings)
{
    const char *at = encodings ? strstr(encodings, "gzip") : NULL;
    return at && strncmp(at + strlen("gzip"), ";q=0", 4) != 0;
}

static void add_headers(struct MHD_Response *response, const struct http_response *answer)
{
#define HEADER_ROW(name, value) MHD_add_response_header(response, name, value);
    HTTP_HEADER_TABLE(HEADER_ROW)
#undef HEADER_ROW
    MHD_add_response_header(response, "Content-Type", answer->type);
    MHD_add_response_header(response, "Cache-Control", answer->etag[0] ? "no-cache" : "no-store");
    if (answer->etag[0]) {
        MHD_add_response_header(response, "ETag", answer->etag);
        MHD_add_response_header(response, "Vary", "Accept-Encoding");
    }
    if (answer->file_gzip)
        MHD_add_response_header(response, "Content-Encoding", "gzip");
    if (answer->status == 405)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (answer->status == 503)
        MHD_add_response_header(response, "Retry-After", "2");
}

static struct MHD_Response *response_of(struct http *http, struct MHD_Connection *connection,
                                        const char *method, struct http_response *answer)
{
    if (answer->events && strcmp(method, "GET") == 0 && http->listener_count < HTTP_LISTENERS)
        return listener_response(http, connection);
    if (answer->events && strcmp(method, "GET") == 0) {
        answer->status = 503;
        buf_printf(&answer->body, ": enough listen already\n\n");
    }
    if (answer->file) /* MHD does not write to what it borrows */
        return MHD_create_response_from_buffer(answer->file_size, (void *)(uintptr_t)answer->file,
                                               MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer(answer->body.size, answer->body.data, MHD_RESPMEM_MUST_COPY);
}

/* The first call comes before the body; one that is answered then ends its connection, which is right for those that have a body
 * and a pity for all others. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **in_hand)
{
    struct http *http = context;
    struct reading *reading = *in_hand;
    const bool has_body = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length") ||
                          MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
    (void)url, (void)version, (void)upload, (void)upload_size;
    if (!reading->begun && !has_body) {
        reading->begun = true;
        return MHD_YES;
    }
    const struct http_request request = {
        .method = method,
        .target = reading->target,
        .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
        .if_none_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match"),
        .gzip = allows_gzip(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept-Encoding")),
    };
    struct http_response answered = {0};
    status_answer(http->status, &request, &answered);
    struct MHD_Response *response = response_of(http, connection, method, &answered);
    add_headers(response, &answered);
    const enum MHD_Result result = MHD_queue_response(connection, (unsigned)answered.status, response);
    MHD_destroy_response(response);
    buf_release(&answered.body);
    return result;
}

/* ---- the thread ---------------------------------------------------------------------------------------- */

static void look(struct http *http)
{
    static const char still_here[] = ":\n\n";
    const int64_t now = now_ms();
    const bool news = status_look(http->status, now, &http->event);
    for (struct listener *at = http->listeners, *next; at; at = next) {
        next = at->next;
        if (news)
            listener_tell(at, &http->event, now);
        else if (now - at->spoke_ms >= ALIVE_MS)
            listener_tell(at, &(struct buf){(uint8_t *)(uintptr_t)still_here, sizeof still_here - 1, 0}, now);
    }
    http->look_ms = now + LOOK_MS;
}

/* Waits until there is something to do, and has MHD do it. */
static void turn(struct http *http, bool until_stop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd wait[] = {{.fd = info->epoll_fd, .events = POLLIN},
                            {.fd = until_stop ? http->stop : -1, .events = POLLIN}};
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    int64_t wait_ms = until_stop ? http->look_ms - now_ms() : 10;
    if (MHD_get_timeout(http->daemon, &wanted_ms) == MHD_YES && (int64_t)wanted_ms < wait_ms)
        wait_ms = (int64_t)wanted_ms;
    poll(wait, 2, wait_ms > 0 ? (int)wait_ms : 0);
    http->stopping = http->stopping || wait[1].revents != 0;
    MHD_run(http->daemon);
}

/* The last events, and the end of each stream: MHD may not be stopped while a connection is suspended. */
static void say_goodbye(struct http *http)
{
    const int64_t until_ms = now_ms() + GOODBYE_MS;
    MHD_quiesce_daemon(http->daemon);
    look(http);
    for (struct listener *at = http->listeners; at; at = at->next)
        listener_resume(at);
    while (http->listeners && now_ms() < until_ms)
        turn(http, false);
}

static void *run(void *context)
{
    struct http *http = context;
    while (!http->stopping) {
        turn(http, true);
        if (now_ms() >= http->look_ms)
            look(http);
    }
    say_goodbye(http);
    MHD_stop_daemon(http->daemon);
    close(http->socket);
    status_destroy(&http->status);
    return NULL;
}

/* ---- start and end ------------------------------------------------------------------------------------- */

static int check(const struct http_settings *settings, struct http_address *ret_address,
                 struct problem *problem)
{
    int err = http_address_parse(settings->address, ret_address, problem);
    if (err || ret_address->loopback || settings->insecure)
        return err;
    return problem_set(
        problem, ERR_INPUT,
        "%s can be reached from other machines, and anyone there could read all of the search, unencrypted: "
        "give a loopback address (and reach it through ssh -L), or say --http-insecure where that is fine",
        settings->address);
}

int http_check(const struct http_settings *settings, struct problem *problem)
{
    struct http_address address;
    return check(settings, &address, problem);
}

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int bind_socket(struct http *http, const char *text, struct problem *problem)
{
    union any_address address = {.any = {.sa_family = http->address.ipv6 ? AF_INET6 : AF_INET}};
    socklen_t size = http->address.ipv6 ? sizeof address.v6 : sizeof address.v4;
    if (http->address.ipv6) {
        inet_pton(AF_INET6, http->address.host, &address.v6.sin6_addr);
        address.v6.sin6_port = htons((uint16_t)http->address.port);
    } else {
        inet_pton(AF_INET, http->address.host, &address.v4.sin_addr);
        address.v4.sin_port = htons((uint16_t)http->address.port);
    }
    http->socket = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (http->socket < 0 || setsockopt(http->socket, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(http->socket, &address.any, size) != 0 || listen(http->socket, BACKLOG) != 0 ||
        getsockname(http->socket, &address.any, &size) != 0)
        return problem_set(problem, errno == EADDRINUSE ? ERR_BUSY : ERR_IO, "%s: %s", text, strerror(errno));
    http->address.port = ntohs(http->address.ipv6 ? address.v6.sin6_port : address.v4.sin_port);
    snprintf(http->url, sizeof http->url, "http://%s%s%s:%d/", http->address.ipv6 ? "[" : "",
             http->address.host, http->address.ipv6 ? "]" : "", http->address.port);
    return 0;
}

static int start_daemon(struct http *http, struct problem *problem)
{
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (http->address.ipv6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL,
        answer, http, MHD_OPTION_LISTEN_SOCKET, http->socket, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_OF_ONE,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_TIMEOUT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, keep_target,
        NULL, MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL, MHD_OPTION_NOTIFY_COMPLETED, forget_target,
        NULL, MHD_OPTION_END);
    return http->daemon ? 0 : problem_set(problem, ERR_IO, "the web server does not start");
}

/* The thread begins with all signals blocked: they are for others. */
static int start_thread(struct http *http, struct problem *problem)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&http->thread, NULL, run, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? problem_set(problem, ERR_IO, "no thread for the web page: %s", strerror(failed)) : 0;
}

static void release(struct http *http)
{
    close(http->stop);
    buf_release(&http->event);
    free(http);
}

int http_start(const struct http_settings *settings, struct http **ret_http, struct problem *problem)
{
    struct http_address address;
    char machine[HOST_NAME_MAX + 1] = "";
    int err = check(settings, &address, problem);
    if (err)
        return err;
    gethostname(machine, sizeof machine - 1);
    struct http *http = xcalloc(1, sizeof *http);
    http->address = address;
    http->stop = eventfd(0, EFD_CLOEXEC);
    err = http->stop < 0 ? problem_set(problem, ERR_IO, "%s", strerror(errno))
                         : bind_socket(http, settings->address, problem);
    if (!err)
        err = start_daemon(http, problem);
    if (!err) {
        http->status = status_new(settings->database, &http->address, machine);
        err = start_thread(http, problem);
    }
    if (err) {
        if (http->daemon)
            MHD_stop_daemon(http->daemon); /* closes the socket too */
        else if (http->socket > 0)
            close(http->socket);
        status_destroy(&http->status);
        release(http);
        return err;
    }
    *ret_http = http;
    return 0;
}

void http_stop(struct http **http)
{
    if (!*http)
        return;
    const ssize_t written = write((*http)->stop, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* an eventfd takes a 1 */
    pthread_join((*http)->thread, NULL);
    release(*http);
    *http = NULL;
}

const char *http_url(const struct http *http)
{
    return http->url;
}
