#include "cli/dashboard.h"

#include "cli/answer.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "common/experiment.h"
#include "common/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MOST = 8, BAR_WIDTH = 24 };

int dashboard_start(struct dashboard *dashboard, struct store_reader *reader, struct problem *problem)
{
    struct answer stored = {0};
    struct experiment *experiment = NULL;
    struct progress_row row;
    int err = answer_query(reader, "SELECT name, text FROM experiment", NULL, &stored, problem);
    if (!err && stored.rows == 0)
        err = problem_set(problem, ERR_CORRUPT, "the database has no experiment");
    if (!err)
        err = experiment_parse("the stored experiment", answer_text(&stored, 0, "text"), NULL, 0, &experiment,
                               problem);
    if (!err)
        err = store_progress(reader, &row, problem);
    if (!err) {
        *dashboard = (struct dashboard){0};
        monitor_start(&dashboard->monitor, experiment, (int)row.references);
        const char *name = answer_text(&stored, 0, "name");
        dashboard->name = xstrdup(name[0] ? name : "search");
    }
    experiment_destroy(&experiment);
    answer_release(&stored);
    return err;
}

void dashboard_release(struct dashboard *dashboard)
{
    free(dashboard->name);
    dashboard->name = NULL;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

#define PLAIN ""
#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define RED   "\033[31m"

struct screen {
    const struct dashboard_view *view;
    int rows_left;
    struct buf *out;
};

/* A line, cut to the width. Nothing where the screen is full. */
__attribute__((format(printf, 3, 4))) static void put_line(struct screen *screen, const char *style,
                                                           const char *format, ...)
{
    if (screen->rows_left == 0)
        return;
    screen->rows_left--;
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    text_disarm(text);
    const bool coloured = screen->view->colours && style[0];
    const bool fits = text_width(text) <= screen->view->columns;
    const size_t size = terminal_fit(text, fits ? screen->view->columns : screen->view->columns - 1);
    buf_printf(screen->out, "%s%.*s%s%s\n", coloured ? style : "", (int)size, text, fits ? "" : "…",
               coloured ? "\033[0m" : "");
    free(text);
}

/* The rows of a table, the first of which is its header. `marked`: a row of the table in green, −1 for none.
 */
static void put_table(struct screen *screen, const struct table *table, const char *style)
{
    char *text = NULL, *rest = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    table_print(table, memory);
    fclose(memory);
    const char *line_style = DIM;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        put_line(screen, line_style, "%s", line);
        line_style = style;
    }
    free(text);
}

