#include "coordinator/search/known.h"

#include "common/err.h"
#include "common/hash.h"

#include <stdlib.h>

enum { FIRST_PLACES = 64 };

static void generation_release(struct generation *generation)
{
    free(generation->hash);
    free(generation->place);
    *generation = (struct generation){0};
}

/* The place of a hash, or the empty one where it belongs; there are places. */
static uint64_t *place_of(const struct generation *generation, uint64_t hash)
{
    size_t at = (size_t)hash & (generation->places - 1);
    while (generation->place[at] != 0 && generation->place[at] != hash)
        at = (at + 1) & (generation->places - 1);
    return &generation->place[at];
}

static bool generation_has(const struct generation *generation, uint64_t hash)
{
    return generation->places > 0 && *place_of(generation, hash) != 0;
}

static void generation_add(struct generation *generation, uint64_t hash)
{
    if (2 * (generation->count + 1) >= generation->places) {
        generation->places = generation->places == 0 ? FIRST_PLACES : 2 * generation->places;
        generation->hash = xrealloc(generation->hash, generation->places / 2, sizeof *generation->hash);
        free(generation->place);
        generation->place = xcalloc(generation->places, sizeof *generation->place);
        for (size_t i = 0; i < generation->count; i++)
            *place_of(generation, generation->hash[i]) = generation->hash[i];
    }
    generation->hash[generation->count++] = hash;
    *place_of(generation, hash) = hash;
}

void known_init(struct known *known, size_t steps)
{
    *known = (struct known){.steps = steps};
}

void known_release(struct known *known)
{
    generation_release(&known->young);
    generation_release(&known->old);
}

/* Never 0, which is an empty place. */
static uint64_t key_of(const struct known *known, const uint16_t *tokens)
{
    uint64_t hash = hash64(tokens, known->steps * sizeof *tokens);
    return hash == 0 ? 1 : hash;
}

static bool has_hash(const struct known *known, uint64_t hash)
{
    return generation_has(&known->young, hash) || generation_has(&known->old, hash);
}

bool known_has(const struct known *known, const uint16_t *tokens)
{
    return has_hash(known, key_of(known, tokens));
}

static void add_hash(struct known *known, uint64_t hash)
{
    if (known->young.count == KNOWN_GENERATION) {
        generation_release(&known->old);
        known->old = known->young;
        known->young = (struct generation){0};
    }
    generation_add(&known->young, hash);
}

void known_add(struct known *known, const uint16_t *tokens)
{
    uint64_t hash = key_of(known, tokens);
    if (!has_hash(known, hash))
        add_hash(known, hash);
}

static void save_generation(const struct generation *generation, struct buf *buf)
{
    buf_put_u64(buf, generation->count);
    for (size_t i = 0; i < generation->count; i++)
        buf_put_u64(buf, generation->hash[i]);
}

void known_save(const struct known *known, struct buf *buf)
{
    save_generation(&known->old, buf);
    save_generation(&known->young, buf);
}

static int load_generation(struct generation *generation, struct cursor *cursor)
{
    uint64_t count = cursor_take_u64(cursor);
    if (cursor->failed || count > KNOWN_GENERATION)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t hash = cursor_take_u64(cursor);
        if (cursor->failed || hash == 0 || generation_has(generation, hash))
            return ERR_CORRUPT;
        generation_add(generation, hash);
    }
    return 0;
}

int known_load(struct known *known, struct cursor *cursor)
{
    int err = load_generation(&known->old, cursor);
    if (!err && known->old.count != 0 && known->old.count != KNOWN_GENERATION)
        err = ERR_CORRUPT;
    return err ? err : load_generation(&known->young, cursor);
}
