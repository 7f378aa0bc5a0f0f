#include "proto/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char SUFFIX[] = "-control";

/* How long a caller waits: for the answer, which needs a commit; for the end of a coordinator, whose workers
 * have seconds to leave. */
enum { ANSWER_WAIT_S = 20, END_WAIT_S = 60, BACKLOG = 8 };

static const char *const words[CONTROL_ORDERS] = {
#define CONTROL_ROW(name, word) [CONTROL_##name] = word,
    CONTROL_TABLE(CONTROL_ROW)
#undef CONTROL_ROW
};

/* ---- the line ------------------------------------------------------------------------------------------ */

int control_take(struct control_line *line, const char *bytes, size_t size, enum control_order *ret_order,
                 struct problem *problem)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            for (int order = CONTROL_NOTHING + 1; order < CONTROL_ORDERS; order++)
                if (strlen(words[order]) == line->used && memcmp(words[order], line->text, line->used) == 0) {
                    *ret_order = (enum control_order)order;
                    return 0;
                }
            break;
        }
        if (line->used == sizeof line->text)
            break;
        line->text[line->used++] = bytes[i];
        if (i + 1 == size)
            return 0;
    }
    return size == 0 ? 0 : problem_set(problem, ERR_INPUT, "expected one line: stop, pause or resume");
}

/* ---- the address --------------------------------------------------------------------------------------- */

struct address {
    struct sockaddr_un name;
    int folder; /* a descriptor that the name goes by; −1: none */
};

static void address_release(struct address *address)
{
    if (address->folder >= 0)
        close(address->folder);
    address->folder = -1;
}

