/* blobs: which worker is sent which piece of the data set next, as a pure state machine: FETCHes and the time
 * go in, pieces to send come out. It knows no socket, file or clock.
 *
 * Whoever asks is sent one piece in turn. BLOBS_ACTIVE peers are served at a time and the others wait in a
 * line, so that those served get done, and so that what waits in sockets is bounded whatever the network.
 *
 * Invariants
 * 1. At most BLOBS_WINDOW pieces are under way to a peer. A piece is under way until the peer says its
 *    receipt, or that of a later one: receipts are random, so that nobody can claim what did not arrive.
 * 2. A peer to which nothing moved for BLOBS_LOST_MS makes room for others. What was under way to it counts
 *    as lost, BLOBS_FORGIVEN times at most: a peer that reads nothing can make the coordinator hold no more
 *    than (BLOBS_FORGIVEN + 1) · BLOBS_WINDOW pieces.
 * 3. What a peer asks for twice, while it waits, it gets once.
 */
#ifndef COORDINATOR_BLOBS_H
#define COORDINATOR_BLOBS_H

#include "common/rng.h"
#include "proto/msg.h"

enum {
    BLOBS_WINDOW = 16,
    BLOBS_ACTIVE = 64,
    BLOBS_PEERS = 8192, /* that are known; beyond, the one that was silent longest is forgotten */
    BLOBS_LOST_MS = 10 * 1000,
    BLOBS_FORGIVEN = 4,
};

struct blobs;

/* The data set of that hash and size. */
struct blobs *blobs_new(const char *hash, int64_t bytes, struct rng rng);
void blobs_destroy(struct blobs **blobs);

/* One for another data set, or beyond its end, is ignored; so are pieces beyond the window. */
void blobs_fetch(struct blobs *blobs, uint64_t peer, const struct msg_fetch *fetch, int64_t now_ms);
/* The data set cannot be read any more: whoever asks is told so. */
void blobs_fail(struct blobs *blobs);

struct blobs_piece {
    uint64_t peer;
    int64_t offset;
    int size; /* bytes; 0: it cannot be had */
    int64_t receipt;
};

/* The next piece to send, if there is one; it counts as under way then. */
bool blobs_next(struct blobs *blobs, int64_t now_ms, struct blobs_piece *ret_piece);
/* The last piece could not be handed over: the peer is gone or does not read. It asks again if it is there.
 */
void blobs_unsent(struct blobs *blobs, uint64_t peer);
/* When blobs_next has something to do next, if no message comes. */
int64_t blobs_next_ms(const struct blobs *blobs);

const char *blobs_hash(const struct blobs *blobs);
/* For tests: pieces under way to that peer. */
int blobs_under_way(const struct blobs *blobs, uint64_t peer);

#endif
