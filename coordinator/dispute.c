#include "coordinator/dispute.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

void disputes_release(struct disputes *disputes)
{
    free(disputes->items);
    map_release(&disputes->by_trial);
    *disputes = (struct disputes){0};
}

int64_t disputes_open(const struct disputes *disputes)
{
    return (int64_t)disputes->by_trial.count;
}

struct dispute *dispute_find(const struct disputes *disputes, int64_t trial)
{
    const uint32_t at = map_get(&disputes->by_trial, (uint64_t)trial);
    return at == 0 ? NULL : &disputes->items[at];
}

static struct dispute *open_dispute(struct disputes *disputes, int64_t trial)
{
    if (disputes->used + 1 >= disputes->capacity) {
        disputes->capacity = disputes->capacity == 0 ? 16 : 2 * disputes->capacity;
        disputes->items = xrealloc(disputes->items, disputes->capacity, sizeof *disputes->items);
    }
    const uint32_t at = ++disputes->used;
    disputes->items[at] = (struct dispute){.trial = trial};
    map_set(&disputes->by_trial, (uint64_t)trial, at);
    return &disputes->items[at];
}

void dispute_add(struct disputes *disputes, int64_t trial, int64_t attempt)
{
    struct dispute *dispute = dispute_find(disputes, trial);
    if (!dispute)
        dispute = open_dispute(disputes, trial);
    if (dispute->count < DISPUTE_ATTEMPTS)
        dispute->attempts[dispute->count++] = attempt;
}

void dispute_remove(struct disputes *disputes, int64_t trial, int64_t attempt)
{
    struct dispute *dispute = dispute_find(disputes, trial);
    int at = 0;
    while (dispute && at < dispute->count && dispute->attempts[at] != attempt)
        at++;
    if (!dispute || at == dispute->count)
        return;
    dispute->count--;
    memmove(&dispute->attempts[at], &dispute->attempts[at + 1],
            (size_t)(dispute->count - at) * sizeof *dispute->attempts);
    if (dispute->count > 0)
        return;
    map_remove(&disputes->by_trial, (uint64_t)trial);
    dispute->trial = 0;
}
