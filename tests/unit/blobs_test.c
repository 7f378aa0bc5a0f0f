/* Who is sent which piece of the data set next (coordinator/blobs.h). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/blobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
enum { LAST = 1000, PIECES = 40, BYTES = (PIECES - 1) * CHUNK_BYTES + LAST };

static int setup(void **state)
{
    *state = blobs_new(HASH, BYTES, rng_seed(1, "test", 0));
    return 0;
}

static int teardown(void **state)
{
    blobs_destroy((struct blobs **)state);
    return 0;
}

static void ask(struct blobs *blobs, uint64_t peer, int64_t piece, int64_t pieces, int64_t receipt,
                int64_t now_ms)
{
    struct msg_fetch fetch = {.offset = piece * CHUNK_BYTES, .pieces = pieces, .receipt = receipt};
    snprintf(fetch.data_hash, sizeof fetch.data_hash, HASH);
    blobs_fetch(blobs, peer, &fetch, now_ms);
}

static struct blobs_piece next(struct blobs *blobs, int64_t now_ms)
{
    struct blobs_piece piece = {0};
    assert_true(blobs_next(blobs, now_ms, &piece));
    return piece;
}

static bool is_quiet(struct blobs *blobs, int64_t now_ms)
{
    struct blobs_piece piece;
    return !blobs_next(blobs, now_ms, &piece);
}

/* ---- what is sent ---- */

static void pieces_come_in_the_order_of_asking_and_the_last_is_what_is_left(void **state)
{
    struct blobs *blobs = *state;
    assert_int_equal(blobs_next_ms(blobs), INT64_MAX);
    ask(blobs, 7, PIECES - 2, 16, 0, 100);
    ask(blobs, 7, 3, 1, 0, 100);
    assert_int_equal(blobs_next_ms(blobs), 100);
    struct blobs_piece piece = next(blobs, 100);
    assert_int_equal(piece.peer, 7);
    assert_int_equal(piece.offset, (PIECES - 2) * CHUNK_BYTES);
    assert_int_equal(piece.size, CHUNK_BYTES);
    piece = next(blobs, 100);
    assert_int_equal(piece.offset, (PIECES - 1) * CHUNK_BYTES);
    assert_int_equal(piece.size, LAST);
    assert_int_equal(next(blobs, 100).offset, 3 * CHUNK_BYTES);
    assert_true(is_quiet(blobs, 100));
    assert_int_equal(blobs_next_ms(blobs), INT64_MAX);
}

static void a_piece_may_begin_anywhere(void **state)
{
    struct blobs *blobs = *state;
    struct msg_fetch fetch = {.data_hash = HASH, .offset = 12345, .pieces = 1};
    blobs_fetch(blobs, 7, &fetch, 0);
    const struct blobs_piece piece = next(blobs, 0);
    assert_int_equal(piece.offset, 12345);
    assert_int_equal(piece.size, CHUNK_BYTES);
}

static void what_is_not_there_is_not_sent(void **state)
{
    struct blobs *blobs = *state;
    struct msg_fetch fetch = {.data_hash = "f", .offset = 0, .pieces = 1};
    blobs_fetch(blobs, 7, &fetch, 0);
    ask(blobs, 7, PIECES, 16, 0, 0);
    assert_true(is_quiet(blobs, 0));
}

static void what_is_asked_for_twice_while_it_waits_is_sent_once(void **state)
{
    struct blobs *blobs = *state;
    ask(blobs, 7, 0, 2, 0, 0);
    ask(blobs, 7, 1, 2, 0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next(blobs, 0).offset, i * CHUNK_BYTES);
    assert_true(is_quiet(blobs, 0));
}

static void whoever_asks_after_a_failure_is_told_so(void **state)
{
    struct blobs *blobs = *state;
    blobs_fail(blobs);
    ask(blobs, 7, 0, 1, 0, 0);
    assert_int_equal(next(blobs, 0).size, 0);
}

/* ---- bounds ---- */

static void no_more_than_a_window_is_under_way_to_a_peer_that_reads_nothing(void **state)
{
    struct blobs *blobs = *state;
    int sent = 0;
    int64_t now_ms = 0;
    for (int round = 0; round < 1000; round++, now_ms += BLOBS_LOST_MS / 4) {
        ask(blobs, 7, round % PIECES, 16, 1 + round, now_ms); /* it makes receipts up */
        struct blobs_piece piece;
        while (blobs_next(blobs, now_ms, &piece))
            sent++;
        assert_true(blobs_under_way(blobs, 7) <= BLOBS_WINDOW);
    }
    assert_int_equal(sent, (BLOBS_FORGIVEN + 1) * BLOBS_WINDOW);
}

