/* Where a database may lie: not where this user cannot write, nor on a network file system unless forced.
 * What is refused is left as it is. */
#include "tests/unit/store_fixture.h"

#include "coordinator/database_file.h"

#include <sys/vfs.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

static struct experiment *experiment;
static unsigned long pretended; /* the type of every file system; 0: its own */

/* In place of libc's. */
int fstatfs(int fd, struct statfs *ret_status)
{
    (void)fd;
    *ret_status = (struct statfs){.f_type = 0x01021994};
    if (pretended != 0)
        ret_status->f_type = (__typeof__(ret_status->f_type))pretended;
    return 0;
}

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

static void make_database(const char *path)
{
    struct rows rows = {.experiment_changed = true};
    remove_database(path);
    struct store *store = open_store(path, experiment);
    struct rows first = restore_store(store);
    rows.experiment = first.experiment;
    rows.experiment.epoch = 1;
    write_store(store, &rows);
    store_close(&store);
    rows_release(&first);
}

/* What an ordinary user gets: the error of opening the store and writing there, in a process of its own. */
static int error_of_a_user(const char *path)
{
    int status, said[2];
    char text[480] = "";
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = NULL;
        struct problem problem = {0};
        struct rows rows = {.counters_changed = true};
        if (geteuid() == 0 && (setegid(NOBODY) != 0 || seteuid(NOBODY) != 0))
            _exit(99);
        int err = store_open(path, experiment, &store, &problem);
        bool opened = err == 0;
        if (!err)
            err = store_write(store, &rows, &problem);
        store_close(&store);
        if (write(said[1], problem.text, strlen(problem.text)) < 0)
            _exit(99);
        _exit(opened && err ? 50 - err : -err);
    }
    close(said[1]);
    assert_true(read(said[0], text, sizeof text - 1) >= 0);
    close(said[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0 && !strstr(text, path))
        fail_msg("'%s' does not name %s", text, path);
    return -WEXITSTATUS(status);
}

static void a_file_that_cannot_be_written_is_refused_at_once(void **state)
{
    (void)state;
    struct buf before = {0}, after = {0};
    assert_int_equal(chmod(".", 0777), 0);
    make_database("readable.db");
    assert_int_equal(chmod("readable.db", 0444), 0);
    read_file("readable.db", &before);
    assert_int_equal(error_of_a_user("readable.db"), ERR_IO);
    read_file("readable.db", &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    assert_false(there_is("readable.db-wal") || there_is("readable.db-lock"));
    assert_int_equal(chmod("readable.db", 0666), 0);
    assert_int_equal(error_of_a_user("readable.db"), 0);
    buf_release(&before);
    buf_release(&after);
}

static void a_folder_that_cannot_be_written_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(mkdir("closed", 0755), 0);
    make_database("closed/there.db");
    assert_int_equal(chmod("closed/there.db", 0666), 0);
    assert_int_equal(error_of_a_user("closed/there.db"), ERR_IO);
    assert_int_equal(error_of_a_user("closed/new.db"), ERR_IO);
    assert_false(there_is("closed/new.db") || there_is("closed/new.db-lock") ||
                 there_is("closed/there.db-wal"));
    struct store *store = open_store("closed/there.db", experiment); /* whoever may write there can go on */
    struct rows rows = restore_store(store);
    assert_int_equal(rows.experiment.epoch, 1);
    rows_release(&rows);
    store_close(&store);
}

static void a_network_file_system_is_refused_unless_forced(void **state)
{
    (void)state;
    static const unsigned long types[] = {0x6969, 0xff534d42, 0x0bd00bd0, 0x47504653};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct store *store = NULL;
        struct problem problem = {0};
        pretended = types[i];
        assert_int_equal(store_open("far.db", experiment, &store, &problem), ERR_IO);
        assert_non_null(strstr(problem.text, "network file system"));
        assert_non_null(strstr(problem.text, network_file_system(types[i])));
        assert_non_null(strstr(problem.text, "--network-disk"));
        assert_false(there_is("far.db") || there_is("far.db-lock"));
        assert_int_equal(store_open_anywhere("far.db", experiment, &store, &problem), 0);
        struct store *second = NULL; /* forced or not, one coordinator */
        assert_int_equal(store_open_anywhere("far.db", experiment, &second, &problem), ERR_BUSY);
        store_close(&store);
        pretended = 0;
        assert_int_equal(store_open("far.db", experiment, &store, &problem), 0);
        store_close(&store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_cannot_be_written_is_refused_at_once),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_refused_at_once),
        cmocka_unit_test(a_network_file_system_is_refused_unless_forced),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
