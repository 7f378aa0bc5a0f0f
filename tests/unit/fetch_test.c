/* A data set on its way to workers (worker/fetch.h): one step at a time, and with the coordinator's side
 * (coordinator/blobs.h) in a made-up world that drops, doubles, delays and spoils messages, kills workers in
 * the middle, and starts the coordinator again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/blobs.h"
#include "worker/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
enum { LAST = 777, PIECES = 40, BYTES = (PIECES - 1) * CHUNK_BYTES + LAST };

/* ---- one step at a time ---- */

static struct fetch fetch;
static struct msg_chunk chunk;

static int begin(void **state)
{
    (void)state;
    fetch_start(&fetch, HASH, BYTES, 0, rng_seed(1, "test", 0));
    return 0;
}

/* Says how many pieces are asked for now, each once, from *from on. */
static int64_t asked_now(int64_t now_ms, int64_t from)
{
    struct msg_fetch ask;
    int64_t pieces = 0;
    while (fetch_next(&fetch, now_ms, &ask)) {
        assert_string_equal(ask.data_hash, HASH);
        assert_int_equal(ask.offset, from + pieces * CHUNK_BYTES);
        pieces += ask.pieces;
    }
    return pieces;
}

static enum fetch_news hear(int64_t offset, int count, int64_t receipt, int64_t now_ms)
{
    chunk = (struct msg_chunk){.data_hash = HASH, .offset = offset, .receipt = receipt, .bytes_count = count};
    return fetch_receive(&fetch, &chunk, now_ms);
}

static void no_more_than_a_window_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(fetch_next_ms(&fetch), 0);
    assert_int_equal(asked_now(0, 0), FETCH_WINDOW);
    assert_true(fetch_next_ms(&fetch) > 0);
    for (int i = 0; i < FETCH_BATCH; i++) {
        assert_int_equal(asked_now(0, 0), 0);
        assert_int_equal(hear(i * CHUNK_BYTES, CHUNK_BYTES, 5 + i, 0), FETCH_PIECE);
    }
    struct msg_fetch ask;
    assert_true(fetch_next(&fetch, 0, &ask));
    assert_int_equal(ask.offset, FETCH_WINDOW * CHUNK_BYTES);
    assert_int_equal(ask.pieces, FETCH_BATCH);
    assert_int_equal(ask.receipt, 5 + FETCH_BATCH - 1);
}

static void only_the_piece_that_follows_is_taken(void **state)
{
    (void)state;
    asked_now(0, 0);
    assert_int_equal(hear(CHUNK_BYTES, CHUNK_BYTES, 1, 0), FETCH_NOTHING);
    assert_int_equal(hear(0, CHUNK_BYTES - 1, 1, 0), FETCH_NOTHING);
    assert_int_equal(hear(0, CHUNK_BYTES, 1, 0), FETCH_PIECE);
    assert_int_equal(hear(0, CHUNK_BYTES, 1, 0), FETCH_NOTHING);
    chunk = (struct msg_chunk){.data_hash = "f", .offset = CHUNK_BYTES, .bytes_count = CHUNK_BYTES};
    assert_int_equal(fetch_receive(&fetch, &chunk, 0), FETCH_NOTHING);
    assert_int_equal(hear(CHUNK_BYTES, 0, 1, 0), FETCH_GONE);
}

static void it_goes_on_where_it_stopped(void **state)
{
    (void)state;
    const int64_t have = 5 * CHUNK_BYTES + 123;
    fetch_start(&fetch, HASH, BYTES, have, rng_seed(1, "test", 0));
    assert_int_equal(asked_now(0, have), FETCH_WINDOW);
    assert_int_equal(hear(have, CHUNK_BYTES, 1, 0), FETCH_PIECE);
    fetch_start(&fetch, HASH, BYTES, BYTES - 10, rng_seed(1, "test", 0));
    assert_int_equal(asked_now(0, BYTES - 10), 1);
    assert_int_equal(hear(BYTES - 10, 10, 1, 0), FETCH_PIECE);
    assert_true(fetch_done(&fetch));
    assert_int_equal(fetch_next_ms(&fetch), INT64_MAX);
}

