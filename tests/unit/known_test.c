/* Promises of what a search remembers: the sequences that it proposed, and the best of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/search/elite.h"
#include "coordinator/search/known.h"

#include "tests/unit/search_fixture.h"

enum { STEPS = 3 };

static void add_numbers(struct known *known, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        known_add(known, (uint16_t[STEPS]){(uint16_t)(i >> 16), (uint16_t)i, 7});
}

static bool has_number(const struct known *known, uint32_t number)
{
    return known_has(known, (uint16_t[STEPS]){(uint16_t)(number >> 16), (uint16_t)number, 7});
}

static struct buf saved_known(const struct known *known)
{
    struct buf buf = {0};
    known_save(known, &buf);
    return buf;
}

static void the_latest_sequences_are_known_and_long_past_ones_forgotten(void **state)
{
    (void)state;
    struct known known;
    known_init(&known, STEPS);
    assert_false(has_number(&known, 0));
    add_numbers(&known, 0, KNOWN_GENERATION);
    assert_true(has_number(&known, 0) && has_number(&known, KNOWN_GENERATION - 1));
    assert_false(has_number(&known, KNOWN_GENERATION));
    add_numbers(&known, KNOWN_GENERATION, 2 * KNOWN_GENERATION);
    assert_true(has_number(&known, 0) && has_number(&known, 2 * KNOWN_GENERATION - 1));
    add_numbers(&known, 0, 1); /* is known, and takes no room */
    assert_true(has_number(&known, 0));
    add_numbers(&known, 2 * KNOWN_GENERATION, 2 * KNOWN_GENERATION + 1);
    assert_false(has_number(&known, 0));
    assert_true(has_number(&known, KNOWN_GENERATION) && has_number(&known, 2 * KNOWN_GENERATION));
    known_release(&known);
}

static void what_is_known_is_read_back_and_goes_on_the_same(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 100, KNOWN_GENERATION, KNOWN_GENERATION + 5};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct known known, twin;
        known_init(&known, STEPS);
        known_init(&twin, STEPS);
        add_numbers(&known, 0, counts[i]);
        struct buf buf = saved_known(&known);
        struct cursor cursor = cursor_of(buf.data, buf.size);
        assert_int_equal(known_load(&twin, &cursor), 0);
        assert_true(cursor_done(&cursor));
        buf_release(&buf);
        add_numbers(&known, counts[i], counts[i] + 50);
        add_numbers(&twin, counts[i], counts[i] + 50);
        assert_same_buf(saved_known(&known), saved_known(&twin));
        known_release(&known);
        known_release(&twin);
    }
}

static void a_damaged_memory_is_refused(void **state)
{
    (void)state;
    static const uint64_t damaged[][4] = {
        {1, 5, 0, 0},                    /* an old generation that is not full */
        {0, 2, 5, 5},                    /* one twice */
        {0, 1, 0, 0},                    /* no hash */
        {0, 3, 5, 6},                    /* cut off */
        {KNOWN_GENERATION + 1, 0, 0, 0}, /* too many */
        {0, UINT64_MAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct known known;
        struct buf buf = {0};
        for (int j = 0; j < 4; j++)
            buf_put_u64(&buf, damaged[i][j]);
        struct cursor cursor = cursor_of(buf.data, buf.size);
        known_init(&known, STEPS);
        assert_int_equal(known_load(&known, &cursor), ERR_CORRUPT);
        known_release(&known);
        buf_release(&buf);
    }
}

static void the_elite_are_the_best_distinct_sequences_of_equals_the_earlier(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct elite elite, twin;
    elite_init(&elite, space, 3);
    elite_init(&twin, space, 3);
    static const double rewards[] = {0.2, 0.5, 0.2, 0.5, 0.1, 0.9, 0.5};
    uint16_t tokens[7][SPACE_MAX_TOKENS] = {{0}};
    for (uint16_t i = 0; i < 7; i++) {
        tokens[i][TOKEN_UNARY_1] = i % 4;
        tokens[i][TOKEN_UNARY_2] = i / 4;
        elite_add(&elite, tokens[i], rewards[i]);
        elite_add(&elite, tokens[i], rewards[i]);
    }
    assert_int_equal(elite.count, 3);
    assert_memory_equal(elite.member[0].tokens, tokens[5], sizeof tokens[5]);
    assert_memory_equal(elite.member[1].tokens, tokens[1], sizeof tokens[1]);
    assert_memory_equal(elite.member[2].tokens, tokens[3], sizeof tokens[3]);
    assert_true(elite.member[0].reward == 0.9 && elite.member[2].reward == 0.5);
    struct buf buf = {0};
    elite_save(&elite, &buf);
    for (size_t size = 0; size < buf.size; size++) {
        struct cursor cut = cursor_of(buf.data, size);
        assert_true(elite_load(&twin, &cut) == ERR_CORRUPT);
        twin.count = 0;
    }
    struct cursor cursor = cursor_of(buf.data, buf.size);
    assert_int_equal(elite_load(&twin, &cursor), 0);
    assert_int_equal(twin.count, 3);
    assert_memory_equal(twin.member, elite.member, 3 * sizeof *elite.member);
    buf_release(&buf);
    elite_release(&elite);
    elite_release(&twin);
    space_destroy(&space);
}

static void no_elite_keeps_nothing(void **state)
{
    (void)state;
    struct space *space = small_space(1);
    struct elite elite;
    elite_init(&elite, space, 0);
    elite_add(&elite, (uint16_t[SPACE_MAX_TOKENS]){0}, 1);
    assert_int_equal(elite.count, 0);
    elite_release(&elite);
    space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_sequences_are_known_and_long_past_ones_forgotten),
        cmocka_unit_test(what_is_known_is_read_back_and_goes_on_the_same),
        cmocka_unit_test(a_damaged_memory_is_refused),
        cmocka_unit_test(the_elite_are_the_best_distinct_sequences_of_equals_the_earlier),
        cmocka_unit_test(no_elite_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
