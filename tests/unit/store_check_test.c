/* `check` passes what a coordinator wrote and finds each kind of damage by its own check; `backup` makes a
 * copy that is one committed state. */
#include "tests/unit/store_world.h"

#include "coordinator/store_backup.h"
#include "coordinator/store_check.h"

static const char *const settings[] = {
    "search.algorithm=random", "search.candidates=12", "search.batch=8",     "child.seeds=2",
    "queue.attempts=1000",     "queue.lease=5s",       "queue.heartbeat=1s", NULL};

/* ---- check --------------------------------------------------------------------------------------------- */

struct report {
    int made[CHECKS], found[CHECKS];
    struct buf text;
};

static void take(void *context, enum check check, const char *found)
{
    struct report *report = context;
    if (found) {
        report->found[check]++;
        buf_printf(&report->text, "%s: %s\n", check_name(check), found);
    } else {
        report->made[check]++;
    }
}

static struct report check_database_at(const char *path)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    struct report report = {0};
    if (store_reader_open(path, &reader, &problem) != 0 || store_check(reader, take, &report, &problem) != 0)
        fail_msg("%s", problem.text);
    store_reader_close(&reader);
    return report;
}

static void assert_whole(const char *path)
{
    struct report report = check_database_at(path);
    for (int i = 0; i < CHECKS; i++)
        if (report.made[i] != 1 || report.found[i] != 0)
            fail_msg("%s: %s: %s", path, check_name((enum check)i), buf_text(&report.text));
    buf_release(&report.text);
}

static void check_while_written(struct store_disk *disk)
{
    if (disk->commits % 3 != 1)
        return;
    assert_whole("live.db");
    disk->checked++;
}

static void a_database_passes_after_any_commit_while_it_is_written(void **state)
{
    (void)state;
    assert_true(search_on("live.db", settings, check_while_written) > 10);
    assert_whole("live.db");
}

static void copy_file(const char *from, const char *to)
{
    struct buf bytes = {0};
    read_file(from, &bytes);
    write_file(to, bytes.data, bytes.size);
    buf_release(&bytes);
}

static void each_damage_is_found_by_its_check(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum check check;
    } damages[] = {
        {"PRAGMA foreign_keys = OFF; UPDATE proposal SET candidate = 999 WHERE number = (SELECT max(number) "
         "FROM proposal WHERE candidate IS NOT NULL)",
         CHECK_REFERENCES},
        {"UPDATE worker SET name = 'a' || char(0) WHERE id = 1", CHECK_COLUMNS},
        {"UPDATE candidate SET fingerprint = upper(fingerprint) || ''", CHECK_COLUMNS},
        {"UPDATE trial SET closed_by = NULL WHERE id = 3", CHECK_STATES},
        {"UPDATE attempt SET state = 'lapsed' WHERE state = 'taken' AND trial = 5", CHECK_STATES},
        {"UPDATE experiment SET finished_ms = 0", CHECK_STATES},
        {"UPDATE counters SET done = done - 1, diverged = diverged + 1", CHECK_COUNTERS},
        {"UPDATE counters SET duplicates = duplicates + 1", CHECK_COUNTERS},
        {"UPDATE counters SET proposals = proposals + 1", CHECK_COUNTERS},
        {"UPDATE counters SET workers = 99", CHECK_COUNTERS},
        {"UPDATE candidate SET accuracy_mean = accuracy_mean + 1e-15 WHERE id = 4", CHECK_FIGURES},
        {"UPDATE candidate SET seeds = 1 WHERE id = 2", CHECK_FIGURES},
        {"UPDATE trial SET correct = correct + 1 WHERE id = (SELECT min(id) FROM trial WHERE state = 'done' "
         "AND correct < validation_count)",
         CHECK_FIGURES},
        {"UPDATE proposal SET reward = 0.5 WHERE number = 2", CHECK_REWARDS},
        {"UPDATE candidate SET activation = 'x+1+x' WHERE id = 3", CHECK_FUNCTIONS},
        {"UPDATE candidate SET fingerprint = replace(fingerprint, substr(fingerprint, 1, 1), "
         "CASE substr(fingerprint, 1, 1) WHEN 'a' THEN 'b' ELSE 'a' END) WHERE id = 1",
         CHECK_FUNCTIONS},
        {"UPDATE search_state SET state = x'00'", CHECK_START},
        {"DELETE FROM search_state", CHECK_START},
        {"UPDATE experiment SET text = 'nothing of ours'", CHECK_START},
    };
    search_on("sound.db", settings, NULL);
    assert_whole("sound.db");
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        remove_database("damaged.db");
        copy_file("sound.db", "damaged.db");
        alter("damaged.db", damages[i].sql);
        struct report report = check_database_at("damaged.db");
        if (report.found[damages[i].check] == 0)
            fail_msg("%s: not found by '%s': %s", damages[i].sql, check_name(damages[i].check),
                     buf_text(&report.text));
        buf_release(&report.text);
    }
}

