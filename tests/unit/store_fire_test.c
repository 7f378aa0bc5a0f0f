/* The store under fire: the n-th write, fsync, truncation fails, for every n; the disk is full; the process
 * is killed at any of these and at every SQL statement; the power is cut after any commit; the log is cut or
 * garbled anywhere. Each time the store says so, and a database that is opened again holds exactly what was
 * acknowledged last.
 *
 * The one exception is a commit whose fsync failed: it was not acknowledged, but a crash may leave it, whole.
 */
#include "tests/unit/store_fire.h"

#include <sys/wait.h>

enum { BATCHES = 6 };

static struct experiment *experiment;
static struct rows batches[BATCHES + 1]; /* from 1 */
static struct rows models[BATCHES + 1];  /* what is on disk after batch n; 0: a new database */

/* Batches of all kinds of rows; the epoch of the experiment says which one it is. Some are large, so that the
 * log is moved into the database on the way. */
static int set_up(void **state)
{
    static const char *const settings[] = {"search.algorithm=random", "search.candidates=25", NULL};
    if (enter_folder(state) != 0)
        return -1;
    fire_light();
    experiment = experiment_with(settings);
    struct rng rng = rng_seed(2, "fire", 0);
    models[0] = disk_new(experiment);
    for (int n = 1; n <= BATCHES; n++) {
        batches[n] = random_rows(&rng, &models[n - 1]);
        batches[n].experiment_changed = batches[n].search_changed = true;
        batches[n].experiment.epoch = n;
        if (n % 2 == 0)
            for (int i = 0; i < 5000 + 1000 * n; i++)
                buf_put_u64(&batches[n].search.state, (uint64_t)i);
        disk_commit(&models[n], &models[n - 1]);
        disk_commit(&models[n], &batches[n]);
    }
    return 0;
}

static int tear_down(void **state)
{
    fire_calm();
    for (int n = 0; n <= BATCHES; n++) {
        rows_release(&batches[n]);
        rows_release(&models[n]);
    }
    experiment_destroy(&experiment);
    return leave_folder(state);
}

/* Opens the database, which holds exactly one of the batches low … high, and returns which. */
static int assert_holds(const char *path, int low, int high)
{
    struct store *store = open_store(path, experiment);
    struct rows rows = restore_store(store);
    store_close(&store);
    int n = (int)rows.experiment.epoch;
    if (n < low || n > high)
        fail_msg("%s holds batch %d, expected %d to %d", path, n, low, high);
    struct rows expected = disk_read(&models[n]);
    assert_same_rows(&rows, &expected);
    rows_release(&rows);
    rows_release(&expected);
    return n;
}

/* What a crash at this moment would leave: the files as they stand. */
static void copy_as_it_stands(const char *from, const char *to)
{
    static const char *const suffixes[] = {"", "-wal"};
    remove_database(to);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char source[64], target[64];
        struct buf bytes = {0};
        snprintf(source, sizeof source, "%s%s", from, suffixes[i]);
        snprintf(target, sizeof target, "%s%s", to, suffixes[i]);
        if (there_is(source)) {
            read_file(source, &bytes);
            write_file(target, bytes.data, bytes.size);
        }
        buf_release(&bytes);
    }
}

/* Writes the batches after `done` on fire.db until one fails; returns the last one that was acknowledged. */
static int write_batches(struct store *store, int done, int *ret_err)
{
    struct problem problem = {0};
    *ret_err = 0;
    for (int n = done + 1; n <= BATCHES; n++) {
        *ret_err = store_write(store, &batches[n], &problem);
        if (*ret_err) {
            assert_true(strlen(problem.text) > 0);
            return n - 1;
        }
    }
    return BATCHES;
}

/* A new database on which so many batches are. */
static struct store *new_store(int done)
{
    fire_calm();
    remove_database("fire.db");
    struct store *store = open_store("fire.db", experiment);
    for (int n = 1; n <= done; n++)
        write_store(store, &batches[n]);
    return store;
}

