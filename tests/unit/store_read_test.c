/* Reading a results database: the views, any query, and what is refused. */
#include "tests/unit/store_fixture.h"

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

static struct store_reader *open_reader(const char *path)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    if (store_reader_open(path, &reader, &problem) != 0)
        fail_msg("%s", problem.text);
    return reader;
}

static void add_candidate(struct rows *rows, const char *activation, int64_t steps, int64_t seeds,
                          double accuracy, double loss)
{
    struct candidate_row *row = rows_candidate(rows);
    *row = (struct candidate_row){.id = (int64_t)rows->candidates.count,
                                  .activation = activation,
                                  .steps = steps,
                                  .trials = 2,
                                  .seeds = seeds,
                                  .accuracy_mean = seeds > 0 ? accuracy : NAN,
                                  .accuracy_sd = NAN,
                                  .validation_loss_mean = loss,
                                  .parameters = 10,
                                  .seconds = 1.5,
                                  .cost_ns = NAN,
                                  .reward = NAN};
}

/* ---- ranking ------------------------------------------------------------------------------------------- */

struct names {
    struct buf text;
    int64_t ranks;
    int limit;
};

static bool add_name(void *context, const struct ranking_row *row)
{
    struct names *names = context;
    assert_int_equal(row->rank, ++names->ranks);
    assert_true(isnan(row->cost_ns) && isnan(row->accuracy_sd));
    assert_true(row->seconds == 1.5 && row->parameters == 10 && row->trials == 2);
    buf_printf(&names->text, "%s ", row->activation);
    return names->limit == 0 || names->ranks < names->limit;
}

static void the_ranking_goes_by_steps_accuracy_loss_and_bytes(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct problem problem = {0};
    /* In the order that is expected, written in another. */
    static const char expected[] = "long best close_1 close_2 close_none bytes_B bytes_a last diverged ";
    add_candidate(&rows, "unranked", 100, 0, NAN, NAN);
    add_candidate(&rows, "diverged", 100, 1, 0, NAN);
    add_candidate(&rows, "bytes_a", 100, 1, 0.5, 1);
    add_candidate(&rows, "bytes_B", 100, 1, 0.5, 1);
    add_candidate(&rows, "close_none", 100, 2, 0.75, NAN);
    add_candidate(&rows, "close_2", 100, 1, 0.75, 2);
    add_candidate(&rows, "close_1", 100, 1, 0.75, 1);
    add_candidate(&rows, "last", 100, 1, 0.25, 1);
    add_candidate(&rows, "best", 100, 1, 0.9, 5);
    add_candidate(&rows, "long", 200, 1, 0.1, 9);
    struct store *store = open_store("ranking.db", experiment);
    write_store(store, &rows);
    struct store_reader *reader = open_reader("ranking.db"); /* while the coordinator has it */
    struct names names = {0};
    assert_int_equal(store_ranking(reader, 0, add_name, &names, &problem), 0);
    assert_string_equal(buf_text(&names.text), expected);
    buf_clear(&names.text);
    names.ranks = 0;
    assert_int_equal(store_ranking(reader, 2, add_name, &names, &problem), 0);
    assert_string_equal(buf_text(&names.text), "long best ");
    buf_clear(&names.text);
    names.ranks = 0;
    names.limit = 1;
    assert_int_equal(store_ranking(reader, 0, add_name, &names, &problem), 0);
    assert_string_equal(buf_text(&names.text), "long ");
    buf_release(&names.text);

    struct progress_row progress;
    assert_int_equal(store_progress(reader, &progress, &problem), 0);
    assert_string_equal(progress.best_activation, "long");
    store_reader_close(&reader);
    store_close(&store);
    rows_release(&rows);
}

static bool plan_line(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)names;
    buf_printf(context, "%s\n", values[columns - 1]);
    return true;
}

