/* finals: after the search the best candidates, and the references, are trained again, longer and on more
 * seeds. Pure.
 *
 * Who is among the best follows from the trials of the search alone, never from those of the finals: so a
 * coordinator that is started again, or with larger finals, comes to the same choice, and makes just the
 * trials that are not there yet. Where the finals train as long as the search did, its trials are the first
 * seeds of the finals.
 */
#ifndef COORDINATOR_FINALS_H
#define COORDINATOR_FINALS_H

#include "common/experiment.h"
#include "coordinator/ledger.h"
#include "coordinator/queue.h"

/* The search is over and all its trials are closed: makes the trials of the finals that are not there yet,
 * ready, and returns how many. */
int64_t finals_begin(const struct experiment *experiment, struct ledger *ledger, struct queue *queue);

#endif
