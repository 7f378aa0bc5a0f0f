/* actsearch check: whether a results database is whole. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "common/json.h"
#include "coordinator/store_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct arguments {
    const char *path;
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
        if (arguments->path)
            argp_error(state, "one database at a time: '%s' is a second one", value);
        arguments->path = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
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
    .doc =
        "Checks that the results database DB is whole: the file, the references in it, and that its rows say "
        "what they imply of each other: counters, the figures of every candidate bit for bit, the rewards of "
        "the search, and that a coordinator could go on with it. It only reads; a search may be running on "
        "DB.\v"
        "Exit status: 0 when nothing is wrong, 1 when something is, or DB cannot be read.",
};

/* What was found, check by check. */
struct report {
    struct progress *progress;
    struct {
        bool made;
        int found;
        struct buf sentences; /* each ends in a newline */
    } checks[CHECKS];
};

static void take(void *context, enum check check, const char *found)
{
    struct report *report = context;
    report->checks[check].made = true;
    if (!found) {
        progress_show(report->progress, (double)check / CHECKS, check_promise(check));
        return;
    }
    report->checks[check].found++;
    buf_printf(&report->checks[check].sentences, "%s\n", found);
}

static int wrong_checks(const struct report *report)
{
    int wrong = 0;
    for (int i = 0; i < CHECKS; i++)
        wrong += report->checks[i].found > 0;
    return wrong;
}

/* The next sentence of a check, without its newline; NULL after the last. */
static char *next_sentence(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return line;
}

static void print_for_people(const char *path, struct report *report)
{
    for (int i = 0; i < CHECKS; i++) {
        const char *state = !report->checks[i].made ? "left out" : report->checks[i].found ? "WRONG" : "ok";
        printf("%-11s %-9s %s\n", check_name((enum check)i), state, check_promise((enum check)i));
        char *rest = (char *)buf_text(&report->checks[i].sentences), *line;
        while ((line = next_sentence(&rest)))
            printf("            %s\n", line);
    }
    int wrong = wrong_checks(report);
    if (wrong == 0)
        printf("%s is whole\n", path);
    else
        printf("%s is damaged: %d of %d checks found something\n", path, wrong, CHECKS);
}

static void print_json(const char *path, struct report *report)
{
    struct json json = {0};
    json_object(&json, NULL);
    json_text(&json, "database", path);
    json_bool(&json, "whole", wrong_checks(report) == 0);
    json_array(&json, "checks");
    for (int i = 0; i < CHECKS; i++) {
        json_object(&json, NULL);
        json_text(&json, "name", check_name((enum check)i));
        json_bool(&json, "made", report->checks[i].made);
        json_array(&json, "found");
        char *rest = (char *)buf_text(&report->checks[i].sentences), *line;
        while ((line = next_sentence(&rest)))
            json_text(&json, NULL, line);
        json_end(&json);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
}

int cli_check(int argc, char **argv)
{
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct store_reader *reader = NULL;
    struct problem problem;
    struct report report = {.progress = progress_new(stderr)};
    int err = store_reader_open(arguments.path, &reader, &problem);
    if (!err)
        err = store_check(reader, take, &report, &problem);
    store_reader_close(&reader);
    progress_destroy(&report.progress);
    int status = err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
    if (!err) {
        status = wrong_checks(&report) == 0 ? STATUS_DONE : STATUS_FAILED;
        (arguments.json ? print_json : print_for_people)(arguments.path, &report);
    }
    for (int i = 0; i < CHECKS; i++)
        buf_release(&report.checks[i].sentences);
    return status;
}
