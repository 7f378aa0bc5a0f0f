/* msg_random: messages of every type with random values, at the bounds often, and whether two are the same.
 * For the tests and the fuzz target of proto/msg.h; written from the table alone, not from msg.c. */
#ifndef TESTS_UNIT_MSG_RANDOM_H
#define TESTS_UNIT_MSG_RANDOM_H

#include "common/rng.h"
#include "proto/msg.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* low and high often, and numbers of every length between. */
static inline int64_t random_int(struct rng *rng, int64_t low, int64_t high)
{
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t above = rng_u64(rng) >> rng_below(rng, 64);
    switch (rng_below(rng, 4)) {
    case 0:
        return low;
    case 1:
        return high;
    default:
        return (int64_t)((uint64_t)low + (span == UINT64_MAX ? above : above % (span + 1)));
    }
}

static inline double random_real(struct rng *rng)
{
    static const double edges[] = {0.0, -0.0, 1.0, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, INFINITY, -INFINITY, NAN};
    uint64_t pick = rng_below(rng, 2 * sizeof edges / sizeof *edges);
    return pick < sizeof edges / sizeof *edges ? edges[pick]
                                               : ldexp(rng_normal(rng), (int)rng_below(rng, 100) - 50);
}

/* Characters of one to four bytes, 0 … max_bytes in all, exactly max_bytes often. */
static inline void random_text(struct rng *rng, int max_bytes, char *ret_text)
{
    static const char *const characters[] = {"a",        "\x7f",         "\n",
                                             "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82"};
    int want = (int)random_int(rng, 0, max_bytes), used = 0;
    while (used < want) {
        const char *character = characters[rng_below(rng, sizeof characters / sizeof *characters)];
        int size = (int)strlen(character);
        memcpy(ret_text + used, size <= want - used ? character : "z",
               (size_t)(size <= want - used ? size : 1));
        used += size <= want - used ? size : 1;
    }
    ret_text[used] = '\0';
}

static inline void random_msg(struct rng *rng, enum msg_type type, struct msg *ret_msg)
{
    memset(ret_msg, 0x5a, sizeof *ret_msg);
    ret_msg->type = type;
    switch (type) {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) case MSG_##NAME: {
#define FIELD_INT(message, key, low, high, meaning)   ret_msg->message##_.key = random_int(rng, low, high);
#define FIELD_REAL(message, key, meaning)             ret_msg->message##_.key = random_real(rng);
#define FIELD_BOOL(message, key, meaning)             ret_msg->message##_.key = rng_below(rng, 2);
#define FIELD_TEXT(message, key, max_bytes, meaning)  random_text(rng, max_bytes, ret_msg->message##_.key);
#define FIELD_BYTES(message, key, max_count, meaning)                                                        \
    ret_msg->message##_.key##_count = (int)random_int(rng, 0, max_count);                                    \
    for (int i = 0; i < ret_msg->message##_.key##_count; i++)                                                \
        ret_msg->message##_.key[i] = (uint8_t)rng_u64(rng);
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    ret_msg->message##_.key##_count = (int)random_int(rng, 0, max_count);                                    \
    for (int i = 0; i < ret_msg->message##_.key##_count; i++)                                                \
        ret_msg->message##_.key[i] = random_int(rng, low, high);
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    ret_msg->message##_.key##_count = (int)random_int(rng, 0, max_count);                                    \
    for (int i = 0; i < ret_msg->message##_.key##_count; i++)                                                \
        ret_msg->message##_.key[i] = random_real(rng);
#define MESSAGE_END(NAME, Name)                                                                              \
    break;                                                                                                   \
    }
#include "proto/messages.def"
    case MSG_TYPES:
        abort();
    }
}

/* The same bits, all NaN alike. */
static inline bool same_real(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static inline bool same_msg(const struct msg *a, const struct msg *b)
{
    if (a->type != b->type)
        return false;
    bool same = true;
    switch (a->type) {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) case MSG_##NAME: {
#define FIELD_INT(message, key, low, high, meaning)   same = same && a->message##_.key == b->message##_.key;
#define FIELD_REAL(message, key, meaning)             same = same && same_real(a->message##_.key, b->message##_.key);
#define FIELD_BOOL(message, key, meaning)             same = same && a->message##_.key == b->message##_.key;
#define FIELD_TEXT(message, key, max_bytes, meaning)                                                         \
    same = same && strcmp(a->message##_.key, b->message##_.key) == 0;
#define FIELD_BYTES(message, key, max_count, meaning)                                                        \
    same = same && a->message##_.key##_count == b->message##_.key##_count &&                                 \
           memcmp(a->message##_.key, b->message##_.key, (size_t)a->message##_.key##_count) == 0;
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    same = same && a->message##_.key##_count == b->message##_.key##_count;                                   \
    for (int i = 0; same && i < a->message##_.key##_count; i++)                                              \
        same = a->message##_.key[i] == b->message##_.key[i];
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    same = same && a->message##_.key##_count == b->message##_.key##_count;                                   \
    for (int i = 0; same && i < a->message##_.key##_count; i++)                                              \
        same = same_real(a->message##_.key[i], b->message##_.key[i]);
#define MESSAGE_END(NAME, Name)                                                                              \
    break;                                                                                                   \
    }
#include "proto/messages.def"
    case MSG_TYPES:
        abort();
    }
    return same;
}

#endif
