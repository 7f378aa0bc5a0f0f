/* hash: BLAKE2b by libsodium, for content hashes and for seeds. */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH_BYTES = 32, HASH_HEX = 2 * HASH_BYTES + 1 };

struct hash {
    uint8_t bytes[HASH_BYTES];
};

struct hash hash_of(const void *data, size_t size);
uint64_t hash64(const void *data, size_t size);
/* Lower-case hexadecimal with a NUL. */
void hash_hex(const struct hash *hash, char ret_hex[HASH_HEX]);
/* The hash that hash_hex writes so; false where the text is anything else. */
bool hash_parse(const char *hex, struct hash *ret_hash);

/* The seed of a trial: hash(experiment seed, replica), the same for all candidates (DESIGN 4.3). Below 2^53, so that it
 * survives JSON. */
uint64_t trial_seed(uint64_t experiment_seed, uint32_t replica);

/* Bytes that nobody can guess (for names of sockets and daemons; never in the numerics). */
void random_bytes(void *ret, size_t size);

#endif
