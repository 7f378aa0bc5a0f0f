/* actsearch-worker: reads the command line and runs the daemon until the experiment is done. The same
 * program, started by the daemon in the mode of trial.h, is the trainer of one trial. */
#include "common/log.h"
#include "common/numerics.h"
#include "common/settings.h"
#include "common/text.h"
#include "common/version.h"
#include "worker/agent.h"
#include "worker/command.h"
#include "worker/daemon.h"
#include "worker/trial.h"

#include <argp.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };
enum { PATIENCE_MIN_MS = 1000, PATIENCE_MAX_MS = 7 * 24 * 3600 * 1000 };

/* ---- the command line ---------------------------------------------------------------------------------- */

enum {
    OPTION_SLOTS = 0x100,
    OPTION_KEY,
    OPTION_INSECURE,
    OPTION_CACHE,
    OPTION_TRAINER,
    OPTION_TRAINER_NAME,
    OPTION_STALL,
    OPTION_GIVE_UP,
    OPTION_TABLE,
    OPTION_LOG_LEVEL,
};

struct arguments {
    struct daemon_settings daemon;
    enum log_level level;
};

static const struct argp_option options[] = {
    {"slots", OPTION_SLOTS, "N", 0,
     "Trials at once, one core each (default: the cores that this process may use)", 0},
    {"key", OPTION_KEY, "FILE", 0,
     "This worker's key, as 'actsearch keygen' on the coordinator's host made it: encrypts the connection, "
     "and proves to both sides who is there",
     0},
    {"insecure", OPTION_INSECURE, 0, 0,
     "Speak to a coordinator on another machine without encryption or keys: only where the whole network is "
     "trusted",
     0},
    {"cache", OPTION_CACHE, "DIR", 0,
     "Where unpacked data sets are kept (default: $ACTSEARCH_CACHE, or actsearch in the user's cache folder)",
     0},
    {"trainer", OPTION_TRAINER, "CMD", 0,
     "Train with a program of your own: the shell command CMD, started for each trial, gets one line of JSON "
     "and answers in lines of JSON (docs/trainers.md)",
     0},
    {"trainer-name", OPTION_TRAINER_NAME, "NAME", 0,
     "What CMD is called (default " DAEMON_OWN_TRAINER
     "): all workers of an experiment have the same trainer",
     0},
    {"stall", OPTION_STALL, "TIME", 0, "End a trainer that makes no progress for so long (default 15m)", 0},
    {"give-up", OPTION_GIVE_UP, "DURATION", 0,
     "Leave, with exit status 1, when no coordinator was heard for so long (10m, say; default: wait for "
     "ever)",
     0},
    {"table", OPTION_TABLE, "FILE", 0,
     "Take the outcome of what was trained before from this file, which 'actsearch table make' made, and "
     "train only the rest",
     0},
    {"log-level", OPTION_LOG_LEVEL, "LEVEL", 0, "error, warning, info or debug (default info)", 0},
    {"verbose", 'v', 0, 0, "The same as --log-level debug", 0},
    {0},
};

static const char documentation[] =
    "Trains the functions that the coordinator at ENDPOINT (tcp://HOST:PORT "
    "or ipc://PATH) leases to it, each in a process of "
    "its own, and reports how they did.\v"
    "It runs until the experiment is done, and waits for a coordinator that "
    "is away. SIGTERM or Ctrl-C: what it was training "
    "is saved here and handed back, and it leaves within seconds; the next worker on "
    "this host goes on where it stopped.\n\n"
    "Exit status: 0 when the experiment is done or after such a signal, 1 "
    "when the coordinator refused it or it failed, 2 for a "
    "wrong command line.";

static int slots_of(const struct argp_state *state, const char *value)
{
    struct problem problem = {0};
    int64_t slots = 0;
    if (text_int(value, 1, AGENT_MAX_SLOTS, &slots, &problem) != 0)
        argp_error(state, "--slots: %s", problem.text);
    return (int)slots;
}

