/* The store: what is written is what is restored, a refusal leaves no trace, one coordinator at a time. */
#include "tests/unit/store_fixture.h"

#include "coordinator/database_file.h"
#include "coordinator/store_read.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct experiment *experiment;

static int set_up(void **state)
{
    static const char *const settings[] = {"search.algorithm=random", "search.candidates=25", NULL};
    experiment = experiment_with(settings);
    return enter_folder(state);
}

static int tear_down(void **state)
{
    experiment_destroy(&experiment);
    return leave_folder(state);
}

/* A new database with one start in it, and so much at random. */
static void make_database(const char *path, int batches)
{
    remove_database(path);
    struct store *store = open_store(path, experiment);
    struct rows disk = restore_store(store);
    struct rng rng = rng_seed(1, "make", 0);
    for (int i = 0; i < batches; i++) {
        struct rows rows = random_rows(&rng, &disk);
        write_store(store, &rows);
        disk_commit(&disk, &rows);
        rows_release(&rows);
    }
    store_close(&store);
    rows_release(&disk);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* Marks the bytes of a row that its columns cover. */
static size_t size_of_kind(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_BOOL:
        return sizeof(bool);
    case COLUMN_BYTES:
        return sizeof(struct buf);
    case COLUMN_HASH:
        return sizeof(struct hash);
    case COLUMN_OUTCOME:
    case COLUMN_VERDICT:
    case COLUMN_TRIAL_STATE:
    case COLUMN_ATTEMPT_STATE:
        return sizeof(enum verdict);
    default:
        return 8;
    }
}

static void every_field_of_a_row_has_its_column(void **state)
{
    (void)state;
    static const struct {
        const struct table *table;
        size_t size;
    } rows[] = {
        {&experiment_table, sizeof(struct experiment_row)},
        {&counters_table, sizeof(struct counters_row)},
        {&worker_table, sizeof(struct worker_row)},
        {&candidate_table, sizeof(struct candidate_row)},
        {&proposal_table, sizeof(struct proposal_row)},
        {&trial_table, sizeof(struct trial_row)},
        {&attempt_table, sizeof(struct attempt_row)},
        {&search_state_table, sizeof(struct search_row)},
        {&search_model_table, sizeof(struct search_model_row)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct table *table = rows[i].table;
        char *covered = xcalloc(rows[i].size, 1);
        for (int j = 0; j < table->column_count; j++) {
            const struct column *column = &table->columns[j];
            if (column->kind == COLUMN_TOKENS) {
                memset(covered + offsetof(struct proposal_row, token_count), 1, sizeof(int));
                memset(covered + offsetof(struct proposal_row, tokens), 1,
                       sizeof(((struct proposal_row *)0)->tokens));
            } else if (column->kind != COLUMN_ONE) {
                memset(covered + column->offset, 1, size_of_kind(column->kind));
            }
        }
        if (table == &counters_table) /* nothing is rejected for being usable */
            memset(covered + offsetof(struct counters_row, rejected_by[VERDICT_USABLE]), 1, sizeof(int64_t));
        size_t run = 0;
        for (size_t at = 0; at < rows[i].size; at++) {
            run = covered[at] ? 0 : run + 1;
            if (run >= 8) /* more than padding */
                fail_msg("%s: the field at byte %zu has no column", table->name, at - 7);
        }
        free(covered);
    }
}

static void what_is_written_is_restored(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        remove_database("random.db");
        struct rng rng = rng_seed(seed, "round trip", 0);
        struct store *store = open_store("random.db", experiment);
        struct rows disk = restore_store(store);
        for (int batch = 0; batch < 30; batch++) {
            struct rows rows = random_rows(&rng, &disk);
            write_store(store, &rows);
            disk_commit(&disk, &rows);
            rows_release(&rows);
            if (batch % 10 != 9)
                continue;
            store_close(&store);
            store = open_store("random.db", experiment);
            struct rows restored = restore_store(store), expected = disk_read(&disk);
            assert_same_rows(&restored, &expected);
            rows_release(&restored);
            rows_release(&expected);
        }
        store_close(&store);
        rows_release(&disk);
    }
}

