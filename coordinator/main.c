/* actsearchd: reads the command line, the experiment and the database, and runs the server until the
 * experiment is done.
 *
 * All refusals come first: nothing is written before the address is bound and the database fits (store.h). */
#include "common/functions.h"
#include "common/log.h"
#include "common/matrix.h"
#include "common/version.h"
#include "coordinator/resume.h"
#include "coordinator/server.h"
#include "coordinator/status/http.h"
#include "coordinator/store.h"
#include "proto/endpoint.h"

#include <argp.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* STATUS_ORDERED: 'actsearch stop' ended it, and whoever looks after it should not start it again. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_ORDERED = 3 };

/* ---- the command line ---------------------------------------------------------------------------------- */

enum {
    OPTION_BIND = 0x100,
    OPTION_DB,
    OPTION_KEYS,
    OPTION_INSECURE,
    OPTION_NETWORK_DISK,
    OPTION_HTTP,
    OPTION_HTTP_INSECURE,
    OPTION_CACHE,
    OPTION_LOG_LEVEL,
    OPTION_SET,
};

struct arguments {
    const char *file;
    const char *database; /* NULL: named after the file */
    struct server_settings server;
    struct http_settings http; /* address NULL: no web page */
    bool network_disk;
    bool level_given;
    enum log_level level;
    const char **overrides;
    int override_count;
};

static const struct argp_option options[] = {
    {"bind", OPTION_BIND, "ENDPOINT", 0,
     "Where workers connect: tcp://ADDRESS:PORT or ipc://PATH (default tcp://127.0.0.1:5570)", 0},
    {"db", OPTION_DB, "DB", 0, "The results database (default: FILE.db in the current folder)", 0},
    {"keys", OPTION_KEYS, "DIR", 0,
     "Encrypt, and let in only the workers whose public keys stand in DIR/workers ('actsearch keygen DIR' "
     "makes keys); the folder is read again while it runs",
     0},
    {"insecure", OPTION_INSECURE, 0, 0,
     "Let other machines connect without encryption or keys: only where the whole network is trusted", 0},
    {"http", OPTION_HTTP, "ADDRESS:PORT", 0,
     "Show the search on a web page there, such as 127.0.0.1:8080; also /metrics for Prometheus and "
     "/healthz. "
     "It only reads",
     0},
    {"http-insecure", OPTION_HTTP_INSECURE, 0, 0,
     "Let other machines see the web page: anyone who reaches the port can read all of the search", 0},
    {"network-disk", OPTION_NETWORK_DISK, 0, 0,
     "Use a database on a network file system all the same: only where no other host reads or writes it", 0},
    {"cache", OPTION_CACHE, "DIR", 0,
     "Where the data set is that workers without it fetch from here, as 'actsearch data add' puts it there "
     "(default: $ACTSEARCH_CACHE, or actsearch in the user's cache folder)",
     0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "Override a line of the experiment file", 0},
    {"log-level", OPTION_LOG_LEVEL, "LEVEL", 0, "error, warning, info or debug (default: log.level of FILE)",
     0},
    {"verbose", 'v', 0, 0, "The same as --log-level debug", 0},
    {0},
};

static const char documentation[] =
    "The coordinator of a search for activation functions: proposes them, leases their trainings to "
    "workers, and stores every result in a SQLite database.\v"
    "It runs until the experiment is done. Stopped or killed at any moment, the same command goes on where "
    "it was: what was acknowledged to a worker is never lost. A finished database can go on with a larger "
    "search.candidates or search.proposals.\n\n"
    "Exit status: 0 when the experiment is done, 1 when it is not (refused, failed, or stopped by SIGINT or "
    "SIGTERM), 2 for a wrong command line, 3 after 'actsearch stop'.";

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_BIND:
        arguments->server.endpoint = value;
        return 0;
    case OPTION_DB:
        arguments->database = value;
        return 0;
    case OPTION_KEYS:
        arguments->server.keys_dir = value;
        return 0;
    case OPTION_INSECURE:
        arguments->server.insecure = true;
        return 0;
    case OPTION_HTTP:
        arguments->http.address = value;
        return 0;
    case OPTION_HTTP_INSECURE:
        arguments->http.insecure = true;
        return 0;
    case OPTION_NETWORK_DISK:
        arguments->network_disk = true;
        return 0;
    case OPTION_CACHE:
        arguments->server.cache_dir = value;
        return 0;
    case OPTION_SET:
        arguments->overrides[arguments->override_count++] = value; /* room for all of argv */
        return 0;
    case OPTION_LOG_LEVEL:
        if (!log_level_parse(value, &arguments->level))
            argp_error(state, "--log-level: '%s' is none of error, warning, info, debug", value);
        arguments->level_given = true;
        return 0;
    case 'v':
        arguments->level = LEVEL_DEBUG;
        arguments->level_given = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->file)
            argp_error(state, "one experiment file at a time: '%s' is a second one", value);
        arguments->file = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "expected an experiment file");
        return 0;
    case ARGP_KEY_SUCCESS:
        if (arguments->server.keys_dir && arguments->server.insecure)
            argp_error(state, "--keys and --insecure exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options, .parser = parse_option, .args_doc = "FILE.ini", .doc = documentation};

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "actsearchd %s\n", ACTSEARCH_VERSION);
}

