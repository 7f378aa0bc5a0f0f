/* The simulated search with a real store behind it: the coordinator is killed between any two steps, the
 * database is what a crash leaves (files copied as they stand, log and all), and the ranked list is the one
 * of the undisturbed run, bit for bit. */
#include "tests/unit/core_world.h"
#include "tests/unit/store_fixture.h"

#include "coordinator/resume.h"

struct store_disk {
    struct second_disk disk; /* first, so that one is the other */
    struct experiment *experiment;
    struct store *store;
    int reopened;
};

static void commit_to_store(struct second_disk *disk, const struct rows *changes)
{
    struct store_disk *self = (struct store_disk *)disk;
    write_store(self->store, changes);
}

static void copy_over(const char *from, const char *to)
{
    struct buf bytes = {0};
    unlink(to);
    if (there_is(from)) {
        read_file(from, &bytes);
        write_file(to, bytes.data, bytes.size);
    }
    buf_release(&bytes);
}

static struct rows reopen_store(struct second_disk *disk, const struct rows *expected)
{
    struct store_disk *self = (struct store_disk *)disk;
    copy_over("world.db", "crashed.db");
    copy_over("world.db-wal", "crashed.db-wal");
    store_close(&self->store);
    remove_database("world.db");
    copy_over("crashed.db", "world.db");
    copy_over("crashed.db-wal", "world.db-wal");
    self->store = open_store("world.db", self->experiment);
    struct rows restored = restore_store(self->store);
    assert_same_rows(&restored, expected);
    self->reopened++;
    return restored;
}

static bool print_row(void *context, const struct ranking_row *row)
{
    buf_printf(context, "%lld %s %a %a %lld %lld %lld %lld\n", (long long)row->rank, row->activation,
               row->accuracy_mean, row->accuracy_sd, (long long)row->seeds, (long long)row->trials,
               (long long)row->steps, (long long)row->parameters);
    return true;
}

/* The ranked list, the columns that must not depend on anything but the experiment. */
static void read_list(const char *path, struct buf *ret_text)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    buf_clear(ret_text);
    assert_int_equal(store_reader_open(path, &reader, &problem), 0);
    assert_int_equal(store_ranking(reader, 0, print_row, ret_text, &problem), 0);
    store_reader_close(&reader);
}

/* Runs the world on "world.db" and returns how often the store was opened anew. */
static int run_on_store(const char *const *settings, uint64_t seed, struct weather weather, int workers,
                        struct buf *ret_list)
{
    struct store_disk disk = {.disk = {commit_to_store, reopen_store}};
    int restarts = 0, crashes = 0;
    remove_database("world.db");
    disk.experiment = experiment_with(settings);
    disk.store = open_store("world.db", disk.experiment);
    struct rows end = run_world_on(&disk.disk, settings, seed, weather, workers, &restarts, &crashes);
    check_accounts(&end);
    struct rows restored = restore_store(disk.store), expected = disk_read(&end);
    assert_same_rows(&restored, &expected);
    store_close(&disk.store);
    read_list("world.db", ret_list);
    assert_int_equal(number_in("world.db", "SELECT count(DISTINCT trial) FROM curve"), end.counters.trials);
    assert_int_equal(number_in("world.db", "SELECT count(*) FROM event"), end.events.count);
    assert_int_equal(number_in("world.db", "SELECT count(*) FROM proposal"), end.counters.proposals);
    assert_int_equal(restarts, disk.reopened);
    rows_release(&restored);
    rows_release(&expected);
    rows_release(&end);
    experiment_destroy(&disk.experiment);
    return restarts;
}

static const char *const settings[] = {
    "search.algorithm=random", "search.candidates=25", "search.batch=8",     "child.seeds=2",
    "queue.attempts=1000",     "queue.lease=5s",       "queue.heartbeat=1s", NULL};