static void the_head_of_the_ranking_costs_no_sort(void **state)
{
    (void)state;
    struct store *store = open_store("plan.db", experiment);
    struct rows rows = {0};
    add_candidate(&rows, "x", 1, 1, 0.5, 1);
    write_store(store, &rows);
    static const char *const queries[] = {"EXPLAIN QUERY PLAN SELECT * FROM ranking LIMIT 10",
                                          "EXPLAIN QUERY PLAN SELECT * FROM progress",
                                          "EXPLAIN QUERY PLAN SELECT * FROM failures LIMIT 10"};
    struct store_reader *reader = open_reader("plan.db");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct buf plan = {0};
        struct problem problem = {0};
        assert_int_equal(store_query(reader, queries[i], NULL, 0, plan_line, &plan, &problem), 0);
        assert_non_null(strstr(buf_text(&plan), i == 2 ? "attempt_failures" : "candidate_ranking"));
        assert_null(strstr(buf_text(&plan), "TEMP B-TREE"));
        buf_release(&plan);
    }
    store_reader_close(&reader);
    store_close(&store);
    rows_release(&rows);
}

static double distinct[8];

static bool keep_distinct(void *context, const struct ranking_row *row)
{
    assert_int_equal(row->rank, ++*(int *)context);
    distinct[row->rank] = row->distinct_from_next;
    return true;
}

/* Paired by seed: a steady difference stands out from seeds that differ more than that. */
static void a_place_says_whether_it_differs_from_the_next_beyond_noise(void **state)
{
    (void)state;
    static const struct {
        const char *activation;
        int64_t seeds, steps, correct[3];
    } functions[] = {
        {"x", 3, 50, {700, 800, 900}},   {"x^2", 3, 50, {690, 791, 889}}, /* always about 10 less */
        {"x^3", 3, 50, {700, 760, 880}},                                  /* sometimes more, sometimes less */
        {"x^4", 1, 50, {500}},                                            /* one pair */
        {"x^5", 3, 20, {990, 990, 990}},                                  /* other trainings */
        {"x^6", 3, 20, {990, 990, 990}}, /* the same each time, and no loss to tell them apart */
    };
    struct store *store = open_store("distinct.db", experiment);
    struct rows rows = {0};
    for (int i = 0; i < 6; i++) {
        double sum = 0;
        for (int64_t replica = 0; replica < functions[i].seeds; replica++) {
            struct trial_row *row = rows_trial(&rows);
            *row = (struct trial_row){.id = (int64_t)rows.trials.count,
                                      .candidate = i + 1,
                                      .replica = replica,
                                      .steps = functions[i].steps,
                                      .state = TRIAL_DONE,
                                      .correct = functions[i].correct[replica],
                                      .validation_count = 1000};
            sum += (double)row->correct / 1000;
        }
        add_candidate(&rows, functions[i].activation, functions[i].steps, functions[i].seeds,
                      sum / (double)functions[i].seeds, 1);
    }
    write_store(store, &rows);
    struct store_reader *reader = open_reader("distinct.db");
    struct problem problem = {0};
    int seen = 0;
    assert_int_equal(store_ranking(reader, 0, keep_distinct, &seen, &problem), 0);
    assert_int_equal(seen, 6);
    assert_true(distinct[1] == 1);
    assert_true(distinct[2] == 0);
    assert_true(isnan(distinct[3]));
    assert_true(isnan(distinct[4]));
    assert_true(distinct[5] == 0);
    assert_true(isnan(distinct[6])); /* there is no next one */
    store_reader_close(&reader);
    store_close(&store);
    rows_release(&rows);
}

/* ---- progress and failures ----------------------------------------------------------------------------- */

