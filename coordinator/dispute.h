/* dispute: the trials of which some host has reported other bits than those that stand, and who has said what.
 * Pure. How a dispute is decided stands in judge.h.
 *
 * Invariants
 * 1. A trial has at most one dispute, and each dispute at least one differing attempt.
 * 2. The attempts of a dispute stand in the order in which they were reported; what each reported is its
 *    reason in the ledger (outcome_text in judge.c), so that equal texts are equal bits.
 */
#ifndef COORDINATOR_DISPUTE_H
#define COORDINATOR_DISPUTE_H

#include "coordinator/map.h"

#include <stdbool.h>

enum {
    DISPUTE_ATTEMPTS = 8
}; /* differing reports of one trial that are kept; nobody is asked after so many */

struct dispute {
    int64_t trial; /* 0: this place is free */
    int64_t attempts[DISPUTE_ATTEMPTS];
    int count;
};

struct disputes {
    struct dispute *items; /* from 1 */
    uint32_t used, capacity;
    struct map by_trial;
};

void disputes_release(struct disputes *disputes);
int64_t disputes_open(const struct disputes *disputes);
/* NULL: there is none. Until the next dispute_add. */
struct dispute *dispute_find(const struct disputes *disputes, int64_t trial);
/* That attempt at the trial has reported other bits. */
void dispute_add(struct disputes *disputes, int64_t trial, int64_t attempt);
/* That attempt, if it is there, says nothing against what stands any more; with the last of them the dispute is over. */
void dispute_remove(struct disputes *disputes, int64_t trial, int64_t attempt);

#endif
