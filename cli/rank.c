/* actsearch rank: the ranked list of a results database. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/ranking.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTION_PARETO = OPTION_OWN, OPTION_STABLE, OPTION_CSV, ROWS_DEFAULT = 20 };

struct arguments {
    const char *path;
    int64_t limit; /* −1: not given */
    bool pareto, stable, json, csv;
};

static const struct argp_option options[] = {
    {0, 'n', "N", 0, "The first N rows; 0: all (default: 20 for people, all with --json, --csv or --stable)",
     0},
    {"pareto", OPTION_PARETO, 0, 0,
     "Only functions such that none is both better (accuracy_mean) and cheaper (cost_ns)", 0},
    {"stable", OPTION_STABLE, 0, 0,
     "Only the columns that are the same, bit for bit, however the search was run", 0},
    {"csv", OPTION_CSV, 0, 0, "Print CSV, for programs", 0},
    OPTION_ROW_JSON,
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'n':
        arguments->limit = option_int(state, "-n", value, 0, INT64_MAX);
        return 0;
    case OPTION_PARETO:
        arguments->pareto = true;
        return 0;
    case OPTION_STABLE:
        arguments->stable = true;
        return 0;
    case OPTION_CSV:
        arguments->csv = true;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "one database at a time: '%s' is a second one", value);
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        if (arguments->json && arguments->csv)
            argp_error(state, "--json and --csv exclude each other");
        if (!arguments->path)
            argp_error(state, "expected a results database, DB");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DB",
    .doc = "Prints the ranked list of the results database DB: larger steps first, then accuracy_mean, "
           "then mean validation loss, then the activation bytewise. A search may be running on it.\v"
           "The table for people shows the references in any case. --json and --csv have the columns of "
           "the view ranking, which plain sqlite3 DB 'select * from ranking' reads too.",
};

int cli_rank(int argc, char **argv)
{
    struct arguments arguments = {.limit = -1};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct ranking_options list = {.pareto = arguments.pareto, .stable = arguments.stable};
    list.format = arguments.json     ? RANKING_JSON
                  : arguments.csv    ? RANKING_CSV
                  : arguments.stable ? RANKING_TEXT
                                     : RANKING_TABLE;
    list.limit = arguments.limit >= 0 ? arguments.limit : list.format == RANKING_TABLE ? ROWS_DEFAULT : 0;

    struct store_reader *reader = NULL;
    struct problem problem;
    int err = store_reader_open(arguments.path, &reader, &problem);
    if (!err)
        err = ranking_print(reader, &list, stdout, &problem);
    store_reader_close(&reader);
    return err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
}
