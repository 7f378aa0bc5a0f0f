/* actsearch table: the outcomes of trainings as one small file, from results databases and other such files. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/trials.h"
#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_FORCE = OPTION_OWN };

struct arguments {
    const char *action; /* NULL: not given yet */
    struct option_list sources;
    const char *output;
    bool force, json;
};

static int table_make(const struct arguments *arguments, struct problem *problem);
static int table_show(const struct arguments *arguments, struct problem *problem);

static const struct action {
    const char *name;
    int (*run)(const struct arguments *arguments, struct problem *problem);
} actions[] = {{"make", table_make}, {"show", table_show}};
enum { ACTIONS = sizeof actions / sizeof *actions };

static const struct action *action_find(const char *name)
{
    for (int i = 0; i < ACTIONS; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "make: the table to write; one of the sources may be it", 0},
    {"force", OPTION_FORCE, 0, 0, "make: put it in the place of a file that is there", 0},
    OPTION_ROW_JSON,
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = value;
        return 0;
    case OPTION_FORCE:
        arguments->force = true;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->action)
            option_list_add(&arguments->sources, value);
        else if (!action_find(value))
            argp_error(state, "expected make or show, not '%s'", value);
        else
            arguments->action = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->action)
            argp_error(state, "expected make or show");
        else if (strcmp(arguments->action, "show") == 0) {
            if (arguments->sources.count != 1 || arguments->output || arguments->force)
                argp_error(state, "show takes one FILE, and --json");
        } else if (arguments->sources.count == 0 || !arguments->output || arguments->json) {
            argp_error(state, "make takes at least one SOURCE, and -o FILE");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "make SOURCE... -o FILE\nshow FILE",
    .doc = "make collects what trainings came to, from results databases (a search may be running on them) "
           "and other tables, into one "
           "compressed file. The sources must train alike; activations, steps and seeds may differ. show "
           "says what is in a table (or would "
           "come from a database).\v"
           "actsearch run --table FILE and actsearch-worker --table FILE take outcomes from it instead of "
           "training. It holds text: zcat "
           "FILE | less.",
};

/* ---- make ---- */

/* Nothing of a person's is overwritten that is not in the new one, unless they say so. */
static int check_output(const struct arguments *arguments, struct problem *problem)
{
    bool is_source = false;
    for (int i = 0; i < arguments->sources.count; i++)
        is_source |= strcmp(arguments->sources.items[i], arguments->output) == 0;
    if (is_source || arguments->force || access(arguments->output, F_OK) != 0)
        return 0;
    return problem_set(problem, ERR_CONFLICT,
                       "%.200s is there already: name it as a source too, to complete it, or say --force",
                       arguments->output);
}

static int64_t count_functions(const struct trial_table *table, int64_t steps)
{
    int64_t functions = 0;
    const char *last = "";
    for (size_t i = 0; i < table->count; i++)
        if ((steps == 0 || table->trials[i].steps == steps) &&
            strcmp(last, table->trials[i].activation) != 0) {
            functions++;
            last = table->trials[i].activation;
        }
    return functions;
}

static int table_make(const struct arguments *arguments, struct problem *problem)
{
    struct trial_table *table = NULL;
    int err = check_output(arguments, problem);
    for (int i = 0; i < arguments->sources.count && !err; i++) {
        const char *path = arguments->sources.items[i];
        struct trial_table *other = NULL;
        err = trials_load(path, &other, problem);
        if (!err && !table) {
            table = other;
            continue;
        }
        if (!err && (err = trial_table_merge(table, other, problem)) != 0)
            problem_prefix(problem, "%.200s", path);
        trial_table_destroy(&other);
    }
    if (!err)
        err = trial_table_write(table, arguments->output, problem);
    if (!err)
        printf("%s: %zu trainings of %" PRId64 " functions\n", arguments->output, table->count,
               count_functions(table, 0));
    trial_table_destroy(&table);
    return err;
}

/* ---- show ---- */

/* The trainings of one length. */
struct length {
    int64_t steps, trials, diverged;
};

static int by_steps(const void *a, const void *b)
{
    const struct length *one = a, *other = b;
    return (one->steps > other->steps) - (one->steps < other->steps);
}

/* malloc'd, ascending. */
static struct length *lengths_of(const struct trial_table *table, int *ret_count)
{
    struct length *lengths = NULL;
    int count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct table_trial *trial = &table->trials[i];
        int at = 0;
        while (at < count && lengths[at].steps != trial->steps)
            at++;
        if (at == count) {
            lengths = xrealloc(lengths, (size_t)++count, sizeof *lengths);
            lengths[at] = (struct length){.steps = trial->steps};
        }
        lengths[at].trials++;
        lengths[at].diverged += trial->diverged;
    }
    if (count > 0)
        qsort(lengths, (size_t)count, sizeof *lengths, by_steps);
    *ret_count = count;
    return lengths;
}

static void show_for_people(const struct trial_table *table, const struct length *lengths, int count)
{
    const struct child *child = &table->experiment->child;
    printf("experiment  %s\nnetwork     %s on %s (%.16s)\ntrainer     %s, numerics %" PRId64 "\n",
           table->experiment->name, child->model, child->data, table->data_hash, table->trainer,
           table->numerics);
    printf("trainings   %zu, of %" PRId64 " functions\n\n", table->count, count_functions(table, 0));
    struct table *rows = table_new("rrrr");
    table_row(rows);
    table_cell(rows, "steps");
    table_cell(rows, "functions");
    table_cell(rows, "trainings");
    table_cell(rows, "diverged");
    for (int i = 0; i < count; i++) {
        table_row(rows);
        table_cell(rows, "%" PRId64, lengths[i].steps);
        table_cell(rows, "%" PRId64, count_functions(table, lengths[i].steps));
        table_cell(rows, "%" PRId64, lengths[i].trials);
        table_cell(rows, "%" PRId64, lengths[i].diverged);
    }
    table_print(rows, stdout);
    table_destroy(&rows);
}

static void show_json(const struct trial_table *table, const struct length *lengths, int count)
{
    struct json json = {0};
    char *text = experiment_text(table->experiment);
    json_object(&json, NULL);
    json_text(&json, "experiment", text);
    json_int(&json, "numerics", table->numerics);
    json_text(&json, "trainer", table->trainer);
    json_text(&json, "data_hash", table->data_hash);
    json_int(&json, "functions", count_functions(table, 0));
    json_int(&json, "trainings", (int64_t)table->count);
    json_array(&json, "lengths");
    for (int i = 0; i < count; i++) {
        json_object(&json, NULL);
        json_int(&json, "steps", lengths[i].steps);
        json_int(&json, "functions", count_functions(table, lengths[i].steps));
        json_int(&json, "trainings", lengths[i].trials);
        json_int(&json, "diverged", lengths[i].diverged);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
    free(text);
}

static int table_show(const struct arguments *arguments, struct problem *problem)
{
    struct trial_table *table;
    int count, err = trials_load(arguments->sources.items[0], &table, problem);
    if (err)
        return err;
    struct length *lengths = lengths_of(table, &count);
    (arguments->json ? show_json : show_for_people)(table, lengths, count);
    free(lengths);
    trial_table_destroy(&table);
    return 0;
}

int cli_table(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct problem problem = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    int err = action_find(arguments.action)->run(&arguments, &problem);
    option_list_release(&arguments.sources);
    return err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
}