static void every_word_and_NaN_survive(void **state)
{
    (void)state;
    remove_database("words.db");
    struct store *store = open_store("words.db", experiment);
    struct rows disk = restore_store(store), rows = {0};
    *rows_worker(&rows) = (struct worker_row){
        .id = 1, .name = "w", .host = "h", .trainer = "", .kernels = "", .cpu = "", .key = ""};
    *rows_candidate(&rows) = (struct candidate_row){.id = 1,
                                                    .activation = "x",
                                                    .accuracy_mean = NAN,
                                                    .accuracy_sd = NAN,
                                                    .validation_loss_mean = NAN,
                                                    .seconds = NAN,
                                                    .cost_ns = NAN,
                                                    .reward = NAN};
    for (int i = 0; i < TRIAL_STATES; i++)
        *rows_trial(&rows) = (struct trial_row){
            .id = i + 1, .candidate = 1, .replica = i, .state = (enum trial_state)i, .validation_loss = NAN};
    for (int i = 0; i < ATTEMPT_STATES; i++)
        *rows_attempt(&rows) = (struct attempt_row){.id = (int64_t)7 << 32 | (i + 1),
                                                    .trial = 1,
                                                    .worker = 1,
                                                    .state = (enum attempt_state)i,
                                                    .reason = ""};
    for (int i = 0; i < VERDICTS; i++)
        *rows_proposal(&rows) =
            (struct proposal_row){.number = i,
                                  .outcome = i == VERDICT_USABLE ? PROPOSAL_NEW : PROPOSAL_REJECTED,
                                  .verdict = (enum verdict)i,
                                  .candidate = i == VERDICT_USABLE ? 1 : 0,
                                  .activation = "",
                                  .reward = NAN};
    *rows_proposal(&rows) = (struct proposal_row){.number = VERDICTS,
                                                  .outcome = PROPOSAL_DUPLICATE,
                                                  .candidate = 1,
                                                  .activation = "",
                                                  .log_probability = NAN,
                                                  .reward = NAN};
    write_store(store, &rows);
    disk_commit(&disk, &rows);
    store_close(&store);
    assert_int_equal(number_in("words.db", "SELECT count(*) FROM candidate WHERE accuracy_mean IS NULL"), 1);
    assert_int_equal(number_in("words.db", "SELECT count(DISTINCT state) FROM attempt"), ATTEMPT_STATES);
    store = open_store("words.db", experiment);
    struct rows restored = restore_store(store), expected = disk_read(&disk);
    assert_same_rows(&restored, &expected);
    store_close(&store);
    rows_release(&restored);
    rows_release(&expected);
    rows_release(&rows);
    rows_release(&disk);
}

static void curves_events_and_history_are_kept(void **state)
{
    (void)state;
    remove_database("curves.db");
    struct store *store = open_store("curves.db", experiment);
    struct rows rows = {0};
    *rows_candidate(&rows) = (struct candidate_row){.id = 1, .activation = "x"};
    *rows_trial(&rows) = (struct trial_row){.id = 1, .candidate = 1};
    *rows_curve(&rows) = (struct curve_row){.trial = 1, .count = 3, .step = {9, 9, 9}, .loss = {1, 2, 3}};
    *rows_curve(&rows) = (struct curve_row){.trial = 1, .count = 2, .step = {1, 1}, .loss = {2.5, NAN}};
    *rows_event(&rows) = (struct event_row){.at_ms = 5, .kind = "start", .text = "one"};
    *rows_event(&rows) = (struct event_row){.at_ms = 5, .kind = "start", .text = "one"};
    rows.search_changed = true;
    rows.search = (struct search_row){
        .policy_version = 3, .policy = "[]", .proposals = 10, .baseline = 0.25, .entropy = NAN};
    write_store(store, &rows);
    rows.search.proposals = 20; /* the same version again: the later one wins */
    rows.curves.count = rows.events.count = 0;
    write_store(store, &rows);
    rows.search.policy_version = 4;
    write_store(store, &rows);
    assert_int_equal(number_in("curves.db", "SELECT count(*) FROM curve"), 2);
    assert_int_equal(number_in("curves.db", "SELECT sum(loss * 10) = 25 FROM curve WHERE step = 1"), 1);
    assert_int_equal(number_in("curves.db", "SELECT count(*) FROM event"), 2);
    assert_int_equal(number_in("curves.db", "SELECT count(*) FROM search_history"), 2);
    assert_int_equal(number_in("curves.db", "SELECT proposals FROM search_history WHERE policy_version = 3"),
                     20);
    store_close(&store);
    rows_release(&rows);
}