static void a_coordinator_that_is_killed_at_any_point_gives_the_same_ranked_list(void **state)
{
    (void)state;
    struct buf expected = {0}, list = {0};
    int restarts = run_on_store(settings, 0, calm, 1, &expected);
    assert_int_equal(restarts, 0);
    assert_true(expected.size > 100);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        restarts += run_on_store(settings, seed,
                                 (struct weather){.drop = 30,
                                                  .twice = 30,
                                                  .worker_crash = 3,
                                                  .coordinator_crash = 5,
                                                  .silence = 3,
                                                  .reconnect = 5,
                                                  .unsent = 10,
                                                  .delay_ms = 500},
                                 1 + (int)seed % MAX_WORKERS, &list);
        assert_string_equal(buf_text(&list), buf_text(&expected));
    }
    print_message("%d restarts\n", restarts);
    assert_true(restarts > 60);
    buf_release(&expected);
    buf_release(&list);
}

/* Goes on with "world.db" under other settings until it is finished. */
static void go_on(const char *const *with, struct buf *ret_list, struct rows *ret_end)
{
    struct experiment *experiment = experiment_with(with);
    struct space *space = space_with(experiment);
    struct store *store = open_store("world.db", experiment);
    struct rows restored = restore_store(store);
    bool grown = false;
    struct problem problem = {0};
    if (resume_check(&restored.experiment, experiment, &grown, &problem) != 0)
        fail_msg("%s", problem.text);
    assert_true(grown);
    struct core *core = core_from(experiment, space, restored, 5000000);
    struct msg msg = hello_of("late", 3), result = {.type = MSG_RESULT};
    int64_t now_ms = 5000000;
    core_receive(core, 1, &msg, now_ms);
    msg = request_of(3);
    for (bool finished = false; !finished;) {
        size_t count;
        struct msg_lease leases[8];
        int leased = 0;
        core_receive(core, 1, &msg, ++now_ms);
        core_advance(core, now_ms);
        write_store(store, core_rows(core));
        struct core_send *sends = core_sends(core, &count);
        for (size_t i = 0; i < count; i++)
            if (sends[i].type == MSG_LEASE) {
                struct msg lease;
                core_message(core, &sends[i], &lease);
                leases[leased++] = lease.lease_;
            }
        finished = core_finished(core) != NULL;
        core_clear(core, now_ms);
        for (int i = 0; i < leased; i++) {
            result.result_ = result_of(&leases[i]);
            core_receive(core, 1, &result, now_ms);
        }
    }
    core_destroy(&core);
    *ret_end = restore_store(store);
    store_close(&store);
    read_list("world.db", ret_list);
    space_destroy(&space);
    experiment_destroy(&experiment);
}

static void a_finished_search_that_grows_ends_as_one_that_was_larger_from_the_start(void **state)
{
    (void)state;
    static const char *const larger[] = {
        "search.algorithm=random", "search.candidates=40", "search.batch=8",     "child.seeds=2",
        "queue.attempts=1000",     "queue.lease=5s",       "queue.heartbeat=1s", NULL};
    struct buf expected = {0}, list = {0};
    struct rows end = {0};
    run_on_store(larger, 0, calm, 1, &expected);
    run_on_store(settings, 0, calm, 1, &list);
    assert_string_not_equal(buf_text(&list), buf_text(&expected));
    go_on(larger, &list, &end);
    assert_string_equal(buf_text(&list), buf_text(&expected));
    assert_int_equal(end.experiment.epoch, 2);
    assert_int_equal(end.experiment.target_candidates, 40);
    assert_string_equal(end.experiment.finished_because, "search.candidates reached");
    assert_int_equal(end.counters.candidates, 40);
    rows_release(&end);
    buf_release(&expected);
    buf_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinator_that_is_killed_at_any_point_gives_the_same_ranked_list),
        cmocka_unit_test(a_finished_search_that_grows_ends_as_one_that_was_larger_from_the_start),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
