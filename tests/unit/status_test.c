/* The page of a search answers what it is asked, as the database says, and nothing else. */
#include "tests/unit/status_fixture.h"

#include "coordinator/sql.h"
#include "coordinator/status/course.h"
#include "coordinator/status/outlook.h"
#include "coordinator/store_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/actsearch-status-XXXXXX";
static struct store_reader *reader; /* to look things up, and to read JSON */
static struct status *status;

static struct status *status_of(const char *path, const char *listening)
{
    struct http_address address;
    struct problem problem = {0};
    assert_int_equal(http_address_parse(listening, &address, &problem), 0);
    return status_new(path, &address, "head-node");
}

static int enter(void **state)
{
    struct problem problem = {0};
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    make_search("search.db");
    status = status_of("search.db", "127.0.0.1:8080");
    return store_reader_open("search.db", &reader, &problem);
}

static int leave(void **state)
{
    (void)state;
    status_destroy(&status);
    store_reader_close(&reader);
    char *command = xasprintf("rm -rf '%s'", folder);
    int failed = chdir("/") != 0 || system(command) != 0;
    free(command);
    return failed ? -1 : 0;
}

static bool keep_text(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(char **)context = values[0] ? xstrdup(values[0]) : NULL;
    return false;
}

/* One value of the database; the caller's, NULL for NULL. */
static char *value_of(const char *sql, const char *a, const char *b)
{
    struct problem problem = {0};
    char *text = NULL;
    const char *const parameters[] = {a, b};
    if (store_query(reader, sql, parameters, b ? 2 : a ? 1 : 0, keep_text, &text, &problem) != 0)
        fail_msg("%s", problem.text);
    return text;
}

/* The value at a path of what a GET gives, which must be whole JSON. */
static char *answered(const char *target, const char *path)
{
    struct http_response response = get(status, target);
    if (response.status != 200)
        fail_msg("%s: %d %s", target, response.status, buf_text(&response.body));
    assert_string_equal(response.type, "application/json");
    char *text = value_of("SELECT json_extract(?1, ?2)", buf_text(&response.body), path);
    buf_release(&response.body);
    return text;
}

static void assert_answer(const char *target, const char *path, const char *sql)
{
    char *answer = answered(target, path), *expected = value_of(sql, NULL, NULL);
    assert_non_null(answer);
    assert_non_null(expected);
    assert_string_equal(answer, expected);
    free(answer);
    free(expected);
}

static int status_to(const char *method, const char *target, const char *host)
{
    const struct http_request request = {.method = method, .target = target, .host = host};
    struct http_response response = {0};
    status_answer(status, &request, &response);
    buf_release(&response.body);
    return response.status;
}

/* ---- who may ask what ---------------------------------------------------------------------------------- */

static void who_calls_us_by_another_name_gets_nothing(void **state)
{
    (void)state;
    assert_int_equal(status_to("GET", "/", "localhost:8080"), 200);
    assert_int_equal(status_to("GET", "/", "evil.example:8080"), 421);
    assert_int_equal(status_to("GET", "/api/progress", "evil.example"), 421);
    assert_int_equal(status_to("GET", "/", NULL), 400);
}

static void nothing_but_get_and_head_is_answered(void **state)
{
    static const char *const methods[] = {"POST",    "PUT",   "DELETE", "OPTIONS", "PATCH",
                                          "CONNECT", "TRACE", "get",    ""};
    (void)state;
    assert_int_equal(status_to("HEAD", "/api/progress", "localhost"), 200);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        assert_int_equal(status_to(methods[i], "/api/progress", "localhost"), 405);
}

static void what_is_not_there_is_said_to_be_not_there(void **state)
{
    (void)state;
    assert_int_equal(status_to("GET", "/etc/passwd", "localhost"), 404);
    assert_int_equal(status_to("GET", "/../search.db", "localhost"), 404);
    assert_int_equal(status_to("GET", "/api/", "localhost"), 404);
    assert_int_equal(status_to("GET", "/api/function?activation=none", "localhost"), 404);
    assert_int_equal(status_to("GET", "/api/function", "localhost"), 400);
    assert_int_equal(status_to("GET", "/api/progress?x=1", "localhost"), 400);
    assert_int_equal(status_to("GET", "/api/ranking?sort=id", "localhost"), 400);
    assert_int_equal(status_to("GET", "/api/ranking?order=up", "localhost"), 400);
    assert_int_equal(status_to("GET", "/api/ranking?limit=201", "localhost"), 400);
    assert_int_equal(status_to("GET", "/api/ranking?offset=-1", "localhost"), 400);
}

