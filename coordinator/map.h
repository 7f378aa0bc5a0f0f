/* map: 64-bit keys to 32-bit values, with open addressing. For peers, attempts and names.
 *
 * Invariants: a value is never 0 (0 means "not there"); at most half of the places are taken. The order of
 * the keys means nothing and is never asked for, so that nothing can depend on it.
 */
#ifndef COORDINATOR_MAP_H
#define COORDINATOR_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map {
    struct map_place {
        uint64_t key;
        uint32_t value; /* 0: free */
    } * places;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

uint32_t map_get(const struct map *map, uint64_t key);
void map_set(struct map *map, uint64_t key, uint32_t value);
void map_remove(struct map *map, uint64_t key);
void map_release(struct map *map);

#endif
