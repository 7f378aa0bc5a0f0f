/* actsearch plot: pictures of a search, by gnuplot. */
#include "cli/commands.h"
#include "cli/gnuplot.h"
#include "cli/options.h"
#include "cli/plots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const struct plot *plot;
    const char *output;
    struct plot_options options;
};

static const struct argp_option options[] = {
    {0, 'o', "FILE", 0, "The picture: an .svg or a .png (default: WHAT.svg)", 0},
    {0, 'n', "N", 0, "So many functions of the ranked list, and the references (default: 8)", 0},
    {"seed", OPTION_SEED, "S", 0, "Which training of EXPR (default: the first of its longest)", 0},
    OPTION_ROW_CACHE,
    {0},
};

static const struct plot *plot_named(const struct argp_state *state, const char *name)
{
    for (int i = 0; i < plot_count; i++)
        if (strcmp(plots[i].name, name) == 0)
            return &plots[i];
    const char *nearest = nearest_name(name, &plots[0].name, (size_t)plot_count, sizeof plots[0]);
    argp_error(state, "there is no plot '%.64s'; %s%s%s", name, nearest ? "did you mean '" : "",
               nearest ? nearest : "", nearest ? "'?" : "--help lists them");
    return NULL;
}

static bool ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        if (!ends_in(value, ".svg") && !ends_in(value, ".png"))
            argp_error(state, "-o: expected a name that ends in .svg or .png, not '%s'", value);
        arguments->output = value;
        arguments->options.png = ends_in(value, ".png");
        return 0;
    case 'n':
        arguments->options.functions = option_int(state, "-n", value, 1, PLOT_MAX_FUNCTIONS);
        return 0;
    case OPTION_SEED:
        arguments->options.seed = option_int(state, "--seed", value, 0, MAX_SEED);
        return 0;
    case OPTION_CACHE:
        arguments->options.cache = value;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            arguments->plot = plot_named(state, value);
        else if (state->arg_num == 1)
            arguments->options.path = value;
        else if (state->arg_num == 2 && arguments->plot->of_function)
            arguments->options.text = value;
        else if (arguments->plot->of_function)
            argp_error(state, "one expression at a time: '%s' is a second one (quote it if it has spaces)",
                       value);
        else
            argp_error(state, "one database at a time: '%s' is a second one", value);
        return 0;
    case ARGP_KEY_END:
        if (!arguments->options.path)
            argp_error(state, "expected what to draw, and a results database, DB");
        if (arguments->options.seed >= 0 && !arguments->plot->of_function)
            argp_error(state, "--seed picks a training, but %s is drawn without one", arguments->plot->name);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "WHAT DB [EXPR]",
    .doc = "Draws a picture of the results database DB, also while a search runs on it. WHAT is one of\n"
#define PLOT_ROW(name, of_function, meaning) "  " #name ": " meaning "\n"
    PLOT_TABLE(PLOT_ROW)
#undef PLOT_ROW
        "\vEXPR is a function of the database, in whatever way it is spelt, also a known name such as swish "
        "(default: the first of the ranked list). The database keeps no networks: for preactivations and "
        "betas the training is done once more, with the same bits, so it needs the data set and takes as "
        "long as 'actsearch show' says it took.\n\n"
        "The pictures are drawn by gnuplot (Debian package gnuplot-nox).",
};

int cli_plot(int argc, char **argv)
{
    struct arguments arguments = {.options.functions = 8, .options.seed = -1};
    expr_argp_parse(&parser, argc, argv, &arguments);
    struct expr *expr = NULL;
    const int status = arguments.options.text ? expr_argument(arguments.options.text, &expr) : STATUS_DONE;
    if (status)
        return status;
    arguments.options.expr = expr;
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    struct buf script = {0};
    char *path = arguments.output ? xstrdup(arguments.output) : xasprintf("%s.svg", arguments.plot->name);
    int err = store_reader_open(arguments.options.path, &reader, &problem);
    if (!err)
        err = arguments.plot->script(reader, &arguments.options, &script, &problem);
    store_reader_close(&reader);
    if (!err)
        err = gnuplot_make(&script, path, &problem);
    if (!err)
        printf("%s: %s\n", path, arguments.plot->meaning);
    buf_release(&script);
    expr_destroy(&expr);
    free(path);
    return err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
}