static void a_file_that_the_browser_has_is_not_sent_again(void **state)
{
    (void)state;
    struct http_response plain = get(status, "/dygraph.js"), again = {0};
    assert_int_equal(plain.status, 200);
    assert_true(plain.file_size > 50000 && !plain.file_gzip);
    struct http_request request = {
        .method = "GET", .target = "/dygraph.js", .host = "localhost", .gzip = true};
    struct http_response packed = {0};
    status_answer(status, &request, &packed);
    assert_true(packed.file_gzip && packed.file_size < plain.file_size / 2);
    assert_string_not_equal(packed.etag, plain.etag);
    request.if_none_match = packed.etag;
    status_answer(status, &request, &again);
    assert_int_equal(again.status, 304);
    assert_int_equal(again.file_size, 0);
}

/* ---- what is answered ---------------------------------------------------------------------------------- */

static void progress_is_that_of_the_view(void **state)
{
    (void)state;
    assert_answer("/api/progress", "$.candidates", "SELECT candidates FROM progress");
    assert_answer("/api/progress", "$.done", "SELECT done FROM progress");
    assert_answer("/api/progress", "$.best_activation", "SELECT best_activation FROM progress");
    assert_answer("/api/progress", "$.name", "SELECT name FROM experiment");
    assert_answer("/api/progress", "$.best_reference.activation",
                  "SELECT activation FROM ranking WHERE reference LIMIT 1");
}

