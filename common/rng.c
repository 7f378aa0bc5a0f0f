#include "common/rng.h"

#include "common/vecmath.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct rng rng_seed(uint64_t seed, const char *purpose, uint64_t index)
{
    uint64_t state = seed;
    for (const char *c = purpose; *c; c++)
        state = splitmix64(&state) ^ (uint8_t)*c;
    state = splitmix64(&state) ^ index;
    struct rng rng;
    for (int i = 0; i < 4; i++)
        rng.s[i] = splitmix64(&state);
    return rng;
}

static uint64_t rotate_left(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound > 0);
    uint64_t threshold = -bound % bound; /* values below it would make the first remainders likelier */
    uint64_t value;
    do
        value = rng_u64(rng);
    while (value < threshold);
    return value % bound;
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

double rng_normal(struct rng *rng)
{
    double u = 1.0 - rng_uniform(rng); /* (0, 1]: its logarithm is finite */
    double v = rng_uniform(rng);
    return sqrt(-2.0 * vm_log(u)) * vm_cos(6.283185307179586 * v);
}

void rng_shuffle(struct rng *rng, uint32_t *items, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)rng_below(rng, i);
        uint32_t t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}

void rng_save(const struct rng *rng, struct buf *buf)
{
    for (int i = 0; i < 4; i++)
        buf_put_u64(buf, rng->s[i]);
}

void rng_load(struct rng *rng, struct cursor *cursor)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = cursor_take_u64(cursor);
}
