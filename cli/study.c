/* actsearch study: several functions in several networks on several data sets, on several seeds; the tables of what
 * came out. It runs one experiment after the other (study_file.h), each with a coordinator and workers as
 * `actsearch run` starts them, or with a coordinator alone that the workers of a cluster come to. */
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/finished.h"
#include "cli/log_file.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/study_print.h"
#include "cli/trainable.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OPTION_DIR = OPTION_OWN,
    OPTION_WORKERS,
    OPTION_SHOW,
    OPTION_PREPARE,
    OPTION_FORMAT,
    OPTION_BIND,
    OPTION_KEYS,
    OPTION_INSECURE,
    WORKERS_MAX = 1024,
    TURN_MS = 100,
    LOOK_MS = 500, /* how often the database is read */
};

struct arguments {
    const char *path, *folder, *cache, *workers;
    const char *trainer, *trainer_name;
    const char *endpoint, *keys; /* endpoint NULL: all on this machine */
    struct option_list overrides;
    enum study_format format;
    bool show, prepare, insecure, quiet, verbose;
};

static const struct argp_option options[] = {
    {"dir", OPTION_DIR, "DIR", 0,
     "Where its experiments and databases are (default: FILE.study in the current folder)", 0},
    {"workers", OPTION_WORKERS, "N", 0, "Trainings at a time (default: one for each core)", 0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "Replace a line of the study file; may be repeated", 0},
    {"format", OPTION_FORMAT, "FORMAT", 0, "text (the default), csv, markdown or latex", 0},
    OPTION_ROW_JSON,
    {"show", OPTION_SHOW, 0, 0, "Train nothing: the tables of what is there, also while it runs", 0},
    {"prepare", OPTION_PREPARE, 0, 0, "Train nothing: write the experiment files into DIR and name them", 0},
    {"bind", OPTION_BIND, "ENDPOINT", 0,
     "Start no workers here: let those of a cluster connect to this address, as with actsearchd", 0},
    {"keys", OPTION_KEYS, "KEYS", 0, "With --bind: the folder of the keys, as with actsearchd", 0},
    {"insecure", OPTION_INSECURE, 0, 0, "With --bind: without keys, as with actsearchd", 0},
    OPTION_ROW_CACHE,
    OPTION_ROW_TRAINER,
    OPTION_ROW_TRAINER_NAME,
    {"quiet", 'q', 0, 0, "No progress, only the tables", 0},
    {"verbose", 'v', 0, 0, "Let the coordinator and the workers log more", 0},
    {0},
};

static enum study_format format_option(const struct argp_state *state, const char *name)
{
    const int format = study_format_find(name);
    if (format < 0)
        argp_error(state, "--format: expected text, csv, markdown, latex or json, not '%.40s'", name);
    return (enum study_format)format;
}

static void check_arguments(const struct argp_state *state, const struct arguments *arguments)
{
    if (!arguments->path)
        argp_error(state, "expected a study file, FILE.ini");
    if (arguments->show && arguments->prepare)
        argp_error(state, "--show and --prepare exclude each other");
    if (arguments->endpoint && (arguments->workers || arguments->trainer))
        argp_error(state, "with --bind the workers are started elsewhere, with options of their own");
    if (!arguments->endpoint && (arguments->keys || arguments->insecure))
        argp_error(state, "--keys and --insecure are for --bind");
    if (arguments->trainer_name && !arguments->trainer)
        argp_error(state, "--trainer-name is for a --trainer");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_DIR:
        arguments->folder = value;
        return 0;
    case OPTION_WORKERS:
        option_int(state, "--workers", value, 1, WORKERS_MAX);
        arguments->workers = value;
        return 0;
    case OPTION_SET:
        option_list_add(&arguments->overrides, value);
        return 0;
    case OPTION_FORMAT:
        arguments->format = format_option(state, value);
        return 0;
    case OPTION_JSON:
        arguments->format = STUDY_JSON;
        return 0;
    case OPTION_SHOW:
        arguments->show = true;
        return 0;
    case OPTION_PREPARE:
        arguments->prepare = true;
        return 0;
    case OPTION_BIND:
        arguments->endpoint = value;
        return 0;
    case OPTION_KEYS:
        arguments->keys = value;
        return 0;
    case OPTION_INSECURE:
        arguments->insecure = true;
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
    case 'q':
        arguments->quiet = true;
        return 0;
    case 'v':
        arguments->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "one study file at a time: '%s' is a second one", value);
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        check_arguments(state, arguments);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "FILE.ini",
    .doc = "Trains each of the functions of FILE.ini in each of its networks on each of its data sets, on "
           "several seeds, "
           "and ends with tables of the medians and a sign test.\v"
           "docs/study.md describes the file. Ctrl-C stops it in order, and the same command goes on where "
           "it was; "
           "on a finished study it shows the tables. Functions, networks, data sets, learning rates and "
           "seeds may be "
           "added later: only what is missing is trained.",
};