/* Each order, paged, is that of the view sorted so; ranks are those of the view. */
static void the_list_is_that_of_the_view_in_any_order(void **state)
{
    static const struct {
        const char *query, *sql;
    } orders[] = {
        {"sort=rank", "rank"},
        {"sort=rank&order=desc", "rank DESC"},
        {"sort=activation", "activation"},
        {"sort=activation&order=desc", "activation DESC"},
        {"sort=cost",
         "cost_ns NULLS LAST, (SELECT id FROM candidate AS c WHERE c.activation = r.activation)"},
        {"sort=accuracy&order=desc",
         "accuracy_mean DESC, (SELECT id FROM candidate AS c WHERE c.activation = r.activation)"},
        {"filter=cos+%28", "NOT instr(activation, 'cos('), rank"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        for (int at = 0; at < 7; at += 2) {
            char *target = xasprintf("/api/ranking?%s&offset=%d&limit=1", orders[i].query, at);
            char *sql =
                xasprintf("SELECT rank || ' ' || activation FROM ranking AS r ORDER BY %s LIMIT 1 OFFSET %d",
                          orders[i].sql, at);
            char *rank = answered(target, "$.rows[0].rank"),
                 *activation = answered(target, "$.rows[0].activation");
            char *expected = value_of(sql, NULL, NULL), *found = xasprintf("%s %s", rank, activation);
            if (rank) /* the filter leaves fewer */
                assert_string_equal(found, expected);
            else
                assert_true(orders[i].query[0] == 'f' && at > 0);
            free(rank);
            free(activation);
            free(expected);
            free(found);
            free(target);
            free(sql);
        }
    assert_answer("/api/ranking?filter=cos%28", "$.total",
                  "SELECT count(*) FROM ranking WHERE instr(activation, 'cos(')");
    assert_answer("/api/ranking?limit=200", "$.rows[3].distinct_from_next",
                  "SELECT distinct_from_next FROM ranking LIMIT 1 OFFSET 3");
}

static void each_function_of_the_list_has_a_picture(void **state)
{
    (void)state;
    char *path = answered("/api/ranking?filter=relu", "$.rows[0].sketch.path");
    assert_non_null(path);
    assert_int_equal(strncmp(path, "M0 ", 3), 0);
    assert_int_equal(path[strspn(path, "ML0123456789. ")], '\0'); /* nothing but a path */
    free(path);
}

static void a_function_comes_with_all_there_is(void **state)
{
    static const char target[] = "/api/function?activation=relu%28x%29";
    (void)state;
    assert_answer(target, "$.rank", "SELECT rank FROM ranking WHERE activation = 'relu(x)'");
    assert_answer(target, "$.derivative", "SELECT 'step(x)'");
    assert_answer(target, "$.facts.ranked", "SELECT count(*) FROM ranking");
    assert_answer(target, "$.trials[1].replica", "SELECT 1");
    assert_answer(target, "$.samples.f[400]", "SELECT 5");
    char *code = answered(target, "$.code.c"), *train = answered(target, "$.train"),
         *curve = answered(target, "$.curves[0]");
    assert_non_null(strstr(code, "double"));
    assert_int_equal(strncmp(train, "actsearch train ", 16), 0);
    free(code);
    free(train);
    free(curve);
}

static void the_course_of_the_search_rises_to_its_best(void **state)
{
    (void)state;
    char *last = answered("/api/course", "$.functions.best[#-1][1]");
    char *best = value_of("SELECT round(max(accuracy_mean), 5) FROM ranking WHERE NOT reference", NULL, NULL);
    assert_float_equal(strtod(last, NULL), strtod(best, NULL), 1e-9);
    free(last);
    free(best);
    assert_answer("/api/controller", "$.now.policy_version", "SELECT policy_version FROM progress");
    assert_answer("/api/controller", "$.history[#-1].policy_version",
                  "SELECT max(policy_version) FROM search_history");
}

static void workers_failures_and_events_are_paged(void **state)
{
    (void)state;
    assert_answer("/api/workers", "$.total", "SELECT count(*) FROM worker");
    assert_answer("/api/workers", "$.rows[0].host", "SELECT host FROM worker");
    assert_answer("/api/events?limit=1", "$.rows[0].text", "SELECT text FROM event ORDER BY id DESC");
    assert_answer("/api/failures", "$.total", "SELECT count(*) FROM failures");
}

static void metrics_are_numbers_by_name(void **state)
{
    (void)state;
    struct http_response response = get(status, "/metrics");
    char *done =
        value_of("SELECT 'actsearch_trials{state=\"done\"} ' || done || char(10) FROM progress", NULL, NULL);
    assert_int_equal(response.status, 200);
    assert_non_null(strstr(buf_text(&response.body), done));
    assert_null(strstr(buf_text(&response.body), "nan"));
    free(done);
    buf_release(&response.body);
}

/* ---- hostile content ----------------------------------------------------------------------------------- */

static void change(const char *path, const char *sql)
{
    struct sql *sql_connection = NULL;
    struct problem problem = {0};
    if (sql_open(path, SQL_WRITE, &sql_connection, &problem) != 0 ||
        sql_exec(sql_connection, sql, &problem) != 0)
        fail_msg("%s", problem.text);
    sql_close(&sql_connection);
}

static void what_workers_say_stays_text(void **state)
{
    (void)state;
    change("search.db", "UPDATE worker SET host = '\"</script><b>' || char(10) || '\\', cpu = char(1)");
    assert_answer("/api/workers", "$.rows[0].host", "SELECT host FROM worker");
    assert_answer("/api/workers", "$.rows[0].cpu", "SELECT cpu FROM worker");
    struct buf event = {0};
    status_event(status, &event);
    assert_non_null(strstr(buf_text(&event), "event: progress\ndata: {"));
    assert_ptr_equal(strstr(buf_text(&event), "\n\n"), buf_text(&event) + event.size - 2); /* one event */
    buf_release(&event);
}

/* ---- a database that comes, changes and goes ----------------------------------------------------------- */

static void each_algorithm_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"exhaustive", "random", "evolution", "rl", "none"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *setting = xasprintf("search.algorithm=%s", names[i]),
             *said = xasprintf("\"algorithm\":\"%s\"", names[i]);
        struct experiment *experiment = experiment_with((const char *const[]){
            setting, strcmp(names[i], "none") == 0 ? NULL : "search.candidates=4", NULL});
        struct space *space = space_with(experiment);
        struct store *store = NULL;
        struct problem problem = {0};
        assert_int_equal(store_open("named.db", experiment, &store, &problem), 0);
        search_some_turns(experiment, space, store, 1);
        store_close(&store);
        struct status *named = status_of("named.db", "127.0.0.1:8080");
        struct http_response response = get(named, "/api/progress");
        assert_int_equal(response.status, 200);
        assert_non_null(strstr(buf_text(&response.body), said));
        buf_release(&response.body);
        status_destroy(&named);
        space_destroy(&space);
        experiment_destroy(&experiment);
        assert_int_equal(system("rm -f named.db*"), 0);
        free(setting);
        free(said);
    }
}

