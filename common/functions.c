#include "common/functions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From a hash to the id of a function: open addressing, linear probing, at most half full. */
struct map_slot {
    struct hash key;
    int64_t id; /* NO_FUNCTION: free */
};
struct map {
    struct map_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

enum {
    NO_FUNCTION = -1,
    FIRST_CAPACITY = 256,
    SHORT_TEXT = EXPR_MAX_DEPTH - 10, /* bytes: too few to nest deeper than can be parsed again */
};

/* The slot that holds the key, or the free one where it would go. The keys are hashes already: any eight
 * bytes will do. */
static struct map_slot *map_slot(const struct map *map, const struct hash *key)
{
    uint64_t start;
    memcpy(&start, key->bytes, sizeof start);
    for (size_t i = (size_t)start & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
        struct map_slot *slot = &map->slots[i];
        if (slot->id == NO_FUNCTION || memcmp(&slot->key, key, sizeof *key) == 0)
            return slot;
    }
}

static int64_t map_get(const struct map *map, const struct hash *key)
{
    return map->capacity ? map_slot(map, key)->id : NO_FUNCTION;
}

static void map_put(struct map *map, const struct hash *key, int64_t id)
{
    if (2 * (map->count + 1) > map->capacity) {
        struct map bigger = {.capacity = map->capacity ? 2 * map->capacity : FIRST_CAPACITY,
                             .count = map->count};
        bigger.slots = xcalloc(bigger.capacity, sizeof *bigger.slots);
        for (size_t i = 0; i < bigger.capacity; i++)
            bigger.slots[i].id = NO_FUNCTION;
        for (size_t i = 0; i < map->capacity; i++)
            if (map->slots[i].id != NO_FUNCTION)
                *map_slot(&bigger, &map->slots[i].key) = map->slots[i];
        free(map->slots);
        *map = bigger;
    }
    struct map_slot *slot = map_slot(map, key);
    map->count += slot->id == NO_FUNCTION;
    *slot = (struct map_slot){*key, id};
}

struct entry {
    struct function function;
    struct expr *expr; /* canonical; NULL where it is not usable, or its text is short and can be parsed again
                        */
    char *text;
    int64_t same_fingerprint; /* an older function with this fingerprint that is another function, or
                                 NO_FUNCTION */
};

struct functions {
    struct entry **
        entries; /* by id; each in memory of its own, so that what functions_add returned stays where it is */
    int64_t count;
    size_t capacity;
    struct map by_text;        /* hash of every canonical text met, duplicates too */
    struct map by_fingerprint; /* usable functions; the newest of a chain */
};

struct functions *functions_new(void)
{
    return xcalloc(1, sizeof(struct functions));
}

void functions_destroy(struct functions **functions)
{
    if (!*functions)
        return;
    for (int64_t id = 0; id < (*functions)->count; id++) {
        struct entry *entry = (*functions)->entries[id];
        expr_destroy(&entry->expr);
        free(entry->text);
        free(entry);
    }
    free((*functions)->entries);
    free((*functions)->by_text.slots);
    free((*functions)->by_fingerprint.slots);
    free(*functions);
    *functions = NULL;
}

static bool is_function(const struct entry *entry, const struct expr *expr)
{
    if (entry->expr)
        return expr_same_function(entry->expr, expr);
    struct expr *parsed = NULL;
    struct problem problem;
    int err = expr_parse(entry->text, &parsed, &problem);
    assert(err == 0);
    (void)err;
    bool same = expr_same_function(parsed, expr);
    expr_destroy(&parsed);
    return same;
}

static int64_t find_confirmed(const struct functions *functions, const struct hash *fingerprint,
                              const struct expr *expr)
{
    int64_t id = map_get(&functions->by_fingerprint, fingerprint);
    while (id != NO_FUNCTION && !is_function(functions->entries[id], expr))
        id = functions->entries[id]->same_fingerprint;
    return id;
}

/* A function that is none of those known; `canonical` and `text` are taken over. */
static const struct function *append(struct functions *functions, struct expr *canonical, char *text,
                                     const struct hash *text_hash, const struct hash *fingerprint,
                                     enum verdict verdict)
{
    int64_t id = functions->count++;
    if ((size_t)functions->count > functions->capacity) {
        functions->capacity = functions->capacity ? 2 * functions->capacity : FIRST_CAPACITY;
        functions->entries = xrealloc(functions->entries, functions->capacity, sizeof *functions->entries);
    }
    struct entry *entry = functions->entries[id] = xcalloc(1, sizeof *entry);
    *entry = (struct entry){
        .function = {.id = id, .verdict = verdict, .fingerprint = *fingerprint, .text = text},
        .expr = verdict == VERDICT_USABLE && strlen(text) > SHORT_TEXT ? canonical : NULL,
        .text = text,
        .same_fingerprint = NO_FUNCTION,
    };
    if (!entry->expr)
        expr_destroy(&canonical);
    map_put(&functions->by_text, text_hash, id);
    if (verdict == VERDICT_USABLE) {
        entry->same_fingerprint = map_get(&functions->by_fingerprint, fingerprint);
        map_put(&functions->by_fingerprint, fingerprint, id);
    }
    return &entry->function;
}

/* The canonical function, taken over. `known`: its fingerprint, where it is usable and that is known. */
static const struct function *add(struct functions *functions, struct expr *canonical,
                                  const struct hash *known, bool *ret_new)
{
    char *text = expr_print(canonical);
    struct hash text_hash = hash_of(text, strlen(text));
    struct hash fingerprint = {{0}};
    enum verdict verdict = VERDICT_USABLE;
    int64_t id = map_get(&functions->by_text, &text_hash);
    bool is_new = false;
    if (id == NO_FUNCTION) {
        fingerprint = known ? *known : fingerprint_of(canonical, &verdict);
        if (verdict == VERDICT_USABLE)
            id = find_confirmed(functions, &fingerprint, canonical);
        is_new = id == NO_FUNCTION;
        if (!is_new)
            map_put(&functions->by_text, &text_hash, id);
    }
    if (ret_new)
        *ret_new = is_new;
    if (is_new)
        return append(functions, canonical, text, &text_hash, &fingerprint, verdict);
    expr_destroy(&canonical);
    free(text);
    return &functions->entries[id]->function;
}

const struct function *functions_add(struct functions *functions, const struct expr *expr, bool *ret_new)
{
    return add(functions, expr_canon(expr), NULL, ret_new);
}

const struct function *functions_restore(struct functions *functions, struct expr **canonical,
                                         const struct hash *fingerprint, bool *ret_new)
{
    struct expr *taken = *canonical;
    *canonical = NULL;
    return add(functions, taken, fingerprint, ret_new);
}

int64_t functions_count(const struct functions *functions)
{
    return functions->count;
}

const struct function *functions_at(const struct functions *functions, int64_t id)
{
    assert(id >= 0 && id < functions->count);
    return &functions->entries[id]->function;
}

/* ---- whether a space is worth a search ----------------------------------------------------------------- */

enum { FUNCTIONS_DRAWN = 20000 };

int functions_any_usable(const struct space *space, uint64_t seed, struct problem *problem)
{
    bool exact;
    double approximate;
    const uint64_t strings = space_strings(space, &exact, &approximate);
    const bool all = strings <= FUNCTIONS_DRAWN;
    const int64_t count = all ? (int64_t)strings : FUNCTIONS_DRAWN;
    struct rng rng = rng_seed(seed, "usable", 0);
    int64_t verdicts[VERDICTS] = {0};
    for (int64_t i = 0; i < count; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        struct expr *expr = NULL;
        enum verdict verdict = VERDICT_TOO_LARGE;
        if (all)
            space_unrank(space, (uint64_t)i, tokens);
        else
            space_sample(space, &rng, tokens);
        if (space_expr(space, tokens, &expr) == 0) {
            struct expr *canonical = expr_canon(expr);
            fingerprint_of(canonical, &verdict);
            expr_destroy(&canonical);
            expr_destroy(&expr);
        }
        if (verdict == VERDICT_USABLE)
            return 0;
        verdicts[verdict]++;
    }
    problem_set(problem, ERR_INPUT, "[space]: none of %s%lld functions can be trained", all ? "its " : "",
                (long long)count);
    for (int v = 0; v < VERDICTS; v++) {
        const size_t used = strlen(problem->text);
        if (verdicts[v] > 0)
            snprintf(problem->text + used, sizeof problem->text - used, ", %s: %lld",
                     verdict_text((enum verdict)v), (long long)verdicts[v]);
    }
    return ERR_INPUT;
}
