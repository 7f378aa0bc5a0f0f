/* What a browser asks for is taken apart with bounds, and only our own names are ours. */
#include "coordinator/status/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct http_target *ret_target)
{
    struct problem problem = {0};
    int err = http_target_parse(text, ret_target, &problem);
    assert_true((err != 0) == (problem.text[0] != '\0'));
    return err;
}

static void a_target_is_decoded_once(void **state)
{
    struct http_target target;
    (void)state;
    assert_int_equal(parse("/a%2fb+c?x=1&y=%25%41+b&&z&x=2", &target), 0);
    assert_string_equal(target.path, "/a/b+c");
    assert_string_equal(http_parameter(&target, "x"), "2");
    assert_string_equal(http_parameter(&target, "y"), "%A b");
    assert_string_equal(http_parameter(&target, "z"), "");
    assert_null(http_parameter(&target, "w"));
}

static void what_is_no_text_is_refused(void **state)
{
    static const char *const bad[] = {"",           "a",       "http://x/", "/%",      "/%4",
                                      "/%zz",       "/?a=%00", "/?a=%0a",   "/?%7f=1", "/%c3",
                                      "/?a=%c0%80", "/?a=%ff", "/a\tb",     "*",       "/?a=%ed%a0%80"};
    struct http_target target;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(bad[i], &target), ERR_INPUT);
}

static void a_target_has_bounds(void **state)
{
    struct http_target target;
    char text[HTTP_TARGET_MAX + 2];
    (void)state;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[HTTP_TARGET_MAX + 1] = '\0';
    assert_int_equal(parse(text, &target), ERR_LIMIT);
    text[HTTP_TARGET_MAX] = '\0';
    assert_int_equal(parse(text, &target), 0);
    assert_int_equal(parse("/?a&b&c&d&e&f&g&h", &target), 0);
    assert_int_equal(parse("/?a&b&c&d&e&f&g&h&i", &target), ERR_LIMIT);
}

static void numbers_have_bounds_and_names_are_known(void **state)
{
    struct http_target target;
    struct problem problem = {0};
    int64_t value = 7;
    (void)state;
    assert_int_equal(parse("/?limit=20&x=2x", &target), 0);
    assert_int_equal(http_parameter_int(&target, "offset", 0, 9, &value, &problem), 0);
    assert_int_equal(value, 7);
    assert_int_equal(http_parameter_int(&target, "limit", 1, 20, &value, &problem), 0);
    assert_int_equal(value, 20);
    assert_int_equal(http_parameter_int(&target, "limit", 1, 19, &value, &problem), ERR_INPUT);
    assert_int_equal(http_parameter_int(&target, "x", 1, 19, &value, &problem), ERR_INPUT);
    assert_int_equal(http_parameters_check(&target, "limit|x", &problem), 0);
    assert_int_equal(http_parameters_check(&target, "limit|xx", &problem), ERR_INPUT);
    assert_int_equal(http_parameters_check(&target, "", &problem), ERR_INPUT);
    assert_int_equal(parse("/?=1", &target), 0);
    assert_int_equal(http_parameters_check(&target, "a||b", &problem), ERR_INPUT);
}

static struct http_address address_of(const char *text)
{
    struct http_address address = {0};
    struct problem problem = {0};
    if (http_address_parse(text, &address, &problem) != 0)
        fail_msg("%s", problem.text);
    return address;
}

static void addresses_are_numbers_or_localhost(void **state)
{
    static const char *const bad[] = {"",
                                      "127.0.0.1",
                                      "8080",
                                      ":8080",
                                      "127.0.0.1:",
                                      "::1:80",
                                      "[::1]",
                                      "[::1]80",
                                      "[::1:80",
                                      "example.org:80",
                                      "[1.2.3.4]:80",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:8 0",
                                      "127.1:80"};
    struct http_address address;
    struct problem problem;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(http_address_parse(bad[i], &address, &problem), ERR_INPUT);
    address = address_of("localhost:0");
    assert_string_equal(address.host, "127.0.0.1");
    assert_true(address.loopback && !address.any && !address.ipv6);
    address = address_of("[::1]:8080");
    assert_true(address.loopback && address.ipv6 && address.port == 8080);
    assert_true(address_of("127.3.2.1:80").loopback);
    assert_true(!address_of("10.0.0.1:80").loopback && !address_of("10.0.0.1:80").any);
    assert_true(address_of("0.0.0.0:80").any && address_of("[::]:80").any && !address_of("[::]:80").loopback);
}

static void on_loopback_only_loopback_names_are_ours(void **state)
{
    const struct http_address address = address_of("127.0.0.1:8080");
    static const char *const ours[] = {"localhost",  "LocalHost:8080", "127.0.0.1:8080", "127.0.0.1",
                                       "[::1]:8080", "localhost:9000" /* through a tunnel */};
    static const char *const others[] = {"",
                                         "evil.example",
                                         "evil.example:8080",
                                         "localhost.evil.example",
                                         "10.0.0.1:8080",
                                         "head-node",
                                         "localhost:8080:1",
                                         "localhost:x",
                                         "localhost:123456",
                                         "[localhost]",
                                         "127.0.0.1.evil.example",
                                         "localhost, evil",
                                         "[::1",
                                         "user@localhost"};
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(http_host_is_ours(&address, "head-node", ours[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(http_host_is_ours(&address, "head-node", others[i]));
}

static void to_other_machines_numbers_and_the_machines_own_name_are_ours(void **state)
{
    const struct http_address address = address_of("0.0.0.0:8080");
    (void)state;
    assert_true(http_host_is_ours(&address, "head-node", "10.0.0.1:8080"));
    assert_true(http_host_is_ours(&address, "head-node", "HEAD-NODE:8080"));
    assert_true(http_host_is_ours(&address, "head-node", "localhost:8080"));
    assert_true(http_host_is_ours(&address, "head-node", "[2001:db8::1]:8080"));
    assert_false(http_host_is_ours(&address, "head-node", "evil.example:8080"));
    assert_false(http_host_is_ours(&address, "", ""));
    assert_false(http_host_is_ours(&address, "", ":80"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_decoded_once),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(a_target_has_bounds),
        cmocka_unit_test(numbers_have_bounds_and_names_are_known),
        cmocka_unit_test(addresses_are_numbers_or_localhost),
        cmocka_unit_test(on_loopback_only_loopback_names_are_ours),
        cmocka_unit_test(to_other_machines_numbers_and_the_machines_own_name_are_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