static void a_receipt_confirms_its_piece_and_all_before(void **state)
{
    struct blobs *blobs = *state;
    int64_t receipts[BLOBS_WINDOW];
    ask(blobs, 7, 0, 16, 0, 0);
    for (int i = 0; i < BLOBS_WINDOW; i++)
        receipts[i] = next(blobs, 0).receipt;
    ask(blobs, 7, 16, 16, 0, 0);
    assert_true(is_quiet(blobs, 0));
    ask(blobs, 7, 16, 16, receipts[4], 0);
    assert_int_equal(blobs_under_way(blobs, 7), BLOBS_WINDOW - 5);
    ask(blobs, 7, 16, 16, receipts[2], 0); /* overtaken on its way */
    assert_int_equal(blobs_under_way(blobs, 7), BLOBS_WINDOW - 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(next(blobs, 0).offset, (16 + i) * CHUNK_BYTES);
    assert_true(is_quiet(blobs, 0));
}

static void a_receipt_is_never_0_and_hardly_ever_the_same(void **state)
{
    struct blobs *blobs = *state;
    int64_t before = 0;
    for (int i = 0; i < PIECES; i++) {
        ask(blobs, 7, i, 1, before, 0);
        const int64_t receipt = next(blobs, 0).receipt;
        assert_true(receipt > 0 && receipt != before);
        before = receipt;
    }
}

static void lost_pieces_are_sent_again_after_a_while(void **state)
{
    struct blobs *blobs = *state;
    ask(blobs, 7, 0, 16, 0, 0);
    for (int i = 0; i < BLOBS_WINDOW; i++)
        next(blobs, 0);
    ask(blobs, 7, 0, 16, 0, 2000);
    assert_true(is_quiet(blobs, 2000));
    assert_true(is_quiet(blobs, BLOBS_LOST_MS)); /* forgets what is lost, and what was asked for */
    ask(blobs, 7, 0, 16, 0, BLOBS_LOST_MS);
    assert_int_equal(next(blobs, BLOBS_LOST_MS).offset, 0);
}

/* ---- many ---- */

static void those_who_ask_are_sent_a_piece_each_in_turn(void **state)
{
    struct blobs *blobs = *state;
    for (uint64_t peer = 1; peer <= 3; peer++)
        ask(blobs, peer, 0, 8, 0, 0);
    int sent[4] = {0};
    for (int i = 0; i < 24; i++) {
        const struct blobs_piece piece = next(blobs, 0);
        assert_int_equal(piece.offset, sent[piece.peer] * CHUNK_BYTES);
        sent[piece.peer]++;
        for (int peer = 1; peer <= 3; peer++)
            assert_in_range(sent[peer], i / 3, i / 3 + 1);
    }
}

static void beyond_those_served_the_others_wait_and_get_their_turn(void **state)
{
    struct blobs *blobs = *state;
    enum { PEERS = BLOBS_ACTIVE + 2 };
    int64_t receipts[PEERS + 1] = {0};
    for (uint64_t peer = 1; peer <= PEERS; peer++)
        ask(blobs, peer, 0, 1, 0, 0);
    for (int i = 0; i < BLOBS_ACTIVE; i++) {
        const struct blobs_piece piece = next(blobs, 0);
        assert_in_range(piece.peer, 1, BLOBS_ACTIVE);
        receipts[piece.peer] = piece.receipt;
    }
    assert_true(is_quiet(blobs, 0));
    assert_int_equal(blobs_next_ms(blobs), BLOBS_LOST_MS);
    ask(blobs, 5, PIECES, 1, receipts[5], 10); /* it has all it wanted */
    assert_int_equal(next(blobs, 10).peer, BLOBS_ACTIVE + 1);
    assert_true(is_quiet(blobs, 10));
    assert_int_equal(next(blobs, BLOBS_LOST_MS).peer, BLOBS_ACTIVE + 2); /* some have fallen silent */
}

static void a_peer_that_is_gone_makes_room_at_once(void **state)
{
    struct blobs *blobs = *state;
    for (uint64_t peer = 1; peer <= BLOBS_ACTIVE + 1; peer++)
        ask(blobs, peer, 0, 2, 0, 0);
    const struct blobs_piece piece = next(blobs, 0);
    blobs_unsent(blobs, piece.peer);
    assert_int_equal(blobs_under_way(blobs, piece.peer), 0);
    bool let_in = false;
    for (int i = 0; i < 2 * BLOBS_ACTIVE; i++) {
        const uint64_t peer = next(blobs, 0).peer;
        assert_int_not_equal(peer, piece.peer);
        let_in = let_in || peer == BLOBS_ACTIVE + 1;
    }
    assert_true(let_in);
    assert_true(is_quiet(blobs, 0));
}

static void any_number_of_peers_may_come(void **state)
{
    struct blobs *blobs = *state;
    int64_t now_ms = 0;
    for (uint64_t peer = 1; peer <= BLOBS_PEERS + 500; peer++, now_ms++) {
        ask(blobs, peer, 0, 1, 0, now_ms);
        struct blobs_piece piece;
        while (blobs_next(blobs, now_ms, &piece))
            ask(blobs, piece.peer, PIECES, 1, piece.receipt, now_ms);
        assert_int_equal(blobs_under_way(blobs, peer), 0);
    }
    for (uint64_t peer = 1; peer <= BLOBS_PEERS + 500; peer++) /* all at once: some are not heard */
        ask(blobs, peer, 1, 1, 0, now_ms);
    int served = 0;
    struct blobs_piece piece;
    while (blobs_next(blobs, now_ms, &piece)) {
        ask(blobs, piece.peer, PIECES, 1, piece.receipt, now_ms);
        served++;
    }
    assert_int_equal(served, BLOBS_PEERS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pieces_come_in_the_order_of_asking_and_the_last_is_what_is_left),
        TEST(a_piece_may_begin_anywhere),
        TEST(what_is_not_there_is_not_sent),
        TEST(what_is_asked_for_twice_while_it_waits_is_sent_once),
        TEST(whoever_asks_after_a_failure_is_told_so),
        TEST(no_more_than_a_window_is_under_way_to_a_peer_that_reads_nothing),
        TEST(a_receipt_confirms_its_piece_and_all_before),
        TEST(a_receipt_is_never_0_and_hardly_ever_the_same),
        TEST(lost_pieces_are_sent_again_after_a_while),
        TEST(those_who_ask_are_sent_a_piece_each_in_turn),
        TEST(beyond_those_served_the_others_wait_and_get_their_turn),
        TEST(a_peer_that_is_gone_makes_room_at_once),
        TEST(any_number_of_peers_may_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
