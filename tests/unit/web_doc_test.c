/* docs/web.md has each path and each metric, with what it means, from the tables that the program is made of. */
#include "common/buf.h"
#include "common/err.h"
#include "coordinator/status/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void read_document(struct buf *ret_text)
{
    FILE *file = fopen("docs/web.md", "r");
    char block[4096];
    assert_non_null(file);
    for (size_t size; (size = fread(block, 1, sizeof block, file)) > 0;)
        buf_put(ret_text, block, size);
    fclose(file);
}

static void assert_line(const struct buf *document, char *line)
{
    if (!strstr(buf_text(document), line))
        fail_msg("docs/web.md lacks the line\n%s", line);
    free(line);
}

static void each_metric_is_documented(void **state)
{
    struct buf document = {0};
    (void)state;
    read_document(&document);
#define METRIC(name, type, help) assert_line(&document, xasprintf("| `%s` | %s | %s |\n", name, type, help));
#define VALUE(labels, number)
#include "coordinator/status/metrics.def"
    buf_release(&document);
}

/* "a|b" as "`a`, `b`" */
static void put_parameters(struct buf *line, const char *names)
{
    for (const char *at = names; *at;) {
        const int size = (int)strcspn(at, "|");
        buf_printf(line, "%s`%.*s`", at == names ? " " : ", ", size, at);
        at += size + (at[size] == '|');
    }
}

static void each_path_is_documented(void **state)
{
    static const struct {
        const char *name, *parameters, *meaning;
    } rows[] = {
#define REPORT_ROW(name, parameters, meaning) {#name, parameters, meaning},
        REPORT_TABLE(REPORT_ROW)
#undef REPORT_ROW
    };
    struct buf document = {0};
    (void)state;
    read_document(&document);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf line = {0};
        buf_printf(&line, "| `/api/%s` |", rows[i].name);
        put_parameters(&line, rows[i].parameters);
        buf_printf(&line, " | %s |\n", rows[i].meaning);
        assert_line(&document, (char *)line.data);
    }
    buf_release(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_metric_is_documented),
        cmocka_unit_test(each_path_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
