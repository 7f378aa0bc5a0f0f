/* lease: which trial is out with which worker, under which attempt number, and until when. Pure.
 *
 * Invariants
 * 1. An attempt number, epoch << 32 | count, is never given twice: the epoch is durable and above all
 *    earlier ones before the first lease, and the count goes up.
 * 2. A trial has at most one open lease.
 * 3. All leases have the same length and `now_ms` never goes back, so that the list in order of renewal is
 *    the list in order of deadlines: a renewal moves to the tail, and only the head can have lapsed.
 * 4. held[worker] is the number of open leases of that worker.
 * 5. moved_ms is when the training last showed a further step, or the lease began; a renewal alone does not
 *    change it.
 * 6. `heard` is true once the worker has shown that it holds the lease.
 * 7. group_held[group] is the sum of held over the workers of that group (0: of none, and not counted).
 */
#ifndef COORDINATOR_LEASE_H
#define COORDINATOR_LEASE_H

#include "coordinator/map.h"

#include <stdbool.h>
#include <stdint.h>

struct lease {
    int64_t attempt; /* 0: this place is free */
    int64_t trial;
    int64_t worker;
    int64_t deadline_ms;
    int64_t step; /* of the training, as its worker says */
    int64_t moved_ms;
    bool heard;
    uint32_t before, after; /* neighbours in the list of deadlines; 0: none */
};

struct leases {
    int64_t epoch;
    int64_t count; /* attempts given in this epoch */
    int64_t length_ms;
    struct lease *items; /* from 1 */
    uint32_t used, capacity, free_head;
    uint32_t head, tail; /* oldest and newest deadline */
    size_t open;
    struct map by_attempt;
    struct map by_trial;
    int64_t *held;
    uint32_t *group; /* beside held: the group that the worker belongs to */
    size_t held_count;
    int64_t *group_held;
    size_t group_count;
};

struct leases leases_start(int64_t epoch, int64_t length_ms);
void leases_release(struct leases *leases);

/* Leases a trial under a new attempt number, which it returns. */
int64_t lease_grant(struct leases *leases, int64_t trial, int64_t worker, int64_t now_ms);
/* Opens a lease that has its number already: restored, or held by a worker that was believed lost. */
void lease_adopt(struct leases *leases, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms);
/* NULL where there is no such open lease. Borrowed until the next call that opens one. */
const struct lease *lease_find(const struct leases *leases, int64_t attempt);
const struct lease *lease_of_trial(const struct leases *leases, int64_t trial);
/* The worker has shown that it holds it. */
void lease_renew(struct leases *leases, int64_t attempt, int64_t now_ms);
/* The training has come to that step. */
void lease_move(struct leases *leases, int64_t attempt, int64_t step, int64_t now_ms);
/* Nobody could be heard for so long: all deadlines move by that much. */
void lease_extend(struct leases *leases, int64_t by_ms);
void lease_end(struct leases *leases, int64_t attempt);
/* An open lease whose deadline has passed, or NULL; the caller ends it. */
const struct lease *lease_lapsed(const struct leases *leases, int64_t now_ms);
/* Any open lease of the worker, or NULL. */
const struct lease *lease_of_worker(const struct leases *leases, int64_t worker);
/* When the next one lapses; INT64_MAX where none is open. */
int64_t lease_next_ms(const struct leases *leases);
int64_t lease_held(const struct leases *leases, int64_t worker);
/* Makes the worker, with all that it holds, one of that group. */
void lease_group(struct leases *leases, int64_t worker, uint32_t group);
int64_t lease_group_held(const struct leases *leases, uint32_t group);

static inline int64_t attempt_epoch(int64_t attempt)
{
    return attempt >> 32;
}

#endif
