/* allow: the workers' keys that a coordinator lets in, as they stand in a folder that may change at any time,
 * and how many messages each may send.
 *
 * Each file in the folder is a public certificate (proto/keys.h); names that begin with '.' are passed over.
 * A file that cannot be read, holds a secret, or that others can write counts as not there.
 *
 * Invariants
 * 1. Who is not in the list is not let in. A folder that is gone is an empty list; one that cannot be read
 *    for another reason leaves the list as it was, and so does one that others can write.
 * 2. At most ALLOW_MAX files are read.
 */
#ifndef COORDINATOR_ALLOW_H
#define COORDINATOR_ALLOW_H

#include "proto/keys.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ALLOW_MAX = 16384,
    /* A key's messages: so many at once, and so many a second after that. 2,000 workers of one key that all
     * come back and report in one second stay below it. */
    ALLOW_BURST = 50000,
    ALLOW_PER_SECOND = 10000,
};

struct allowed {
    char key[KEY_TEXT + 1];
    char
        name[KEY_NAME_MAX + 1]; /* what the certificate says, else the file's name; "" where neither is one */
    int64_t allowance_us;       /* messages that it may still send, in microseconds of ALLOW_PER_SECOND */
    int64_t filled_ms;
};

struct allow;

/* The folder of the list: DIR/workers. ERR_NOT_FOUND, ERR_INPUT (others can write it), ERR_IO. The list is
 * empty until allow_refresh. */
int allow_new(const char *dir, struct allow **ret_allow, struct problem *problem);
void allow_destroy(struct allow **allow);

enum allow_news {
    ALLOW_ADDED,   /* this key is allowed now */
    ALLOW_REMOVED, /* this one is not any more */
    ALLOW_BAD,     /* a file, or the folder, cannot be used: `name` says why; `key` is "" */
};
typedef void allow_visit(void *context, enum allow_news news, const char *key, const char *name);

/* Reads the folder again where it has changed, and tells the differences. */
void allow_refresh(struct allow *allow, allow_visit *visit, void *context);

/* NULL where this key is not allowed. Borrowed until the next refresh. */
struct allowed *allow_find(const struct allow *allow, const char *key);
size_t allow_count(const struct allow *allow);
/* One message more of this key: false where it has said too much lately. */
bool allow_spend(struct allowed *allowed, int64_t now_ms);

#endif
