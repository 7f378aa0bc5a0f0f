/* actsearch run: a whole search on this machine: a coordinator and its workers, until the experiment is done.
 */
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/finished.h"
#include "cli/log_file.h"
#include "cli/monitor.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/progress.h"
#include "cli/ranking.h"
#include "common/retrain.h"
#include "cli/runtime.h"
#include "cli/signals.h"
#include "cli/team.h"
#include "cli/trainable.h"
#include "common/functions.h"
#include "common/experiment.h"
#include "coordinator/status/http.h"
#include "common/trial_table.h"
#include "worker/nn/train.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    OPTION_DB = OPTION_OWN,
    OPTION_WORKERS,
    OPTION_HTTP,
    OPTION_HTTP_INSECURE,
    OPTION_TABLE,
    WORKERS_MAX = 1024,
    TURN_MS = 100, /* how often the children are looked after */
    LOOK_MS = 500, /* how often the database is read */
    ROWS_SHOWN = 20,
    LONGER = 10, /* times the steps, for the command that trains the best for longer */
};

struct arguments {
    const char *path, *database, *cache, *table, *http;
    bool http_insecure;
    const char *trainer, *trainer_name; /* NULL: the built-in one; the worker's default */
    struct option_list overrides;
    int workers;
    bool quiet, verbose;
};

