/* queue: the trials that are ready to be leased. Pure.
 *
 * The lowest number goes first, whatever the order in which they came (back), so that the queue does not
 * depend on the order of arrival and an old trial that was lost is not left behind.
 *
 * Invariants
 * 1. heap[0 … count) is a binary heap by trial number: heap[(i − 1) / 2] < heap[i].
 * 2. place[trial] is 1 + its index in the heap, 0 where it is not in it: a trial is in the queue at most
 *    once.
 */
#ifndef COORDINATOR_QUEUE_H
#define COORDINATOR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
    int64_t *heap;
    size_t count;
    size_t capacity;
    size_t *place;
    size_t place_count;
};

void queue_put(struct queue *queue, int64_t trial);                    /* must not be in it */
void queue_put_last(struct queue *queue, int64_t last, int64_t count); /* trials last − count + 1 … last */
int64_t queue_take(struct queue *queue);                               /* the lowest; 0 where it is empty */
bool queue_remove(struct queue *queue, int64_t trial);                 /* false: it was not in it */
bool queue_has(const struct queue *queue, int64_t trial);
void queue_release(struct queue *queue);

#endif