/* ---- one study ----------------------------------------------------------------------------------------- */

struct work {
    const struct arguments *arguments;
    struct study *study;
    char *folder, *log_path;
    int log_fd;
    int64_t log_start;
    struct progress *progress; /* NULL with -q */
    double before, all;        /* trainings: of the cells that are done, and of all */
};

static char *file_of(const struct work *work, const struct study_cell *cell, const char *ending)
{
    return xasprintf("%s/%s%s", work->folder, cell->name, ending);
}

static bool cell_is_finished(const struct work *work, const struct study_cell *cell)
{
    struct store_reader *reader = NULL;
    char *database = file_of(work, cell, ".db");
    const bool finished = finished_open(database, cell->experiment, &reader);
    store_reader_close(&reader);
    free(database);
    return finished;
}

/* Before hours of training, not after them. */
static int check_cells(const struct work *work, struct problem *problem)
{
    int err = 0;
    for (int i = 0;
         i < work->study->cell_count && !err && !work->arguments->trainer && !work->arguments->endpoint;
         i++) {
        struct data *data = NULL;
        err =
            trainable_check(&work->study->cells[i].experiment->child, work->arguments->cache, &data, problem);
        data_close(&data);
        if (err)
            problem_prefix(problem, "%.200s: %.120s", work->arguments->path, work->study->cells[i].name);
    }
    return err;
}

/* The file is there whole or not at all. */
static int write_file(const char *path, const char *text, struct problem *problem)
{
    char *temporary = xasprintf("%s.new", path);
    FILE *file = fopen(temporary, "we");
    bool good = file && fputs(text, file) >= 0 && fflush(file) == 0;
    good = file && fclose(file) == 0 && good;
    if (!good || rename(temporary, path) != 0) {
        problem_set(problem, ERR_IO, "%.300s: %s", path, strerror(errno));
        unlink(temporary);
        good = false;
    }
    free(temporary);
    return good ? 0 : ERR_IO;
}

static int write_experiments(const struct work *work, struct problem *problem)
{
    if (mkdir(work->folder, 0777) != 0 && errno != EEXIST)
        return problem_set(problem, ERR_IO, "%.200s cannot be made: %s; name another place with --dir",
                           work->folder, strerror(errno));
    int err = 0;
    for (int i = 0; i < work->study->cell_count && !err; i++) {
        char *path = file_of(work, &work->study->cells[i], ".ini");
        err = write_file(path, work->study->cells[i].text, problem);
        free(path);
    }
    return err;
}

/* ---- the tables ---------------------------------------------------------------------------------------- */

static int read_cell(const struct work *work, int cell, struct study_results *results,
                     struct problem *problem)
{
    struct store_reader *reader = NULL;
    struct answer trials = {0};
    char *database = file_of(work, &work->study->cells[cell], ".db");
    int err = store_reader_open(database, &reader, problem);
    if (!err)
        err = answer_query(
            reader,
            "SELECT activation, replica, CASE state WHEN 'done' THEN 1.0 * correct / validation_count END "
            "AS accuracy FROM trial JOIN candidate ON candidate.id = trial.candidate "
            "WHERE state IN ('done', 'diverged')",
            NULL, &trials, problem);
    for (int row = 0; row < trials.rows && !err; row++)
        study_results_add(results, cell, answer_text(&trials, row, "activation"),
                          answer_int(&trials, row, "replica"), answer_real(&trials, row, "accuracy"));
    answer_release(&trials);
    store_reader_close(&reader);
    free(database);
    return err == ERR_NOT_FOUND ? 0 : err; /* nothing is trained there yet */
}

