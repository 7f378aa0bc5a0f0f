/* elite: the best sequences of a search so far, to be learnt from again.
 *
 * Invariants: members are distinct sequences in descending order of reward, of equals the earlier first; there
 * are never more than `size`. */
#ifndef COORDINATOR_SEARCH_ELITE_H
#define COORDINATOR_SEARCH_ELITE_H

#include "common/buf.h"
#include "common/space.h"

struct elite {
    const struct space *space; /* borrowed */
    size_t size, count;
    struct elite_member {
        double reward;
        uint16_t tokens[SPACE_MAX_TOKENS];
    } * member;
};

void elite_init(struct elite *elite, const struct space *space, size_t size);
void elite_release(struct elite *elite);

/* tokens: SPACE_MAX_TOKENS, with zeros behind those of the space. */
void elite_add(struct elite *elite, const uint16_t *tokens, double reward);

void elite_save(const struct elite *elite, struct buf *buf);
/* Into a fresh one. ERR_CORRUPT where anything is odd. */
int elite_load(struct elite *elite, struct cursor *cursor);

#endif
