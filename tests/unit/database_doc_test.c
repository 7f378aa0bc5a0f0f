/* The queries of docs/queries.md run and find something, and the columns of docs/database.md are those of the
 * schema. */
#include "tests/unit/store_world.h"

static struct buf document, queries_page;

/* A search among workers that crash, so that there is something of everything. */
static int set_up(void **state)
{
    static const char *const settings[] = {
        "search.algorithm=random", "search.candidates=80", "search.batch=8",
        "child.seeds=2",           "halving.rungs=2",      "queue.attempts=1000",
        "queue.lease=5s",          "queue.heartbeat=1s",   NULL};
    read_file("docs/database.md", &document);
    read_file("docs/queries.md", &queries_page);
    if (document.size == 0 || queries_page.size == 0 || enter_folder(state) != 0)
        return -1;
    search_on("doc.db", settings, NULL);
    return 0;
}

static int tear_down(void **state)
{
    buf_release(&document);
    buf_release(&queries_page);
    return leave_folder(state);
}

static bool count_row(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names, (void)values;
    ++*(int *)context;
    return true;
}

static void every_query_runs_and_finds_something(void **state)
{
    (void)state;
    static const char opening[] = "```sql", modest[] = " may find nothing\n";
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    assert_int_equal(store_reader_open("doc.db", &reader, &problem), 0);
    int queries = 0;
    for (const char *at = buf_text(&queries_page); (at = strstr(at, opening)); queries++) {
        at += strlen(opening);
        const bool may_be_none = strncmp(at, modest, strlen(modest)) == 0;
        at = strchr(at, '\n') + 1;
        const char *end = strstr(at, "```");
        assert_non_null(end);
        char *query = xasprintf("%.*s", (int)(end - at), at);
        int found = 0;
        if (store_query(reader, query, NULL, 0, count_row, &found, &problem) != 0)
            fail_msg("%s\n%s", query, problem.text);
        if (found == 0 && !may_be_none)
            fail_msg("finds nothing:\n%s", query);
        free(query);
        at = end;
    }
    assert_true(queries >= 12);
    store_reader_close(&reader);
}

/* The text of the section "### name"; malloc'd, NULL where there is none. */
static char *section_of(const char *name)
{
    char *heading = xasprintf("\n### %s\n", name);
    const char *begin = strstr(buf_text(&document), heading);
    char *section = NULL;
    if (begin) {
        begin += strlen(heading);
        const char *end = strstr(begin, "\n##");
        section = end ? xasprintf("%.*s", (int)(end - begin), begin) : xstrdup(begin);
    }
    free(heading);
    return section;
}

/* A column of a table or view: it must have its line in that section, or be named there. */
static bool check_column(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    char *section = section_of(values[0]);
    if (!section)
        fail_msg("%s is not described", values[0]);
    char *line = xasprintf("\n| %s |", values[1]), *name = xasprintf("`%s`", values[1]);
    if (!strstr(section, line) && !strstr(section, name))
        fail_msg("%s.%s is not described", values[0], values[1]);
    free(line);
    free(name);
    free(section);
    ++*(int *)context;
    return true;
}

/* A table or view: no more lines in its section than it has columns. */
static bool check_table(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    char *section = section_of(values[0]);
    assert_non_null(section);
    int lines = 0;
    for (const char *at = section; (at = strstr(at, "\n| ")); at++)
        lines++;
    int expected = strstr(section, "\n| column |") ? atoi(values[1]) + 1 : 0;
    if (lines != expected)
        fail_msg("%s has %s columns, and %d lines for them", values[0], values[1], lines - 1);
    free(section);
    ++*(int *)context;
    return true;
}

static void every_column_is_described(void **state)
{
    (void)state;
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    int checked = 0, tables = 0;
    assert_int_equal(store_reader_open("doc.db", &reader, &problem), 0);
    assert_int_equal(
        store_query(reader,
                    "SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c "
                    "WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite%'",
                    NULL, 0, check_column, &checked, &problem),
        0);
    assert_true(checked > 100);
    assert_int_equal(
        store_query(reader,
                    "SELECT s.name, count(*) FROM sqlite_schema AS s, pragma_table_info(s.name) AS c "
                    "WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite%' GROUP BY s.name",
                    NULL, 0, check_table, &tables, &problem),
        0);
    assert_true(tables == 16);
    store_reader_close(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_runs_and_finds_something),
        cmocka_unit_test(every_column_is_described),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
