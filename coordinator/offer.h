/* offer: the data set that workers can fetch from this coordinator: the file of that name in the cache of this
 * host (common/data_cache.h), open for reading. What is in it is not looked at. */
#ifndef COORDINATOR_OFFER_H
#define COORDINATOR_OFFER_H

#include "common/err.h"

#include <stdint.h>

struct offer;

/* ERR_NOT_FOUND; ERR_LIMIT (too large to be sent); ERR_CORRUPT (not the hash that stands beside it); ERR_IO.
 * Takes a while where the hash must be computed. */
int offer_open(const char *cache_dir, const char *name, struct offer **ret_offer, struct problem *problem);
void offer_close(struct offer **offer);

const char *offer_hash(const struct offer *offer); /* hexadecimal. Borrowed */
int64_t offer_bytes(const struct offer *offer);
/* Reads `size` bytes from `offset` on, all within the file. ERR_IO. */
int offer_read(const struct offer *offer, int64_t offset, void *ret_bytes, int size, struct problem *problem);

#endif