/* ---- transactions -------------------------------------------------------------------------------------- */

static void rows_that_contradict_each_other_are_not_written_at_all(void **state)
{
    (void)state;
    make_database("whole.db", 0);
    struct store *store = open_store("whole.db", experiment);
    struct rows rows = {0}, before = restore_store(store);
    struct problem problem = {0};
    *rows_candidate(&rows) = (struct candidate_row){.id = 1, .activation = "x"};
    *rows_trial(&rows) = (struct trial_row){.id = 1, .candidate = 2};
    assert_int_equal(store_write(store, &rows, &problem), ERR_CORRUPT);
    rows.trials.items[0].candidate = 1;
    rows.trials.items[0].closed_by = 99; /* is looked at when the transaction ends */
    assert_int_equal(store_write(store, &rows, &problem), ERR_CORRUPT);
    assert_non_null(strstr(problem.text, "whole.db"));
    struct rows after = restore_store(store);
    assert_same_rows(&after, &before);
    rows.trials.items[0].closed_by = 0;
    write_store(store, &rows);
    store_close(&store);
    rows_release(&rows);
    rows_release(&before);
    rows_release(&after);
}

static void a_disk_that_is_full_is_an_error_and_loses_nothing(void **state)
{
    (void)state;
    make_database("full.db", 5);
    struct store *store = open_store("full.db", experiment);
    struct rows before = restore_store(store), rows = {.search_changed = true, .search.policy = "[]"};
    for (int i = 0; i < 1 << 17; i++)
        buf_put_u64(&rows.search.state, (uint64_t)i);
    struct rlimit unlimited, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit = unlimited;
    limit.rlim_cur = 300000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct problem problem = {0};
    int err = store_write(store, &rows, &problem);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(err, ERR_IO);
    struct rows after = restore_store(store);
    assert_same_rows(&after, &before);
    write_store(store, &rows); /* and when there is room again, it goes on */
    store_close(&store);
    rows_release(&before);
    rows_release(&after);
    rows_release(&rows);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static void nothing_is_there_before_the_first_write(void **state)
{
    (void)state;
    remove_database("new.db");
    struct store *store = open_store("new.db", experiment);
    assert_true(store_is_new(store));
    struct rows rows = restore_store(store);
    struct rows expected = disk_new(experiment);
    assert_same_rows(&rows, &expected);
    assert_false(there_is("new.db"));
    store_close(&store);
    assert_false(there_is("new.db") || there_is("new.db-lock") || there_is("new.db-new"));

    store = open_store("new.db", experiment);
    rows.experiment.epoch = 1;
    write_store(store, &rows);
    assert_false(store_is_new(store));
    store_close(&store);
    assert_true(there_is("new.db"));
    assert_false(there_is("new.db-lock") || there_is("new.db-new") || there_is("new.db-wal"));
    rows_release(&rows);
    rows_release(&expected);
}

static void a_database_can_be_made_where_an_empty_file_is(void **state)
{
    (void)state;
    write_file("empty.db", "", 0);
    make_database("empty.db", 1);
    struct store *store = open_store("empty.db", experiment);
    assert_false(store_is_new(store));
    store_close(&store);
}

/* That opening it fails so, and leaves every byte and no other file. */
static void assert_refused(const char *path, int expected, const char *part)
{
    struct buf before = {0}, after = {0};
    struct store *store = NULL;
    struct problem problem = {0};
    read_file(path, &before);
    assert_int_equal(store_open(path, experiment, &store, &problem), expected);
    assert_null(store);
    if (!strstr(problem.text, part))
        fail_msg("'%s' does not say '%s'", problem.text, part);
    read_file(path, &after);
    assert_int_equal(after.size, before.size);
    assert_true(before.size == 0 || memcmp(before.data, after.data, before.size) == 0);
    char *lock = xasprintf("%s-lock", path), *log = xasprintf("%s-wal", path);
    assert_false(there_is(lock) || there_is(log));
    free(lock);
    free(log);
    buf_release(&before);
    buf_release(&after);
}

static void a_foreign_file_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    static const char text[] =
        "a shopping list, which is no database but quite long enough to be taken for one: "
        "bread, butter, milk, and some more of it";
    write_file("text.db", text, sizeof text);
    assert_refused("text.db", ERR_CORRUPT, "text.db is not a database");
    write_file("short.db", "x", 1);
    assert_refused("short.db", ERR_CORRUPT, "short.db is not a database");
    struct sql *sql = NULL;
    struct problem problem = {0};
    assert_int_equal(sql_open("other.db", SQL_CREATE, &sql, &problem), 0);
    assert_int_equal(sql_exec(sql, "CREATE TABLE address (name TEXT)", &problem), 0);
    sql_close(&sql);
    assert_refused("other.db", ERR_CORRUPT, "another program");
    assert_int_equal(mkdir("folder.db", 0700), 0);
    assert_refused("folder.db", ERR_INPUT, "not a regular file");
}

