/* control: the socket beside a database, by which a person on the same machine tells the coordinator that has
 * it to stop, to pause or to go on. Both ends; neither knows what an order means.
 *
 * The caller connects to the Unix socket DB-control, writes one word and a line break, and gets one line:
 * "ok TEXT" or "error TEXT". After an order that takes time the coordinator keeps the connection until it is
 * done: its end, however it comes, ends it.
 *
 * Invariants
 * 1. Only the user that the coordinator runs as (and root) can connect: the file has mode 0600 from its first
 *    moment.
 * 2. The coordinator never waits for a caller. One is served at a time; who says nothing for CONTROL_CALLER_MS
 *    is cut off. What is read is at most CONTROL_LINE_MAX bytes.
 * 3. Whoever listens holds the database's lock (coordinator/database_file.h), so a socket that is there before
 *    is one that a killed coordinator has left, and is replaced.
 */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONTROL_LINE_MAX = 32, CONTROL_ANSWER_MAX = 480, CONTROL_CALLER_MS = 2000 };

#define CONTROL_TABLE(ROW)                                                                                   \
    ROW(STOP, "stop")                                                                                        \
    ROW(PAUSE, "pause")                                                                                      \
    ROW(RESUME, "resume")

enum control_order {
    CONTROL_NOTHING, /* no order is there */
#define CONTROL_ROW(name, word) CONTROL_##name,
    CONTROL_TABLE(CONTROL_ROW)
#undef CONTROL_ROW
        CONTROL_ORDERS,
};

/* ---- the line, pure ---- */

struct control_line {
    char text[CONTROL_LINE_MAX];
    size_t used;
};
/* Takes what has come. *ret_order stays CONTROL_NOTHING until the line is whole; what follows it is ignored.
 * ERR_INPUT: too long, or no order. */
int control_take(struct control_line *line, const char *bytes, size_t size, enum control_order *ret_order,
                 struct problem *problem);

/* ---- the coordinator's end ---- */

struct control;

/* `database`: its path with all symbolic links followed; its lock is held. ERR_LIMIT: the name of the database
 * is too long for a socket's. ERR_CONFLICT: something else lies there. ERR_IO. */
int control_listen(const char *database, struct control **ret_control, struct problem *problem);
/* Removes the socket, while the database's lock is held: once it is not, the next coordinator's may lie there. Who
 * waits goes on waiting. */
void control_leave(struct control *control);
/* The same, where it is not done yet; and who still waits sees the end. */
void control_close(struct control **control);
/* What to watch for reading; −1 while an order waits for its answer. */
int control_fd(const struct control *control);
/* When control_read has something to do, if nothing comes. */
int64_t control_next_ms(const struct control *control);
/* The order that is there, once; it is to be answered. Times are of any one clock. */
enum control_order control_read(struct control *control, int64_t now_ms);
/* Answers the last order. stay: the connection ends with control_close only. */
void control_answer(struct control *control, bool ok, bool stay, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- the caller's end ---- */

/* Gives the order to the coordinator that has this database, and returns its answer, ret_answer of at least
 * CONTROL_ANSWER_MAX bytes. With CONTROL_STOP it then waits until the coordinator has ended. ERR_NOT_FOUND: no
 * coordinator runs on it. ERR_CONFLICT: it says no; the problem says why. ERR_STOPPED: it ended
 * before it answered. ERR_BUSY: it has not answered, or not ended, in time. ERR_LIMIT, ERR_IO. */
int control_call(const char *database, enum control_order order, char *ret_answer, struct problem *problem);

enum control_life {
    CONTROL_RUNS,
    CONTROL_GONE,
    CONTROL_UNKNOWN, /* it is another user's, or cannot be asked */
};
/* Whether a coordinator runs on this database. Never waits, whatever that one does. */
enum control_life control_life(const char *database);

#endif
