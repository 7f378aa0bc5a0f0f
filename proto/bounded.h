/* bounded: a first walk over the bytes of a message, before any library sees them.
 *
 * msgpack-c believes what a header claims: five bytes can make it reserve gigabytes. So this walk comes
 * first. It allocates nothing, reads each byte once, and lets only this through:
 * - one map and nothing behind it, of at most BOUNDED_MAX_ENTRIES entries;
 * - keys that are strings;
 * - values that are integers, floats, booleans, strings, bytes, or arrays of integers and floats: no deeper
 *   nesting;
 * - no count or length larger than the bytes that are left;
 * - strings of valid UTF-8 without NUL.
 * What the keys and values mean is the business of msg.c.
 */
#ifndef PROTO_BOUNDED_H
#define PROTO_BOUNDED_H

#include "common/err.h"

#include <stdint.h>

enum { BOUNDED_MAX_ENTRIES = 32 };

/* Where the entries of the map stand: offsets of their first bytes. */
struct bounded_map {
    int count;
    struct {
        uint32_t key_at;
        uint32_t value_at;
    } entries[BOUNDED_MAX_ENTRIES];
};

/* ERR_INPUT or ERR_LIMIT: what is wrong, and at which byte. *ret_map is untouched then. */
int bounded_check(const uint8_t *bytes, size_t size, struct bounded_map *ret_map, struct problem *problem);

/* Of bytes that passed bounded_check: the offset of element `index` of the array at `array_at`. */
size_t bounded_element_at(const uint8_t *bytes, size_t size, size_t array_at, size_t index);

#endif
