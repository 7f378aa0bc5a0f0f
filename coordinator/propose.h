/* propose: keeps the queue filled from the search, gives the search its rewards, and decides when it is over.
 * Pure.
 *
 * Invariants
 * 1. Proposals are admitted in the order of their numbers. Which candidates there are, and when the search
 *    is over, depends only on the proposals and on the rewards of earlier ones: not on when the results
 *    arrive, nor on how far ahead the queue is filled. (The proposals of an asynchronous search that learns
 *    do depend on it.)
 * 2. Every proposal is rewarded once: at once where it is rejected (0) or a duplicate of a candidate whose
 *    trials of rung 0 are all closed, else when the last of these closes.
 * 3. An asynchronous search that learns does not run ahead: a proposal is made only when a worker waits for
 *    a trial, from all that is known then; and repetitions of functions that are still in training stop it
 *    when there are as many as open trials, and at least search.batch.
 * 4. References are the first candidates, in the order of the file; they count neither as candidates nor as
 *    proposals. Where nothing else is trained (search.algorithm = none) they and their seeds may grow.
 */
#ifndef COORDINATOR_PROPOSE_H
#define COORDINATOR_PROPOSE_H

#include "coordinator/admit.h"
#include "coordinator/halving.h"
#include "coordinator/ledger.h"
#include "coordinator/queue.h"
#include "coordinator/search/search.h"

struct propose {
    const struct experiment *experiment; /* borrowed, as are the next four */
    struct ledger *ledger;
    struct queue *queue;
    struct rows *kept;
    struct rows *changes;
    struct search *search;
    struct admit admit;
    struct halving halving;
    struct waiting {
        struct proposal_row *items;
        size_t count, capacity;
    } * waiting; /* by candidate: the proposals that wait for its reward, in order */
    size_t waiting_capacity;
    int64_t repetitions;   /* of the proposals that wait: those that are not the first of their candidate */
    int64_t model_version; /* of the policy whose model was written last; 0: none */
    const char *over;      /* why no more is proposed; NULL while more is */
};

/* Restores from `kept` (after the ledger), or admits the references where there is nothing yet. ERR_CORRUPT,
 * or ERR_INPUT where a reference is bad. */
int propose_start(struct propose *propose, const struct experiment *experiment, const struct space *space,
                  struct ledger *ledger, struct queue *queue, struct rows *kept, struct rows *changes,
                  struct problem *problem);
void propose_release(struct propose *propose);

/* Admits proposals until `wanted` trials are ready and a stock beyond them (none where the search must not
 * run ahead), the search waits or is over, or `budget` of them were made; and promotes candidates
 * (halving.h). True where only the budget ended it. */
bool propose_fill(struct propose *propose, size_t wanted, int budget);
/* That trial has closed; `rewarded`: with it the reward of its candidate is known, and what waited for it is
 * told. */
void propose_closed(struct propose *propose, int64_t trial, bool rewarded);
/* That trial, which was closed, is open again. The search is told nothing: what it was told stays told. */
void propose_reopened(struct propose *propose, int64_t trial);
/* Appends the state of the search, if it changed, and its model, if that did. */
void propose_write(struct propose *propose, int64_t now_ms);

#endif
