/* random: uniform token sequences, none twice.
 *
 * Proposal n is the image of n under a pseudo-random permutation of 0 … strings−1: a Feistel network over the
 * smallest even number of bits that holds them, applied again while the image is too large ("cycle walking";
 * Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002). So nothing is remembered, and the state is
 * the number of proposals. A space of 2^64 strings or more is sampled with replacement; a repetition there is
 * a wonder.
 */
#include "coordinator/search/algorithm.h"

#include <stdlib.h>

enum { ROUNDS = 8 };

struct random_search {
    const struct space *space;
    uint64_t seed;
    bool countable; /* fewer than 2^64 strings */
    uint64_t strings;
    int half_bits; /* the network permutes 2 × half_bits bits */
};

static void *random_new(const struct experiment *experiment, const struct space *space)
{
    struct random_search *search = xcalloc(1, sizeof *search);
    double approximate;
    search->space = space;
    search->seed = experiment->seed;
    search->strings = space_strings(space, &search->countable, &approximate);
    search->half_bits = 1;
    while (search->half_bits < 32 && (search->strings - 1) >> (2 * search->half_bits) != 0)
        search->half_bits++;
    return search;
}

static uint64_t permute(const struct random_search *search, uint64_t value)
{
    uint64_t mask = (UINT64_C(1) << search->half_bits) - 1;
    uint64_t left = value >> search->half_bits, right = value & mask;
    for (int round = 0; round < ROUNDS; round++) {
        struct rng rng = rng_seed(search->seed, "permutation", right * ROUNDS + (uint64_t)round);
        uint64_t mixed = (left ^ rng_u64(&rng)) & mask;
        left = right;
        right = mixed;
    }
    return left << search->half_bits | right;
}

static enum search_answer random_next(void *state, struct proposal *proposal)
{
    const struct random_search *search = state;
    if (!search->countable) {
        struct rng rng = rng_seed(search->seed, "random", proposal->number);
        space_sample(search->space, &rng, proposal->tokens);
        return SEARCH_PROPOSED;
    }
    if (proposal->number >= search->strings)
        return SEARCH_DONE;
    uint64_t index = proposal->number;
    do
        index = permute(search, index);
    while (index >= search->strings);
    space_unrank(search->space, index, proposal->tokens);
    return SEARCH_PROPOSED;
}

const struct search_algorithm search_random = {
    .name = "random",
    .new = random_new,
    .destroy = free,
    .next = random_next,
};
