/* The levels of the log. */
#include "common/log.h"

#include <czmq.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void the_levels_keep_their_values_beside_the_headers_of_libraries(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        {"error", LEVEL_ERROR}, {"warning", LEVEL_WARNING}, {"info", LEVEL_INFO}, {"debug", LEVEL_DEBUG}};
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
        enum log_level level = LEVEL_ERROR;
        assert_true(log_level_parse(levels[i].name, &level));
        assert_int_equal(level, levels[i].level);
    }
    enum log_level untouched = LEVEL_WARNING;
    assert_false(log_level_parse("loud", &untouched));
    assert_int_equal(untouched, LEVEL_WARNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_levels_keep_their_values_beside_the_headers_of_libraries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
