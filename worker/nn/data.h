/* data: data sets, unpacked once per host into a cache folder and mapped read-only by each trainer.
 *
 * The unpacked file (NAME.data) is: a header (magic, version, shape, counts, classes), then train images,
 * train labels, test images, test labels as bytes, images as C×H×W planes. Its content hash is the BLAKE2b of
 * the whole file, so equal data have equal hashes on every host. Importers refuse what is truncated, too
 * long, of a wrong magic or shape, or has a label out of range, and name the file and the offset.
 */
#ifndef WORKER_NN_DATA_H
#define WORKER_NN_DATA_H

#include "common/data_cache.h"
#include "common/err.h"
#include "common/hash.h"

#include <stdbool.h>
#include <stdint.h>

struct data_part {
    const uint8_t *images; /* count × channels × height × width */
    const uint8_t *labels; /* count */
    uint32_t count;
};

struct data {
    int channels, height, width, classes;
    struct data_part train, test;
    struct hash hash; /* content hash */
    uint64_t *sums;   /* of data_sums.h; NULL where none were kept */
    const void *map;  /* the mapped file */
    size_t map_bytes;
};

/* Opens data set `name` from the cache. Where it is not there but can be found (fashion-mnist of the Debian
 * package), imports it first; two processes that import at once do no harm. ERR_NOT_FOUND says how to add it.
 */
int data_open(const char *cache_dir, const char *name, struct data **ret_data, struct problem *problem);
void data_close(struct data **data);

/* Imports the files in `dir` (IDX, plain or .gz, or CIFAR binary, told apart by their names) as data set
 * `name`. */
int data_import(const char *cache_dir, const char *name, const char *dir, struct hash *ret_hash,
                struct problem *problem);

/* Makes `file`, a finished NAME.data in the cache folder under a temporary name (an import's, or one that
 * came over the network), the data set `name`, and takes its hash. `expected` may be NULL; ERR_CORRUPT where
 * the content has another hash. On failure the file stays where it is. */
int data_adopt(const char *cache_dir, const char *name, const char *file, const struct hash *expected,
               struct hash *ret_hash, struct problem *problem);

/* Reads the whole of NAME.data again and compares with the hash beside it. ERR_CORRUPT where it differs. */
int data_verify(const char *cache_dir, const char *name, struct problem *problem);

/* The names in the cache, sorted. The caller frees each, and the array. */
int data_names(const char *cache_dir, char ***ret_names, int *ret_count, struct problem *problem);

struct data_entry {
    char *name;
    char hash_hex[HASH_HEX];
    uint32_t train_count, test_count;
    int channels, height, width, classes;
    uint64_t bytes;
};
/* What is in the cache, by name. Release with data_list_release. */
int data_list(const char *cache_dir, struct data_entry **ret_entries, int *ret_count,
              struct problem *problem);
void data_list_release(struct data_entry **entries, int count);

#endif