/* Lets the n-th event of a kind fail, and all up to the `last`; on a new database, or on one with a batch. */
static bool strike(enum fire_event event, int64_t at, int64_t last, int code, bool torn, int done)
{
    int err = 0;
    struct store *store = new_store(done);
    fire_arm(event, at, last, code);
    fire.torn = torn;
    int acknowledged = write_batches(store, done, &err);
    bool struck = fire.struck > 0;
    if (!struck)
        assert_int_equal(err, 0);
    if (err)
        assert_int_equal(err, (code & 0xff) == SQLITE_FULL ? ERR_FULL : ERR_IO);
    fire_arm(event, 0, 0, SQLITE_OK);
    copy_as_it_stands("fire.db", "crashed.db");
    store_close(&store);
    int unsure = err && event == FIRE_SYNC && acknowledged < BATCHES;
    assert_holds("fire.db", acknowledged, acknowledged);
    assert_holds("crashed.db", acknowledged, acknowledged + unsure);
    return struck;
}

/* How many events of that kind there are from batch `done` on. */
static int64_t count_events(enum fire_event event, int done)
{
    int err = 0;
    struct store *store = new_store(done);
    fire_arm(event, 0, 0, SQLITE_OK);
    assert_int_equal(write_batches(store, done, &err), BATCHES);
    int64_t count = fire.count;
    fire_calm();
    store_close(&store);
    return count;
}

/* Every event near the ends, and with ACTSEARCH_FIRE=all ("make fire") everywhere; else some of those
 * between.
 */
static int64_t next_event(int64_t n, int64_t count)
{
    const char *wanted = getenv("ACTSEARCH_FIRE");
    return n + (n < 20 || n > count - 10 || (wanted && strcmp(wanted, "all") == 0) ? 1 : 11);
}

static void strike_everywhere(enum fire_event event, int code, bool torn, bool for_ever)
{
    for (int done = 0; done < 2; done++) {
        int64_t count = count_events(event, done);
        assert_true(count >= BATCHES - done);
        for (int64_t n = 1; n <= count; n = next_event(n, count))
            assert_true(strike(event, n, for_ever ? INT64_MAX : n, code, torn, done));
        assert_false(strike(event, count + 1, count + 1, code, torn, done));
        print_message("%s: %lld\n", fire_names[event], (long long)count);
    }
}

static void a_write_that_fails_once_loses_nothing_acknowledged(void **state)
{
    (void)state;
    strike_everywhere(FIRE_WRITE, SQLITE_IOERR_WRITE, true, false);
}

static void a_disk_that_takes_no_more_writes_loses_nothing_acknowledged(void **state)
{
    (void)state;
    strike_everywhere(FIRE_WRITE, SQLITE_IOERR_WRITE, false, true);
}

static void an_fsync_that_fails_acknowledges_nothing(void **state)
{
    (void)state;
    strike_everywhere(FIRE_SYNC, SQLITE_IOERR_WRITE, false, false);
    strike_everywhere(FIRE_SYNC, SQLITE_IOERR_WRITE, false, true);
}

/* The end of a coordinator moves the log into the database and removes it. */
static void an_end_that_fails_anywhere_loses_nothing(void **state)
{
    (void)state;
    for (int event = FIRE_WRITE; event < FIRE_EVENTS; event++)
        for (int64_t n = 1, struck = 1; struck > 0; n++) {
            int err = 0;
            fire_calm();
            remove_database("fire.db");
            struct store *store = open_store("fire.db", experiment);
            assert_int_equal(write_batches(store, 0, &err), BATCHES);
            fire_arm((enum fire_event)event, n, INT64_MAX, SQLITE_IOERR_WRITE);
            store_close(&store);
            struck = fire.struck;
            assert_true(struck > 0 || n > 1 || event == FIRE_TRUNCATE);
            fire_calm();
            assert_holds("fire.db", BATCHES, BATCHES);
        }
}

