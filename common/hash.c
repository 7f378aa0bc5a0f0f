#include "common/hash.h"

#include "common/buf.h"

#include <sodium.h>
#include <string.h>

struct hash hash_of(const void *data, size_t size)
{
    struct hash hash;
    crypto_generichash(hash.bytes, sizeof hash.bytes, data, size, NULL, 0);
    return hash;
}

uint64_t hash64(const void *data, size_t size)
{
    struct hash hash = hash_of(data, size);
    struct cursor cursor = cursor_of(hash.bytes, sizeof hash.bytes);
    return cursor_take_u64(&cursor);
}

void hash_hex(const struct hash *hash, char ret_hex[HASH_HEX])
{
    sodium_bin2hex(ret_hex, HASH_HEX, hash->bytes, sizeof hash->bytes);
}

bool hash_parse(const char *hex, struct hash *ret_hash)
{
    struct hash hash;
    if (strlen(hex) != HASH_HEX - 1 || strspn(hex, "0123456789abcdef") != HASH_HEX - 1)
        return false;
    sodium_hex2bin(hash.bytes, sizeof hash.bytes, hex, HASH_HEX - 1, NULL, NULL, NULL);
    *ret_hash = hash;
    return true;
}

uint64_t trial_seed(uint64_t experiment_seed, uint32_t replica)
{
    struct buf buf = {0};
    buf_put_u64(&buf, experiment_seed);
    buf_put_u32(&buf, replica);
    uint64_t seed = hash64(buf.data, buf.size) & ((UINT64_C(1) << 53) - 1);
    buf_release(&buf);
    return seed;
}

void random_bytes(void *ret, size_t size)
{
    randombytes_buf(ret, size);
}
