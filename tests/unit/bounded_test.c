/* The first walk over the bytes of a message: what passes, what does not, and where. */
#include "proto/bounded.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BYTES(text) text, sizeof text - 1

/* Checks an exact copy, so that a sanitizer sees a read past its end. */
static int checked(const char *bytes, size_t size, struct bounded_map *ret_map, struct problem *ret_problem)
{
    uint8_t *exact = xcalloc(size ? size : 1, 1);
    memcpy(exact, bytes, size);
    int err = bounded_check(exact, size, ret_map, ret_problem);
    free(exact);
    return err;
}

static void it_says_where_each_key_and_value_stands(void **state)
{
    (void)state;
    static const char bytes[] = "\x84\xa1"
                                "a\x93\x05\xcd\x01\x00\xff\xa1"
                                "b\xcb\0\0\0\0\0\0\0\0\xa0\xd9\x02hi\xa1"
                                "d\xc2";
    struct bounded_map map;
    struct problem problem;
    assert_int_equal(checked(BYTES(bytes), &map, &problem), 0);
    assert_int_equal(map.count, 4);
    static const uint32_t places[][2] = {{1, 3}, {9, 11}, {20, 21}, {25, 27}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(map.entries[i].key_at, places[i][0]);
        assert_int_equal(map.entries[i].value_at, places[i][1]);
    }
    assert_int_equal(bounded_element_at((const uint8_t *)bytes, sizeof bytes - 1, 3, 0), 4);
    assert_int_equal(bounded_element_at((const uint8_t *)bytes, sizeof bytes - 1, 3, 1), 5);
    assert_int_equal(bounded_element_at((const uint8_t *)bytes, sizeof bytes - 1, 3, 2), 8);
}

#define VALUE(value)                                                                                         \
    BYTES("\x81\xa1"                                                                                         \
          "a" value) /* the value is byte 3 */

static void every_value_of_a_message_passes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {BYTES("\x80")},
        {BYTES("\xde\0\0")},
        {BYTES("\xdf\0\0\0\0")},
        {BYTES("\xde\0\x01\xa1"
               "a\x05")},
        {BYTES("\x81\xa0\x05")},
        {VALUE("\x00")},
        {VALUE("\x7f")},
        {VALUE("\xe0")},
        {VALUE("\xcc\xff")},
        {VALUE("\xcd\xff\xff")},
        {VALUE("\xce\xff\xff\xff\xff")},
        {VALUE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")},
        {VALUE("\xd0\xff")},
        {VALUE("\xd1\xff\xff")},
        {VALUE("\xd2\xff\xff\xff\xff")},
        {VALUE("\xd3\xff\xff\xff\xff\xff\xff\xff\xff")},
        {VALUE("\xca\x7f\xc0\0\0")},
        {VALUE("\xcb\x7f\xf8\0\0\0\0\0\0")},
        {VALUE("\xc2")},
        {VALUE("\xc3")},
        {VALUE("\xa0")},
        {VALUE("\xd9\x01z")},
        {VALUE("\xda\0\x01z")},
        {VALUE("\xdb\0\0\0\x01z")},
        {VALUE("\x90")},
        {VALUE("\x92\x05\xca\0\0\0\0")},
        {VALUE("\xdc\0\x01\xff")},
        {VALUE("\xdd\0\0\0\x01\xd0\x80")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bounded_map map;
        struct problem problem;
        if (checked(rows[i].bytes, rows[i].size, &map, &problem) != 0)
            fail_msg("row %zu: %s", i, problem.text);
    }
}

