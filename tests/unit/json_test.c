/* JSON that any reader takes: commas, nesting, escapes, numbers. */
#include "common/json.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void commas_and_brackets_stand_where_they_belong(void **state)
{
    (void)state;
    struct json json = {0};
    json_object(&json, NULL);
    json_array(&json, "empty");
    json_end(&json);
    json_array(&json, "list");
    json_int(&json, NULL, 1);
    json_object(&json, NULL);
    json_bool(&json, "yes", true);
    json_bool(&json, "no", false);
    json_end(&json);
    json_null(&json, NULL);
    json_end(&json);
    json_text(&json, "text", "a");
    json_text(&json, "none", NULL);
    json_end(&json);
    assert_string_equal(
        buf_text(&json.out),
        "{\"empty\":[],\"list\":[1,{\"yes\":true,\"no\":false},null],\"text\":\"a\",\"none\":null}");
    buf_release(&json.out);
}

static void texts_are_escaped(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\t\x01\x1f", "\"\\u000a\\u0009\\u0001\\u001f\""},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82", "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82\""},
        {"l\xe9on", "\"l\\ufffdon\""},      /* no UTF-8: a host name, a path */
        {"\xe2\x82", "\"\\ufffd\\ufffd\""}, /* cut off */
        {"\xc0\x80", "\"\\ufffd\\ufffd\""}, /* overlong */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json json = {0};
        json_text(&json, NULL, rows[i][0]);
        assert_string_equal(buf_text(&json.out), rows[i][1]);
        buf_release(&json.out);
    }
}

static void keys_are_escaped_like_texts(void **state)
{
    (void)state;
    struct json json = {0};
    json_object(&json, NULL);
    json_int(&json, "a\"b", 0);
    json_end(&json);
    assert_string_equal(buf_text(&json.out), "{\"a\\\"b\":0}");
    buf_release(&json.out);
}

static void numbers_are_as_short_as_they_read_back_exactly(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},
                {-0.0, "-0"},
                {1, "1"},
                {0.1, "0.1"},
                {0.1 + 0.2, "0.30000000000000004"},
                {1.0 / 3, "0.3333333333333333"},
                {1e300, "1e+300"},
                {DBL_TRUE_MIN, "4.94065645841247e-324"},
                {DBL_MAX, "1.7976931348623157e+308"},
                {123456789012, "123456789012"},
                {NAN, "null"},
                {INFINITY, "null"},
                {-INFINITY, "null"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json json = {0};
        json_real(&json, NULL, rows[i].value);
        assert_string_equal(buf_text(&json.out), rows[i].text);
        if (isfinite(rows[i].value))
            assert_true(strtod(buf_text(&json.out), NULL) == rows[i].value);
        buf_release(&json.out);
    }
    struct json json = {0};
    json_array(&json, NULL);
    json_int(&json, NULL, INT64_MAX);
    json_int(&json, NULL, INT64_MIN);
    json_end(&json);
    assert_string_equal(buf_text(&json.out), "[9223372036854775807,-9223372036854775808]");
    buf_release(&json.out);
}

static void it_nests_to_its_bound(void **state)
{
    (void)state;
    struct json json = {0};
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        json_array(&json, NULL);
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        json_end(&json);
    assert_string_equal(buf_text(&json.out), "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
    buf_release(&json.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_brackets_stand_where_they_belong),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(keys_are_escaped_like_texts),
        cmocka_unit_test(numbers_are_as_short_as_they_read_back_exactly),
        cmocka_unit_test(it_nests_to_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
