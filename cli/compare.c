/* actsearch compare: the difference of two functions of a results database, paired by seed. */
#include "cli/candidate.h"
#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *path, *text[2];
    bool json;
};

static const struct argp_option options[] = {OPTION_ROW_JSON, {0}};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 2)
            argp_error(state,
                       "two expressions at a time: '%s' is a third one (quote them if they have spaces)",
                       value);
        *(state->arg_num == 0 ? &arguments->path : &arguments->text[state->arg_num - 1]) = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->text[1])
            argp_error(state, "expected a results database, DB, and two expressions");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DB EXPR EXPR",
    .doc = "Compares two functions of the results database DB, A and B. Both were trained with the same "
           "seeds, so the "
           "differences are taken seed by seed; the interval is that of a paired t test.\v"
           "EXPR may be the name of a known function, such as swish (actsearch expr --known lists them).",
};

static int find_both(struct store_reader *reader, const struct arguments *arguments,
                     struct expr *const exprs[2], char *ret_ids[2], struct problem *problem)
{
    int err = 0;
    for (int i = 0; i < 2 && !err; i++) {
        struct expr *stored = NULL;
        err = candidate_find(reader, arguments->path, arguments->text[i], exprs[i], &ret_ids[i], &stored,
                             problem);
        expr_destroy(&stored);
    }
    if (!err && strcmp(ret_ids[0], ret_ids[1]) == 0)
        err = problem_set(problem, ERR_INPUT, "%.100s and %.100s are the same function", arguments->text[0],
                          arguments->text[1]);
    return err;
}

static int compare(const struct arguments *arguments, struct expr *const exprs[2], struct problem *problem)
{
    struct store_reader *reader = NULL;
    struct comparison comparison = {0};
    char *ids[2] = {NULL, NULL};
    int err = store_reader_open(arguments->path, &reader, problem);
    if (!err)
        err = find_both(reader, arguments, exprs, ids, problem);
    if (!err)
        err = comparison_make(reader, (const char *const *)ids, &comparison, problem);
    if (!err && arguments->json)
        comparison_print_json(&comparison, stdout);
    else if (!err)
        comparison_print(&comparison, stdout);
    comparison_release(&comparison);
    store_reader_close(&reader);
    free(ids[0]);
    free(ids[1]);
    return err;
}

int cli_compare(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct expr *exprs[2] = {NULL, NULL};
    struct problem problem = {0};
    expr_argp_parse(&parser, argc, argv, &arguments);
    int status = expr_argument(arguments.text[0], &exprs[0]);
    if (!status)
        status = expr_argument(arguments.text[1], &exprs[1]);
    if (!status && compare(&arguments, exprs, &problem) != 0)
        status = print_problem(argv[0], NULL, &problem);
    expr_destroy(&exprs[0]);
    expr_destroy(&exprs[1]);
    return status;
}
