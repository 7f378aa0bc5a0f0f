/* A database of each earlier layout, kept as SQL text in tests/golden/schema-N.sql, is opened, brought up to
 * date, and gone on with. (scripts/golden-schema writes the one of the present layout.) */
#include "coordinator/schema.h"
#include "coordinator/store_check.h"

#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/store_fixture.h"

static struct buf golden[SCHEMA_VERSION + 1];

static int set_up(void **state)
{
    for (int version = 1; version <= SCHEMA_VERSION; version++) {
        char path[64];
        snprintf(path, sizeof path, "tests/golden/schema-%d.sql", version);
        read_file(path, &golden[version]);
        if (golden[version].size == 0) {
            fprintf(stderr, "%s is missing: scripts/golden-schema writes it\n", path);
            return -1;
        }
    }
    return enter_folder(state);
}

static int tear_down(void **state)
{
    for (int version = 1; version <= SCHEMA_VERSION; version++)
        buf_release(&golden[version]);
    return leave_folder(state);
}

static void make_golden(int version)
{
    struct sql *sql = NULL;
    struct problem problem = {0};
    remove_database("old.db");
    if (sql_open("old.db", SQL_CREATE, &sql, &problem) != 0 ||
        sql_exec(sql, buf_text(&golden[version]), &problem) != 0)
        fail_msg("schema-%d.sql: %s", version, problem.text);
    sql_close(&sql);
    assert_int_equal(number_in("old.db", "PRAGMA user_version"), version);
}

static bool append_value(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    buf_printf(context, "%s\n", values[0] ? values[0] : "NULL");
    return true;
}

static void query(const char *path, const char *sql, struct buf *ret_text)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    buf_clear(ret_text);
    if (store_reader_open(path, &reader, &problem) != 0 ||
        store_query(reader, sql, NULL, 0, append_value, ret_text, &problem) != 0)
        fail_msg("%s", problem.text);
    store_reader_close(&reader);
}

/* The experiment that the database was made with. */
static struct experiment *experiment_of(int version)
{
    struct experiment *experiment = NULL;
    struct problem problem = {0};
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    make_golden(version);
    assert_int_equal(sql_open("old.db", SQL_READ, &sql, &problem), 0);
    assert_int_equal(sql_prepare(sql, "SELECT text FROM experiment", &statement, &problem), 0);
    assert_int_equal(sql_step(statement, &row, &problem), 0);
    assert_true(row);
    if (experiment_parse("golden", sql_column_text(statement, 0), NULL, 0, &experiment, &problem) != 0)
        fail_msg("%s", problem.text);
    sql_finalize(&statement);
    sql_close(&sql);
    return experiment;
}

/* All that a program can see of a layout: tables, views and indexes, and each column with its type. */
static const char layout[] = "SELECT o.type || ' ' || o.name || coalesce('.' || c.name || ' ' || c.type || ' "
                             "' || c.\"notnull\" || ' ' || "
                             "c.pk, '') FROM sqlite_schema AS o LEFT JOIN pragma_table_xinfo(o.name) AS c "
                             "WHERE o.name NOT LIKE 'sqlite_%' ORDER BY 1";

static void take(void *context, enum check check, const char *found)
{
    if (found)
        buf_printf(context, "%s: %s\n", check_name(check), found);
}

static void assert_whole(const char *path)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    struct buf found = {0};
    assert_int_equal(store_reader_open(path, &reader, &problem), 0);
    assert_int_equal(store_check(reader, take, &found, &problem), 0);
    assert_string_equal(buf_text(&found), "");
    store_reader_close(&reader);
    buf_release(&found);
}

static void a_database_of_each_layout_is_brought_up_to_date_and_gone_on_with(void **state)
{
    (void)state;
    struct buf new_layout = {0}, old_layout = {0}, ranking = {0};
    for (int version = 1; version <= SCHEMA_VERSION; version++) {
        struct experiment *experiment = experiment_of(version);
        remove_database("new.db");
        struct store *new_store = open_store("new.db", experiment), *store = open_store("old.db", experiment);
        struct rows rows = {.counters_changed = true}, nothing = {.counters_changed = true};
        write_store(new_store, &nothing);
        store_close(&new_store);

        struct rows restored = restore_store(store);
        assert_true(restored.candidates.count > 0 && restored.trials.count > 0);
        rows.counters = restored.counters;
        write_store(store, &rows);
        store_close(&store);
        assert_int_equal(number_in("old.db", "PRAGMA user_version"), SCHEMA_VERSION);
        query("new.db", layout, &new_layout);
        query("old.db", layout, &old_layout);
        assert_string_equal(buf_text(&old_layout), buf_text(&new_layout));
        query("old.db", "SELECT activation FROM ranking", &ranking);
        assert_true(ranking.size > 0);
        assert_whole("old.db");
        rows_release(&restored);
        experiment_destroy(&experiment);
    }
    buf_release(&new_layout);
    buf_release(&old_layout);
    buf_release(&ranking);
}

static void a_layout_that_changes_gets_a_new_version(void **state)
{
    (void)state;
    struct buf kept = {0}, present = {0};
    struct sql *sql = NULL;
    struct problem problem = {0};
    make_golden(SCHEMA_VERSION);
    remove_database("present.db");
    assert_int_equal(sql_open("present.db", SQL_CREATE, &sql, &problem), 0);
    assert_int_equal(sql_exec(sql, schema_sql, &problem), 0);
    sql_close(&sql);
    query("old.db", layout, &kept);
    query("present.db", layout, &present);
    if (strcmp(buf_text(&kept), buf_text(&present)) != 0)
        fail_msg("the layout is another than in tests/golden/schema-%d.sql. Where databases of it are about, "
                 "raise SCHEMA_VERSION and add a migration (store.c); then run scripts/golden-schema",
                 SCHEMA_VERSION);
    buf_release(&kept);
    buf_release(&present);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_of_each_layout_is_brought_up_to_date_and_gone_on_with),
        cmocka_unit_test(a_layout_that_changes_gets_a_new_version),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
