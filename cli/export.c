/* actsearch export: a function as code for other programs. */
#include "cli/answer.h"
#include "cli/commands.h"
#include "common/expr/function.h"
#include "cli/options.h"
#include "common/expr/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_TO = OPTION_OWN, OPTION_NAME, OPTION_DB, OPTION_RANK };

struct arguments {
    const char *text; /* NULL: from the database */
    const char *to, *name, *path;
    int64_t rank; /* 0: not given */
};

static const struct argp_option options[] = {
    {"to", OPTION_TO, "TARGET", 0, "pytorch, jax, tensorflow, c or latex", 0},
    {"name", OPTION_NAME, "NAME", 0,
     "How the function is called there (default: the name under which it is known, else 'activation')", 0},
    {"db", OPTION_DB, "DB", 0, "Take the function from the ranked list of this results database", 0},
    {"rank", OPTION_RANK, "N", 0, "The N-th of that list (default: 1)", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_TO:
        arguments->to = value;
        return 0;
    case OPTION_NAME:
        if (!export_name_fits(value))
            argp_error(
                state,
                "--name: expected a letter, then letters, digits and single '_' (%d at most), not '%.80s'",
                EXPORT_MAX_NAME, value);
        arguments->name = value;
        return 0;
    case OPTION_DB:
        arguments->path = value;
        return 0;
    case OPTION_RANK:
        arguments->rank = option_int(state, "--rank", value, 1, INT64_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->text)
            argp_error(state, "one expression at a time: '%s' is a second one (quote it if it has spaces)",
                       value);
        arguments->text = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->to)
            argp_error(state, "expected --to and one of pytorch, jax, tensorflow, c, latex");
        if (!arguments->text && !arguments->path)
            argp_error(state, "expected an expression, such as 'x*sigmoid(b*x)', or --db DB --rank N");
        if (arguments->text && (arguments->path || arguments->rank))
            argp_error(state, "the function comes either from EXPR or from --db and --rank");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "EXPR --to TARGET\n--db DB --rank N --to TARGET",
    .doc = "Prints the function EXPR, or the N-th of a ranked list, as code that can be pasted: for "
           "pytorch a module with trainable parameters per channel, for jax and tensorflow a function, "
           "for c the functions f and f' in double and float, for latex the formula and its derivative.\v"
           "EXPR may be the name of a known function, such as swish (actsearch expr --known lists them). "
           "The code gives the values and slopes that the search trained with, also at kinks and at 0.",
};

static int target_of(const char *text, enum export_target *ret_target)
{
    static const char *const names[] = {
#define EXPORT_ROW(id, name, meaning) name,
        EXPORT_TARGET_TABLE(EXPORT_ROW)
#undef EXPORT_ROW
    };
    for (int i = 0; i < EXPORT_TARGETS; i++)
        if (strcmp(names[i], text) == 0) {
            *ret_target = (enum export_target)i;
            return STATUS_DONE;
        }
    const char *nearest = nearest_name(text, names, EXPORT_TARGETS, sizeof *names);
    fprintf(stderr, "actsearch export: --to: there is no target '%.64s'", text);
    if (nearest)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fprintf(stderr, "\nThere are");
    for (int i = 0; i < EXPORT_TARGETS; i++)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", names[i]);
    fprintf(stderr, ".\n");
    return STATUS_USAGE;
}

/* The function at a rank. */
static int ranked_function(const char *path, int64_t rank, struct expr **ret_expr, struct problem *problem)
{
    struct store_reader *reader = NULL;
    struct answer answer = {0};
    char *offset = xasprintf("%lld", (long long)rank - 1);
    const char *const parameters[] = {offset, NULL};
    int err = store_reader_open(path, &reader, problem);
    if (!err)
        err = answer_query(reader, "SELECT activation FROM ranking LIMIT 1 OFFSET CAST(?1 AS INTEGER)",
                           parameters, &answer, problem);
    if (!err && answer.rows == 0)
        err = problem_set(problem, ERR_NOT_FOUND, "%.200s: no function has rank %lld", path, (long long)rank);
    else if (!err)
        err = expr_parse(answer_text(&answer, 0, "activation"), ret_expr, problem);
    answer_release(&answer);
    store_reader_close(&reader);
    free(offset);
    return err;
}

/* The name under which the function is known, as an identifier: "swish-1" as swish_1. */
static void default_name(const struct expr *expr, char ret_name[EXPORT_MAX_NAME + 1])
{
    const char *known = function_known_name(expr);
    snprintf(ret_name, EXPORT_MAX_NAME + 1, "%s", known ? known : "activation");
    for (char *at = strchr(ret_name, '-'); at; at = strchr(at, '-'))
        *at = '_';
}

int cli_export(int argc, char **argv)
{
    struct arguments arguments = {0};
    expr_argp_parse(&parser, argc, argv, &arguments);
    enum export_target target = EXPORT_TARGETS;
    struct expr *expr = NULL;
    int status = target_of(arguments.to, &target);
    if (!status && arguments.text)
        status = expr_argument(arguments.text, &expr);
    struct problem problem = {0};
    if (!status && !arguments.text &&
        ranked_function(arguments.path, arguments.rank ? arguments.rank : 1, &expr, &problem) != 0)
        status = print_problem(argv[0], NULL, &problem);
    if (!status) {
        char name[EXPORT_MAX_NAME + 1];
        if (!arguments.name)
            default_name(expr, name);
        char *code = expr_export(expr, target, arguments.name ? arguments.name : name);
        fputs(code, stdout);
        free(code);
    }
    expr_destroy(&expr);
    return status;
}
