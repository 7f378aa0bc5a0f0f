/* rng: the one random number generator, xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64.
 *
 * The state is a value: copy it to fork it, save its four words to go on later. The numbers are the same on every machine.
 * Streams: rng_seed(seed, "augment", 3) and rng_seed(seed, "weights", 0) have nothing to do with each other.
 */
#ifndef COMMON_RNG_H
#define COMMON_RNG_H

#include "common/buf.h"

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* A generator for one purpose (a short name) and one index within it. */
struct rng rng_seed(uint64_t seed, const char *purpose, uint64_t index);
uint64_t rng_u64(struct rng *rng);
/* Uniform in 0 … bound−1, without bias; bound ≥ 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *rng);
/* Standard normal (Box–Muller; two uniform numbers each, nothing kept). */
double rng_normal(struct rng *rng);
/* Shuffles items[0 … count) (Fisher–Yates). */
void rng_shuffle(struct rng *rng, uint32_t *items, uint32_t count);

void rng_save(const struct rng *rng, struct buf *buf);
void rng_load(struct rng *rng, struct cursor *cursor);

#endif
