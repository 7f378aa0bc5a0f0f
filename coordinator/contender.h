/* contender: a candidate that competes for longer trainings, with the figures that it competes by. Pure.
 *
 * The order is that of the ranked list: the higher rung first, then the higher accuracy, then the lower loss,
 * then the activation bytewise. It is total, so who is among the best does not depend on the order in which
 * results came.
 */
#ifndef COORDINATOR_CONTENDER_H
#define COORDINATOR_CONTENDER_H

#include "coordinator/ledger.h"

struct contender {
    int64_t candidate;
    int64_t rung;
    double accuracy, loss;  /* NaN: none */
    const char *activation; /* borrowed from the ledger */
    bool able;              /* one of its trials has an accuracy: what diverges or fails goes no further */
};

/* `figures` are those of its trials of that rung. */
struct contender contender_of(const struct candidate_row *row, int64_t rung, const struct figures *figures);
/* For qsort: the better one first. Those that are not able come after those of their rung that are. */
int contender_compare(const void *a, const void *b);
void contenders_sort(struct contender *contenders, size_t count);

#endif