static void silence_makes_it_ask_again_ever_later(void **state)
{
    (void)state;
    assert_int_equal(asked_now(0, 0), FETCH_WINDOW);
    int64_t now_ms = 0, wait_ms = 0, times = 0;
    while (now_ms < 200 * 1000) {
        wait_ms = fetch_next_ms(&fetch) - now_ms;
        assert_in_range(wait_ms, FETCH_AGAIN_MS * 3 / 4, FETCH_AGAIN_MAX_MS * 5 / 4);
        assert_int_equal(asked_now(now_ms + wait_ms - 1, 0), 0);
        now_ms += wait_ms;
        assert_int_equal(asked_now(now_ms, 0), FETCH_WINDOW);
        times++;
    }
    assert_in_range(times, 6, 14);
    assert_true(wait_ms >= FETCH_AGAIN_MAX_MS * 3 / 4);
}

static void a_greeting_makes_it_ask_anew_without_an_old_receipt(void **state)
{
    (void)state;
    asked_now(0, 0);
    hear(0, CHUNK_BYTES, 99, 0);
    fetch_greeted(&fetch);
    struct msg_fetch ask;
    assert_true(fetch_next(&fetch, 0, &ask));
    assert_int_equal(ask.offset, CHUNK_BYTES);
    assert_int_equal(ask.receipt, 0);
}

static void a_file_that_is_another_is_begun_anew_twice(void **state)
{
    (void)state;
    for (int tries = 1; tries < FETCH_TRIES; tries++) {
        fetch.have = fetch.asked = BYTES;
        assert_true(fetch_start_again(&fetch));
        assert_int_equal(asked_now(0, 0), FETCH_WINDOW);
    }
    assert_false(fetch_start_again(&fetch));
}

/* ---- a world ---- */

enum { WORKERS = 5, FLYING_MAX = 4096, STEPS_MAX = 200000 };

struct weather { /* in a thousand */
    int drop, twice, reconnect, worker_crash, coordinator_crash, spoil;
    int64_t delay_ms;
};

struct flying {
    int64_t at_ms;
    uint64_t order;
    uint64_t peer;
    bool to_worker;
    struct msg *msg;
};

struct host {
    uint64_t peer;
    struct fetch fetch;
    int64_t kept; /* bytes of the file on its disk */
    bool spoilt;  /* something in it is wrong */
    bool whole;   /* verified */
    int refusals; /* how often it gave up */
};

struct world {
    struct rng rng;
    struct weather weather;
    struct blobs *blobs;
    struct host hosts[WORKERS];
    struct flying flying[FLYING_MAX];
    int flying_count;
    uint64_t next_peer, next_order;
    int64_t now_ms;
    int crashes, restarts, spoils;
};

static bool happens(struct world *world, int in_a_thousand)
{
    return (int)rng_below(&world->rng, 1000) < in_a_thousand;
}

static uint8_t byte_at(int64_t offset)
{
    return (uint8_t)(offset * 2654435761 >> 7);
}

static void fly(struct world *world, uint64_t peer, bool to_worker, const struct msg *msg)
{
    if (happens(world, world->weather.drop))
        return;
    for (int copies = happens(world, world->weather.twice) ? 2 : 1; copies > 0; copies--) {
        assert_true(world->flying_count < FLYING_MAX);
        struct flying *flying = &world->flying[world->flying_count++];
        const int64_t delay_ms = (int64_t)rng_below(&world->rng, (uint64_t)world->weather.delay_ms);
        *flying = (struct flying){world->now_ms + delay_ms, world->next_order++, peer, to_worker,
                                  malloc(sizeof *msg)};
        memcpy(flying->msg, msg, sizeof *msg);
    }
}

static void start_host(struct world *world, struct host *host)
{
    host->peer = world->next_peer++;
    fetch_start(&host->fetch, HASH, BYTES, host->kept, rng_seed(world->next_peer, "fetch", 0));
}

