/* actsearch backup: a copy of a results database, also while a search writes it. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "coordinator/store_backup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum { OPTION_FORCE = OPTION_OWN };

struct arguments {
    const char *path, *copy;
    bool force;
};

static const struct argp_option options[] = {
    {"force", OPTION_FORCE, 0, 0, "Put the copy in the place of a file that is there", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_FORCE:
        arguments->force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->copy)
            argp_error(state, "expected a database and the file to copy it to: '%s' is a third name", value);
        *(arguments->path ? &arguments->copy : &arguments->path) = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->copy)
            argp_error(state, "expected a results database, DB, and the file to copy it to, FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DB FILE",
    .doc =
        "Copies the results database DB to FILE, also while a search writes it: FILE then holds all that was "
        "committed at one moment, and is a database that a coordinator can go on with.",
};

static bool show(void *context, int64_t done, int64_t all)
{
    char detail[64];
    snprintf(detail, sizeof detail, "%" PRId64 " of %" PRId64 " pages", done, all);
    progress_show(context, all > 0 ? (double)done / (double)all : 1, detail);
    return true;
}

int cli_backup(int argc, char **argv)
{
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct store_reader *reader = NULL;
    struct problem problem;
    struct progress *progress = progress_new(stderr);
    int err = store_reader_open(arguments.path, &reader, &problem);
    if (!err)
        err = store_backup(reader, arguments.copy, arguments.force, show, progress, &problem);
    store_reader_close(&reader);
    progress_destroy(&progress);
    return err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
}