/* ---- the run ------------------------------------------------------------------------------------------- */

/* All that a run holds, so that it is given back in one place. */
struct run {
    struct experiment *experiment;
    struct space *space;
    char *database;
    struct store *store;
    struct control *control; /* NULL where it cannot be had */
    struct rows restored;
    struct server *server;
    char *worker_option; /* what a worker is to be told beside the address */
    struct core *core;
    struct http *http; /* NULL: no web page */
};

static void run_release(struct run *run)
{
    http_stop(&run->http); /* before the store, which is made one file again where nobody else has it open */
    core_destroy(&run->core);
    server_destroy(&run->server);
    rows_release(&run->restored);
    control_leave(run->control);
    store_close(&run->store);
    control_close(&run->control); /* after the store: whoever waits for its end may open the database then */
    free(run->worker_option);
    free(run->database);
    space_destroy(&run->space);
    experiment_destroy(&run->experiment);
}

static int read_experiment(const struct arguments *arguments, struct run *run, struct problem *problem)
{
    int err = experiment_load(arguments->file, arguments->overrides, arguments->override_count,
                              &run->experiment, problem);
    if (!err && (err = space_new(&run->experiment->space, &run->space, problem)) != 0)
        problem_prefix(problem, "%s", arguments->file);
    if (!err && (err = functions_any_usable(run->space, run->experiment->seed, problem)) != 0)
        problem_prefix(problem, "%s", arguments->file);
    if (!err)
        log_start("actsearchd", arguments->level_given ? arguments->level : run->experiment->log_level);
    return err;
}

/* What the database says so far, and whether it may go on with this experiment. *ret_finished: it has come to
 * its end, and nothing has been added since. */
static int read_database(const struct arguments *arguments, struct run *run, bool *ret_finished,
                         struct problem *problem)
{
    run->database = arguments->database ? xstrdup(arguments->database) : experiment_database(arguments->file);
    int err = (arguments->network_disk ? store_open_anywhere : store_open)(run->database, run->experiment,
                                                                           &run->store, problem);
    if (!err)
        err = store_restore(run->store, &run->restored, problem);
    bool grown = false;
    if (!err && (err = resume_check(&run->restored.experiment, run->experiment, &grown, problem)) != 0)
        problem_prefix(problem, "%s", store_path(run->store));
    if (!err)
        *ret_finished = run->restored.experiment.finished_because[0] != '\0' && !grown;
    return err;
}

/* A search can do without. */
static void listen_for_orders(struct run *run)
{
    struct problem problem = {0};
    if (control_listen(store_path(run->store), &run->control, &problem) != 0)
        log_warning("'actsearch stop', 'pause' and 'resume' will not reach this coordinator: %s",
                    problem.text);
}

/* The key is the one that 'actsearch keygen' makes where it is told no names, if it is still here. */
static char *worker_option(const struct server_settings *settings)
{
    if (!settings->keys_dir)
        return xstrdup(endpoint_is_local(settings->endpoint) ? "" : " --insecure");
    char *option = xasprintf(" --key %s/worker.key", settings->keys_dir);
    if (access(option + strlen(" --key "), F_OK) != 0) {
        free(option);
        option = xstrdup(" --key KEYFILE");
    }
    return option;
}

static int bind_and_start(const struct arguments *arguments, struct run *run, struct problem *problem)
{
    listen_for_orders(run);
    struct server_settings settings = arguments->server;
    settings.control = run->control;
    int err = server_new(&settings, &run->server, problem);
    if (!err)
        err = core_new(run->experiment, run->space, &run->restored, server_now_ms(run->server), &run->core,
                       problem);
    run->worker_option = worker_option(&arguments->server);
    if (err == ERR_CORRUPT)
        problem_prefix(problem, "%s", store_path(run->store));
    struct http_settings http = arguments->http;
    http.database = run->database;
    if (!err && http.address && (err = http_start(&http, &run->http, problem)) != 0)
        problem_prefix(problem, "--http");
    return err;
}

/* How a worker is started, for pasting: an address that stands for all of this machine's becomes its name. */
static void log_worker_command(const char *endpoint, const char *option)
{
    static const char *const all[] = {"tcp://0.0.0.0:", "tcp://[::]:"};
    char host[HOST_NAME_MAX + 1] = "";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strncmp(endpoint, all[i], strlen(all[i])) == 0 && gethostname(host, sizeof host - 1) == 0 &&
            host[0] != '\0') {
            log_info("start workers with:  actsearch-worker tcp://%s:%s%s", host, endpoint + strlen(all[i]),
                     option);
            return;
        }
    log_info("start workers with:  actsearch-worker %s%s", endpoint, option);
}