static const struct argp_option options[] = {
    {"db", OPTION_DB, "DB", 0, "The results database (default: FILE.db in the current folder)", 0},
    {"workers", OPTION_WORKERS, "N", 0, "Trainings at a time (default: one for each core)", 0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "Replace a line of the experiment file; may be repeated", 0},
    OPTION_ROW_CACHE,
    {"http", OPTION_HTTP, "ADDRESS:PORT", 0,
     "Show the search on a web page there while it runs, such as 127.0.0.1:8080", 0},
    {"http-insecure", OPTION_HTTP_INSECURE, 0, 0,
     "Let other machines see the web page: anyone who reaches the port can read all of the search", 0},
    OPTION_ROW_TRAINER,
    OPTION_ROW_TRAINER_NAME,
    {"table", OPTION_TABLE, "FILE", 0,
     "Take the outcome of what was trained before from this file, which 'actsearch table make' made, and "
     "train only the rest",
     0},
    {"quiet", 'q', 0, 0, "No progress, only the list", 0},
    {"verbose", 'v', 0, 0, "Let the coordinator and the workers log more", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct problem problem;
    switch (key) {
    case OPTION_DB:
        arguments->database = value;
        return 0;
    case OPTION_WORKERS:
        arguments->workers = (int)option_int(state, "--workers", value, 1, WORKERS_MAX);
        return 0;
    case OPTION_SET:
        option_list_add(&arguments->overrides, value);
        return 0;
    case OPTION_HTTP:
        arguments->http = value;
        return 0;
    case OPTION_HTTP_INSECURE:
        arguments->http_insecure = true;
        return 0;
    case OPTION_CACHE:
        arguments->cache = value;
        return 0;
    case OPTION_TRAINER:
        arguments->trainer = value;
        return 0;
    case OPTION_TRAINER_NAME:
        arguments->trainer_name = value;
        return 0;
    case OPTION_TABLE:
        arguments->table = value;
        return 0;
    case 'q':
        arguments->quiet = true;
        return 0;
    case 'v':
        arguments->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "one experiment file at a time: '%s' is a second one", value);
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path)
            argp_error(state, "expected an experiment file, FILE.ini");
        if (arguments->http && http_check(&(struct http_settings){.address = arguments->http,
                                                                  .insecure = arguments->http_insecure},
                                          &problem) != 0)
            argp_error(state, "--http: %s", problem.text);
        if (arguments->trainer_name && !arguments->trainer)
            argp_error(state, "--trainer-name is for a --trainer");
        if (arguments->table && arguments->trainer)
            argp_error(state, "--table and --trainer exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "FILE.ini",
    .doc = "Runs the experiment of FILE.ini on this machine, until it is done: starts a coordinator and "
           "workers, shows how far it is, and ends with the ranked list.\v"
           "Ctrl-C stops it in order, and the same command goes on where it was; on a finished database "
           "it shows the list. What the coordinator and the workers have to say is in DB.log.",
};

/* ---- one run ------------------------------------------------------------------------------------------- */

struct run {
    const struct arguments *arguments;
    char *command; /* the command line, to be typed again */
    struct experiment *experiment;
    char *database, *database_word; /* as a path; as a shell reads it */
    char *log_path;
    int log_fd;
    int64_t log_start; /* where this run's part of the log begins */
    struct runtime runtime;
    struct monitor monitor;
    struct progress *progress; /* NULL with -q */
    char started[32];          /* when, as the view `failures` writes times */
    bool failure_told;
    struct store_reader *reader; /* NULL until nobody writes to the database any more */
};

static int cores_available(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* "actsearch run …" as it was typed. */
static char *command_text(int argc, char **argv)
{
    struct buf text = {0};
    buf_printf(&text, "%s", argv[0]);
    for (int i = 1; i < argc; i++)
        shell_word(&text, argv[i]);
    return (char *)text.data;
}

/* A line on the terminal that does not disturb the bar. */
static void say(void *context, const char *text)
{
    const struct run *run = context;
    if (run->progress)
        progress_hide(run->progress);
    fprintf(stderr, "actsearch run: %s\n", text);
}

/* ---- before anything is started ------------------------------------------------------------------------ */

/* A worker would refuse it too, but later. */
static int check_table(const struct run *run, const struct data *data, struct problem *problem)
{
    struct trial_table *table;
    char hash[HASH_HEX];
    int err = trial_table_read(run->arguments->table, &table, problem);
    if (err)
        return err;
    hash_hex(&data->hash, hash);
    err = trial_table_fits(table, &run->experiment->child, hash, problem);
    if (err)
        problem_prefix(problem, "%.200s", run->arguments->table);
    trial_table_destroy(&table);
    return err;
}

/* What the built-in trainer can train. Another one has models and data of its own. */
static int check_child(const struct run *run, struct problem *problem)
{
    struct data *data = NULL;
    if (run->arguments->trainer)
        return 0;
    int err = trainable_check(&run->experiment->child, run->arguments->cache, &data, problem);
    if (err)
        problem_prefix(problem, "%.200s", run->arguments->path);
    if (!err && run->arguments->table)
        err = check_table(run, data, problem);
    data_close(&data);
    return err;
}

/* The log would lie there too, and is opened first: its name alone would not say what is wrong. */
static int check_folder(const struct run *run, struct problem *problem)
{
    const char *slash = strrchr(run->database, '/');
    char *folder = !slash                   ? xstrdup(".")
                   : slash == run->database ? xstrdup("/")
                                            : xasprintf("%.*s", (int)(slash - run->database), run->database);
    const int err =
        access(folder, W_OK | X_OK) == 0
            ? 0
            : problem_set(problem, ERR_IO,
                          "%.200s: the folder %.200s cannot be written: %s; name another place with --db",
                          run->database, folder, strerror(errno));
    free(folder);
    return err;
}

static int check_space(const struct run *run, struct problem *problem)
{
    struct space *space = NULL;
    int err = space_new(&run->experiment->space, &space, problem);
    if (!err)
        err = functions_any_usable(space, run->experiment->seed, problem);
    if (err)
        problem_prefix(problem, "%.200s", run->arguments->path);
    space_destroy(&space);
    return err;
}

static int open_log(struct run *run, struct problem *problem)
{
    run->log_fd = log_open(run->log_path, &run->log_start, problem);
    if (run->log_fd >= 0)
        return 0;
    problem_prefix(problem, "the log beside the database; name another place with --db");
    return ERR_IO;
}

/* ---- while it runs ------------------------------------------------------------------------------------- */

/* The first failure says what is wrong with a trainer or a machine, long before the search has come to its end. */
static void tell_first_failure(struct run *run, struct store_reader *reader)
{
    const char *const since[] = {run->started, NULL};
    struct answer failure = {0};
    struct problem later;
    if (run->failure_told ||
        answer_query(reader, "SELECT activation, reason FROM failures WHERE at >= ?1 LIMIT 1", since,
                     &failure, &later) != 0)
        return;
    if (failure.rows > 0) {
        char *text = xasprintf("%s: an attempt failed: %s (more in: sqlite3%s 'select * from failures')",
                               answer_text(&failure, 0, "activation"), answer_text(&failure, 0, "reason"),
                               run->database_word);
        say(run, text);
        free(text);
        run->failure_told = true;
    }
    answer_release(&failure);
}

/* Shows how far it is. The database may not be there yet, or not be readable for a moment. It is not kept open:
 * the coordinator makes it one file again at its end only where nobody else has it. */
static void look(struct run *run)
{
    struct progress_row row;
    struct problem later;
    struct store_reader *reader = NULL;
    if (!run->progress)
        return;
    if (store_reader_open(run->database, &reader, &later) != 0) {
        progress_show(run->progress, NAN, "starting");
        return;
    }
    const int err = store_progress(reader, &row, &later);
    tell_first_failure(run, reader);
    store_reader_close(&reader);
    if (err)
        return;
    struct buf detail = {0};
    if (monitor_paused(&row))
        progress_restart(run->progress);
    monitor_detail(&run->monitor, &row, monotonic_ms(), &detail);
    progress_show(run->progress, estimate_fraction(&run->monitor.estimate, &row), buf_text(&detail));
    buf_release(&detail);
}

/* The argument lists of the children. Owned: the program's path alone, in argv[0]. */
enum { FIXED_ARGUMENTS = 18 };

static int coordinator_arguments(const struct run *run, char ***ret_argv, struct problem *problem)
{
    const struct arguments *arguments = run->arguments;
    char *program = NULL;
    int err = program_find("actsearchd", &program, problem);
    if (err)
        return err;
    const char **argv = xcalloc((size_t)arguments->overrides.count * 2 + FIXED_ARGUMENTS, sizeof *argv);
    int count = 0;
    argv[count++] = program;
    argv[count++] = arguments->path;
    process_option(argv, &count, "--db", run->database);
    process_option(argv, &count, "--bind", run->runtime.endpoint);
    for (int i = 0; i < arguments->overrides.count; i++)
        process_option(argv, &count, "--set", arguments->overrides.items[i]);
    process_option(argv, &count, "--http", arguments->http);
    if (arguments->http && arguments->http_insecure)
        argv[count++] = "--http-insecure";
    if (arguments->verbose)
        argv[count++] = "-v";
    *ret_argv = (char **)argv;
    return 0;
}

static int worker_arguments(const struct run *run, char ***ret_argv, struct problem *problem)
{
    char *program = NULL;
    int err = program_find("actsearch-worker", &program, problem);
    if (err)
        return err;
    const char **argv = xcalloc(FIXED_ARGUMENTS, sizeof *argv);
    int count = 0;
    argv[count++] = program;
    argv[count++] = run->runtime.endpoint;
    process_option(argv, &count, "--slots", "1");
    process_option(argv, &count, "--cache", run->arguments->cache);
    process_option(argv, &count, "--trainer", run->arguments->trainer);
    process_option(argv, &count, "--trainer-name", run->arguments->trainer_name);
    process_option(argv, &count, "--table", run->arguments->table);
    if (run->arguments->verbose)
        argv[count++] = "-v";
    *ret_argv = (char **)argv;
    return 0;
}

static void arguments_release(char ***argv)
{
    if (*argv)
        free((*argv)[0]);
    free(*argv);
    *argv = NULL;
}

/* Until the search is finished, fails, or is asked to stop; then nobody is left. */
static enum team_state work(struct run *run, const struct team_settings *settings, struct problem *problem)
{
    struct team *team = team_new(settings);
    enum team_state state = TEAM_RUNS;
    int64_t looked_ms = 0;
    while (state == TEAM_RUNS && stops_asked() == 0) {
        state = team_tend(team, monotonic_ms(), problem);
        if (monotonic_ms() - looked_ms >= LOOK_MS) {
            look(run);
            looked_ms = monotonic_ms();
        }
        pause_ms(TURN_MS);
    }
    if (state == TEAM_STOPPED)
        say(run, "'actsearch stop' has ended the search");
    if (state == TEAM_RUNS)
        say(run, "stopping: the workers hand back what they train (Ctrl-C again: at once)");
    while (!team_stop(team, monotonic_ms(), stops_asked() > 1))
        pause_ms(TURN_MS / 2);
    team_destroy(&team);
    return state;
}

/* ---- when it is over ----------------------------------------------------------------------------------- */

static void print_what_next(const struct run *run, const struct progress_row *row)
{
    const char *db = run->database_word;
    struct buf best = {0}, train = {0};
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)trial_seed(run->experiment->seed, 0));
    printf("\nWhat to do next:\n");
    if (row->best_activation[0]) {
        shell_word(&best, row->best_activation);
        const struct experiment *experiment = run->experiment;
        const int64_t steps =
            experiment->finals.top > 0 ? experiment_finals_steps(experiment) : experiment->child.steps;
        if (store_has_built_in_trainer(run->reader))
            retrain_command(&run->experiment->child, row->best_activation, LONGER * steps, seed, &train);
        printf("  actsearch show%s%s\n      the best one: its formula, trials, learning curve, picture\n", db,
               buf_text(&best));
    }
    printf("  actsearch rank%s -n 0\n      the whole list; --csv, --json for programs, --pareto for what is "
           "good and cheap\n",
           db);
    printf("  actsearch web%s\n      all of it in a browser\n", db);
    printf("  sqlite3%s 'select * from ranking'\n      the same in SQL\n", db);
    if (row->failed)
        printf("  sqlite3%s 'select * from failures'\n      why trials failed\n", db);
    if (train.size)
        printf("  %s\n      the best one, trained %d times as long\n", buf_text(&train), LONGER);
    buf_release(&best);
    buf_release(&train);
}

