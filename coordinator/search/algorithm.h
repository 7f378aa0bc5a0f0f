/* algorithm: what a search algorithm gives to coordinator/search/search.c, and the table of all of them.
 *
 * search.c numbers the proposals, knows which of them are open, and frames saved states; an algorithm sees
 * only well-formed calls and keeps what it learns behind a pointer of its own. To add one: a file with a row,
 * a line in ALGORITHM_TABLE, its name in common/experiment.h and common/experiment.def.
 */
#ifndef COORDINATOR_SEARCH_ALGORITHM_H
#define COORDINATOR_SEARCH_ALGORITHM_H

#include "coordinator/search/search.h"

/* What search.c knows of the proposals: how many were made, and the numbers of those without a reward,
 * ascending. */
struct search_frame {
    uint64_t proposals;
    const uint64_t *open;
    size_t open_count;
};

struct search_algorithm {
    const char *name;
    void *(*new)(const struct experiment *experiment, const struct space *space); /* borrows the space */
    void (*destroy)(void *state);
    /* proposal->number is set, the rest is zero. */
    enum search_answer (*next)(void *state, struct proposal *proposal);
    /* The rest may be NULL, for an algorithm that does not learn and whose next depends on the number alone.
     */
    void (*report)(void *state, uint64_t number, double reward);
    void (*status)(const void *state, struct search_status *status); /* policy_version and what follows it */
    void (*save)(const void *state, struct buf *buf);
    /* Takes what save put, and no more. ERR_CORRUPT where anything is odd. */
    int (*load)(void *state, struct cursor *cursor, const struct search_frame *frame);
    /* What changes only with the policy's version, where that is large; NULL in the others. load comes after
     * load_model, or alone at version 0. */
    void (*save_model)(const void *state, struct buf *buf);
    int (*load_model)(void *state, struct cursor *cursor);
};

#define ALGORITHM_TABLE(ROW)                                                                                 \
    ROW(ALGORITHM_EXHAUSTIVE, search_exhaustive)                                                             \
    ROW(ALGORITHM_RANDOM, search_random)                                                                     \
    ROW(ALGORITHM_EVOLUTION, search_evolution)                                                               \
    ROW(ALGORITHM_RL, search_rl)                                                                             \
    ROW(ALGORITHM_NONE, search_none)

#define ALGORITHM_ROW(id, row) extern const struct search_algorithm row;
ALGORITHM_TABLE(ALGORITHM_ROW)
#undef ALGORITHM_ROW

#endif