static int print_tables(const struct work *work, struct problem *problem)
{
    struct study_results *results = study_results_new(work->study);
    int err = 0;
    for (int cell = 0; cell < work->study->cell_count && !err; cell++)
        err = read_cell(work, cell, results, problem);
    if (!err) {
        study_results_close(results);
        study_print(results, work->arguments->format, stdout);
    }
    study_results_destroy(&results);
    return err;
}

/* ---- training ------------------------------------------------------------------------------------------ */

static double trainings_of(const struct study *study)
{
    return (double)study->function_count * (double)study->seeds;
}

/* Shows how far it is: the cells that are done, and this one. */
static void look(const struct work *work, const char *database, const struct study_cell *cell)
{
    struct store_reader *reader = NULL;
    struct progress_row row = {0};
    struct problem later;
    if (!work->progress)
        return;
    if (store_reader_open(database, &reader, &later) == 0 && store_progress(reader, &row, &later) != 0)
        row = (struct progress_row){0};
    store_reader_close(&reader);
    const double closed = (double)(row.done + row.diverged + row.failed);
    char *detail = xasprintf("%.0f/%.0f trainings, %s: %lld of %.0f%s", work->before + closed, work->all,
                             cell->name, (long long)(row.done + row.diverged + row.failed),
                             trainings_of(work->study), row.failed ? ", some failed" : "");
    progress_show(work->progress, (work->before + closed) / work->all, detail);
    free(detail);
}

enum { ARGUMENTS_MAX = 20 };

/* `actsearch run` of the cell, or actsearchd. The first is malloc'd. */
static int child_arguments(const struct work *work, const char *experiment, const char *database,
                           const char *argv[ARGUMENTS_MAX], struct problem *problem)
{
    const struct arguments *arguments = work->arguments;
    char *program = NULL;
    int count = 0;
    int err = program_find(arguments->endpoint ? "actsearchd" : "actsearch", &program, problem);
    if (err)
        return err;
    argv[count++] = program;
    if (!arguments->endpoint)
        argv[count++] = "run";
    argv[count++] = experiment;
    process_option(argv, &count, "--db", database);
    process_option(argv, &count, "--bind", arguments->endpoint);
    process_option(argv, &count, "--keys", arguments->keys);
    process_option(argv, &count, "--workers", arguments->workers);
    process_option(argv, &count, "--cache", arguments->cache);
    process_option(argv, &count, "--trainer", arguments->trainer);
    process_option(argv, &count, "--trainer-name", arguments->trainer_name);
    if (arguments->insecure)
        argv[count++] = "--insecure";
    if (!arguments->endpoint)
        argv[count++] = "-q";
    if (arguments->verbose)
        argv[count++] = "-v";
    argv[count] = NULL;
    return 0;
}

/* Until the child has ended; each request to stop is passed on, so that a second one hurries it. */
static void tend(const struct work *work, struct process *child, const char *database,
                 const struct study_cell *cell)
{
    int passed_on = 0;
    int64_t looked_ms = 0;
    while (process_poll(child)) {
        for (; passed_on < stops_asked(); passed_on++) {
            if (passed_on == 0 && work->progress) {
                progress_hide(work->progress);
                fprintf(stderr, "actsearch study: stopping (Ctrl-C again: at once)\n");
            }
            process_signal(child, SIGINT);
        }
        if (monotonic_ms() - looked_ms >= LOOK_MS && passed_on == 0) {
            look(work, database, cell);
            looked_ms = monotonic_ms();
        }
        pause_ms(TURN_MS);
    }
}