static void progress_says_what_the_counters_say(void **state)
{
    (void)state;
    struct store *store = open_store("progress.db", experiment);
    struct rows rows = restore_store(store);
    struct problem problem = {0};
    struct progress_row row;
    write_store(store, &rows);
    struct store_reader *reader = open_reader("progress.db");
    assert_int_equal(store_progress(reader, &row, &problem), 0);
    assert_true(isnan(row.baseline) && isnan(row.best_accuracy) && row.elapsed_seconds == 0);
    assert_int_equal(row.policy_version, 0);
    assert_int_equal(row.target_candidates, 25);
    assert_string_equal(row.best_activation, "");

    rows.counters = (struct counters_row){.proposals = 1,
                                          .candidates = 2,
                                          .references = 3,
                                          .duplicates = 4,
                                          .rejected = 26,
                                          .rejected_by = {0, 5, 6, 7, 8},
                                          .trials = 60,
                                          .ready = 10,
                                          .leased = 11,
                                          .done = 12,
                                          .diverged = 13,
                                          .failed = 14,
                                          .workers = 15};
    rows.experiment.started_ms = 1000000;
    rows.experiment.finished_ms = 1061500;
    rows.experiment.finished_because = "search.candidates reached";
    rows.search_changed = true;
    rows.search =
        (struct search_row){.policy_version = 16, .policy = "[]", .baseline = 0.125, .entropy = 2.5};
    write_store(store, &rows);
    assert_int_equal(store_progress(reader, &row, &problem), 0);
    const int64_t counts[] = {row.proposals,      row.candidates,     row.references,     row.duplicates,
                              row.rejected_by[1], row.rejected_by[2], row.rejected_by[3], row.rejected_by[4],
                              row.rejected,       row.trials,         row.queued,         row.leased,
                              row.done,           row.diverged,       row.failed,         row.workers,
                              row.policy_version};
    const int64_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 26, 60, 10, 11, 12, 13, 14, 15, 16};
    assert_memory_equal(counts, expected, sizeof expected);
    assert_true(row.baseline == 0.125 && row.entropy == 2.5 && row.elapsed_seconds == 61.5);
    assert_int_equal(row.started_ms, 1000000);
    assert_string_equal(row.finished_because, "search.candidates reached");
    assert_int_equal(number_in("progress.db", "SELECT started = '1970-01-01T00:16:40Z' FROM progress"), 1);

    rows.experiment.finished_ms = 0; /* while it runs, the clock runs */
    write_store(store, &rows);
    assert_int_equal(store_progress(reader, &row, &problem), 0);
    assert_true(row.elapsed_seconds > 1.5e9 && row.elapsed_seconds < 1e11);
    store_reader_close(&reader);
    store_close(&store);
    rows_release(&rows);
}

static void failures_are_the_attempts_that_were_lost(void **state)
{
    (void)state;
    struct store *store = open_store("failures.db", experiment);
    struct rows rows = {0};
    *rows_worker(&rows) = (struct worker_row){
        .id = 1, .name = "w", .host = "node-7", .trainer = "", .kernels = "", .cpu = "", .key = ""};
    add_candidate(&rows, "x^2", 1, 0, NAN, NAN);
    *rows_trial(&rows) = (struct trial_row){.id = 1, .candidate = 1};
    for (int i = 0; i < ATTEMPT_STATES; i++)
        *rows_attempt(&rows) =
            (struct attempt_row){.id = i + 1,
                                 .trial = 1,
                                 .worker = 1,
                                 .state = (enum attempt_state)i,
                                 .ended_ms = 1000 * (10 - i),
                                 .reason = i == ATTEMPT_FAILED ? "killed by signal 9" : ""};
    write_store(store, &rows);
    struct store_reader *reader = open_reader("failures.db");
    struct buf list = {0};
    struct problem problem = {0};
    assert_int_equal(
        store_query(reader,
                    "SELECT printf('%s|%d|%d|%s|%s|%s', activation, trial, attempt, worker, reason, at) "
                    "FROM failures",
                    NULL, 0, plan_line, &list, &problem),
        0);
    assert_string_equal(buf_text(&list), "x^2|1|10|node-7|withdrawn|1970-01-01T00:00:01Z\n"
                                         "x^2|1|9|node-7|differed|1970-01-01T00:00:02Z\n"
                                         "x^2|1|5|node-7|killed by signal 9|1970-01-01T00:00:06Z\n"
                                         "x^2|1|3|node-7|lapsed|1970-01-01T00:00:08Z\n");
    buf_release(&list);
    store_reader_close(&reader);
    store_close(&store);
    rows_release(&rows);
}

/* ---- queries ------------------------------------------------------------------------------------------- */

static bool third_row(void *context, int columns, const char *const *names, const char *const *values)
{
    int *rows = context;
    assert_int_equal(columns, 4);
    assert_string_equal(names[0], "n");
    assert_string_equal(values[1], "0.1");
    assert_null(values[2]);
    assert_string_equal(values[3], "b");
    return ++*rows < 3;
}