static void what_is_trained_once_more_is_what_the_rank_is_of(void **state)
{
    (void)state;
    assert_int_equal(system("cp search.db odd.db"), 0);
    change("odd.db", "INSERT INTO trial SELECT 100000 + id, candidate, replica, seed, 1, 10 * steps, "
                     "'ready', 0, NULL, 0, 0, 0, 0, "
                     "NULL, NULL, 0, 0, NULL, NULL, NULL, 0 FROM trial WHERE candidate = (SELECT id FROM "
                     "candidate WHERE activation "
                     "= 'relu(x)')"); /* longer ones, of which none is done */
    struct status *odd = status_of("odd.db", "127.0.0.1:8080");
    struct http_response response = get(odd, "/api/function?activation=relu%28x%29");
    assert_int_equal(response.status, 200);
    assert_non_null(strstr(buf_text(&response.body), " --steps 100 "));
    assert_null(strstr(buf_text(&response.body), " --steps 1000 "));
    buf_release(&response.body);
    status_destroy(&odd);
    assert_int_equal(system("rm -f odd.db*"), 0);
}

/* Nobody else numbers candidates so, but anybody may hand over a file. */
static void numbers_that_no_search_gives_do_no_harm(void **state)
{
    (void)state;
    static const char *const numbers[] = {"-7", "4611686018427387904"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char *sql = xasprintf("PRAGMA foreign_keys = OFF; UPDATE candidate SET id = %s WHERE id = (SELECT "
                              "max(id) FROM candidate WHERE "
                              "seeds > 0)",
                              numbers[i]);
        assert_int_equal(system("cp search.db odd.db"), 0);
        change("odd.db", sql);
        struct status *odd = status_of("odd.db", "127.0.0.1:8080");
        struct http_response response = get(odd, "/api/ranking?sort=accuracy&limit=200");
        assert_int_equal(response.status, 200);
        buf_release(&response.body);
        status_destroy(&odd);
        assert_int_equal(system("rm -f odd.db*"), 0);
        free(sql);
    }
}

static void a_search_that_is_not_there_yet_is_waited_for(void **state)
{
    struct status *early = status_of("later.db", "127.0.0.1:8080");
    (void)state;
    struct http_response response = get(early, "/healthz");
    assert_int_equal(response.status, 503);
    buf_release(&response.body);
    response = get(early, "/");
    assert_int_equal(response.status, 200);
    make_search("later.db");
    response = get(early, "/healthz");
    assert_int_equal(response.status, 200);
    buf_release(&response.body);
    status_destroy(&early);
}

static void only_a_change_is_news(void **state)
{
    struct buf event = {0};
    (void)state;
    status_look(status, 1000, &event);
    assert_false(status_look(status, 2000, &event));
    change("search.db", "UPDATE counters SET workers = workers + 1");
    assert_true(status_look(status, 3000, &event));
    assert_true(event.size > 0);
    assert_false(status_look(status, 4000, &event));
    buf_release(&event);
}

static void a_file_that_is_no_database_is_said_to_be_none(void **state)
{
    FILE *file = fopen("none.db", "w");
    (void)state;
    assert_non_null(file);
    fputs("this is a text of some length, and no database", file);
    fclose(file);
    struct status *wrong = status_of("none.db", "127.0.0.1:8080");
    struct http_response response = get(wrong, "/api/progress");
    assert_int_equal(response.status, 503);
    assert_non_null(strstr(buf_text(&response.body), "none.db"));
    buf_release(&response.body);
    status_destroy(&wrong);
}

/* ---- speed and course ---------------------------------------------------------------------------------- */