static void links_are_followed_and_loops_refused(void **state)
{
    (void)state;
    make_database("real.db", 1);
    assert_int_equal(symlink("real.db", "link.db"), 0);
    struct store *store = open_store("link.db", experiment), *second = NULL;
    struct problem problem = {0};
    assert_int_equal(store_open("real.db", experiment, &second, &problem),
                     ERR_BUSY); /* one lock for both names */
    store_close(&store);
    assert_int_equal(symlink("loop.db", "loop.db"), 0);
    assert_refused("loop.db", ERR_IO, "loop.db");
    assert_int_equal(symlink("gone.db", "dangling.db"), 0);
    assert_refused("dangling.db", ERR_NOT_FOUND, "link to nothing");
    assert_refused("no-folder/a.db", ERR_NOT_FOUND, "no-folder");
    assert_refused("", ERR_INPUT, "name of a file");
}

static void a_newer_version_is_refused(void **state)
{
    (void)state;
    make_database("newer.db", 1);
    alter("newer.db", "PRAGMA user_version = 2");
    assert_refused("newer.db", ERR_VERSION, "newer");
}

static void network_file_systems_are_known_by_their_numbers(void **state)
{
    (void)state;
    assert_string_equal(network_file_system(0x6969), "NFS");
    assert_string_equal(network_file_system(0xff534d42), "CIFS");
    assert_string_equal(network_file_system((unsigned long)(long)(int)0xff534d42),
                        "CIFS");                  /* as a signed int */
    assert_null(network_file_system(0xef53));     /* ext4 */
    assert_null(network_file_system(0x01021994)); /* tmpfs */
}

/* ---- what is damaged ----------------------------------------------------------------------------------- */