static void a_garbled_page_is_found_wherever_it_is(void **state)
{
    (void)state;
    struct buf bytes = {0};
    search_on("sound.db", settings, NULL);
    read_file("sound.db", &bytes);
    size_t page = 4096, pages = bytes.size / page, refused = 0;
    assert_int_equal(bytes.size % page, 0);
    assert_true(pages > 20);
    for (size_t i = 0; i < pages; i++) {
        uint8_t kept[8];
        uint8_t *place = (uint8_t *)bytes.data + i * page + (i == 0 ? 100 : 0); /* the head of its tree */
        memcpy(kept, place, sizeof kept);
        memset(place, 0xff, sizeof kept);
        remove_database("garbled.db");
        write_file("garbled.db", bytes.data, bytes.size);
        memcpy(place, kept, sizeof kept);
        struct store_reader *reader = NULL;
        struct problem problem = {0};
        struct report report = {0};
        int err = store_reader_open("garbled.db", &reader, &problem);
        if (!err)
            err = store_check(reader, take, &report, &problem);
        store_reader_close(&reader);
        int found = 0;
        for (int j = 0; j < CHECKS; j++)
            found += report.found[j];
        refused += err != 0;
        if (err == 0 && found == 0)
            fail_msg("page %zu of %zu: garbled, and nothing found", i + 1, pages);
        buf_release(&report.text);
    }
    assert_true(refused < pages / 2);
    buf_release(&bytes);
}

/* ---- backup -------------------------------------------------------------------------------------------- */

static bool go_on(void *context, int64_t done, int64_t all)
{
    assert_true(done >= 0 && done <= all);
    ++*(int *)context;
    return true;
}

static int back_up(const char *from, const char *to, bool overwrite, struct problem *problem)
{
    struct store_reader *reader = NULL;
    int steps = 0;
    assert_int_equal(store_reader_open(from, &reader, problem), 0);
    int err = store_backup(reader, to, overwrite, go_on, &steps, problem);
    assert_true(err || steps > 0);
    store_reader_close(&reader);
    return err;
}

static struct rows rows_in(const char *path)
{
    struct experiment *experiment = experiment_with(settings);
    struct store *store = open_store(path, experiment);
    struct rows rows = restore_store(store);
    store_close(&store);
    experiment_destroy(&experiment);
    return rows;
}

/* The copy made between two commits is what was committed last. */
static void copy_while_written(struct store_disk *disk)
{
    struct problem problem = {0};
    if (disk->commits % 4 != 3)
        return;
    if (back_up("live.db", "copy.db", disk->checked > 0, &problem) != 0)
        fail_msg("%s", problem.text);
    assert_false(there_is("copy.db-wal") || there_is("copy.db-new") || there_is("copy.db-lock"));
    assert_whole("copy.db");
    struct rows rows = rows_in("copy.db"), expected = restore_store(disk->store);
    assert_same_rows(&rows, &expected);
    rows_release(&rows);
    rows_release(&expected);
    disk->checked++;
}

static void a_copy_of_a_database_that_is_written_is_its_last_commit(void **state)
{
    (void)state;
    remove_database("copy.db");
    assert_true(search_on("live.db", settings, copy_while_written) > 5);
}

/* Commits while the copy is under way, and gives up where it is told to. */
struct writing_visit {
    struct store *store;
    struct rows *rows;
    int calls, give_up_at;
};

static bool write_meanwhile(void *context, int64_t done, int64_t all)
{
    struct writing_visit *visit = context;
    (void)done, (void)all;
    if (visit->store) {
        visit->rows->counters.workers++;
        visit->rows->counters_changed = true;
        write_store(visit->store, visit->rows);
    }
    return ++visit->calls != visit->give_up_at;
}

