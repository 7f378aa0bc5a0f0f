/* A process that writes as fast as it can is killed at any moment: what it had promised is there, whole, and
 * no batch is there in part. */
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { ROUNDS = 40, TRIALS = 3 };

/* Batch number n, from 1: one row of each kind, all of them say n. */
static void fill_batch(struct rows *rows, int64_t n)
{
    char activation[32];
    snprintf(activation, sizeof activation, "%lld*x", (long long)n);
    rows->experiment_changed = rows->counters_changed = rows->search_changed = true;
    rows->experiment = (struct experiment_row){
        .name = "kill", .text = "", .trainer = "", .data_hash = "", .epoch = n, .finished_because = ""};
    rows->counters = (struct counters_row){.proposals = n, .trials = TRIALS * n, .ready = TRIALS * n};
    *rows_candidate(rows) = (struct candidate_row){.id = n, .activation = rows_keep(rows, activation)};
    *rows_proposal(rows) =
        (struct proposal_row){.number = n - 1, .candidate = n, .activation = "", .reward = NAN};
    for (int64_t i = 0; i < TRIALS; i++)
        *rows_trial(rows) = (struct trial_row){.id = TRIALS * (n - 1) + i + 1, .candidate = n, .replica = i};
    struct curve_row *curve = rows_curve(rows);
    curve->trial = TRIALS * n;
    curve->count = CURVE_POINTS;
    *rows_event(rows) = (struct event_row){.at_ms = n, .kind = "batch", .text = ""};
    rows->search.proposals = n;
    rows->search.policy = "[]";
    for (int64_t i = 0; i < 2000 + n % 1000; i++) /* some pages of state, of another size each time */
        buf_put_u64(&rows->search.state, (uint64_t)n);
}

/* The child: says on `out` which batch is on disk. */
static void write_for_ever(const struct experiment *experiment, int64_t done, int out)
{
    struct store *store = NULL;
    struct problem problem = {0};
    if (store_open("kill.db", experiment, &store, &problem) != 0)
        _exit(1);
    for (int64_t n = done + 1;; n++) {
        struct rows rows = {0};
        fill_batch(&rows, n);
        if (store_write(store, &rows, &problem) != 0 || write(out, &n, sizeof n) != sizeof n)
            _exit(1);
        rows_release(&rows);
    }
}

/* What is on disk is batches 1 … n, whole. Returns n. */
static int64_t check_batches(const struct experiment *experiment)
{
    struct store *store = open_store("kill.db", experiment);
    bool is_new = store_is_new(store);
    struct rows rows = restore_store(store);
    int64_t n = rows.counters.proposals;
    store_close(&store);
    if (!is_new) {
        assert_int_equal(rows.experiment.epoch, n);
        assert_int_equal(rows.candidates.count, n);
        assert_int_equal(rows.proposals.count, n);
        assert_int_equal(rows.trials.count, TRIALS * n);
        assert_int_equal(rows.search.proposals, n);
        struct cursor cursor = cursor_of(rows.search.state.data, rows.search.state.size);
        while (cursor.at < cursor.size)
            assert_int_equal(cursor_take_u64(&cursor), n);
        assert_int_equal(number_in("kill.db", "SELECT count(*) FROM event"), n);
        assert_int_equal(number_in("kill.db", "SELECT count(*) FROM curve"), CURVE_POINTS * n);
        assert_int_equal(number_in("kill.db", "SELECT count(*) FROM pragma_integrity_check WHERE "
                                              "integrity_check = 'ok'"),
                         1);
        assert_int_equal(number_in("kill.db", "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    }
    rows_release(&rows);
    return n;
}

static void a_writer_that_is_killed_at_any_moment_loses_nothing_that_it_promised(void **state)
{
    (void)state;
    static const char *const settings[] = {"search.algorithm=random", "search.candidates=25", NULL};
    struct experiment *experiment = experiment_with(settings);
    struct rng rng = rng_seed(1, "kill", 0);
    int64_t done = 0, killed_early = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int said[2];
        assert_int_equal(pipe(said), 0);
        if (round % 8 == 0) { /* from nothing, so that the making of a database is hit as well */
            remove_database("kill.db");
            done = 0;
        }
        pid_t writer = fork();
        assert_true(writer >= 0);
        if (writer == 0) {
            close(said[0]);
            write_for_ever(experiment, done, said[1]);
        }
        close(said[1]);
        usleep((useconds_t)rng_below(&rng, round % 2 ? 8000 : 60000)); /* the moment of the kill */
        kill(writer, SIGKILL);
        int status;
        assert_int_equal(waitpid(writer, &status, 0), writer);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        int64_t promised = done, n;
        while (read(said[0], &n, sizeof n) == sizeof n)
            promised = n;
        close(said[0]);
        killed_early += promised == done;
        n = check_batches(experiment);
        assert_true(n == promised || n == promised + 1);
        done = n;
    }
    assert_true(killed_early < ROUNDS); /* some of them had time to promise something */
    experiment_destroy(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_that_is_killed_at_any_moment_loses_nothing_that_it_promised),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