static int commit(void *context, const struct rows *rows, struct problem *problem)
{
    return store_write(context, rows, problem);
}

/* Without it the search runs all the same, with workers that have the data set themselves: on this machine
 * they share the cache. */
static void offer_data(struct run *run)
{
    struct problem problem = {0};
    const char *name = run->experiment->child.data;
    int err = server_offer(run->server, run->core, name, &problem);
    if (err == ERR_NOT_FOUND && endpoint_is_local(server_endpoint(run->server)))
        return;
    if (err == ERR_NOT_FOUND)
        log_warning("%s: workers that lack it cannot fetch it from here until it is there "
                    "(actsearch data add %s)",
                    problem.text, name);
    else if (err)
        log_warning("workers cannot fetch the data set from here: %s", problem.text);
}

static int serve(struct run *run)
{
    struct problem problem = {0};
    log_info("experiment '%s', %s database %s", run->experiment->name,
             store_is_new(run->store) ? "new" : "going on with the", store_path(run->store));
    offer_data(run);
    log_info("listening at %s", server_endpoint(run->server));
    log_worker_command(server_endpoint(run->server), run->worker_option);
    if (run->http)
        log_info("web page at %s", http_url(run->http));
    if (core_paused(run->core))
        log_warning("the search is paused, and no trial is given out:  actsearch resume %s", run->database);
    int err = server_run(run->server, run->core, commit, run->store, &problem);
    if (!err || core_finished(run->core)) {
        log_info("done; see the ranked list with:  actsearch rank %s", run->database);
        return STATUS_DONE;
    }
    if (err == ERR_STOPPED)
        log_info("%s before the experiment was done; the same command goes on", problem.text);
    else
        log_error("%s", problem.text);
    return err == ERR_STOPPED && server_was_ordered(run->server) ? STATUS_ORDERED : STATUS_FAILED;
}

/* The search is finished. Whoever has not been told so, because the coordinator was killed, is told now. */
static void take_leave(const struct arguments *arguments, struct run *run)
{
    struct problem problem = {0};
    size_t untold = 0;
    for (size_t i = 0; i < run->restored.workers.count; i++)
        untold += run->restored.workers.items[i].connected;
    if (untold == 0)
        return;
    log_info("%zu workers may not know yet: they are told, for at most %d s", untold, FAREWELL_MS / 1000);
    int err = bind_and_start(arguments, run, &problem);
    if (!err)
        err = server_run(run->server, run->core, commit, run->store, &problem);
    if (err && err != ERR_STOPPED)
        log_warning("they could not be told: %s", problem.text);
}

static int run_experiment(const struct arguments *arguments)
{
    struct run run = {0};
    struct problem problem = {0};
    bool finished = false;
    int status = STATUS_FAILED;
    int err = read_experiment(arguments, &run, &problem);
    if (!err)
        err = read_database(arguments, &run, &finished, &problem);
    if (!err && finished) {
        log_info("%s is finished: %s", store_path(run.store), run.restored.experiment.finished_because);
        take_leave(arguments, &run);
        status = STATUS_DONE;
    } else if (!err && (err = bind_and_start(arguments, &run, &problem)) == 0) {
        status = serve(&run);
    }
    if (err)
        fprintf(stderr, "actsearchd: %s\n", problem.text);
    run_release(&run);
    return err == ERR_USAGE ? STATUS_USAGE : status;
}

/* Lists that grow for as long as the search does get memory of their own from a size on that stays: they grow in
 * place then. Left to itself, malloc takes them from the heap up to 32 MB each, and every time they double leaves
 * a hole there: 100 MB in all. */
static void grow_in_place(void)
{
    enum { OWN_MEMORY_BYTES = 1 << 20 };
    mallopt(M_MMAP_THRESHOLD, OWN_MEMORY_BYTES);
    mallopt(M_TRIM_THRESHOLD, 4 * OWN_MEMORY_BYTES);
}

int main(int argc, char **argv)
{
    matrix_fix_core(argv);
    grow_in_place();
    struct arguments arguments = {.server.endpoint = "tcp://127.0.0.1:5570", .level = LEVEL_INFO};
    arguments.overrides = xcalloc((size_t)argc, sizeof *arguments.overrides);
    argp_err_exit_status = STATUS_USAGE;
    argp_program_version_hook = print_version;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);

    log_start("actsearchd", arguments.level);
    struct problem problem = {0};
    int status = STATUS_USAGE;
    if (server_check(&arguments.server, &problem) != 0)
        fprintf(stderr, "actsearchd: --bind %s\n", problem.text);
    else if (arguments.http.address && http_check(&arguments.http, &problem) != 0)
        fprintf(stderr, "actsearchd: --http %s\n", problem.text);
    else
        status = run_experiment(&arguments);
    free(arguments.overrides);
    return status;
}