/* The name of a socket may have 107 bytes; a path that is longer is named by way of its open folder. */
static int address_of(const char *path, struct address *ret_address, struct problem *problem)
{
    struct address address = {.name.sun_family = AF_UNIX, .folder = -1};
    const size_t room = sizeof address.name.sun_path;
    if (strlen(path) < room) {
        memcpy(address.name.sun_path, path, strlen(path));
        *ret_address = address;
        return 0;
    }
    char *for_folder = xstrdup(path), *for_name = xstrdup(path);
    int err = 0;
    address.folder = open(dirname(for_folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *name = basename(for_name);
    if (address.folder < 0)
        err = problem_set(problem, ERR_IO, "%.300s: %s", path, strerror(errno));
    else if ((size_t)snprintf(address.name.sun_path, room, "/proc/self/fd/%d/%s", address.folder, name) >=
             room)
        err = problem_set(problem, ERR_LIMIT,
                          "%.200s: the name is too long for that of a socket: give the database a name of at "
                          "most 75 bytes",
                          name);
    if (err)
        address_release(&address);
    else
        *ret_address = address;
    free(for_folder);
    free(for_name);
    return err;
}

/* ---- the coordinator's end ----------------------------------------------------------------------------- */

struct control {
    char *path; /* NULL: there is no socket any more */
    int listener;
    int caller; /* −1: none */
    struct control_line line;
    int64_t patient_until_ms;
    bool ordered; /* what it said was an order */
};

/* Only a socket is taken away, and whoever made it is dead: we have the lock. */
static int clear_place(const char *path, struct problem *problem)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : problem_set(problem, ERR_IO, "%.300s: %s", path, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return problem_set(problem, ERR_CONFLICT, "%.300s is in the way: move it", path);
    return unlink(path) == 0 ? 0 : problem_set(problem, ERR_IO, "%.300s: %s", path, strerror(errno));
}

static int open_listener(const char *path, int *ret_fd, struct problem *problem)
{
    struct address address;
    int err = clear_place(path, problem);
    if (!err)
        err = address_of(path, &address, problem);
    if (err)
        return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* A socket's own mode becomes that of its file. */
    if (fd < 0 || fchmod(fd, 0600) != 0 ||
        bind(fd, (const struct sockaddr *)&address.name, sizeof address.name) != 0 ||
        listen(fd, BACKLOG) != 0) {
        err = problem_set(problem, ERR_IO, "%.300s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    } else {
        *ret_fd = fd;
    }
    address_release(&address);
    return err;
}

int control_listen(const char *database, struct control **ret_control, struct problem *problem)
{
    char *path = xasprintf("%s%s", database, SUFFIX);
    int listener = -1;
    int err = open_listener(path, &listener, problem);
    if (err) {
        free(path);
        return err;
    }
    struct control *control = xcalloc(1, sizeof *control);
    *control = (struct control){.path = path, .listener = listener, .caller = -1};
    *ret_control = control;
    return 0;
}

static void drop_caller(struct control *control)
{
    if (control->caller >= 0)
        close(control->caller);
    control->caller = -1;
    control->ordered = false;
    control->line.used = 0;
}

void control_leave(struct control *control)
{
    if (!control || !control->path)
        return;
    unlink(control->path);
    free(control->path);
    control->path = NULL;
}

void control_close(struct control **control)
{
    if (!*control)
        return;
    control_leave(*control); /* first, so that who sees the end finds nobody any more */
    close((*control)->listener);
    drop_caller(*control);
    free(*control);
    *control = NULL;
}

int control_fd(const struct control *control)
{
    return control->ordered ? -1 : control->caller >= 0 ? control->caller : control->listener;
}

int64_t control_next_ms(const struct control *control)
{
    return control->caller >= 0 && !control->ordered ? control->patient_until_ms : INT64_MAX;
}

enum control_order control_read(struct control *control, int64_t now_ms)
{
    if (control->ordered)
        return CONTROL_NOTHING;
    if (control->caller < 0) {
        control->caller = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        control->patient_until_ms = now_ms + CONTROL_CALLER_MS;
    }
    if (control->caller < 0)
        return CONTROL_NOTHING;
    char bytes[CONTROL_LINE_MAX + 1];
    const ssize_t size = recv(control->caller, bytes, sizeof bytes, 0);
    const bool wait = size < 0 && (errno == EAGAIN || errno == EINTR);
    if (wait && now_ms < control->patient_until_ms)
        return CONTROL_NOTHING;
    if (size <= 0) { /* it only looked whether we live, or says nothing */
        drop_caller(control);
        return CONTROL_NOTHING;
    }
    enum control_order order = CONTROL_NOTHING;
    struct problem problem;
    if (control_take(&control->line, bytes, (size_t)size, &order, &problem) != 0)
        control_answer(control, false, false, "%s", problem.text);
    control->ordered = order != CONTROL_NOTHING;
    return order;
}

void control_answer(struct control *control, bool ok, bool stay, const char *format, ...)
{
    char text[CONTROL_ANSWER_MAX - 16], line[CONTROL_ANSWER_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const int size = snprintf(line, sizeof line, "%s %s\n", ok ? "ok" : "error", text);
    /* A socket that has sent nothing yet has room for it; a caller that is gone does not matter. */
    const ssize_t sent = send(control->caller, line, (size_t)size, MSG_NOSIGNAL);
    if (!stay || sent < 0)
        drop_caller(control);
}

/* ---- the caller's end ---------------------------------------------------------------------------------- */

static void wait_at_most(int fd, int option, int seconds)
{
    const struct timeval time = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

static int not_answered(struct problem *problem)
{
    return problem_set(problem, ERR_BUSY,
                       "the coordinator has not answered for %d s: is it suspended, or its disk full? "
                       "(its log says so)",
                       ANSWER_WAIT_S);
}

/* Connects to the socket beside that database. ERR_BUSY: so many wait there that no more may. */
static int call(const char *database, bool patient, int *ret_fd, struct problem *problem)
{
    struct address address;
    char *real = realpath(database, NULL);
    if (!real)
        return problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%.300s: %s", database,
                           strerror(errno));
    char *path = xasprintf("%s%s", real, SUFFIX);
    int err = address_of(path, &address, problem);
    free(real);
    free(path);
    if (err)
        return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (patient ? 0 : SOCK_NONBLOCK), 0);
    if (fd >= 0)
        wait_at_most(fd, SO_SNDTIMEO, ANSWER_WAIT_S); /* of connect too */
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address.name, sizeof address.name) != 0) {
        const int number = errno;
        if (number == ENOENT || number == ECONNREFUSED)
            err = problem_set(problem, ERR_NOT_FOUND, "no coordinator runs on %.300s", database);
        else if (number == EAGAIN)
            err = not_answered(problem);
        else
            err = problem_set(problem, ERR_IO, "the coordinator's socket %.300s%s: %s%s", database, SUFFIX,
                              strerror(number),
                              number == EACCES ? "; only the user who started the coordinator may do this"
                                               : "");
        if (fd >= 0)
            close(fd);
    } else {
        *ret_fd = fd;
    }
    address_release(&address);
    return err;
}

/* One line, without its line break, of at most `size` bytes. 0, or why there is none. */
static int read_line(int fd, char *ret_line, size_t size, struct problem *problem)
{
    size_t used = 0;
    wait_at_most(fd, SO_RCVTIMEO, ANSWER_WAIT_S);
    for (ssize_t got; used < size; used += (size_t)got) {
        got = recv(fd, ret_line + used, size - used, 0);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got < 0 && errno == EAGAIN)
            return not_answered(problem);
        else if (got <= 0)
            return problem_set(problem, ERR_STOPPED, "the coordinator ended before it answered");
        char *end = memchr(ret_line + used, '\n', (size_t)got);
        if (end) {
            *end = '\0';
            return 0;
        }
    }
    return problem_set(problem, ERR_IO, "the answer is longer than a coordinator's");
}