static void table_header(struct table *table, const char *const *names, size_t count)
{
    table_row(table);
    for (size_t i = 0; i < count; i++)
        table_cell(table, "%s", names[i]);
}
#define HEADER(table, ...)                                                                                   \
    table_header(table, (const char *const[]){__VA_ARGS__},                                                  \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- how far it is ------------------------------------------------------------------------------------- */

/* "[######------]  48 %, 12 min 03 s left" */
static void put_bar(struct dashboard *dashboard, struct screen *screen, double fraction, bool paused)
{
    const int64_t now = screen->view->now_ms;
    if (isnan(fraction))
        return;
    if (!dashboard->begun || paused) { /* a pause is no part of the speed */
        dashboard->begun = true;
        dashboard->first_fraction = fraction;
        dashboard->first_ms = now;
    }
    char bar[BAR_WIDTH + 1] = "";
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i + 1 <= fraction * BAR_WIDTH ? '#' : '-';
    struct buf left = {0};
    const double gained = fraction - dashboard->first_fraction,
                 seconds = (double)(now - dashboard->first_ms) / 1000;
    if (gained > 0 && fraction < 1 && seconds * (1 - fraction) / gained < 1e8) {
        buf_printf(&left, ", ");
        monitor_duration(seconds * (1 - fraction) / gained, &left);
        buf_printf(&left, " left");
    }
    put_line(screen, PLAIN, "[%s] %3d %%%s", bar, (int)(100 * fraction), buf_text(&left));
    buf_release(&left);
}

static void put_head(struct dashboard *dashboard, struct screen *screen, const struct progress_row *row)
{
    struct buf text = {0};
    if (row->finished_because[0])
        buf_printf(&text, "finished: %s, ", row->finished_because);
    else if (screen->view->coordinator == CONTROL_GONE)
        buf_printf(&text, "not running (the same command goes on), ");
    else
        buf_printf(&text, "%s, ", row->phase);
    monitor_duration(row->elapsed_seconds, &text);
    put_line(screen, BOLD, "%s  %s after its start", dashboard->name, buf_text(&text));
    buf_clear(&text);
    put_bar(dashboard, screen, estimate_fraction(&dashboard->monitor.estimate, row), monitor_paused(row));
    monitor_detail(&dashboard->monitor, row, screen->view->now_ms, &text);
    put_line(screen, PLAIN, "%s", buf_text(&text));
    put_line(screen, PLAIN, "%lld proposals: %lld duplicates, %lld rejected", (long long)row->proposals,
             (long long)row->duplicates, (long long)row->rejected);
    put_line(screen, PLAIN,
             "%lld trials: %lld done, %lld diverged, %lld failed, %lld in training, %lld waiting",
             (long long)row->trials, (long long)row->done, (long long)row->diverged, (long long)row->failed,
             (long long)row->leased, (long long)row->queued);
    buf_release(&text);
}

/* What it has learnt: "entropy 1.204 nats, likeliest x 0.62, sigmoid(x) 0.40, x1*x2 0.71"; tokens without a choice are
 * left out. */
static int put_policy(struct screen *screen, struct store_reader *reader, double entropy,
                      struct problem *problem)
{
    struct answer tokens = {0};
    struct buf text = {0};
    int err = answer_query(reader,
                           "SELECT t.value ->> 'choice' AS choice, t.value ->> 'probability' AS probability "
                           "FROM search_state, json_each(search_state.policy) AS t "
                           "WHERE t.value ->> 'choices' > 1 ORDER BY t.key",
                           NULL, &tokens, problem);
    for (int row = 0; row < tokens.rows; row++)
        buf_printf(&text, "%s %s %.2f", row ? "," : "", answer_text(&tokens, row, "choice"),
                   answer_real(&tokens, row, "probability"));
    if (tokens.rows)
        put_line(screen, PLAIN, "entropy %.3f nats, likeliest%s", entropy, buf_text(&text));
    buf_release(&text);
    answer_release(&tokens);
    return err;
}

/* ---- the ranked list ----------------------------------------------------------------------------------- */

static bool rank_row(void *context, const struct ranking_row *row)
{
    struct table *table = context;
    char sd[32] = "";
    if (isfinite(row->accuracy_sd))
        snprintf(sd, sizeof sd, "± %.2f", 100 * row->accuracy_sd);
    table_row(table);
    table_cell(table, "%lld", (long long)row->rank);
    table_cell(table, "%.2f %%", 100 * row->accuracy_mean);
    table_cell(table, "%s", sd);
    table_cell(table, "%lld", (long long)row->seeds);
    table_cell(table, "%lld", (long long)row->steps);
    table_cell(table, "%s%s", row->activation, row->reference ? "  <- reference" : "");
    return true;
}

static int put_ranking(struct screen *screen, struct store_reader *reader, int rows, struct problem *problem)
{
    struct table *table = table_new("rrlrrl");
    HEADER(table, "rank", "accuracy", "± sd", "seeds", "steps", "activation");
    int err = rows > 0 ? store_ranking(reader, rows, rank_row, table, problem) : 0;
    put_line(screen, PLAIN, "%s", "");
    put_table(screen, table, PLAIN);
    table_destroy(&table);
    return err;
}

/* ---- workers ------------------------------------------------------------------------------------------- */

/* What worker number `id` trains now: "x*sin(x) 3 s, …". */
static void put_training(const struct answer *leases, const char *id, int64_t now_ms, struct buf *ret_text)
{
    for (int row = 0; row < leases->rows; row++) {
        if (strcmp(answer_text(leases, row, "worker"), id) != 0)
            continue;
        const double seconds = (double)(now_ms - answer_int(leases, row, "leased_ms")) / 1000;
        buf_printf(ret_text, "%s%s ", ret_text->size ? ", " : "", answer_text(leases, row, "activation"));
        monitor_duration(fmax(seconds, 0), ret_text);
    }
}

static void put_workers(struct screen *screen, const struct answer *workers, const struct answer *leases,
                        int shown)
{
    struct table *table = table_new("lrrrrl");
    HEADER(table, "worker", "pid", "slots", "results", "lost", "in training");
    for (int row = 0; row < shown; row++) {
        struct buf training = {0};
        put_training(leases, answer_text(workers, row, "id"), screen->view->now_ms, &training);
        table_row(table);
        table_cell(table, "%s", answer_text(workers, row, "host"));
        table_cell(table, "%s", answer_text(workers, row, "pid"));
        table_cell(table, "%s", answer_text(workers, row, "slots"));
        table_cell(table, "%s", answer_text(workers, row, "results"));
        table_cell(table, "%s", answer_text(workers, row, "lost"));
        table_cell(table, "%s", buf_text(&training));
        buf_release(&training);
    }
    put_line(screen, PLAIN, "%s", "");
    if (screen->view->coordinator == CONTROL_GONE)
        put_line(screen, DIM, "no coordinator runs, so no worker is connected");
    else if (workers->rows == 0)
        put_line(screen, DIM, "no worker is connected");
    else
        put_table(screen, table, PLAIN);
    if (workers->rows > shown && screen->view->coordinator != CONTROL_GONE)
        put_line(screen, DIM, "… and %d more", workers->rows - shown);
    table_destroy(&table);
}

static int read_workers(struct store_reader *reader, struct answer *ret_workers, struct answer *ret_leases,
                        struct problem *problem)
{
    int err = answer_query(reader,
                           "SELECT id, host, pid, slots, results, lost FROM worker WHERE connected "
                           "ORDER BY id LIMIT 1000",
                           NULL, ret_workers, problem);
    if (!err)
        err = answer_query(
            reader,
            "SELECT a.worker, a.leased_ms, c.activation FROM trial AS t JOIN attempt AS a ON a.trial = t.id "
            "AND "
            "a.state = 'leased' JOIN candidate AS c ON c.id = t.candidate WHERE t.state = 'leased' ORDER BY "
            "a.leased_ms LIMIT 1000",
            NULL, ret_leases, problem);
    return err;
}

/* ---- failures ------------------------------------------------------------------------------------------ */

static void cut_cell(struct table *table, const char *text, int columns)
{
    table_cell(table, "%.*s", (int)terminal_fit(text, columns), text);
}

static void put_failures(struct screen *screen, const struct answer *failures)
{
    if (failures->rows == 0)
        return;
    struct table *table = table_new("llll");
    HEADER(table, "lost attempts", "worker", "reason", "activation");
    for (int row = 0; row < failures->rows; row++) {
        table_row(table);
        table_cell(table, "%s", answer_text(failures, row, "at"));
        cut_cell(table, answer_text(failures, row, "worker"), 16);
        cut_cell(table, answer_text(failures, row, "reason"), 40);
        table_cell(table, "%s", answer_text(failures, row, "activation"));
    }
    put_line(screen, PLAIN, "%s", "");
    put_table(screen, table, RED);
    table_destroy(&table);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

int dashboard_draw(struct dashboard *dashboard, struct store_reader *reader,
                   const struct dashboard_view *view, struct buf *ret_text, struct problem *problem)
{
    struct screen screen = {.view = view, .rows_left = view->rows, .out = ret_text};
    struct progress_row row;
    struct answer workers = {0}, leases = {0}, failures = {0};
    int err = store_progress(reader, &row, problem);
    if (!err)
        err = read_workers(reader, &workers, &leases, problem);
    if (!err)
        err = answer_query(
            reader,
            "SELECT at, worker, reason, activation FROM failures ORDER BY at DESC, attempt DESC LIMIT 3",
            NULL, &failures, problem);
    if (!err) {
        put_head(dashboard, &screen, &row);
        err = put_policy(&screen, reader, row.entropy, problem);
    }
    if (!err) {
        const int listed = view->coordinator == CONTROL_GONE ? 0 : workers.rows;
        const int shown = listed < WORKERS_MOST ? listed : WORKERS_MOST;
        const int worker_rows = 2 + shown + (listed > shown),
                  failure_rows = failures.rows ? 2 + failures.rows : 0;
        err = put_ranking(&screen, reader, screen.rows_left - 2 - worker_rows - failure_rows, problem);
        put_workers(&screen, &workers, &leases, shown);
        put_failures(&screen, &failures);
    }
    answer_release(&workers);
    answer_release(&leases);
    answer_release(&failures);
    return err;
}