static void start_coordinator(struct world *world)
{
    blobs_destroy(&world->blobs);
    world->blobs = blobs_new(HASH, BYTES, rng_seed(world->next_peer++, "blobs", 0));
    for (int i = 0; i < WORKERS; i++)
        fetch_greeted(&world->hosts[i].fetch);
}

/* What has come is checked, as worker/dataset.c does it with the hash. */
static void verify(struct world *world, struct host *host)
{
    if (!host->spoilt) {
        host->whole = true;
        return;
    }
    host->kept = 0;
    host->spoilt = false;
    if (!fetch_start_again(&host->fetch)) {
        host->refusals++;
        start_host(world, host); /* somebody starts it again */
    }
}

static void host_hears(struct host *host, const struct msg_chunk *heard, int64_t now_ms)
{
    const int64_t before = host->fetch.have;
    if (host->whole || fetch_receive(&host->fetch, heard, now_ms) != FETCH_PIECE)
        return;
    assert_int_equal(heard->offset, before); /* the file has no holes */
    assert_int_equal(host->fetch.have, before + heard->bytes_count);
    for (int i = 0; i < heard->bytes_count; i++)
        host->spoilt = host->spoilt || heard->bytes[i] != byte_at(heard->offset + i);
    host->kept = host->fetch.have;
}

/* The first to arrive of what is under way; −1 where nothing has by now. */
static int first_arrival(const struct world *world)
{
    int first = -1;
    for (int i = 0; i < world->flying_count; i++) {
        const struct flying *flying = &world->flying[i];
        if (flying->at_ms <= world->now_ms &&
            (first < 0 || flying->at_ms < world->flying[first].at_ms ||
             (flying->at_ms == world->flying[first].at_ms && flying->order < world->flying[first].order)))
            first = i;
    }
    return first;
}

static void deliver(struct world *world)
{
    for (int i; (i = first_arrival(world)) >= 0;) {
        const struct flying flying = world->flying[i];
        world->flying[i] = world->flying[--world->flying_count];
        if (!flying.to_worker)
            blobs_fetch(world->blobs, flying.peer, &flying.msg->fetch_, world->now_ms);
        for (int w = 0; flying.to_worker && w < WORKERS; w++)
            if (world->hosts[w].peer == flying.peer) /* else its connection is gone */
                host_hears(&world->hosts[w], &flying.msg->chunk_, world->now_ms);
        free(flying.msg);
    }
}

static void host_acts(struct world *world, struct host *host)
{
    static struct msg msg;
    if (host->whole)
        return;
    if (happens(world, world->weather.worker_crash)) {
        start_host(world, host);
        world->crashes++;
    }
    if (happens(world, world->weather.reconnect)) {
        host->peer = world->next_peer++;
        fetch_greeted(&host->fetch);
    }
    if (fetch_done(&host->fetch))
        verify(world, host);
    msg.type = MSG_FETCH;
    while (!host->whole && fetch_next(&host->fetch, world->now_ms, &msg.fetch_)) {
        assert_in_range(msg.fetch_.pieces, 1, FETCH_BATCH);
        assert_true(host->fetch.asked - host->fetch.have <= FETCH_WINDOW * CHUNK_BYTES);
        fly(world, host->peer, false, &msg);
    }
    assert_true(host->whole || fetch_done(&host->fetch) || fetch_next_ms(&host->fetch) > world->now_ms);
}

static bool is_there(const struct world *world, uint64_t peer)
{
    for (int w = 0; w < WORKERS; w++)
        if (world->hosts[w].peer == peer)
            return true;
    return false;
}

