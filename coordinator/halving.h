/* halving: which candidates get trials of which rung. Pure.
 *
 * Rung r of R trains experiment_rung_steps (r) steps, from scratch and under a schedule of its own, on all
 * seeds. Every candidate gets trials of rung 0; that is what the search is rewarded for, so that all rewards
 * are accuracies of one length, and a candidate is neither better nor worse off for having been promoted. A
 * reference gets trials of rung 0 and of the top rung.
 *
 * Synchronous: the candidates of a batch (search.batch proposals) climb together. Once all of them are there
 * and all their trials of a rung are closed, the best ⌈n/eta⌉ of the n that were there go on to the next.
 *
 * Asynchronous (ASHA; Li et al., arXiv:1810.05934): nobody waits for anybody. Whenever trials are wanted, the
 * best that is among the first ⌊n/eta⌋ of the n that are through with a rung, and was not promoted yet, goes
 * on; the highest rung first. Where there is none, something new is proposed. At the end ⌈n/eta⌉ count.
 *
 * Invariants
 * 1. What is promoted follows from the trials that are closed and from what has been promoted before, so
 * nothing else is kept: at a start all of it is looked at again, and what is there already is not made again.
 * 2. Synchronous: that does not depend on the order in which results came, nor on other batches. (A search
 * that ended in the middle of a batch and was then allowed to go on completes that batch, and what was
 * promoted stays promoted.)
 * 3. Of a candidate without any accuracy in a rung nothing is promoted.
 * 4. Synchronous: batches[b].open is the number of the open trials of its candidates, the finals apart.
 * 5. Asynchronous: through[r] holds the candidates whose trials of rung r are all closed, the best first;
 * those before `promoted` are promoted.
 */
#ifndef COORDINATOR_HALVING_H
#define COORDINATOR_HALVING_H

#include "common/experiment.h"
#include "coordinator/contender.h"
#include "coordinator/ledger.h"
#include "coordinator/queue.h"

struct halving {
    const struct experiment *experiment; /* borrowed, as are the next two */
    struct ledger *ledger;
    struct queue *queue;
    struct climbing_batch {
        int64_t first, count; /* its candidates, numbered one after the other; 0: none yet */
        int64_t open;
        bool listed; /* to be looked at */
    } * batches;
    size_t batch_capacity;
    int64_t *to_look_at; /* batches of which something has closed, or that were not complete when it did */
    size_t to_look_at_count, to_look_at_capacity;
    struct through {
        struct contender *items;
        size_t count, capacity;
        size_t promoted;
    } through[MAX_RUNGS]; /* by rung, but for the top one */
};

/* After the ledger: with all candidates that are there. */
void halving_start(struct halving *halving, const struct experiment *experiment, struct ledger *ledger,
                   struct queue *queue);
void halving_release(struct halving *halving);

/* A new candidate: makes its first trials, ready. */
void halving_admit(struct halving *halving, int64_t candidate);
/* That trial has closed. */
void halving_closed(struct halving *halving, int64_t trial);
/* That trial, which was closed, is open again. What was promoted stays so. */
void halving_reopened(struct halving *halving, int64_t trial);
/* Synchronous: promotes what can be promoted now. `proposals` were made so far; `over`: no more will be. */
void halving_climb(struct halving *halving, int64_t proposals, bool over);
/* Asynchronous: promotes one candidate. False where none can be. `last`: the search is over, and nothing is
 * open. */
bool halving_promote(struct halving *halving, bool last);

#endif
