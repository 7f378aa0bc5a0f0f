/* docs/expressions.md lists the primitives as common/expr/ops.def has them. After a change of the table write
 * the list anew with  build/release/tests/expr_docs_test write */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/expr/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char document[] = "docs/expressions.md";
static const char begin[] = "<!-- primitives: begin -->\n", end[] = "<!-- primitives: end -->\n";

static void written(const struct op_row *row, char ret_text[64])
{
    if (row->syntax == SYNTAX_CALL)
        snprintf(ret_text, 64, row->arity == 1 ? "%s(u)" : "%s(u,v)", row->name);
    else if (row->syntax == SYNTAX_SIGN)
        snprintf(ret_text, 64, "%su", row->name);
    else
        snprintf(ret_text, 64, row->syntax == SYNTAX_POWER ? "u%sn" : "u%sv", row->name);
}

static char *primitives(void)
{
    struct buf table = {0};
    buf_printf(&table, "| written | means | slope in u | slope in v |\n|---|---|---|---|\n");
    for (int op = OP_BETA + 1; op < OPS; op++) {
        const struct op_row *row = &op_rows[op];
        char text[64];
        written(row, text);
        buf_printf(&table, "| `%s` | %s | `%s` |", text, row->meaning, row->slope_text[0]);
        buf_printf(&table, row->arity == 2 ? " `%s` |\n" : " |\n", row->slope_text[1]);
    }
    char *text = xstrdup(buf_text(&table));
    buf_release(&table);
    return text;
}

static char *document_read(void)
{
    enum { MOST = 1 << 16 };
    FILE *file = fopen(document, "r");
    assert_non_null(file);
    char *text = xcalloc(MOST, 1);
    text[fread(text, 1, MOST - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void the_document_lists_the_primitives_of_the_table(void **state)
{
    (void)state;
    char *text = document_read(), *expected = primitives();
    char *from = strstr(text, begin), *to = strstr(text, end);
    assert_true(from && to && to > from);
    *to = '\0';
    assert_string_equal(from + sizeof begin - 1, expected);
    free(text);
    free(expected);
}

static int document_write(void)
{
    char *text = document_read(), *table = primitives();
    char *from = strstr(text, begin), *to = strstr(text, end);
    FILE *file = from && to ? fopen(document, "w") : NULL;
    if (!file)
        return 1;
    fprintf(file, "%.*s%s%s", (int)(from + sizeof begin - 1 - text), text, table, to);
    free(text);
    free(table);
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "write") == 0)
        return document_write();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_lists_the_primitives_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