static void a_query_gets_its_parameters_and_gives_texts(void **state)
{
    (void)state;
    struct store *store = open_store("query.db", experiment);
    struct rows rows = restore_store(store);
    write_store(store, &rows);
    struct store_reader *reader = open_reader("query.db");
    struct problem problem = {0};
    int count = 0;
    const char *const parameters[] = {"b", NULL};
    assert_int_equal(
        store_query(reader,
                    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) "
                    "SELECT n, 0.1, ?2, ?1 FROM t;",
                    parameters, 2, third_row, &count, &problem),
        0);
    assert_int_equal(count, 3);
    static const char *const wrong[] = {"DELETE FROM event", "SELECT 1; SELECT 2", "SELECT ?1", "", "SELEC",
                                        "ATTACH 'x' AS y",   "SELECT * FROM y"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(store_query(reader, wrong[i], NULL, 0, third_row, &count, &problem), ERR_INPUT);
        assert_non_null(strstr(problem.text, "query.db"));
    }
    store_reader_close(&reader);
    store_close(&store);
    rows_release(&rows);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static void assert_no_reader(const char *path, int expected, const char *part)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    assert_int_equal(store_reader_open(path, &reader, &problem), expected);
    assert_null(reader);
    if (!strstr(problem.text, part) || !strstr(problem.text, path))
        fail_msg("'%s' does not say '%s'", problem.text, part);
}

static void what_is_no_results_database_is_refused_by_name(void **state)
{
    (void)state;
    assert_no_reader("none.db", ERR_NOT_FOUND, "no such file");
    write_file("text.db", "no database", 11);
    assert_no_reader("text.db", ERR_CORRUPT, "not a database");
    write_file("empty.db", "", 0);
    assert_no_reader("empty.db", ERR_CORRUPT, "not a results database");
    assert_no_reader(".", ERR_CORRUPT, "not a regular file");
    struct sql *sql = NULL;
    struct problem problem = {0};
    assert_int_equal(sql_open("other.db", SQL_CREATE, &sql, &problem), 0);
    assert_int_equal(sql_exec(sql, "CREATE TABLE address (name TEXT)", &problem), 0);
    sql_close(&sql);
    assert_no_reader("other.db", ERR_CORRUPT, "not a results database");
    struct store *store = open_store("newer.db", experiment);
    struct rows rows = restore_store(store);
    write_store(store, &rows);
    store_close(&store);
    alter("newer.db", "PRAGMA user_version = 2");
    assert_no_reader("newer.db", ERR_VERSION, "newer");
    rows_release(&rows);
}

static void names_with_odd_characters_are_only_names(void **state)
{
    (void)state;
    static const char name[] = "50%20?mode=memory#a b'\".db";
    struct store *store = open_store(name, experiment);
    struct rows rows = restore_store(store);
    write_store(store, &rows);
    store_close(&store);
    assert_true(there_is(name));
    struct store_reader *reader = open_reader(name);
    store_reader_close(&reader);
    rows_release(&rows);
}

/* Root may write anywhere: reads as somebody else then, if it may be. */
static void become(uid_t id)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(id), 0);
}

static void a_copy_where_nothing_can_be_written_can_be_read(void **state)
{
    (void)state;
    struct store *store = open_store("copy.db", experiment);
    struct rows rows = restore_store(store);
    write_store(store, &rows);
    store_close(&store);
    alter("copy.db", "PRAGMA journal_mode = WAL"); /* as a copy from a running coordinator has it */
    assert_int_equal(mkdir("sealed", 0755), 0);
    assert_int_equal(rename("copy.db", "sealed/copy.db"), 0);
    assert_int_equal(chmod("sealed/copy.db", 0444) | chmod("sealed", 0555) | chmod(".", 0755), 0);
    become(65534);
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    struct progress_row row;
    int err = store_reader_open("sealed/copy.db", &reader, &problem);
    if (!err)
        err = store_progress(reader, &row, &problem);
    bool made_a_log = there_is("sealed/copy.db-wal");
    store_reader_close(&reader);
    become(0);
    assert_int_equal(chmod("sealed", 0755), 0);
    if (err)
        fail_msg("%s", problem.text);
    assert_false(made_a_log);
    rows_release(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ranking_goes_by_steps_accuracy_loss_and_bytes),
        cmocka_unit_test(a_place_says_whether_it_differs_from_the_next_beyond_noise),
        cmocka_unit_test(the_head_of_the_ranking_costs_no_sort),
        cmocka_unit_test(progress_says_what_the_counters_say),
        cmocka_unit_test(failures_are_the_attempts_that_were_lost),
        cmocka_unit_test(a_query_gets_its_parameters_and_gives_texts),
        cmocka_unit_test(what_is_no_results_database_is_refused_by_name),
        cmocka_unit_test(names_with_odd_characters_are_only_names),
        cmocka_unit_test(a_copy_where_nothing_can_be_written_can_be_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
