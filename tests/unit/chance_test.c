/* Random numbers, hashes and seeds: the same on every machine and in every release, since ranked lists depend
 * on them. The values come from an independent implementation (Python's hashlib, and xoshiro256** written
 * from its paper). */
#include "common/hash.h"
#include "common/rng.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void the_generator_is_xoshiro256(void **state)
{
    (void)state;
    struct rng rng = {{1, 2, 3, 4}};
    assert_true(rng_u64(&rng) == 11520);
    assert_true(rng_u64(&rng) == 0);
    assert_true(rng_u64(&rng) == 1509978240);
    assert_true(rng_u64(&rng) == UINT64_C(1215971899390074240));
}

static void a_seed_and_a_purpose_give_the_same_stream_for_ever(void **state)
{
    (void)state;
    static const uint64_t weights[] = {0x4510022a6afe3570, 0x63fb6e747dc73c14, 0xa1fea79479b32b9c,
                                       0x5d5c53ebcaea38b2};
    static const uint64_t augment[] = {0xf4a0e06efc671e4d, 0xe804b8a1297ef44e, 0x500a617c09ad9e82,
                                       0x50ef4b8c2c2ad801};
    struct rng a = rng_seed(1, "weights", 0), b = rng_seed(1, "augment", 3);
    for (int i = 0; i < 4; i++) {
        assert_true(rng_u64(&a) == weights[i]);
        assert_true(rng_u64(&b) == augment[i]);
    }
}

static void streams_of_other_seeds_purposes_and_indices_differ(void **state)
{
    (void)state;
    struct rng streams[] = {rng_seed(1, "a", 0), rng_seed(2, "a", 0), rng_seed(1, "b", 0),
                            rng_seed(1, "a", 1), rng_seed(1, "", 0),  rng_seed(1, "aa", 0)};
    enum { STREAMS = sizeof streams / sizeof *streams };
    uint64_t first[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        first[i] = rng_u64(&streams[i]);
        for (int j = 0; j < i; j++)
            assert_true(first[i] != first[j]);
    }
}

static void a_saved_generator_goes_on_where_it_was(void **state)
{
    (void)state;
    struct rng rng = rng_seed(7, "saved", 0), loaded;
    for (int i = 0; i < 10; i++)
        rng_u64(&rng);
    struct buf buf = {0};
    rng_save(&rng, &buf);
    struct cursor cursor = cursor_of(buf.data, buf.size);
    rng_load(&loaded, &cursor);
    assert_true(cursor_done(&cursor));
    for (int i = 0; i < 10; i++)
        assert_true(rng_u64(&rng) == rng_u64(&loaded));
    buf_release(&buf);
}

/* Counts within five deviations of what chance would give. */
static void numbers_below_a_bound_are_evenly_spread(void **state)
{
    (void)state;
    enum { BOUND = 7, DRAWS = 70000 };
    struct rng rng = rng_seed(1, "below", 0);
    int counts[BOUND] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[rng_below(&rng, BOUND)]++;
    for (int i = 0; i < BOUND; i++)
        assert_in_range(counts[i], DRAWS / BOUND - 5 * 93, DRAWS / BOUND + 5 * 93);
    assert_int_equal(rng_below(&rng, 1), 0);
    const uint64_t half =
        (UINT64_C(1) << 63) + 1; /* where a plain remainder would favour the low half two to one */
    int low = 0;
    for (int i = 0; i < 10000; i++)
        low += rng_below(&rng, half) < half / 2;
    assert_in_range(low, 5000 - 5 * 50, 5000 + 5 * 50);
}

static void uniform_and_normal_numbers_have_their_moments(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    struct rng rng = rng_seed(1, "moments", 0);
    double sum = 0, normal_sum = 0, normal_squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        double u = rng_uniform(&rng), n = rng_normal(&rng);
        assert_true(u >= 0 && u < 1 && isfinite(n));
        sum += u;
        normal_sum += n;
        normal_squares += n * n;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 5 * 0.2887 / sqrt(DRAWS));
    assert_true(fabs(normal_sum / DRAWS) < 5 / sqrt(DRAWS));
    assert_true(fabs(normal_squares / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
}

static void a_shuffle_keeps_all_items_and_finds_every_order(void **state)
{
    (void)state;
    struct rng rng = rng_seed(1, "shuffle", 0);
    int seen[6] = {0};
    for (int i = 0; i < 6000; i++) {
        uint32_t items[3] = {0, 1, 2};
        rng_shuffle(&rng, items, 3);
        assert_int_equal(items[0] + items[1] + items[2], 3);
        assert_int_equal(items[0] * items[0] + items[1] * items[1] + items[2] * items[2], 5);
        seen[items[0] * 2 + (items[1] > items[2])]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 1000 - 5 * 29, 1000 + 5 * 29);
    rng_shuffle(&rng, NULL, 0);
}

static void the_hash_is_blake2b_of_32_bytes(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
        {"abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
    };
    for (int i = 0; i < 2; i++) {
        char hex[HASH_HEX];
        struct hash hash = hash_of(rows[i][0], strlen(rows[i][0]));
        hash_hex(&hash, hex);
        assert_string_equal(hex, rows[i][1]);
    }
    assert_true(hash64("abc", 3) == UINT64_C(0x723942633c81ddbd)); /* its first bytes, little-endian */
}

static void the_seed_of_a_trial_is_the_same_for_ever_and_survives_json(void **state)
{
    (void)state;
    assert_true(trial_seed(1, 0) == UINT64_C(7028916345092584));
    assert_true(trial_seed(1, 1) == UINT64_C(872730707923105));
    assert_true(trial_seed(INT64_MAX, 999) == UINT64_C(7231880084170420));
    for (uint32_t replica = 0; replica < 1000; replica++)
        assert_true(trial_seed(5, replica) < UINT64_C(1) << 53);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_xoshiro256),
        cmocka_unit_test(a_seed_and_a_purpose_give_the_same_stream_for_ever),
        cmocka_unit_test(streams_of_other_seeds_purposes_and_indices_differ),
        cmocka_unit_test(a_saved_generator_goes_on_where_it_was),
        cmocka_unit_test(numbers_below_a_bound_are_evenly_spread),
        cmocka_unit_test(uniform_and_normal_numbers_have_their_moments),
        cmocka_unit_test(a_shuffle_keeps_all_items_and_finds_every_order),
        cmocka_unit_test(the_hash_is_blake2b_of_32_bytes),
        cmocka_unit_test(the_seed_of_a_trial_is_the_same_for_ever_and_survives_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