/* As the server does: the same rows again, until there is room. */
static void on_a_full_disk_the_same_rows_go_in_when_there_is_room(void **state)
{
    (void)state;
    for (int done = 0; done < 2; done++) {
        int64_t count = count_events(FIRE_WRITE, done), refused = 0;
        for (int64_t at = 1; at <= count; at = next_event(at, count)) {
            fire_calm();
            remove_database("fire.db");
            struct store *store = open_store("fire.db", experiment);
            for (int n = 1; n <= done; n++)
                write_store(store, &batches[n]);
            fire_arm(FIRE_WRITE, at, at + 2, SQLITE_FULL);
            for (int n = done + 1; n <= BATCHES; n++) {
                struct problem problem = {0};
                int err;
                while ((err = store_write(store, &batches[n], &problem)) != 0) {
                    assert_int_equal(err, ERR_FULL);
                    refused++;
                    copy_as_it_stands("fire.db", "crashed.db");
                    assert_holds("crashed.db", n - 1, n - 1);
                }
            }
            fire_calm();
            copy_as_it_stands("fire.db", "crashed.db");
            store_close(&store);
            assert_holds("fire.db", BATCHES, BATCHES);
            assert_holds("crashed.db", BATCHES, BATCHES);
        }
        assert_true(refused > 20);
    }
}

/* ---- killed, or without power -------------------------------------------------------------------------- */

/* Runs the batches in a process of its own that ends at event number `at`; returns the last acknowledged, and
 * whether it was killed. */
static int run_and_kill(int64_t at, bool torn, bool *ret_killed)
{
    int said[2], status;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = NULL;
        struct problem problem;
        fire_arm(FIRE_EVENTS, at, at, SQLITE_IOERR_WRITE);
        fire.kill = true;
        fire.torn = torn;
        if (store_open("fire.db", experiment, &store, &problem) != 0)
            _exit(1);
        for (char n = 1; n <= BATCHES; n++)
            if (store_write(store, &batches[(int)n], &problem) != 0 || write(said[1], &n, 1) != 1)
                _exit(1);
        store_close(&store);
        _exit(0);
    }
    close(said[1]);
    char n = 0;
    while (read(said[0], &n, 1) == 1)
        continue;
    close(said[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FIRE_EXIT));
    *ret_killed = WEXITSTATUS(status) == FIRE_EXIT;
    return n;
}

static void killed_at_any_statement_write_or_fsync_it_has_lost_nothing(void **state)
{
    (void)state;
    int64_t kills = 0, between = 0;
    fire_calm();
    for (int64_t at = 1;; at = next_event(at, INT64_MAX / 2)) {
        bool killed = false;
        remove_database("fire.db");
        int acknowledged = run_and_kill(at, at % 2 == 0, &killed);
        bool made = there_is("fire.db");
        if (made || acknowledged > 0) {
            /* Killed after COMMIT and before it could say so: one more. */
            int n =
                assert_holds("fire.db", acknowledged, acknowledged < BATCHES ? acknowledged + 1 : BATCHES);
            between += n > acknowledged;
        }
        assert_false(there_is("fire.db-lock") && !killed);
        if (!killed)
            break;
        kills++;
    }
    print_message("%lld kills, %lld of them between COMMIT and the acknowledgement\n", (long long)kills,
                  (long long)between);
    assert_true(kills > 50);
}

static void a_power_cut_after_a_commit_leaves_that_commit(void **state)
{
    (void)state;
    struct problem problem = {0};
    fire_calm();
    remove_database("fire.db");
    struct store *store = open_store("fire.db", experiment);
    for (int n = 1; n <= BATCHES; n++) {
        assert_int_equal(store_write(store, &batches[n], &problem), 0);
        remove_database("cut.db");
        fire_power_cut("fire.db", "cut.db");
        fire_power_cut("fire.db-wal", "cut.db-wal");
        assert_holds("cut.db", n, n);
    }
    store_close(&store);
    remove_database("cut.db");
    fire_power_cut("fire.db", "cut.db"); /* the log has been moved into it and is gone */
    assert_holds("cut.db", BATCHES, BATCHES);
}