static void all_else_is_refused_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int err;
        const char *text;
    } rows[] = {
        {BYTES("\x05"), ERR_INPUT, "byte 0: an integer, expected a map"},
        {BYTES("\x90"), ERR_INPUT, "byte 0: an array, expected a map"},
        {BYTES("\xc0"), ERR_INPUT, "byte 0: nil, expected a map"},
        {BYTES("\x80\x80"), ERR_INPUT, "byte 1: something follows the end of the message"},
        {BYTES("\xde\0"), ERR_INPUT, "byte 2: the message is cut off here"},
        {BYTES("\x82\xa1"
               "a"),
         ERR_INPUT, "byte 0: a map of 2, but only 2 bytes are left"},
        {BYTES("\xde\0\x21"), ERR_LIMIT, "byte 0: a map of 33 entries, at most 32 are allowed"},
        {BYTES("\xdf\xff\xff\xff\xff"), ERR_LIMIT,
         "byte 0: a map of 4294967295 entries, at most 32 are allowed"},
        {BYTES("\x81\x05\x05"), ERR_INPUT, "byte 1: an integer as a key, expected a string"},
        {BYTES("\x81\xc3\x05"), ERR_INPUT, "byte 1: true as a key, expected a string"},
        {BYTES("\x81\x91\x05\x05"), ERR_INPUT, "byte 1: an array as a key, expected a string"},
        {VALUE("\xc0"), ERR_INPUT, "byte 3: nil is no value of a message"},
        {VALUE("\xc1"), ERR_INPUT, "byte 3: the unused byte 0xc1 is no value of a message"},
        {VALUE("\xc4\x02z"), ERR_INPUT, "byte 3: bytes of 2, but only 1 bytes are left"},
        {VALUE("\xc6\xff\xff\xff\xff"), ERR_INPUT, "byte 3: bytes of 4294967295, but only 0 bytes are left"},
        {VALUE("\x91\xc4\x01z"), ERR_INPUT, "byte 4: bin 8 in an array, expected a number"},
        {VALUE("\xc7\x01\x01z"), ERR_INPUT, "byte 3: ext 8 is no value of a message"},
        {VALUE("\xd4\x01z"), ERR_INPUT, "byte 3: fixext 1 is no value of a message"},
        {VALUE("\x80"), ERR_INPUT, "byte 3: a map is no value of a message"},
        {VALUE("\xdf\xff\xff\xff\xff"), ERR_INPUT, "byte 3: map 32 is no value of a message"},
        {VALUE("\x91\x90"), ERR_INPUT, "byte 4: an array in an array, expected a number"},
        {VALUE("\x92\x05\xa1z"), ERR_INPUT, "byte 5: a string in an array, expected a number"},
        {VALUE("\x91\xc3"), ERR_INPUT, "byte 4: true in an array, expected a number"},
        {VALUE("\x91\xc0"), ERR_INPUT, "byte 4: nil in an array, expected a number"},
        {VALUE("\x91\xdd\xff\xff\xff\xff"), ERR_INPUT, "byte 4: array 32 in an array, expected a number"},
        {VALUE("\xdd\xff\xff\xff\xff"), ERR_INPUT,
         "byte 3: an array of 4294967295, but only 0 bytes are left"},
        {VALUE("\xdc\0\x03\x01\x01"), ERR_INPUT, "byte 3: an array of 3, but only 2 bytes are left"},
        {VALUE("\x92\xcd\0"), ERR_INPUT, "byte 6: the message is cut off here"},
        {VALUE("\x92\xcd\0\x01"), ERR_INPUT, "byte 7: the message is cut off here"},
        {VALUE("\xdb\xff\xff\xff\xff"), ERR_INPUT,
         "byte 3: a string of 4294967295, but only 0 bytes are left"},
        {VALUE("\xd9\x03zz"), ERR_INPUT, "byte 3: a string of 3, but only 2 bytes are left"},
        {VALUE("\xda\0"), ERR_INPUT, "byte 5: the message is cut off here"},
        {VALUE("\xcb\0\0\0\0\0\0\0"), ERR_INPUT, "byte 11: the message is cut off here"},
        {VALUE("\xa2z\0"), ERR_INPUT, "byte 5: a NUL in a string"},
        {VALUE("\xa1\x80"), ERR_INPUT, "byte 4: bytes that are no UTF-8 in a string"},
        {VALUE("\xa2\xc0\xaf"), ERR_INPUT, "byte 4: bytes that are no UTF-8 in a string"},     /* overlong */
        {VALUE("\xa3\xe0\x80\xaf"), ERR_INPUT, "byte 4: bytes that are no UTF-8 in a string"}, /* overlong */
        {VALUE("\xa3\xed\xa0\x80"), ERR_INPUT, "byte 4: bytes that are no UTF-8 in a string"}, /* surrogate */
        {VALUE("\xa4\xf4\x90\x80\x80"), ERR_INPUT,
         "byte 4: bytes that are no UTF-8 in a string"},                                    /* U+110000 */
        {VALUE("\xa3z\xe2\x82"), ERR_INPUT, "byte 5: bytes that are no UTF-8 in a string"}, /* cut off */
        {BYTES("\x81\xa1\xff\x05"), ERR_INPUT, "byte 2: bytes that are no UTF-8 in a string"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bounded_map map, untouched;
        struct problem problem = {0};
        memset(&map, 0xa5, sizeof map);
        untouched = map;
        assert_int_equal(checked(rows[i].bytes, rows[i].size, &map, &problem), rows[i].err);
        assert_string_equal(problem.text, rows[i].text);
        assert_memory_equal(&map, &untouched, sizeof map);
    }
}

static void a_map_of_the_most_entries_passes(void **state)
{
    (void)state;
    char bytes[3 + 2 * BOUNDED_MAX_ENTRIES] = "\xde\0";
    bytes[2] = BOUNDED_MAX_ENTRIES;
    memset(bytes + 3, '\xa0', sizeof bytes - 3);
    struct bounded_map map;
    struct problem problem;
    assert_int_equal(checked(bytes, sizeof bytes, &map, &problem), 0);
    assert_int_equal(map.count, BOUNDED_MAX_ENTRIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_where_each_key_and_value_stands),
        cmocka_unit_test(every_value_of_a_message_passes),
        cmocka_unit_test(all_else_is_refused_where_it_stands),
        cmocka_unit_test(a_map_of_the_most_entries_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
