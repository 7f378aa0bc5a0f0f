/* fetch: one data set on its way from the coordinator, as a pure state machine, the other side of
 * coordinator/blobs.h: CHUNKs and the time go in, FETCHes come out. It knows no socket, file or clock.
 *
 * What has come is always the beginning of the file: pieces are taken in order, and one that does not follow
 * is dropped. So nothing but its length need be remembered to go on later, by this process or another.
 *
 * Invariants
 * 1. At most FETCH_WINDOW pieces are asked for and not there.
 * 2. Without an answer all of them are asked for again, after 2, 4, 8 … 30 s. There is no end to that: the
 *    coordinator may be away, or busy with others.
 * 3. A file that turned out to be another is begun anew FETCH_TRIES − 1 times.
 */
#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include "common/rng.h"
#include "proto/msg.h"

enum {
    FETCH_WINDOW = 16,
    FETCH_BATCH = 4, /* pieces that are asked for at once */
    FETCH_TRIES = 3,
    FETCH_AGAIN_MS = 2000,
    FETCH_AGAIN_MAX_MS = 30 * 1000,
};

struct fetch {
    char hash[65];
    int64_t bytes;
    int64_t have;  /* bytes from the beginning that are here */
    int64_t asked; /* bytes from the beginning that are here or asked for */
    int64_t receipt;
    int64_t again_ms, wait_ms;
    int tries;
    struct rng rng;
};

/* `have` bytes are here from before. */
void fetch_start(struct fetch *fetch, const char *hash, int64_t bytes, int64_t have, struct rng rng);
/* The coordinator has greeted this worker (again): what was asked before may be forgotten. */
void fetch_greeted(struct fetch *fetch);

enum fetch_news {
    FETCH_NOTHING,
    FETCH_PIECE, /* its bytes follow those that were here; they count as here now */
    FETCH_GONE,  /* the coordinator does not have it any more */
};
enum fetch_news fetch_receive(struct fetch *fetch, const struct msg_chunk *chunk, int64_t now_ms);
/* What has come is not the file. False: that was the last try. */
bool fetch_start_again(struct fetch *fetch);

bool fetch_done(const struct fetch *fetch);
/* The next FETCH to send, if one is due. One that could not be sent counts as lost. */
bool fetch_next(struct fetch *fetch, int64_t now_ms, struct msg_fetch *ret_fetch);
/* When fetch_next has something to do next, if nothing comes. */
int64_t fetch_next_ms(const struct fetch *fetch);

#endif
