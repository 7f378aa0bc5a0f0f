/* admit: from a proposal's tokens to a new candidate, a duplicate of one, or a rejection with its reason.
 * Pure.
 *
 * Invariants
 * 1. What becomes of a proposal depends only on the functions admitted before it, in their order: so on the
 *    numbers of the proposals and never on the order in which results arrive.
 * 2. A candidate stands for one function; admitting the texts of candidates 1 … n in order to a new `struct
 *    admit` (admit_restore) gives one that answers the same ever after.
 * 3. References are candidates even where they are not usable: the user asked for them.
 */
#ifndef COORDINATOR_ADMIT_H
#define COORDINATOR_ADMIT_H

#include "common/functions.h"
#include "common/space.h"
#include "coordinator/rows.h"

struct admit {
    const struct space *space; /* borrowed */
    struct functions *functions;
    int64_t *candidate_of; /* by function; 0: not worth a trial */
    size_t candidate_of_count;
};

struct admission {
    enum proposal_outcome outcome;
    enum verdict verdict;
    int64_t candidate;       /* the new one, or the one that was there; 0: rejected */
    const char *activation;  /* canonical string, lives as long as the admit; "" where it is too large */
    struct hash fingerprint; /* zero where it is too large */
};

void admit_start(struct admit *admit, const struct space *space);
void admit_release(struct admit *admit);

/* `next_candidate` is the number that a new candidate gets. */
struct admission admit_tokens(struct admit *admit, const uint16_t *tokens, int64_t next_candidate);
struct admission admit_reference(struct admit *admit, const struct expr *expr, int64_t next_candidate);
/* A candidate of an earlier run, whose canonical form and fingerprint are taken for true. ERR_CORRUPT where
 * the text cannot be read or is a function of another one. */
int admit_restore(struct admit *admit, const struct candidate_row *row, struct problem *problem);

#endif