/* ---- a damaged log ------------------------------------------------------------------------------------- */

/* A database with a log of small commits, and where in it each of them ends. */
static void make_log(struct buf *ret_log, size_t ret_ends[BATCHES + 1])
{
    struct store *store = open_store("fire.db", experiment);
    ret_ends[0] = 0;
    for (int n = 1; n <= BATCHES; n++) {
        struct rows small = batches[n];
        small.search.state.size = small.search.state.size < 64 ? small.search.state.size : 64;
        write_store(store, &small);
        read_file("fire.db-wal", ret_log);
        ret_ends[n] = ret_log->size;
    }
    copy_as_it_stands("fire.db", "torn.db");
    store_close(&store);
}

/* Opens torn.db with that log; it holds batch n, but for the state of the search, which is cut short. */
static void assert_log_gives(const struct buf *log, size_t size, int n)
{
    struct buf database = {0};
    read_file("torn.db", &database);
    remove_database("opened.db");
    write_file("opened.db", database.data, database.size);
    write_file("opened.db-wal", log->data, size);
    struct store *store = open_store("opened.db", experiment);
    struct rows rows = restore_store(store), expected = disk_read(&models[n]);
    if (rows.experiment.epoch != n)
        fail_msg("a log of %zu bytes gives batch %d instead of %d", size, (int)rows.experiment.epoch, n);
    if (expected.search.state.size > 64)
        expected.search.state.size = 64;
    assert_same_rows(&rows, &expected);
    store_close(&store);
    assert_int_equal(number_in("opened.db", "SELECT count(*) FROM pragma_integrity_check WHERE "
                                            "integrity_check = 'ok'"),
                     1);
    rows_release(&rows);
    rows_release(&expected);
    buf_release(&database);
}

static void a_log_that_is_cut_or_garbled_anywhere_gives_the_last_whole_commit_before(void **state)
{
    (void)state;
    struct buf log = {0};
    size_t ends[BATCHES + 1];
    fire_calm();
    remove_database("fire.db");
    make_log(&log, ends);
    assert_true(ends[BATCHES] > 50 * 1024);
    int n = 0;
    size_t step = 509 * (size_t)(next_event(100, 1000) - 100);
    for (size_t at = 0; at < log.size; at += step) {
        while (n < BATCHES && at >= ends[n + 1])
            n++;
        assert_log_gives(&log, at, n);
        uint8_t *byte = (uint8_t *)log.data + at;
        *byte ^= 0x10;
        assert_log_gives(&log, log.size, at < 32 ? 0 : n);
        *byte ^= 0x10;
    }
    for (n = 1; n <= BATCHES; n++) {
        assert_log_gives(&log, ends[n] - 1, n - 1);
        assert_log_gives(&log, ends[n], n);
    }
    buf_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_fails_once_loses_nothing_acknowledged),
        cmocka_unit_test(a_disk_that_takes_no_more_writes_loses_nothing_acknowledged),
        cmocka_unit_test(an_fsync_that_fails_acknowledges_nothing),
        cmocka_unit_test(an_end_that_fails_anywhere_loses_nothing),
        cmocka_unit_test(on_a_full_disk_the_same_rows_go_in_when_there_is_room),
        cmocka_unit_test(killed_at_any_statement_write_or_fsync_it_has_lost_nothing),
        cmocka_unit_test(a_power_cut_after_a_commit_leaves_that_commit),
        cmocka_unit_test(a_log_that_is_cut_or_garbled_anywhere_gives_the_last_whole_commit_before),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