static void what_cannot_be_read_back_names_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *damage, *part;
    } cases[] = {
        {"UPDATE trial SET state = 'asleep' WHERE id = 2", "table trial, id 2: the column state"},
        {"UPDATE candidate SET fingerprint = 'xyz' WHERE id = 1",
         "table candidate, id 1: the column fingerprint"},
        {"UPDATE proposal SET tokens = '[1,2' WHERE number = 0",
         "table proposal, number 0: the column tokens"},
        {"UPDATE proposal SET tokens = '[1,70000]' WHERE number = 0", "tokens"},
        {"UPDATE proposal SET tokens = '[1,,2]' WHERE number = 0", "tokens"},
        {"UPDATE proposal SET tokens = '[1,]' WHERE number = 0", "tokens"},
        {"UPDATE proposal SET verdict = '' WHERE number = 0", "verdict"},
        {"UPDATE attempt SET state = 'Leased' WHERE id = 1", "table attempt, id 1: the column state"},
        {"UPDATE attempt SET reason = 'a' || char(0) || 'b' WHERE id = 1", "reason"},
        {"UPDATE worker SET connected = 7 WHERE id = 1", "table worker, id 1: the column connected"},
        {"DELETE FROM counters", "missing"},
        {"DELETE FROM experiment", "missing"},
        {"DROP VIEW ranking; DROP VIEW progress; DROP TABLE counters", "counters"},
    };
    make_database("sound.db", 0);
    struct rows rows = {0};
    *rows_worker(&rows) = (struct worker_row){
        .id = 1, .name = "w", .host = "h", .trainer = "", .kernels = "", .cpu = "", .key = ""};
    *rows_candidate(&rows) = (struct candidate_row){.id = 1, .activation = "x"};
    *rows_proposal(&rows) =
        (struct proposal_row){.number = 0, .candidate = 1, .activation = "", .token_count = 2, .reward = NAN};
    *rows_trial(&rows) = (struct trial_row){.id = 1, .candidate = 1};
    *rows_trial(&rows) = (struct trial_row){.id = 2, .candidate = 1, .replica = 1};
    *rows_attempt(&rows) = (struct attempt_row){.id = 1, .trial = 1, .worker = 1, .reason = ""};
    struct store *store = open_store("sound.db", experiment);
    write_store(store, &rows);
    store_close(&store);
    struct buf sound = {0};
    read_file("sound.db", &sound);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        remove_database("damaged.db");
        write_file("damaged.db", sound.data, sound.size);
        char *damage =
            xasprintf("PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0; %s", cases[i].damage);
        alter("damaged.db", damage);
        free(damage);
        struct problem problem = {0};
        int err = store_open("damaged.db", experiment, &store, &problem);
        if (!err) {
            struct rows restored = {0};
            err = store_restore(store, &restored, &problem);
            assert_true(rows_empty(&restored)); /* untouched on failure */
        }
        if (err != ERR_CORRUPT || !strstr(problem.text, cases[i].part) || !strstr(problem.text, "damaged.db"))
            fail_msg("%s: %d, %s", cases[i].damage, err, problem.text);
        store_close(&store);
    }
    buf_release(&sound);
    rows_release(&rows);
}

/* ---- the lock ------------------------------------------------------------------------------------------ */

static void a_second_coordinator_is_refused_while_the_first_lives(void **state)
{
    (void)state;
    make_database("locked.db", 1);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t first = fork();
    assert_true(first >= 0);
    if (first == 0) {
        struct store *store = NULL;
        struct problem problem = {0};
        char ok = store_open("locked.db", experiment, &store, &problem) == 0 ? 1 : 0;
        if (write(ready[1], &ok, 1) == 1)
            pause();
        _exit(1);
    }
    char ok = 0;
    assert_int_equal(read(ready[0], &ok, 1), 1);
    assert_int_equal(ok, 1);
    struct store *second = NULL;
    struct problem problem = {0};
    assert_int_equal(store_open("locked.db", experiment, &second, &problem), ERR_BUSY);
    char pid[32], host[256] = "";
    snprintf(pid, sizeof pid, "process %d:", (int)first);
    gethostname(host, sizeof host - 1);
    assert_non_null(strstr(problem.text, pid));
    assert_non_null(strstr(problem.text, host));
    assert_non_null(strstr(problem.text, "locked.db is in use"));

    kill(first, SIGKILL); /* the lock ends with the process, though its file stays */
    assert_int_equal(waitpid(first, NULL, 0), first);
    assert_true(there_is("locked.db-lock"));
    second = open_store("locked.db", experiment);
    store_close(&second);
    assert_false(there_is("locked.db-lock"));
    close(ready[0]);
    close(ready[1]);
}