static const char *trainer_of(const struct argp_state *state, const char *name)
{
    struct problem problem = {0};
    if (text_name(name, NAME_BYTES, &problem) != 0)
        argp_error(state, "--trainer-name: %s", problem.text);
    if (strcmp(name, BUILT_IN_TRAINER) == 0)
        argp_error(state, "--trainer-name: '%s' is the built-in trainer", name);
    return name;
}

static int64_t patience_of(const struct argp_state *state, const char *option, const char *value)
{
    struct problem problem = {0};
    int64_t ms = 0;
    if (text_duration(value, PATIENCE_MIN_MS, PATIENCE_MAX_MS, &ms, &problem) != 0)
        argp_error(state, "%s: %s", option, problem.text);
    return ms;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_SLOTS:
        arguments->daemon.slots = slots_of(state, value);
        return 0;
    case OPTION_KEY:
        arguments->daemon.key_file = value;
        return 0;
    case OPTION_INSECURE:
        arguments->daemon.insecure = true;
        return 0;
    case OPTION_CACHE:
        arguments->daemon.cache_dir = value;
        return 0;
    case OPTION_TRAINER:
        arguments->daemon.command = value;
        return 0;
    case OPTION_TRAINER_NAME:
        arguments->daemon.trainer = trainer_of(state, value);
        return 0;
    case OPTION_STALL:
        arguments->daemon.stall_ms = patience_of(state, "--stall", value);
        return 0;
    case OPTION_GIVE_UP:
        arguments->daemon.give_up_ms = patience_of(state, "--give-up", value);
        return 0;
    case OPTION_TABLE:
        arguments->daemon.table = value;
        return 0;
    case OPTION_LOG_LEVEL:
        if (!log_level_parse(value, &arguments->level))
            argp_error(state, "--log-level: '%s' is none of error, warning, info, debug", value);
        return 0;
    case 'v':
        arguments->level = LEVEL_DEBUG;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->daemon.endpoint)
            argp_error(state, "one coordinator at a time: '%s' is a second endpoint", value);
        arguments->daemon.endpoint = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "expected the coordinator's endpoint");
        return 0;
    case ARGP_KEY_SUCCESS:
        if (arguments->daemon.key_file && arguments->daemon.insecure)
            argp_error(state, "--key and --insecure exclude each other");
        if (arguments->daemon.trainer && !arguments->daemon.command)
            argp_error(state, "--trainer-name is for a --trainer");
        if (arguments->daemon.table && arguments->daemon.command)
            argp_error(state, "--table and --trainer exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options, .parser = parse_option, .args_doc = "ENDPOINT", .doc = documentation};

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "actsearch-worker %s\n", ACTSEARCH_VERSION);
}

/* ---- the run ------------------------------------------------------------------------------------------- */

/* Descriptors 0 to 2 stand for something, so that no pipe or socket gets their numbers. */
static void fill_standard_descriptors(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        continue;
    if (fd >= 0)
        close(fd);
}

static int run(const struct daemon_settings *settings)
{
    struct problem problem = {0};
    struct daemon *daemon = NULL;
    if (daemon_check(settings, &problem) != 0) {
        fprintf(stderr, "actsearch-worker: %s\n", problem.text);
        return STATUS_USAGE;
    }
    int err = daemon_new(settings, &daemon, &problem);
    if (!err)
        err = daemon_run(daemon, &problem);
    daemon_destroy(&daemon);
    if (err)
        fprintf(stderr, "actsearch-worker: %s\n", problem.text);
    return err ? STATUS_FAILED : STATUS_DONE;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], TRIAL_MODE) == 0)
        return trial_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], COMMAND_MODE) == 0)
        return command_main(argc, argv);
    fill_standard_descriptors();
    struct arguments arguments = {
        .daemon.slots = daemon_default_slots(), .daemon.stall_ms = DAEMON_STALL_MS, .level = LEVEL_INFO};
    argp_err_exit_status = STATUS_USAGE;
    argp_program_version_hook = print_version;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    log_start("actsearch-worker", arguments.level);
    return run(&arguments.daemon);
}
