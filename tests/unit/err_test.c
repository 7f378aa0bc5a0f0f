/* Problems, near spellings, and bytes that grow and are taken back. */
#include "common/buf.h"
#include "common/err.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void each_error_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(err_text(0), "success");
    assert_string_equal(err_text(ERR_INPUT), "bad input");
    assert_string_equal(err_text(ERR_STOPPED), "stopped on request");
}

static void a_problem_keeps_its_place_under_a_prefix(void **state)
{
    (void)state;
    struct problem problem;
    assert_int_equal(problem_at(&problem, ERR_LIMIT, 3, 7, "%d too many", 5), ERR_LIMIT);
    problem_prefix(&problem, "a.ini:%d", 3);
    assert_string_equal(problem.text, "a.ini:3: 5 too many");
    assert_int_equal(problem.line, 3);
    assert_int_equal(problem.column, 7);
    assert_int_equal(problem_set(&problem, ERR_INPUT, "x"), ERR_INPUT);
    assert_int_equal(problem.line, 0);
    assert_int_equal(problem.column, 0);
}

static void a_long_problem_is_cut_at_its_end(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    struct problem problem;
    problem_set(&problem, ERR_INPUT, "%s", text);
    assert_int_equal(strlen(problem.text), sizeof problem.text - 1);
    problem_prefix(&problem, "where");
    assert_int_equal(strlen(problem.text), sizeof problem.text - 1);
    assert_memory_equal(problem.text, "where: aaa", 10);
    problem_prefix(&problem, "%s", text);
    assert_int_equal(strlen(problem.text), sizeof problem.text - 1);
    assert_memory_equal(problem.text + sizeof problem.text - 5, "aa: ", 5);
}

static void the_nearest_name_is_one_that_may_be_meant(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int other;
    } names[] = {{"steps", 1}, {"seeds", 2}, {"schedule", 3}};
    static const char *const rows[][2] = {
        {"step", "steps"},  {"Steps", "steps"},      {"seds", "seeds"}, {"shedule", "schedule"},
        {"steps", "steps"}, {"learning_rate", NULL}, {"x", NULL},       {"", NULL},
        {"stop", "steps"},  {"sees", "seeds"},       {"sex", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *nearest = nearest_name(rows[i][0], &names[0].name, 3, sizeof *names);
        if (rows[i][1])
            assert_string_equal(nearest, rows[i][1]);
        else
            assert_null(nearest);
    }
    char longest[200];
    memset(longest, 's', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_null(nearest_name(longest, &names[0].name, 3, sizeof *names));
}

static void bytes_grow_and_end_in_a_nul(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_string_equal(buf_text(&buf), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%03d", i);
    assert_int_equal(buf.size, 3000);
    assert_int_equal(strlen(buf_text(&buf)), 3000);
    assert_memory_equal(buf.data + 2997, "999", 4);
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
    buf_put(&buf, "a\0b", 3);
    assert_memory_equal(buf.data, "a\0b", 4);
    buf_release(&buf);
    assert_null(buf.data);
}

static void numbers_are_little_endian_and_taken_back(void **state)
{
    (void)state;
    struct buf buf = {0};
    static const double values[] = {1.5, -0.0, INFINITY};
    buf_put_u32(&buf, 0x01020304);
    assert_memory_equal(buf.data, "\x04\x03\x02\x01", 4);
    buf_put_u64(&buf, UINT64_C(0x0102030405060708));
    assert_memory_equal(buf.data + 4, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    buf_put_f64(&buf, 1.0);
    assert_memory_equal(buf.data + 12, "\0\0\0\0\0\0\xf0\x3f", 8);
    buf_put_f64s(&buf, values, 3);
    struct cursor cursor = cursor_of(buf.data, buf.size);
    double taken[3];
    assert_int_equal(cursor_take_u32(&cursor), 0x01020304);
    assert_true(cursor_take_u64(&cursor) == UINT64_C(0x0102030405060708));
    assert_true(cursor_take_f64(&cursor) == 1.0);
    assert_false(cursor_done(&cursor));
    cursor_take_f64s(&cursor, taken, 3);
    assert_memory_equal(taken, values, sizeof values);
    assert_true(cursor_done(&cursor));
    buf_release(&buf);
}

static void what_is_taken_past_the_end_is_zero_and_noticed(void **state)
{
    (void)state;
    struct cursor cursor = cursor_of("\x01\x02\x03", 3);
    assert_int_equal(cursor_take_u32(&cursor), 0);
    assert_true(cursor.failed);
    uint8_t bytes[2] = {7, 7};
    assert_false(cursor_take(&cursor, bytes, 1)); /* and stays so */
    assert_int_equal(bytes[0], 0);
    assert_false(cursor_done(&cursor));
    cursor = cursor_of("\x01", 1);
    assert_false(cursor_take(&cursor, bytes, 2));
    assert_int_equal(bytes[1], 0);
    cursor = cursor_of(NULL, 0);
    assert_true(cursor_done(&cursor));
    assert_true(cursor_take(&cursor, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_a_text),
        cmocka_unit_test(a_problem_keeps_its_place_under_a_prefix),
        cmocka_unit_test(a_long_problem_is_cut_at_its_end),
        cmocka_unit_test(the_nearest_name_is_one_that_may_be_meant),
        cmocka_unit_test(bytes_grow_and_end_in_a_nul),
        cmocka_unit_test(numbers_are_little_endian_and_taken_back),
        cmocka_unit_test(what_is_taken_past_the_end_is_zero_and_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