/* Large enough for several steps. */
static struct store *large_store(const char *path, const struct experiment *experiment)
{
    remove_database(path);
    struct store *store = open_store(path, experiment);
    struct rows rows = {.search_changed = true, .search.policy = "[]"};
    for (int i = 0; i < 1500000; i++)
        buf_put_u64(&rows.search.state, (uint64_t)i);
    write_store(store, &rows);
    rows_release(&rows);
    return store;
}

static void commits_during_the_copy_do_not_mix_into_it(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_with(settings);
    struct store *store = large_store("large.db", experiment);
    struct rows before = restore_store(store), rows = {0};
    rows.counters = before.counters;
    struct writing_visit visit = {.store = store, .rows = &rows};
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    remove_database("copy.db");
    assert_int_equal(store_reader_open("large.db", &reader, &problem), 0);
    assert_int_equal(store_backup(reader, "copy.db", false, write_meanwhile, &visit, &problem), 0);
    store_reader_close(&reader);
    assert_true(visit.calls > 2);
    struct rows copied = rows_in("copy.db");
    assert_same_rows(&copied, &before);
    rows_release(&copied);
    rows_release(&before);
    rows_release(&rows);
    store_close(&store);
    experiment_destroy(&experiment);
}

static void a_copy_that_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_with(settings);
    struct store *store = large_store("large.db", experiment);
    struct writing_visit visit = {.give_up_at = 2};
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    remove_database("copy.db");
    write_file("copy.db", "mine", 4);
    assert_int_equal(store_reader_open("large.db", &reader, &problem), 0);
    assert_int_equal(store_backup(reader, "copy.db", true, write_meanwhile, &visit, &problem), ERR_STOPPED);
    store_reader_close(&reader);
    struct buf bytes = {0};
    read_file("copy.db", &bytes);
    assert_string_equal(buf_text(&bytes), "mine");
    assert_false(there_is("copy.db-new") || there_is("copy.db-lock"));
    buf_release(&bytes);
    store_close(&store);
    experiment_destroy(&experiment);
}

static void a_copy_takes_no_files_place_unless_told_and_never_a_living_databases(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_with(settings);
    struct problem problem = {0};
    search_on("sound.db", settings, NULL);
    remove_database("copy.db");
    write_file("copy.db", "mine", 4);
    assert_int_equal(back_up("sound.db", "copy.db", false, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "--force"));
    assert_int_equal(back_up("sound.db", "sound.db", true, &problem), ERR_CONFLICT);
    assert_int_equal(symlink("sound.db", "alias.db"), 0);
    assert_int_equal(back_up("sound.db", "alias.db", true, &problem), ERR_CONFLICT);
    assert_int_equal(back_up("sound.db", "none/copy.db", true, &problem), ERR_NOT_FOUND);
    assert_int_equal(back_up("sound.db", "copy.db", true, &problem), 0);
    assert_whole("copy.db");
    struct store *store = open_store("copy.db", experiment);
    assert_int_equal(back_up("sound.db", "copy.db", true, &problem), ERR_BUSY);
    store_close(&store);
    assert_whole("sound.db");
    experiment_destroy(&experiment);
}

/* What a killed coordinator left beside the old database of that name must not become part of the copy. */
static void the_log_of_an_overwritten_database_is_not_the_copys(void **state)
{
    (void)state;
    struct experiment *experiment = experiment_with(settings);
    struct problem problem = {0};
    search_on("sound.db", settings, NULL);
    struct store *store = large_store("large.db", experiment);
    remove_database("copy.db");
    copy_file("large.db", "copy.db");
    copy_file("large.db-wal", "copy.db-wal");
    store_close(&store);
    assert_int_equal(back_up("sound.db", "copy.db", true, &problem), 0);
    assert_false(there_is("copy.db-wal"));
    struct rows rows = rows_in("copy.db"), expected = rows_in("sound.db");
    assert_same_rows(&rows, &expected);
    rows_release(&rows);
    rows_release(&expected);
    experiment_destroy(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_passes_after_any_commit_while_it_is_written),
        cmocka_unit_test(each_damage_is_found_by_its_check),
        cmocka_unit_test(a_garbled_page_is_found_wherever_it_is),
        cmocka_unit_test(a_copy_of_a_database_that_is_written_is_its_last_commit),
        cmocka_unit_test(commits_during_the_copy_do_not_mix_into_it),
        cmocka_unit_test(a_copy_that_is_given_up_leaves_nothing),
        cmocka_unit_test(a_copy_takes_no_files_place_unless_told_and_never_a_living_databases),
        cmocka_unit_test(the_log_of_an_overwritten_database_is_not_the_copys),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
