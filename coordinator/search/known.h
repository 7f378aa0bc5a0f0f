/* known: the sequences that were proposed lately, so that a search need not propose them again.
 *
 * Invariants: a sequence is known by the hash of its tokens. Two generations are kept, KNOWN_GENERATION each at
 * most: when the young one is full, the old one is forgotten and the young one grows old. So the latest
 * KNOWN_GENERATION sequences at least are known, and what is saved stays small. The same additions in the same
 * order make the same bytes.
 */
#ifndef COORDINATOR_SEARCH_KNOWN_H
#define COORDINATOR_SEARCH_KNOWN_H

#include "common/buf.h"

enum { KNOWN_GENERATION = 32768 };

struct known {
    size_t steps; /* tokens of a sequence */
    struct generation {
        uint64_t *hash; /* in the order of addition */
        size_t count;
        uint64_t *place; /* open addressing: a hash, or 0 */
        size_t places;   /* a power of two, more than twice count */
    } young, old;
};

void known_init(struct known *known, size_t steps);
void known_release(struct known *known);

bool known_has(const struct known *known, const uint16_t *tokens);
void known_add(struct known *known, const uint16_t *tokens); /* nothing where it is known */

void known_save(const struct known *known, struct buf *buf);
/* Into a fresh one. ERR_CORRUPT where the sizes cannot be. */
int known_load(struct known *known, struct cursor *cursor);

#endif
