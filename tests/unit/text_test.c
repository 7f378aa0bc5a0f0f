/* Values as people write them: what is taken, what is refused, and that what is put is read back. */
#include "common/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void whole_numbers_are_taken_whole_and_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0}, {"-5", -5}, {"+5", 5}, {"007", 7}, {"10", 10}};
    static const char *const bad[] = {
        "", "x", "12x", "1.0", "1e1", " 1", "1 ", "0x1", "11", "-6", "99999999999999999999"};
    struct problem problem;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 77;
        assert_int_equal(text_int(good[i].text, -5, 10, &value, &problem), 0);
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 77;
        assert_int_equal(text_int(bad[i], -5, 10, &value, &problem), ERR_INPUT);
        assert_int_equal(value, 77);
    }
    assert_string_equal(problem.text, "expected a whole number from -5 to 10, not '99999999999999999999'");
    int64_t least;
    assert_int_equal(text_int("-1", 0, INT64_MAX, &least, &problem), ERR_INPUT);
    assert_string_equal(problem.text, "expected a whole number, 0 or more, not '-1'");
    assert_int_equal(text_int("-9223372036854775808", INT64_MIN, INT64_MAX, &least, &problem), 0);
    assert_true(least == INT64_MIN);
}

static void unsigned_numbers_reach_to_the_last(void **state)
{
    (void)state;
    struct problem problem;
    uint64_t value = 77;
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "18446744073709551616", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(text_u64(bad[i], &value, &problem), ERR_INPUT);
    assert_true(value == 77);
    assert_int_equal(text_u64("18446744073709551615", &value, &problem), 0);
    assert_true(value == UINT64_MAX);
}

static void real_numbers_are_finite_and_decimal(void **state)
{
    (void)state;
    struct problem problem;
    double value = 77;
    static const char *const bad[] = {"",   "nan", "inf", "0x1p3", "1e",    "1e999",
                                      " 1", "1 ",  "1,5", "10.1",  "-10.1", "."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(text_real(bad[i], -10, 10, &value, &problem), ERR_INPUT);
        assert_true(value == 77);
    }
    assert_string_equal(problem.text, "expected a number from -10 to 10, not '.'");
    static const struct {
        const char *text;
        double value;
    } good[] = {{"10", 10}, {".5", 0.5}, {"-1e-3", -0.001}, {"5.", 5}, {"0.1", 0.1}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(text_real(good[i].text, -10, 10, &value, &problem), 0);
        assert_true(value == good[i].value);
    }
    assert_int_equal(text_real("x", -INFINITY, INFINITY, &value, &problem), ERR_INPUT);
    assert_string_equal(problem.text, "expected a number, not 'x'");
}

static void truths_have_four_spellings_each(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"true", "false"}, {"yes", "no"}, {"on", "off"}, {"1", "0"}};
    struct problem problem;
    bool value;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(text_bool(rows[i][0], &value, &problem), 0);
        assert_true(value);
        assert_int_equal(text_bool(rows[i][1], &value, &problem), 0);
        assert_false(value);
    }
    assert_int_equal(text_bool("True", &value, &problem), ERR_INPUT);
    assert_int_equal(text_bool("", &value, &problem), ERR_INPUT);
}

static void a_choice_is_one_of_the_names(void **state)
{
    (void)state;
    struct problem problem;
    struct buf name = {0};
    int value = 77;
    for (int i = 0; i < 3; i++) {
        buf_clear(&name);
        text_put_choice(&name, "red|green|blue", i);
        assert_int_equal(text_choice(buf_text(&name), "red|green|blue", &value, &problem), 0);
        assert_int_equal(value, i);
    }
    buf_release(&name);
    static const char *const bad[] = {"", "re", "red|green", "RED", "greeen"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(text_choice(bad[i], "red|green|blue", &value, &problem), ERR_INPUT);
    assert_int_equal(value, 2);
    assert_string_equal(problem.text, "expected red, green or blue, not 'greeen'; did you mean 'green'?");
}

static void a_duration_has_a_unit_and_is_put_in_its_largest(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *put;
    } good[] = {{"0ms", 0, "0ms"},          {"500ms", 500, "500ms"}, {"30s", 30000, "30s"},
                {"60s", 60000, "1m"},       {"90m", 5400000, "90m"}, {"2h", 7200000, "2h"},
                {"1001ms", 1001, "1001ms"}, {"1000ms", 1000, "1s"}};
    struct problem problem;
    int64_t ms = 77;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buf put = {0};
        assert_int_equal(text_duration(good[i].text, 0, 86400000, &ms, &problem), 0);
        assert_int_equal(ms, good[i].ms);
        text_put_duration(&put, ms);
        assert_string_equal(buf_text(&put), good[i].put);
        buf_release(&put);
    }
    ms = 77;
    static const char *const bad[] = {"",    "30", "s",   "-1s",   "1.5s", "30 s",
                                      "30S", "1d", "25h", "30sec", " 30s", "9223372036854775807h"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(text_duration(bad[i], 0, 86400000, &ms, &problem), ERR_INPUT);
    assert_int_equal(ms, 77);
    assert_string_equal(problem.text, "expected a duration from 0ms to 24h, such as 500ms, 30s or 2m, not "
                                      "'9223372036854775807h'");
}

