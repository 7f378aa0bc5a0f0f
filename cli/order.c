#include "cli/order.h"

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    const char **path = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path)
            argp_error(state, "one database at a time: '%s' is a second one", value);
        *path = value;
        return 0;
    case ARGP_KEY_END:
        if (!*path)
            argp_error(state, "expected the results database of a search, DB");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* It is a results database; why its search has ended, "" where it has not. */
static int look(const char *path, char ret_finished[128], struct problem *problem)
{
    struct store_reader *reader = NULL;
    struct answer stored = {0};
    int err = store_reader_open(path, &reader, problem);
    if (!err)
        err = answer_query(reader, "SELECT finished_because FROM experiment", NULL, &stored, problem);
    if (!err)
        snprintf(ret_finished, 128, "%s", stored.rows ? answer_text(&stored, 0, "finished_because") : "");
    answer_release(&stored);
    store_reader_close(&reader);
    return err;
}

int order_command(int argc, char **argv, enum control_order order, const char *doc)
{
    const struct argp parser = {.parser = parse_option, .args_doc = "DB", .doc = doc};
    const char *path = NULL;
    char finished[128] = "", answer[CONTROL_ANSWER_MAX];
    struct problem problem = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &path);
    int err = look(path, finished, &problem);
    if (!err) {
        err = control_call(path, order, answer, &problem);
        if (err == ERR_NOT_FOUND && finished[0] != '\0')
            problem_set(&problem, err, "the search of %.200s is finished: %s", path, finished);
        else if (err == ERR_NOT_FOUND)
            problem_set(&problem, err,
                        "no coordinator runs on %.200s: the command that began the search goes on with it",
                        path);
    }
    if (err)
        return print_problem(argv[0], NULL, &problem);
    printf("%s\n%s", answer, order == CONTROL_STOP ? "stopped; the same command goes on\n" : "");
    return STATUS_DONE;
}