static void coordinator_acts(struct world *world)
{
    static struct msg msg;
    struct blobs_piece piece;
    if (happens(world, world->weather.coordinator_crash)) {
        start_coordinator(world);
        world->restarts++;
    }
    for (int i = 0; i < 16 && blobs_next(world->blobs, world->now_ms, &piece); i++) {
        assert_true(blobs_under_way(world->blobs, piece.peer) <= BLOBS_WINDOW);
        if (!is_there(world, piece.peer)) {
            blobs_unsent(world->blobs, piece.peer);
            continue;
        }
        msg.type = MSG_CHUNK;
        msg.chunk_ = (struct msg_chunk){.data_hash = HASH, .offset = piece.offset, .receipt = piece.receipt};
        msg.chunk_.bytes_count = piece.size;
        for (int b = 0; b < piece.size; b++)
            msg.chunk_.bytes[b] = byte_at(piece.offset + b);
        if (happens(world, world->weather.spoil)) {
            msg.chunk_.bytes[rng_below(&world->rng, (uint64_t)piece.size)] ^= 1;
            world->spoils++;
        }
        fly(world, piece.peer, true, &msg);
    }
}

static bool all_whole(const struct world *world)
{
    for (int w = 0; w < WORKERS; w++)
        if (!world->hosts[w].whole)
            return false;
    return true;
}

/* Runs until every host has the file; adds to *ret_counts. Time in ms. */
static int64_t run_world(uint64_t seed, struct weather weather, struct world *ret_counts)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->rng = rng_seed(seed, "world", 0);
    world->weather = weather;
    world->next_peer = 1;
    start_coordinator(world);
    for (int w = 0; w < WORKERS; w++)
        start_host(world, &world->hosts[w]);
    for (int steps = 0; !all_whole(world); steps++) {
        assert_true(steps < STEPS_MAX); /* it does end */
        world->now_ms += 1 + (int64_t)rng_below(&world->rng, 20);
        deliver(world);
        for (int w = 0; w < WORKERS; w++)
            host_acts(world, &world->hosts[w]);
        coordinator_acts(world);
    }
    for (int w = 0; w < WORKERS; w++)
        ret_counts->hosts[0].refusals += world->hosts[w].refusals;
    ret_counts->crashes += world->crashes;
    ret_counts->restarts += world->restarts;
    ret_counts->spoils += world->spoils;
    const int64_t ms = world->now_ms;
    for (int i = 0; i < world->flying_count; i++)
        free(world->flying[i].msg);
    blobs_destroy(&world->blobs);
    free(world);
    return ms;
}

static void on_a_calm_network_every_piece_is_sent_once(void **state)
{
    (void)state;
    struct world counts = {0};
    /* 5 workers, 16 pieces a step, one step is 10 ms on average and a message takes none. */
    const int64_t ms = run_world(1, (struct weather){.delay_ms = 1}, &counts);
    assert_in_range(ms, 50, 500);
}

static void every_host_gets_the_whole_file_through_any_weather(void **state)
{
    (void)state;
    struct world counts = {0};
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_world(seed,
                  (struct weather){.drop = 20,
                                   .twice = 20,
                                   .reconnect = 2,
                                   .worker_crash = 2,
                                   .coordinator_crash = 1,
                                   .delay_ms = seed % 2 ? 5 : 200},
                  &counts);
    assert_true(counts.crashes > 50 && counts.restarts > 20);
    assert_int_equal(counts.hosts[0].refusals, 0);
}

static void a_spoilt_piece_costs_a_try_and_never_counts_as_the_file(void **state)
{
    (void)state;
    struct world counts = {0};
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_world(seed, (struct weather){.spoil = 15, .delay_ms = 5}, &counts);
    assert_true(counts.spoils > 50 && counts.hosts[0].refusals > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(no_more_than_a_window_is_asked_for),
        TEST(only_the_piece_that_follows_is_taken),
        TEST(it_goes_on_where_it_stopped),
        TEST(silence_makes_it_ask_again_ever_later),
        TEST(a_greeting_makes_it_ask_anew_without_an_old_receipt),
        TEST(a_file_that_is_another_is_begun_anew_twice),
        TEST(on_a_calm_network_every_piece_is_sent_once),
        TEST(every_host_gets_the_whole_file_through_any_weather),
        TEST(a_spoilt_piece_costs_a_try_and_never_counts_as_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
