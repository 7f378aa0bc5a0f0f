/* source: a file that is read from front to back, plain or gzip (told apart by its first bytes), and the
 * sentences about one that ends too soon, goes on too long or is damaged.
 *
 * Memory grows with what the file really holds, never with what a header claims. Offsets are those of the
 * unpacked bytes.
 */
#ifndef COMMON_SOURCE_H
#define COMMON_SOURCE_H

#include "common/buf.h"
#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct source;

/* ERR_NOT_FOUND, ERR_IO; ERR_INPUT where it is no regular file. */
int source_open(const char *path, struct source **ret_source, struct problem *problem);
/* Takes over `fd`; `name` is for the problems. */
int source_of_fd(int fd, const char *name, struct source **ret_source, struct problem *problem);
void source_close(struct source **source);

const char *source_name(const struct source *source);
uint64_t source_offset(const struct source *source);

/* Appends up to `bytes` to `to`; fewer only at the end of the file. ERR_CORRUPT where a gzip is damaged or
 * ends in the middle. */
int source_read(struct source *source, size_t bytes, struct buf *to, size_t *ret_got,
                struct problem *problem);
/* Appends exactly `bytes`; ERR_INPUT, "cut short", where there are fewer. what: "the images", for people. */
int source_take(struct source *source, size_t bytes, struct buf *to, const char *what,
                struct problem *problem);
/* ERR_INPUT, "goes on", where something follows. Also checks a gzip's checksum. */
int source_end(struct source *source, struct problem *problem);

/* The other way: `size` bytes as a gzip at `path`, in the place of what is there. It is there whole or not at
 * all, and the same bytes give the same file (no time, no name in it). ERR_IO. */
int source_write_gzip(const char *path, const void *data, size_t size, struct problem *problem);

#endif
