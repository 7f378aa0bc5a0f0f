#include "coordinator/blobs.h"

#include "coordinator/map.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum place { PLACE_NONE, PLACE_LINE, PLACE_ACTIVE };

struct peer {
    uint64_t peer;
    enum place place;
    int64_t asked[BLOBS_WINDOW]; /* offsets, in the order of asking */
    int asked_count;
    int64_t receipts[BLOBS_WINDOW]; /* of the pieces under way, first sent first */
    int under_way;
    int forgiven;
    int64_t heard_ms;
    int64_t moved_ms; /* something was sent, or confirmed, or it was let in */
};

struct blobs {
    char hash[65];
    int64_t bytes;
    bool failed;
    struct rng rng;
    int64_t now_ms;
    struct peer *peers; /* from 1 */
    uint32_t peer_count, peer_room;
    struct map by_peer;
    uint32_t active[BLOBS_ACTIVE];
    int active_count, turn;     /* whose turn it is */
    uint32_t line[BLOBS_PEERS]; /* a ring; each peer stands in it once at most */
    uint32_t line_start, line_count;
};

struct blobs *blobs_new(const char *hash, int64_t bytes, struct rng rng)
{
    struct blobs *blobs = xcalloc(1, sizeof *blobs);
    snprintf(blobs->hash, sizeof blobs->hash, "%s", hash);
    blobs->bytes = bytes;
    blobs->rng = rng;
    return blobs;
}

void blobs_destroy(struct blobs **blobs)
{
    if (!*blobs)
        return;
    map_release(&(*blobs)->by_peer);
    free((*blobs)->peers);
    free(*blobs);
    *blobs = NULL;
}

const char *blobs_hash(const struct blobs *blobs)
{
    return blobs->hash;
}

int blobs_under_way(const struct blobs *blobs, uint64_t peer)
{
    const uint32_t index = map_get(&blobs->by_peer, peer);
    return index ? blobs->peers[index].under_way : 0;
}

static void set_now(struct blobs *blobs, int64_t now_ms)
{
    if (now_ms > blobs->now_ms)
        blobs->now_ms = now_ms;
}

/* ---- peers ---- */

/* The one that is silent longest and waits for nothing; 0 where all wait. */
static uint32_t most_silent(const struct blobs *blobs)
{
    uint32_t found = 0;
    for (uint32_t i = 1; i <= blobs->peer_count; i++)
        if (blobs->peers[i].place == PLACE_NONE &&
            (found == 0 || blobs->peers[i].heard_ms < blobs->peers[found].heard_ms))
            found = i;
    return found;
}

/* Its number, made known where it is new; 0 where there is no room. */
static uint32_t peer_index(struct blobs *blobs, uint64_t peer)
{
    uint32_t index = map_get(&blobs->by_peer, peer);
    if (index)
        return index;
    if (blobs->peer_count == BLOBS_PEERS) {
        index = most_silent(blobs);
        if (index == 0)
            return 0;
        map_remove(&blobs->by_peer, blobs->peers[index].peer);
    } else {
        index = ++blobs->peer_count;
        if (index >= blobs->peer_room) {
            blobs->peer_room = blobs->peer_room ? 2 * blobs->peer_room : 16;
            blobs->peers = xrealloc(blobs->peers, blobs->peer_room, sizeof *blobs->peers);
        }
    }
    blobs->peers[index] = (struct peer){.peer = peer};
    map_set(&blobs->by_peer, peer, index);
    return index;
}

static void confirm(struct blobs *blobs, struct peer *peer, int64_t receipt)
{
    for (int i = 0; i < peer->under_way; i++)
        if (peer->receipts[i] == receipt) {
            peer->under_way -= i + 1;
            memmove(peer->receipts, peer->receipts + i + 1, (size_t)peer->under_way * sizeof receipt);
            peer->moved_ms = blobs->now_ms;
            return;
        }
}

static void ask(struct peer *peer, int64_t offset)
{
    for (int i = 0; i < peer->asked_count; i++)
        if (peer->asked[i] == offset)
            return;
    if (peer->asked_count < BLOBS_WINDOW)
        peer->asked[peer->asked_count++] = offset;
}

static bool can_be_sent(const struct peer *peer)
{
    return peer->asked_count > 0 && peer->under_way < BLOBS_WINDOW;
}

