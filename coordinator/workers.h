/* workers: the daemons that ever said HELLO, which of them are connected, and which wait for work. Pure.
 *
 * A daemon is known by its name (new at each start of it); a connection (peer) only carries it: after a new
 * connection the same daemon is the same worker, with its leases.
 *
 * Invariants
 * 1. A peer has at most one worker, a worker at most one peer (0: not connected).
 * 2. Connected workers stand in a list in the order in which they were last heard, so that only the head
 *    can have been silent for too long.
 * 3. A worker waits in the line at most once, and only while it is connected and wants trials.
 * 4. A group is a key that workers have proved to hold; a worker without one is of group 0, in which nobody
 *    is counted. A worker is of one group for as long as the coordinator runs.
 * 5. A worker on which one trial after the other fails rests between them, for longer each time: a broken
 *    host must not use up the attempts of a whole search.
 */
#ifndef COORDINATOR_WORKERS_H
#define COORDINATOR_WORKERS_H

#include "coordinator/map.h"
#include "coordinator/rows.h"
#include "proto/msg.h"

/* Names that one key, or all without one, may bring for the first time: so many at once, and one a second
 * after that. Each is a row. And so many in all that one search ever knows. */
enum { KEY_NEW_WORKERS = 16384, MAX_WORKERS_KNOWN = 200000 };

struct worker {
    uint64_t peer;   /* 0: not connected */
    int64_t wanting; /* trials that it would take now */
    int64_t heard_ms;
    uint32_t before, after; /* neighbours in the order of hearing; 0: none */
    int64_t failures;       /* since its last result */
    int64_t rests_until_ms; /* it gets no work before */
    uint32_t group;
    bool in_line;
    bool awaited; /* it was connected when the coordinator ended, and has not been heard since */
    bool changed; /* its row is to be written */
};

struct workers {
    struct rows *kept;    /* borrowed: the rows of all workers, by number, and their texts */
    struct worker *items; /* from 1, beside kept->workers */
    size_t capacity;
    struct map by_peer;
    struct map by_name;
    struct map by_key; /* its hash → group */
    struct map proven; /* machines of which a result was taken */
    struct worker_group {
        int64_t connected; /* workers; not counted in group 0 */
        int64_t joined;    /* new names, less one for each second since */
        int64_t joined_ms; /* when that was so */
    } * groups;            /* by group */
    uint32_t group_count;
    uint32_t head, tail; /* heard longest ago, heard last */
    int64_t connected;   /* rows that say so */
    int64_t wanting;     /* the sum over all */
    uint32_t *line;      /* a ring of those that want work, first come first */
    size_t line_capacity, line_start, line_count;
    uint32_t *shut_out; /* one of each machine or more */
    size_t shut_out_count;
    uint32_t *changed; /* whose rows are to be written */
    size_t changed_count, changed_capacity;
};

/* `kept->workers` holds those that are restored. Those that were connected are awaited; they count as
 * connected only where the search is over, until they are told so. */
void workers_start(struct workers *workers, struct rows *kept, bool over);
void workers_release(struct workers *workers);

/* The group of a key, made where it is new. */
uint32_t workers_group(struct workers *workers, const char *key);
uint32_t workers_group_of(const struct workers *workers, int64_t worker);
int64_t workers_group_connected(const struct workers *workers, uint32_t group);
/* Whether one more new name of that group is allowed now; it counts then. */
bool workers_may_join(struct workers *workers, uint32_t group, int64_t now_ms);
/* The worker of that name; 0 where none is known. */
int64_t workers_find(const struct workers *workers, const char *name);
/* The worker of a HELLO, made known where it is new, connected through this peer from now on. `key`: "" for
 * none. */
int64_t workers_hello(struct workers *workers, uint64_t peer, const char *key, const struct msg_hello *hello,
                      int64_t now_ms);
/* The same host under the same key: what one of them computes, the other would. */
bool workers_same_machine(const struct workers *workers, int64_t a, int64_t b);
/* A result of its machine was taken. */
bool workers_proven(const struct workers *workers, int64_t worker);
/* It gets no work any more. */
void workers_shut_out(struct workers *workers, int64_t worker, int64_t now_ms);
/* Whether a worker of that host and key was shut out. */
bool workers_unwelcome(const struct workers *workers, const char *host, const char *key);
/* 0 where no worker is connected through it. */
int64_t workers_at(const struct workers *workers, uint64_t peer);
uint64_t workers_peer(const struct workers *workers, int64_t worker);
const struct worker_row *workers_row(const struct workers *workers, int64_t worker);
void workers_heard(struct workers *workers, int64_t worker, int64_t now_ms);
void workers_disconnect(struct workers *workers, int64_t worker);
/* Its connection is gone, but it is still to be told of the end: it counts as connected. */
void workers_miss(struct workers *workers, int64_t worker);
/* So do all those that are awaited. */
void workers_miss_awaited(struct workers *workers);
/* Nobody is waited for any more. */
void workers_forget_missed(struct workers *workers);
/* Nobody could be heard for so long: it counts as no silence. */
void workers_excuse(struct workers *workers, int64_t for_ms);
/* The connected worker that was heard longest ago, 0 where there is none; when that was in *ret_heard_ms. */
int64_t workers_most_silent(const struct workers *workers, int64_t *ret_heard_ms);

/* Puts it in the line for `wanting` trials (or takes it out, with 0). One that rests does not get in; it asks
 * again. */
void workers_want(struct workers *workers, int64_t worker, int64_t wanting, int64_t now_ms);
/* Takes the first of the line for one trial; it stands at the end of the line then if it wants more. 0: none.
 */
int64_t workers_next(struct workers *workers);

void workers_count_result(struct workers *workers, int64_t worker);
void workers_count_lost(struct workers *workers, int64_t worker, int change);
/* A trainer failed on it. From the second time in a row on it rests: 1, 2, 4, … 64 times `rest_ms`. */
void workers_count_failure(struct workers *workers, int64_t worker, int64_t rest_ms, int64_t now_ms);
/* Appends the rows that changed. */
void workers_write(struct workers *workers, struct rows *changes);

#endif
