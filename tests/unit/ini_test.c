/* Lines of "[section]" and "key = value", their continuation, comments, bounds, and the line of what is
 * wrong. */
#include "common/ini.h"

#include "common/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Writes down all keys as "line section.key=value|"; refuses the key "bad". */
static int note(void *context, const char *section, const char *key, const char *value, int line,
                struct problem *problem)
{
    if (strcmp(key, "bad") == 0)
        return problem_set(problem, ERR_CONFLICT, "a bad key");
    buf_printf(context, "%d %s.%s=%s|", line, section, key, value);
    return 0;
}

static void keys_come_in_order_with_their_line_and_section(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"\n\n", ""},
        {"a = 1", "1 .a=1|"},
        {"a=1\n[s]\nb : 2\n\nc=3\n", "1 .a=1|3 s.b=2|5 s.c=3|"},
        {"[s]\n# one\n; two\na = 1\n", "4 s.a=1|"},
        {"[s]\na =\n", "2 s.a=|"},
        {"[s]\na = x = y: z\n", "2 s.a=x = y: z|"},
        {"[s]\na = max(x,0); b=0.25 # not a comment\n", "2 s.a=max(x,0); b=0.25 # not a comment|"},
        {"[s]\na = 1,\n  2,\n\t3\nb = 4\n", "2 s.a=1,\n2,\n3|5 s.b=4|"},
        {"[s]\na = 1\n  b = 2\n", "2 s.a=1\nb = 2|"},
        {"[s]\na = 1,\n# between\n  2\n", "2 s.a=1,\n2|"},
        {"[s]\r\na = 1\r\n", "2 s.a=1|"},
        {"\xef\xbb\xbf[s]\na = 1\n", "2 s.a=1|"},
        {"[s]\na = 1\n[t]\n[s]\na = 2\n", "2 s.a=1|5 s.a=2|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf seen = {0};
        struct problem problem = {0};
        if (ini_read(rows[i][0], note, &seen, &problem) != 0)
            fail_msg("%s: %s", rows[i][0], problem.text);
        assert_string_equal(buf_text(&seen), rows[i][1]);
        buf_release(&seen);
    }
}

static void the_first_line_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err, line;
        const char *said;
    } rows[] = {
        {"[s]\nnonsense\na = 1\n", ERR_INPUT, 2, "expected [section] or key = value, not 'nonsense'"},
        {"[s\n", ERR_INPUT, 1, "expected [section] or key = value, not '[s'"},
        {"[s]\nbad = 1\nnonsense\n", ERR_CONFLICT, 2, "a bad key"},
        {"[s]\na = 1\nbad = 1\n  more\n", ERR_CONFLICT, 3, "a bad key"},
        {"[s]\nbad = 1", ERR_CONFLICT, 2, "a bad key"},
        {"[s]\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1\n", ERR_LIMIT, 2,
         "the name of a section or key has more than 48 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf seen = {0};
        struct problem problem = {0};
        assert_int_equal(ini_read(rows[i].text, note, &seen, &problem), rows[i].err);
        assert_int_equal(problem.line, rows[i].line);
        assert_string_equal(problem.text, rows[i].said);
        buf_release(&seen);
    }
}

/* Reads "[s]", `before`, `count` times `character`, and a line that ends it. */
static int read_long(const char *before, int count, char character, struct problem *problem)
{
    struct buf text = {0}, seen = {0};
    buf_printf(&text, "[s]\n%s", before);
    for (int i = 0; i < count; i++)
        buf_put(&text, &character, 1);
    buf_printf(&text, "\nb = 1\n");
    int err = ini_read(buf_text(&text), note, &seen, problem);
    assert_true(err || strstr(buf_text(&seen), "s.b=1|")); /* nothing is cut off */
    buf_release(&text);
    buf_release(&seen);
    return err;
}

static void lines_values_and_texts_have_bounds(void **state)
{
    (void)state;
    struct problem problem = {0};
    assert_int_equal(read_long("a = ", INI_VALUE_MAX, 'x', &problem), 0);
    assert_int_equal(read_long("a = ", INI_VALUE_MAX + 1, 'x', &problem), ERR_LIMIT);
    assert_int_equal(problem.line, 2);
    assert_string_equal(problem.text, "the value has more than 65536 bytes");
    assert_int_equal(read_long("#", INI_LINE_MAX - 3, 'x', &problem), 0);
    assert_int_equal(read_long("#", INI_LINE_MAX, 'x', &problem), ERR_LIMIT);
    assert_int_equal(problem.line, 2);
    assert_int_equal(read_long("", INI_TEXT_MAX - 12, '\n', &problem), 0);
    assert_int_equal(read_long("", INI_TEXT_MAX, '\n', &problem), ERR_LIMIT);
}

static void a_key_of_the_longest_name_is_not_cut(void **state)
{
    (void)state;
    struct buf seen = {0};
    struct problem problem = {0};
    assert_int_equal(
        ini_read("[s]\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1\n", note, &seen, &problem), 0);
    assert_string_equal(buf_text(&seen), "2 s.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1|");
    buf_release(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_in_order_with_their_line_and_section),
        cmocka_unit_test(the_first_line_that_cannot_be_read_is_named),
        cmocka_unit_test(lines_values_and_texts_have_bounds),
        cmocka_unit_test(a_key_of_the_longest_name_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