static void a_list_is_split_at_its_outer_commas(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *items[4];
        const char *put;
    } rows[] = {
        {"a", {"a"}, "a"},
        {" a ,b,  c ", {"a", "b", "c"}, "a, b, c"},
        {"max(x,0), min(x,(1,2))", {"max(x,0)", "min(x,(1,2))"}, "max(x,0), min(x,(1,2))"},
        {"\"a,b\", c", {"a,b", "c"}, "\"a,b\", c"},
        {"\" a \"", {"a"}, "a"},
        {"\"a(b\"", {"a(b"}, "\"a(b\""},
        {"a)b, c", {"a)b", "c"}, "a)b, c"},
        {"a \n  b,\n\tc", {"a b", "c"}, "a b, c"},
        {"x\"a,b\"y, z", {"x\"a,b\"y", "z"}, "x\"a,b\"y, z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text_list list;
        struct problem problem;
        struct buf put = {0};
        assert_int_equal(text_list_parse(rows[i].text, 4, &list, &problem), 0);
        for (int k = 0; k < list.count; k++)
            assert_string_equal(list.items[k], rows[i].items[k]);
        assert_true(list.count == 4 || rows[i].items[list.count] == NULL);
        text_list_put(&list, &put);
        assert_string_equal(buf_text(&put), rows[i].put);
        buf_release(&put);
        text_list_release(&list);
    }
}

static void a_list_with_a_hole_or_an_open_bracket_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "the list is empty"},
        {"  ", "the list is empty"},
        {"\"\"", "the list is empty"},
        {",", "item 1 of the list is empty"},
        {"a,", "item 2 of the list is empty"},
        {"a,,b", "item 2 of the list is empty"},
        {"a, (b", "a parenthesis or quote is not closed in ' (b'"},
        {"a, \"b", "a parenthesis or quote is not closed in ' \"b'"},
        {"a,b,c,d,e", "more than 4 items"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text_list list;
        struct problem problem;
        assert_int_equal(text_list_parse(rows[i][0], 4, &list, &problem), ERR_INPUT);
        assert_string_equal(problem.text, rows[i][1]);
    }
}

static void utf8_is_valid_up_to_its_first_bad_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size, good;
    } rows[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"a\0b", 3, 1},
        {"\xc2\x80\xdf\xbf", 4, 4},
        {"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 12, 12},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, 8},
        {"\x80", 1, 0},
        {"a\xc1\xbf", 3, 1},
        {"a\xe0\x9f\xbf", 4, 1},
        {"a\xf0\x8f\xbf\xbf", 5, 1},
        {"a\xed\xa0\x80", 4, 1},
        {"a\xf4\x90\x80\x80", 5, 1},
        {"a\xf8\x88\x80\x80\x80", 6, 1},
        {"a\xe2\x82", 3, 1},
        {"a\xe2(\xa1", 4, 1},
        {"\xff", 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(text_utf8_prefix(rows[i].text, rows[i].size), rows[i].good);
}

static void what_would_be_a_command_to_a_terminal_is_none(void **state)
{
    (void)state;
    char text[] = "a\nb\033[2J\177 \xc2\x9b"
                  "31m \xc2\xa0\xc3\x9b\xe2\x82\xac";
    text_disarm(text);
    assert_string_equal(text, "a?b?[2J? ??31m \xc2\xa0\xc3\x9b\xe2\x82\xac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_taken_whole_and_within_bounds),
        cmocka_unit_test(unsigned_numbers_reach_to_the_last),
        cmocka_unit_test(real_numbers_are_finite_and_decimal),
        cmocka_unit_test(truths_have_four_spellings_each),
        cmocka_unit_test(a_choice_is_one_of_the_names),
        cmocka_unit_test(a_duration_has_a_unit_and_is_put_in_its_largest),
        cmocka_unit_test(a_list_is_split_at_its_outer_commas),
        cmocka_unit_test(a_list_with_a_hole_or_an_open_bracket_is_refused),
        cmocka_unit_test(what_would_be_a_command_to_a_terminal_is_none),
        cmocka_unit_test(utf8_is_valid_up_to_its_first_bad_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