static int train_cell(const struct work *work, const struct study_cell *cell, struct problem *problem)
{
    const char *argv[ARGUMENTS_MAX] = {NULL};
    struct process child = {0};
    char *experiment = file_of(work, cell, ".ini"), *database = file_of(work, cell, ".db");
    int err = child_arguments(work, experiment, database, argv, problem);
    if (!err)
        err = process_start(&child, (char *const *)argv, work->log_fd, problem);
    if (!err) {
        tend(work, &child, database, cell);
        if (!cell_is_finished(work, cell)) {
            char how[64];
            process_end_text(&child, how);
            err = stops_asked() > 0
                      ? ERR_STOPPED
                      : problem_set(problem, ERR_IO, "%.120s is not done (%s)", cell->name, how);
        }
    }
    free((char *)argv[0]);
    free(experiment);
    free(database);
    return err;
}

static int train_all(struct work *work, struct problem *problem)
{
    const struct study *study = work->study;
    int err = 0;
    work->all = trainings_of(study) * study->cell_count;
    stops_take();
    for (int i = 0; i < study->cell_count && !err; i++) {
        if (stops_asked() > 0)
            err = ERR_STOPPED;
        else if (!cell_is_finished(work, &study->cells[i]))
            err = train_cell(work, &study->cells[i], problem);
        work->before += trainings_of(study);
    }
    progress_destroy(&work->progress);
    if (err && err != ERR_STOPPED) {
        fprintf(stderr, "actsearch study: %s; the end of %s:\n", problem->text, work->log_path);
        log_print_end(work->log_path, work->log_start);
        problem_set(problem, err, "the study did not go on; nothing that was finished is lost");
    }
    return err;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static bool all_finished(const struct work *work)
{
    bool all = true;
    for (int i = 0; i < work->study->cell_count && all; i++)
        all = cell_is_finished(work, &work->study->cells[i]);
    return all;
}

static void print_prepared(const struct work *work)
{
    for (int i = 0; i < work->study->cell_count; i++)
        printf("%s/%s.ini\n", work->folder, work->study->cells[i].name);
}

static int train(struct work *work, struct problem *problem)
{
    int err = check_cells(work, problem);
    if (!err)
        err = write_experiments(work, problem);
    if (err || work->arguments->prepare) {
        if (!err)
            print_prepared(work);
        return err;
    }
    work->log_fd = log_open(work->log_path, &work->log_start, problem);
    if (work->log_fd < 0)
        return work->log_fd;
    if (!work->arguments->quiet) {
        work->progress = progress_new(stderr);
        fprintf(stderr,
                "actsearch study: %d experiments in %s, log in %s; Ctrl-C stops, the same command goes on\n",
                work->study->cell_count, work->folder, work->log_path);
    }
    return train_all(work, problem);
}

/* "FILE.study" in the current folder. */
static char *default_folder(const char *path)
{
    char *database = experiment_database(path);
    char *folder = xasprintf("%.*sstudy", (int)(strlen(database) - strlen("db")), database);
    free(database);
    return folder;
}

int cli_study(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct work work = {.arguments = &arguments, .log_fd = -1};
    struct problem problem = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    int err = study_load(arguments.path, arguments.overrides.items, arguments.overrides.count, &work.study,
                         &problem);
    if (!err) {
        work.folder = arguments.folder ? xstrdup(arguments.folder) : default_folder(arguments.path);
        work.log_path = xasprintf("%s/study.log", work.folder);
        if (arguments.prepare || (!arguments.show && !all_finished(&work)))
            err = train(&work, &problem);
        if (!err && !arguments.prepare)
            err = print_tables(&work, &problem);
    }
    if (err == ERR_STOPPED)
        fprintf(stderr, "actsearch study: stopped; nothing is lost, and the same command goes on\n");
    else if (err)
        print_problem(argv[0], NULL, &problem);
    progress_destroy(&work.progress);
    study_destroy(&work.study);
    if (work.log_fd >= 0)
        close(work.log_fd);
    free(work.folder);
    free(work.log_path);
    option_list_release(&arguments.overrides);
    return err == ERR_USAGE ? STATUS_USAGE : err ? STATUS_FAILED : STATUS_DONE;
}
