#include "coordinator/lease.h"

#include "common/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct leases leases_start(int64_t epoch, int64_t length_ms)
{
    assert(epoch > 0 && epoch <= INT32_MAX && length_ms > 0);
    return (struct leases){.epoch = epoch, .length_ms = length_ms};
}

void leases_release(struct leases *leases)
{
    free(leases->items);
    free(leases->held);
    free(leases->group);
    free(leases->group_held);
    map_release(&leases->by_attempt);
    map_release(&leases->by_trial);
    *leases = (struct leases){0};
}

static void list_append(struct leases *leases, uint32_t at)
{
    struct lease *lease = &leases->items[at];
    assert(leases->tail == 0 || leases->items[leases->tail].deadline_ms <= lease->deadline_ms);
    lease->before = leases->tail;
    lease->after = 0;
    if (leases->tail != 0)
        leases->items[leases->tail].after = at;
    else
        leases->head = at;
    leases->tail = at;
}

static void list_remove(struct leases *leases, uint32_t at)
{
    struct lease *lease = &leases->items[at];
    if (lease->before != 0)
        leases->items[lease->before].after = lease->after;
    else
        leases->head = lease->after;
    if (lease->after != 0)
        leases->items[lease->after].before = lease->before;
    else
        leases->tail = lease->before;
}

static uint32_t place_new(struct leases *leases)
{
    if (leases->free_head != 0) {
        uint32_t at = leases->free_head;
        leases->free_head = leases->items[at].after;
        return at;
    }
    if (leases->used + 1 >= leases->capacity) {
        leases->capacity = leases->capacity == 0 ? 64 : leases->capacity * 2;
        leases->items = xrealloc(leases->items, leases->capacity, sizeof *leases->items);
    }
    return ++leases->used;
}

static void make_room_for_worker(struct leases *leases, int64_t worker)
{
    if ((size_t)worker < leases->held_count)
        return;
    size_t wanted = 2 * (size_t)worker + 16, more = wanted - leases->held_count;
    leases->held = xrealloc(leases->held, wanted, sizeof *leases->held);
    leases->group = xrealloc(leases->group, wanted, sizeof *leases->group);
    memset(leases->held + leases->held_count, 0, more * sizeof *leases->held);
    memset(leases->group + leases->held_count, 0, more * sizeof *leases->group);
    leases->held_count = wanted;
}

static void count_held(struct leases *leases, int64_t worker, int64_t change)
{
    uint32_t group = leases->group[worker];
    leases->held[worker] += change;
    assert(leases->held[worker] >= 0);
    if (group != 0)
        leases->group_held[group] += change;
}

void lease_group(struct leases *leases, int64_t worker, uint32_t group)
{
    make_room_for_worker(leases, worker);
    if (group >= leases->group_count) {
        size_t wanted = 2 * (size_t)group + 16;
        leases->group_held = xrealloc(leases->group_held, wanted, sizeof *leases->group_held);
        memset(leases->group_held + leases->group_count, 0,
               (wanted - leases->group_count) * sizeof *leases->group_held);
        leases->group_count = wanted;
    }
    int64_t held = leases->held[worker];
    count_held(leases, worker, -held);
    leases->group[worker] = group;
    count_held(leases, worker, held);
}

int64_t lease_group_held(const struct leases *leases, uint32_t group)
{
    return group != 0 && group < leases->group_count ? leases->group_held[group] : 0;
}

void lease_adopt(struct leases *leases, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms)
{
    assert(attempt > 0 && trial > 0 && worker > 0);
    assert(!lease_find(leases, attempt) && !lease_of_trial(leases, trial));
    uint32_t at = place_new(leases);
    leases->items[at] = (struct lease){.attempt = attempt,
                                       .trial = trial,
                                       .worker = worker,
                                       .deadline_ms = now_ms + leases->length_ms,
                                       .moved_ms = now_ms};
    list_append(leases, at);
    map_set(&leases->by_attempt, (uint64_t)attempt, at);
    map_set(&leases->by_trial, (uint64_t)trial, at);
    make_room_for_worker(leases, worker);
    count_held(leases, worker, 1);
    leases->open++;
}

int64_t lease_grant(struct leases *leases, int64_t trial, int64_t worker, int64_t now_ms)
{
    assert(leases->count < UINT32_MAX);
    int64_t attempt = leases->epoch << 32 | ++leases->count;
    lease_adopt(leases, attempt, trial, worker, now_ms);
    return attempt;
}

const struct lease *lease_find(const struct leases *leases, int64_t attempt)
{
    uint32_t at = map_get(&leases->by_attempt, (uint64_t)attempt);
    return at == 0 ? NULL : &leases->items[at];
}

const struct lease *lease_of_trial(const struct leases *leases, int64_t trial)
{
    uint32_t at = map_get(&leases->by_trial, (uint64_t)trial);
    return at == 0 ? NULL : &leases->items[at];
}

void lease_renew(struct leases *leases, int64_t attempt, int64_t now_ms)
{
    uint32_t at = map_get(&leases->by_attempt, (uint64_t)attempt);
    assert(at != 0);
    list_remove(leases, at);
    leases->items[at].deadline_ms = now_ms + leases->length_ms;
    leases->items[at].heard = true;
    list_append(leases, at);
}

void lease_move(struct leases *leases, int64_t attempt, int64_t step, int64_t now_ms)
{
    uint32_t at = map_get(&leases->by_attempt, (uint64_t)attempt);
    if (at == 0 || step <= leases->items[at].step)
        return;
    leases->items[at].step = step;
    leases->items[at].moved_ms = now_ms;
}

void lease_extend(struct leases *leases, int64_t by_ms)
{
    assert(by_ms >= 0);
    for (uint32_t at = leases->head; at != 0; at = leases->items[at].after) {
        leases->items[at].deadline_ms += by_ms;
        leases->items[at].moved_ms += by_ms;
    }
}

void lease_end(struct leases *leases, int64_t attempt)
{
    uint32_t at = map_get(&leases->by_attempt, (uint64_t)attempt);
    assert(at != 0);
    struct lease *lease = &leases->items[at];
    list_remove(leases, at);
    map_remove(&leases->by_attempt, (uint64_t)attempt);
    map_remove(&leases->by_trial, (uint64_t)lease->trial);
    count_held(leases, lease->worker, -1);
    *lease = (struct lease){.after = leases->free_head};
    leases->free_head = at;
    leases->open--;
}

const struct lease *lease_lapsed(const struct leases *leases, int64_t now_ms)
{
    if (leases->head == 0 || leases->items[leases->head].deadline_ms > now_ms)
        return NULL;
    return &leases->items[leases->head];
}

const struct lease *lease_of_worker(const struct leases *leases, int64_t worker)
{
    if (lease_held(leases, worker) == 0)
        return NULL;
    uint32_t at = leases->head;
    while (leases->items[at].worker != worker)
        at = leases->items[at].after;
    return &leases->items[at];
}

int64_t lease_next_ms(const struct leases *leases)
{
    return leases->head == 0 ? INT64_MAX : leases->items[leases->head].deadline_ms;
}

int64_t lease_held(const struct leases *leases, int64_t worker)
{
    return (size_t)worker < leases->held_count ? leases->held[worker] : 0;
}
