#include "coordinator/map.h"

#include "common/err.h"

#include <assert.h>
#include <stdlib.h>

/* The finalizer of splitmix64: neighbouring keys (attempts are counted up) land far apart. */
static size_t place_of(const struct map *map, uint64_t key)
{
    key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(key ^ key >> 31) & (map->capacity - 1);
}

/* The place of the key, or the free place where it would go. */
static struct map_place *find(const struct map *map, uint64_t key)
{
    size_t at = place_of(map, key);
    while (map->places[at].value != 0 && map->places[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return &map->places[at];
}

uint32_t map_get(const struct map *map, uint64_t key)
{
    return map->capacity == 0 ? 0 : find(map, key)->value;
}

static void grow(struct map *map)
{
    struct map old = *map;
    map->capacity = old.capacity == 0 ? 16 : old.capacity * 2;
    map->places = xcalloc(map->capacity, sizeof *map->places);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.places[i].value != 0)
            *find(map, old.places[i].key) = old.places[i];
    free(old.places);
}

void map_set(struct map *map, uint64_t key, uint32_t value)
{
    assert(value != 0);
    if (2 * (map->count + 1) > map->capacity)
        grow(map);
    struct map_place *place = find(map, key);
    if (place->value == 0)
        map->count++;
    *place = (struct map_place){key, value};
}

void map_remove(struct map *map, uint64_t key)
{
    if (map_get(map, key) == 0)
        return;
    size_t mask = map->capacity - 1;
    size_t hole = (size_t)(find(map, key) - map->places);
    map->places[hole].value = 0;
    map->count--;
    /* What stands behind the hole moves up, unless it is between its own place and where it stands. */
    for (size_t at = (hole + 1) & mask; map->places[at].value != 0; at = (at + 1) & mask) {
        size_t home = place_of(map, map->places[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->places[hole] = map->places[at];
            map->places[at].value = 0;
            hole = at;
        }
    }
}

void map_release(struct map *map)
{
    free(map->places);
    *map = (struct map){0};
}
