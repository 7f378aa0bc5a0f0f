#include "proto/endpoint.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void only_what_stays_on_this_machine_is_local(void **state)
{
    (void)state;
    assert_true(endpoint_is_local("ipc:///tmp/a"));
    assert_true(endpoint_is_local("tcp://127.0.0.1:5570"));
    assert_true(endpoint_is_local("tcp://127.3.2.1:5570"));
    assert_true(endpoint_is_local("tcp://localhost:5570"));
    assert_true(endpoint_is_local("tcp://[::1]:5570"));
    assert_false(endpoint_is_local("tcp://*:5570"));
    assert_false(endpoint_is_local("tcp://0.0.0.0:5570"));
    assert_false(endpoint_is_local("tcp://10.0.0.1:5570"));
    assert_false(endpoint_is_local("tcp://[::]:5570"));
    assert_false(endpoint_is_local("tcp://127.0.0.1.example.org:5570"));
    assert_false(endpoint_is_local("tcp://localhost.example.org:5570"));
    assert_false(endpoint_is_local("tcp://head-node:5570"));
    assert_false(endpoint_is_local("udp://127.0.0.1:5570"));
    assert_false(endpoint_is_local("tcp://127.0.0.1"));
    assert_false(endpoint_is_local(""));
}

static void what_is_no_endpoint_is_refused_with_what_was_expected(void **state)
{
    (void)state;
    struct problem problem = {0};
    static const char *const bad[] = {
        "",         "5570",           "tcp://",           "tcp://host", "tcp://:5570",
        "tcp://h:", "tcp://h:65536",  "tcp://h:port",     "tcp://h:-1", "udp://h:1",
        "ipc://",   "tcp://h:123456", "http://localhost", "tcp:/h:1",   "tcp"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(endpoint_check(bad[i], &problem), ERR_INPUT);
        assert_non_null(strstr(problem.text, "expected"));
    }
    char path[200] = "ipc://";
    memset(path + 6, 'a', 150);
    assert_int_equal(endpoint_check(path, &problem), ERR_INPUT);
    assert_int_equal(endpoint_check("tcp://*:5570", &problem), 0);
    assert_int_equal(endpoint_check("tcp://127.0.0.1:0", &problem), 0);
    assert_int_equal(endpoint_check("tcp://127.0.0.1:*", &problem), 0);
    assert_int_equal(endpoint_check("tcp://[::1]:5570", &problem), 0);
    assert_int_equal(endpoint_check("ipc:///tmp/a b", &problem), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_stays_on_this_machine_is_local),
        cmocka_unit_test(what_is_no_endpoint_is_refused_with_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