void blobs_fetch(struct blobs *blobs, uint64_t number, const struct msg_fetch *fetch, int64_t now_ms)
{
    set_now(blobs, now_ms);
    const uint32_t index = strcmp(fetch->data_hash, blobs->hash) == 0 ? peer_index(blobs, number) : 0;
    if (index == 0)
        return;
    struct peer *peer = &blobs->peers[index];
    peer->heard_ms = blobs->now_ms;
    confirm(blobs, peer, fetch->receipt);
    for (int64_t i = 0; i < fetch->pieces && fetch->offset + i * CHUNK_BYTES < blobs->bytes; i++)
        ask(peer, fetch->offset + i * CHUNK_BYTES);
    if (peer->place == PLACE_NONE && can_be_sent(peer)) {
        peer->place = PLACE_LINE;
        blobs->line[(blobs->line_start + blobs->line_count++) % BLOBS_PEERS] = index;
    }
}

void blobs_fail(struct blobs *blobs)
{
    blobs->failed = true;
}

/* ---- turns ---- */

static void let_in(struct blobs *blobs)
{
    while (blobs->line_count > 0 && blobs->active_count < BLOBS_ACTIVE) {
        const uint32_t index = blobs->line[blobs->line_start];
        blobs->line_start = (blobs->line_start + 1) % BLOBS_PEERS;
        blobs->line_count--;
        blobs->peers[index].place = PLACE_ACTIVE;
        blobs->peers[index].moved_ms = blobs->now_ms;
        blobs->active[blobs->active_count++] = index;
    }
}

/* Whether it has all that it asked for, or does not take it. */
static bool is_over(const struct blobs *blobs, struct peer *peer)
{
    if (peer->asked_count == 0 && peer->under_way == 0)
        return true;
    if (blobs->now_ms - peer->moved_ms < BLOBS_LOST_MS)
        return false;
    if (peer->under_way > 0 && peer->forgiven < BLOBS_FORGIVEN) {
        peer->forgiven++;
        peer->under_way = 0;
    }
    peer->asked_count = 0;
    return true;
}

static void make_room(struct blobs *blobs)
{
    for (int i = 0; i < blobs->active_count;) {
        struct peer *peer = &blobs->peers[blobs->active[i]];
        if (!is_over(blobs, peer)) {
            i++;
            continue;
        }
        peer->place = PLACE_NONE;
        blobs->active[i] = blobs->active[--blobs->active_count];
    }
}

/* Takes the first piece that it asked for. */
static struct blobs_piece take(struct blobs *blobs, struct peer *peer)
{
    struct blobs_piece piece = {.peer = peer->peer, .offset = peer->asked[0]};
    const int64_t left = blobs->bytes - piece.offset;
    piece.size = blobs->failed ? 0 : left < CHUNK_BYTES ? (int)left : CHUNK_BYTES;
    piece.receipt = 1 + (int64_t)(rng_u64(&blobs->rng) >> 1) % INT64_MAX;
    peer->asked_count--;
    memmove(peer->asked, peer->asked + 1, (size_t)peer->asked_count * sizeof *peer->asked);
    peer->receipts[peer->under_way++] = piece.receipt;
    peer->moved_ms = blobs->now_ms;
    return piece;
}

bool blobs_next(struct blobs *blobs, int64_t now_ms, struct blobs_piece *ret_piece)
{
    set_now(blobs, now_ms);
    make_room(blobs);
    let_in(blobs);
    for (int i = 0; i < blobs->active_count; i++) {
        const int turn = (blobs->turn + i) % blobs->active_count;
        struct peer *peer = &blobs->peers[blobs->active[turn]];
        if (!can_be_sent(peer))
            continue;
        blobs->turn = turn + 1;
        *ret_piece = take(blobs, peer);
        return true;
    }
    return false;
}

void blobs_unsent(struct blobs *blobs, uint64_t number)
{
    struct peer *peer = &blobs->peers[map_get(&blobs->by_peer, number)];
    assert(peer->under_way > 0);
    peer->under_way--;
    peer->asked_count = 0;
    peer->moved_ms = blobs->now_ms - BLOBS_LOST_MS;
}

int64_t blobs_next_ms(const struct blobs *blobs)
{
    int64_t next_ms = INT64_MAX;
    if (blobs->line_count > 0 && blobs->active_count < BLOBS_ACTIVE)
        return blobs->now_ms;
    for (int i = 0; i < blobs->active_count; i++) {
        const struct peer *peer = &blobs->peers[blobs->active[i]];
        if (can_be_sent(peer))
            return blobs->now_ms;
        if (blobs->line_count > 0 && peer->moved_ms + BLOBS_LOST_MS < next_ms)
            next_ms = peer->moved_ms + BLOBS_LOST_MS;
    }
    return next_ms;
}
