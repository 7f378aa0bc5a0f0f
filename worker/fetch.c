#include "worker/fetch.h"

#include <stdio.h>
#include <string.h>

void fetch_start(struct fetch *fetch, const char *hash, int64_t bytes, int64_t have, struct rng rng)
{
    *fetch = (struct fetch){.bytes = bytes, .have = have, .asked = have, .tries = 1, .rng = rng};
    snprintf(fetch->hash, sizeof fetch->hash, "%s", hash);
    fetch_greeted(fetch);
}

void fetch_greeted(struct fetch *fetch)
{
    fetch->asked = fetch->have;
    fetch->receipt = 0;
    fetch->wait_ms = 0;
    fetch->again_ms = INT64_MAX; /* nothing is under way */
}

bool fetch_done(const struct fetch *fetch)
{
    return fetch->have == fetch->bytes;
}

bool fetch_start_again(struct fetch *fetch)
{
    if (fetch->tries == FETCH_TRIES)
        return false;
    fetch->tries++;
    fetch->have = fetch->asked = 0;
    fetch->wait_ms = 0;
    fetch->again_ms = INT64_MAX;
    return true;
}

/* Something came, or was asked for. */
static void wait_from(struct fetch *fetch, int64_t now_ms, int64_t wait_ms)
{
    fetch->wait_ms = wait_ms < FETCH_AGAIN_MAX_MS ? wait_ms : FETCH_AGAIN_MAX_MS;
    fetch->again_ms = now_ms + fetch->wait_ms - fetch->wait_ms / 4 +
                      (int64_t)rng_below(&fetch->rng, (uint64_t)fetch->wait_ms / 2 + 1);
}

enum fetch_news fetch_receive(struct fetch *fetch, const struct msg_chunk *chunk, int64_t now_ms)
{
    if (strcmp(chunk->data_hash, fetch->hash) != 0)
        return FETCH_NOTHING;
    fetch->receipt = chunk->receipt;
    if (chunk->bytes_count == 0)
        return FETCH_GONE;
    const int64_t left = fetch->bytes - fetch->have;
    if (chunk->offset != fetch->have || chunk->bytes_count != (left < CHUNK_BYTES ? left : CHUNK_BYTES))
        return FETCH_NOTHING;
    fetch->have += chunk->bytes_count;
    if (fetch->asked < fetch->have)
        fetch->asked = fetch->have;
    wait_from(fetch, now_ms, FETCH_AGAIN_MS);
    return FETCH_PIECE;
}

static int64_t pieces_of(int64_t bytes)
{
    return (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
}

/* How many pieces to ask for now. A few together, so that not each CHUNK costs a message. */
static int64_t pieces_due(const struct fetch *fetch)
{
    const int64_t room = FETCH_WINDOW - pieces_of(fetch->asked - fetch->have);
    const int64_t left = pieces_of(fetch->bytes - fetch->asked);
    const int64_t batch = left < FETCH_BATCH ? left : FETCH_BATCH;
    return room < batch ? 0 : batch;
}

bool fetch_next(struct fetch *fetch, int64_t now_ms, struct msg_fetch *ret_fetch)
{
    if (now_ms >= fetch->again_ms) {
        fetch->asked = fetch->have;
        wait_from(fetch, now_ms, 2 * fetch->wait_ms);
    }
    const int64_t pieces = pieces_due(fetch);
    if (pieces == 0)
        return false;
    if (fetch->again_ms == INT64_MAX)
        wait_from(fetch, now_ms, FETCH_AGAIN_MS);
    *ret_fetch = (struct msg_fetch){.offset = fetch->asked, .pieces = pieces, .receipt = fetch->receipt};
    memcpy(ret_fetch->data_hash, fetch->hash, sizeof fetch->hash);
    fetch->asked += pieces * CHUNK_BYTES;
    if (fetch->asked > fetch->bytes)
        fetch->asked = fetch->bytes;
    return true;
}

int64_t fetch_next_ms(const struct fetch *fetch)
{
    if (fetch_done(fetch))
        return INT64_MAX;
    return pieces_due(fetch) > 0 ? 0 : fetch->again_ms;
}
