#include "coordinator/queue.h"

#include "common/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void stand(struct queue *queue, size_t at, int64_t trial)
{
    queue->heap[at] = trial;
    queue->place[trial] = at + 1;
}

static void rise(struct queue *queue, size_t at)
{
    int64_t trial = queue->heap[at];
    while (at > 0 && queue->heap[(at - 1) / 2] > trial) {
        stand(queue, at, queue->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    stand(queue, at, trial);
}

static void sink(struct queue *queue, size_t at)
{
    int64_t trial = queue->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count && queue->heap[child + 1] < queue->heap[child])
            child++;
        if (queue->heap[child] > trial)
            break;
        stand(queue, at, queue->heap[child]);
        at = child;
    }
    stand(queue, at, trial);
}

bool queue_has(const struct queue *queue, int64_t trial)
{
    return (size_t)trial < queue->place_count && queue->place[trial] != 0;
}

void queue_put(struct queue *queue, int64_t trial)
{
    assert(trial > 0 && !queue_has(queue, trial));
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
        queue->heap = xrealloc(queue->heap, queue->capacity, sizeof *queue->heap);
    }
    if ((size_t)trial >= queue->place_count) {
        size_t wanted = 2 * (size_t)trial + 64;
        queue->place = xrealloc(queue->place, wanted, sizeof *queue->place);
        memset(queue->place + queue->place_count, 0, (wanted - queue->place_count) * sizeof *queue->place);
        queue->place_count = wanted;
    }
    queue->heap[queue->count] = trial;
    rise(queue, queue->count++);
}

void queue_put_last(struct queue *queue, int64_t last, int64_t count)
{
    for (int64_t trial = last - count + 1; trial <= last; trial++)
        queue_put(queue, trial);
}

bool queue_remove(struct queue *queue, int64_t trial)
{
    if (!queue_has(queue, trial))
        return false;
    size_t at = queue->place[trial] - 1;
    queue->place[trial] = 0;
    int64_t last = queue->heap[--queue->count];
    if (last != trial) { /* the last one fills the hole, and goes up or down from there */
        stand(queue, at, last);
        rise(queue, at);
        sink(queue, queue->place[last] - 1);
    }
    return true;
}

int64_t queue_take(struct queue *queue)
{
    if (queue->count == 0)
        return 0;
    int64_t trial = queue->heap[0];
    queue_remove(queue, trial);
    return trial;
}

void queue_release(struct queue *queue)
{
    free(queue->heap);
    free(queue->place);
    *queue = (struct queue){0};
}