static void the_speed_is_that_of_the_last_looks(void **state)
{
    struct outlook outlook = {.estimate = {.trials = 10000}};
    struct progress_row row = {.trials = 10000, .phase = "search"};
    (void)state;
    assert_true(isnan(outlook_trials_per_hour(&outlook)) && isnan(outlook_seconds_left(&outlook)));
    for (int i = 0; i < 300; i++) { /* first slowly, then ten times as fast */
        row.done += i < 150 ? 1 : 10;
        outlook_look(&outlook, &row, i * OUTLOOK_EVERY_MS);
        outlook_look(&outlook, &row, i * OUTLOOK_EVERY_MS + 1); /* too soon to count */
    }
    assert_float_equal(outlook_trials_per_hour(&outlook), 10 * 3600000.0 / OUTLOOK_EVERY_MS, 1e-6);
    assert_float_equal(outlook_seconds_left(&outlook), (10000.0 - 1650) / 10 * OUTLOOK_EVERY_MS / 1000, 1e-3);
}

static void a_pause_is_no_part_of_the_speed(void **state)
{
    struct outlook outlook = {.estimate = {.trials = 1000}};
    struct progress_row row = {.trials = 1000, .phase = "search"};
    (void)state;
    int64_t at_ms = 0;
    for (int i = 0; i < 3; i++, row.done += 10)
        outlook_look(&outlook, &row, at_ms += OUTLOOK_EVERY_MS);
    assert_false(isnan(outlook_seconds_left(&outlook)));
    strcpy(row.phase, "paused");
    outlook_look(&outlook, &row, at_ms += 1000 * OUTLOOK_EVERY_MS);
    assert_true(isnan(outlook_trials_per_hour(&outlook)) && isnan(outlook_seconds_left(&outlook)));
    strcpy(row.phase, "search");
    for (int i = 0; i < 2; i++, row.done += 10)
        outlook_look(&outlook, &row, at_ms += OUTLOOK_EVERY_MS);
    assert_float_equal(outlook_trials_per_hour(&outlook), 10 * 3600000.0 / OUTLOOK_EVERY_MS, 1e-6);
}

static void a_course_keeps_bests_and_rises_in_bounded_room(void **state)
{
    struct course *course = xcalloc(1, sizeof *course);
    (void)state;
    course_start(course, 100000);
    course_add(course,
               &(struct score_row){0, 50, 0.99}); /* shorter trainings do not count beside longer ones */
    for (int i = 0; i < 100000; i++)
        course_add(course, &(struct score_row){i, 100, i % 2 ? 0.1 : i / 200000.0});
    course_add(course, &(struct score_row){100000, 100, NAN});
    course_add(course, &(struct score_row){INT64_C(1) << 50, 100, 0});
    assert_int_equal(course->steps, 100);
    assert_int_equal(course->slice[0].count, 250);
    assert_float_equal(course->slice[399].best, 99998 / 200000.0, 1e-12);
    assert_int_equal(course->rises, COURSE_RISES);
    assert_float_equal(course->rise[COURSE_RISES - 1].accuracy, 99998 / 200000.0, 1e-12);
    struct json json = {0};
    course_put(course, NULL, &json);
    assert_true(json.out.size < 40000);
    buf_release(&json.out);
    free(course);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_calls_us_by_another_name_gets_nothing),
        cmocka_unit_test(nothing_but_get_and_head_is_answered),
        cmocka_unit_test(what_is_not_there_is_said_to_be_not_there),
        cmocka_unit_test(a_file_that_the_browser_has_is_not_sent_again),
        cmocka_unit_test(progress_is_that_of_the_view),
        cmocka_unit_test(the_list_is_that_of_the_view_in_any_order),
        cmocka_unit_test(each_function_of_the_list_has_a_picture),
        cmocka_unit_test(a_function_comes_with_all_there_is),
        cmocka_unit_test(the_course_of_the_search_rises_to_its_best),
        cmocka_unit_test(workers_failures_and_events_are_paged),
        cmocka_unit_test(metrics_are_numbers_by_name),
        cmocka_unit_test(what_workers_say_stays_text),
        cmocka_unit_test(each_algorithm_has_its_name),
        cmocka_unit_test(what_is_trained_once_more_is_what_the_rank_is_of),
        cmocka_unit_test(numbers_that_no_search_gives_do_no_harm),
        cmocka_unit_test(a_search_that_is_not_there_yet_is_waited_for),
        cmocka_unit_test(only_a_change_is_news),
        cmocka_unit_test(a_file_that_is_no_database_is_said_to_be_none),
        cmocka_unit_test(the_speed_is_that_of_the_last_looks),
        cmocka_unit_test(a_pause_is_no_part_of_the_speed),
        cmocka_unit_test(a_course_keeps_bests_and_rises_in_bounded_room),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
