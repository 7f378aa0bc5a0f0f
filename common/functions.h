/* functions: the set of distinct functions met so far, which finds duplicates (DESIGN 4.1, 4.2).
 *
 * Two strings are one function when their canonical texts are equal, or when their fingerprints are equal and
 * expr_same_function confirms it. Functions that are not usable (constant, not finite, …) are told apart by
 * canonical text alone: where values are NaN or all the same, a fingerprint says nothing.
 *
 * Invariants: ids count 0, 1, 2, … in the order of first appearance, so adding the canonical texts of
 * functions 0 … n−1 in order to an empty set rebuilds it. The first string met stands for its function. What
 * functions_add returns lives as long as the set.
 */
#ifndef COMMON_FUNCTIONS_H
#define COMMON_FUNCTIONS_H

#include "common/expr/expr.h"
#include "common/expr/fingerprint.h"
#include "common/space.h"

struct function {
    int64_t id;
    enum verdict verdict;
    struct hash fingerprint;
    const char *text; /* of its canonical form: the candidate's activation string */
};

struct functions;

struct functions *functions_new(void);
void functions_destroy(struct functions **functions);

/* The function that `expr` (canonical or not; copied) is; *ret_new says whether it was added now. ret_new may
 * be NULL. */
const struct function *functions_add(struct functions *functions, const struct expr *expr, bool *ret_new);

/* A usable function whose canonical form (`canonical`, taken over) and fingerprint are known from before, so
 * that neither is computed again. *ret_new as above; where it is false, `canonical` is gone all the same. */
const struct function *functions_restore(struct functions *functions, struct expr **canonical,
                                         const struct hash *fingerprint, bool *ret_new);

/* Refuses a space of which nothing could ever be trained: ERR_INPUT where none of some thousand functions drawn
 * from it (all of a small one) is usable. It ends at the first that is. */
int functions_any_usable(const struct space *space, uint64_t seed, struct problem *problem);

int64_t functions_count(const struct functions *functions);
const struct function *functions_at(const struct functions *functions, int64_t id); /* 0 ≤ id < count */

#endif
