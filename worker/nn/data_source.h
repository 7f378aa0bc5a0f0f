/* data_source: a file that is read from front to back, plain or gzip (told apart by its first bytes), and the
 * sentences about one that ends too soon, goes on too long or is damaged.
 *
 * Memory grows with what the file really holds, never with what a header claims. Offsets are those of the
 * unpacked bytes.
 */
#ifndef WORKER_NN_DATA_SOURCE_H
#define WORKER_NN_DATA_SOURCE_H

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

#endif