static void a_database_that_does_not_exist_yet_is_locked_too(void **state)
{
    (void)state;
    remove_database("early.db");
    struct store *first = open_store("early.db", experiment), *second = NULL;
    struct problem problem = {0};
    assert_int_equal(store_open("./early.db", experiment, &second, &problem), ERR_BUSY);
    store_close(&first);
    second = open_store("early.db", experiment);
    store_close(&second);
}

static void a_log_that_a_killed_coordinator_left_is_untouched_until_something_is_written(void **state)
{
    (void)state;
    make_database("log.db", 3);
    struct store *store = open_store("log.db", experiment);
    struct rows rows = {.search_changed = true, .search.policy = "[]"};
    write_store(store, &rows);
    struct buf main = {0}, log = {0}, now = {0};
    read_file("log.db", &main);
    read_file("log.db-wal", &log);
    assert_true(log.size > 0);
    store_close(&store);
    remove_database("killed.db");
    write_file("killed.db", main.data, main.size);
    write_file("killed.db-wal", log.data, log.size);
    store = open_store("killed.db", experiment);
    struct rows restored = restore_store(store);
    assert_true(restored.search_changed);
    store_close(&store); /* as a start that is refused */
    read_file("killed.db", &now);
    assert_true(now.size == main.size && memcmp(now.data, main.data, now.size) == 0);
    read_file("killed.db-wal", &now);
    assert_true(now.size == log.size && memcmp(now.data, log.data, now.size) == 0);
    rows_release(&restored);
    buf_release(&main);
    buf_release(&log);
    buf_release(&now);
    rows_release(&rows);
}

static void the_file_alone_holds_all_of_a_closed_store_though_a_reader_has_it_open(void **state)
{
    (void)state;
    make_database("whole.db", 3);
    struct store *store = open_store("whole.db", experiment);
    struct rows rows = {.search_changed = true, .search.policy = "[]"};
    write_store(store, &rows);
    struct store_reader *reader = NULL;
    struct problem problem;
    struct progress_row row;
    assert_int_equal(store_reader_open("whole.db", &reader, &problem), 0);
    assert_int_equal(store_progress(reader, &row, &problem), 0);
    store_close(&store);
    struct buf file = {0}, log = {0};
    read_file("whole.db", &file);
    if (there_is("whole.db-wal"))
        read_file("whole.db-wal", &log);
    assert_int_equal(log.size, 0);
    store_reader_close(&reader);
    remove_database("alone.db");
    write_file("alone.db", file.data, file.size);
    store = open_store("alone.db", experiment);
    struct rows restored = restore_store(store);
    assert_true(restored.search_changed);
    store_close(&store);
    rows_release(&restored);
    rows_release(&rows);
    buf_release(&file);
    buf_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_row_has_its_column),
        cmocka_unit_test(what_is_written_is_restored),
        cmocka_unit_test(every_word_and_NaN_survive),
        cmocka_unit_test(curves_events_and_history_are_kept),
        cmocka_unit_test(rows_that_contradict_each_other_are_not_written_at_all),
        cmocka_unit_test(a_disk_that_is_full_is_an_error_and_loses_nothing),
        cmocka_unit_test(nothing_is_there_before_the_first_write),
        cmocka_unit_test(a_database_can_be_made_where_an_empty_file_is),
        cmocka_unit_test(a_foreign_file_is_refused_and_left_as_it_is),
        cmocka_unit_test(links_are_followed_and_loops_refused),
        cmocka_unit_test(a_newer_version_is_refused),
        cmocka_unit_test(network_file_systems_are_known_by_their_numbers),
        cmocka_unit_test(what_cannot_be_read_back_names_its_place),
        cmocka_unit_test(a_second_coordinator_is_refused_while_the_first_lives),
        cmocka_unit_test(a_database_that_does_not_exist_yet_is_locked_too),
        cmocka_unit_test(a_log_that_a_killed_coordinator_left_is_untouched_until_something_is_written),
        cmocka_unit_test(the_file_alone_holds_all_of_a_closed_store_though_a_reader_has_it_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