static int print_results(struct run *run, struct problem *problem)
{
    const struct ranking_options list = {.limit = ROWS_SHOWN, .format = RANKING_TABLE};
    struct progress_row row;
    struct buf text = {0};
    int err = run->reader ? 0 : store_reader_open(run->database, &run->reader, problem);
    if (!err)
        err = store_progress(run->reader, &row, problem);
    if (!err) {
        monitor_finished(&run->monitor, &row, &text);
        printf("%s\n", buf_text(&text));
        err = ranking_print(run->reader, &list, stdout, problem);
    }
    if (!err)
        print_what_next(run, &row);
    buf_release(&text);
    return err;
}

static void say_stopped(struct run *run)
{
    struct progress_row row;
    struct problem unreadable;
    char done[96] = "";
    if ((run->reader || store_reader_open(run->database, &run->reader, &unreadable) == 0) &&
        store_progress(run->reader, &row, &unreadable) == 0)
        snprintf(done, sizeof done, " after %lld trials", (long long)(row.done + row.diverged + row.failed));
    fprintf(stderr, "actsearch run: stopped%s; nothing is lost, and the same command goes on:\n  %s\n", done,
            run->command);
}

/* ---- the command --------------------------------------------------------------------------------------- */

/* Port 0 is any that is free: which, only the coordinator knows. */
static void say_where_the_page_is(const struct run *run)
{
    const char *address = run->arguments->http;
    if (strcmp(strrchr(address, ':'), ":0") == 0)
        fprintf(stderr, "actsearch run: the address of the web page is in %s\n", run->log_path);
    else
        fprintf(stderr, "actsearch run: web page at http://%s/\n", address);
}

