/* docs/expressions.md lists the primitives as common/expr/ops.def has them, and the functions that have a name as
 * common/expr/known.c has them. After a change of a table write the lists anew with
 * build/release/tests/expr_docs_test write */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/expr/expr.h"
#include "common/expr/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char document[] = "docs/expressions.md";
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

static char *known(void)
{
    struct buf table = {0};
    buf_printf(&table, "| name | function | source |\n|---|---|---|\n");
    for (int i = 0; i < expr_known_count; i++)
        buf_printf(&table, "| `%s` | `%s` |%s%s |\n", expr_known[i].name, expr_known[i].text,
                   *expr_known[i].source ? " " : "", expr_known[i].source);
    char *text = xstrdup(buf_text(&table));
    buf_release(&table);
    return text;
}

/* The lists, each between a pair of comments of the document. */
static const struct list {
    const char *begin, *end;
    char *(*text)(void);
} lists[] = {
    {"<!-- primitives: begin -->\n", "<!-- primitives: end -->\n", primitives},
    {"<!-- known: begin -->\n", "<!-- known: end -->\n", known},
};
enum { LISTS = sizeof lists / sizeof *lists };

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

static void check(const struct list *list)
{
    char *text = document_read(), *expected = list->text();
    char *from = strstr(text, list->begin), *to = strstr(text, list->end);
    assert_true(from && to && to > from);
    *to = '\0';
    assert_string_equal(from + strlen(list->begin), expected);
    free(text);
    free(expected);
}

static void the_document_lists_the_primitives_of_the_table(void **state)
{
    (void)state;
    check(&lists[0]);
}

static void the_document_lists_the_functions_that_have_a_name(void **state)
{
    (void)state;
    check(&lists[1]);
}

static int document_write(void)
{
    int failed = 0;
    for (int i = 0; i < LISTS && !failed; i++) {
        char *text = document_read(), *table = lists[i].text();
        char *from = strstr(text, lists[i].begin), *to = strstr(text, lists[i].end);
        FILE *file = from && to ? fopen(document, "w") : NULL;
        if (file)
            fprintf(file, "%.*s%s%s", (int)(from + strlen(lists[i].begin) - text), text, table, to);
        failed = !file || fclose(file) != 0;
        free(text);
        free(table);
    }
    return failed;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "write") == 0)
        return document_write();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_lists_the_primitives_of_the_table),
        cmocka_unit_test(the_document_lists_the_functions_that_have_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