/* Until the other end is closed. */
static int wait_for_end(int fd, struct problem *problem)
{
    char rest[64];
    ssize_t got;
    wait_at_most(fd, SO_RCVTIMEO, END_WAIT_S);
    while ((got = recv(fd, rest, sizeof rest, 0)) > 0 || (got < 0 && errno == EINTR))
        continue;
    return got == 0 || errno == ECONNRESET
               ? 0
               : problem_set(problem, ERR_BUSY, "it is told to stop, but has not ended within %d s",
                             END_WAIT_S);
}

int control_call(const char *database, enum control_order order, char *ret_answer, struct problem *problem)
{
    char line[CONTROL_ANSWER_MAX];
    int fd = -1;
    int err = call(database, true, &fd, problem);
    if (err)
        return err;
    const int size = snprintf(line, sizeof line, "%s\n", words[order]);
    if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size)
        err = problem_set(problem, ERR_IO, "the coordinator of %.300s: %s", database, strerror(errno));
    if (!err)
        err = read_line(fd, line, sizeof line, problem);
    if (err == ERR_STOPPED && order == CONTROL_STOP) {
        snprintf(line, sizeof line, "ok it was about to end"); /* another caller was first */
        err = 0;
    }
    if (!err && strncmp(line, "ok ", 3) != 0)
        err = problem_set(problem, ERR_CONFLICT, "%s", strncmp(line, "error ", 6) == 0 ? line + 6 : line);
    if (!err) {
        memcpy(ret_answer, line + strlen("ok "), strlen(line + strlen("ok ")) + 1);
        if (order == CONTROL_STOP)
            err = wait_for_end(fd, problem);
    }
    close(fd);
    return err;
}

enum control_life control_life(const char *database)
{
    struct problem unheard;
    int fd = -1;
    const int err = call(database, false, &fd, &unheard);
    if (!err)
        close(fd);
    return !err || err == ERR_BUSY ? CONTROL_RUNS : err == ERR_NOT_FOUND ? CONTROL_GONE : CONTROL_UNKNOWN;
}