/* Starts it all. 0 when the search is finished, ERR_STOPPED when it was asked to stop. */
static int start_and_work(struct run *run, struct problem *problem)
{
    char **coordinator = NULL, **worker = NULL;
    char *socket_path = NULL;
    int err = runtime_make(&run->runtime, problem);
    if (!err)
        err = coordinator_arguments(run, &coordinator, problem);
    if (!err)
        err = worker_arguments(run, &worker, problem);
    if (!err)
        err = open_log(run, problem);
    if (!err) {
        const int workers = run->arguments->workers ? run->arguments->workers : cores_available();
        socket_path = xasprintf("%s", strchr(run->runtime.endpoint, '/') + 2);
        const struct team_settings settings = {coordinator, worker, socket_path, workers,
                                               run->log_fd, say,    run};
        if (run->progress)
            fprintf(stderr,
                    "actsearch run: %d worker%s; results in %s, log in %s; Ctrl-C stops, the same command "
                    "goes on\n",
                    workers, workers == 1 ? "" : "s", run->database, run->log_path);
        if (run->progress && run->arguments->http)
            say_where_the_page_is(run);
        stops_take();
        const time_t now = time(NULL);
        struct tm utc;
        strftime(run->started, sizeof run->started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
        const enum team_state state = work(run, &settings, problem);
        progress_destroy(&run->progress);
        if (state == TEAM_FAILED) {
            fprintf(stderr, "actsearch run: %s; the end of %s:\n", problem->text, run->log_path);
            log_print_end(run->log_path, run->log_start);
            problem_set(problem, ERR_IO, "the search did not go on; nothing that was finished is lost");
            err = ERR_IO;
        } else if (state == TEAM_RUNS || state == TEAM_STOPPED) {
            say_stopped(run);
            err = ERR_STOPPED;
        }
    }
    arguments_release(&coordinator);
    arguments_release(&worker);
    free(socket_path);
    return err;
}

static int run_experiment(struct run *run, struct problem *problem)
{
    struct expr **references = NULL;
    int reference_count = 0;
    int err = experiment_references(run->experiment, &references, &reference_count, problem);
    if (err)
        return err;
    for (int i = 0; i < reference_count; i++)
        expr_destroy(&references[i]);
    free(references);
    monitor_start(&run->monitor, run->experiment, reference_count);
    if (!finished_open(run->database, run->experiment, &run->reader)) {
        err = check_folder(run, problem);
        if (!err)
            err = check_space(run, problem);
        if (!err)
            err = check_child(run, problem);
        if (!err)
            err = start_and_work(run, problem);
    }
    return err ? err : print_results(run, problem);
}

int cli_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct run run = {.arguments = &arguments, .command = command_text(argc, argv), .log_fd = -1};
    struct problem problem;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    int err = experiment_load(arguments.path, arguments.overrides.items, arguments.overrides.count,
                              &run.experiment, &problem);
    if (!err) {
        struct buf word = {0};
        run.database = arguments.database ? xstrdup(arguments.database) : experiment_database(arguments.path);
        run.log_path = xasprintf("%s.log", run.database);
        shell_word(&word, run.database);
        run.database_word = (char *)word.data;
        run.progress = arguments.quiet ? NULL : progress_new(stderr);
        err = run_experiment(&run, &problem);
    }
    progress_destroy(&run.progress);
    store_reader_close(&run.reader);
    runtime_remove(&run.runtime);
    experiment_destroy(&run.experiment);
    if (run.log_fd >= 0)
        close(run.log_fd);
    free(run.database);
    free(run.database_word);
    free(run.log_path);
    free(run.command);
    option_list_release(&arguments.overrides);
    if (err && err != ERR_STOPPED)
        print_problem(argv[0], NULL, &problem);
    return err == ERR_USAGE ? STATUS_USAGE : err ? STATUS_FAILED : STATUS_DONE;
}
