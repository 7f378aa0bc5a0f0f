/* actsearch space: how many strings a search space has, how many functions they are, and which. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/survey.h"
#include "cli/table.h"
#include "common/experiment.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_COUNT = OPTION_OWN,
    OPTION_LIST,
    OPTION_SAMPLE,
    SAMPLE_MAX = 1000000,
    STRINGS_MAX = 1000000, /* that are gone through one by one */
    ESTIMATE_DRAWS = 10000,
};

enum mode { MODE_NONE, MODE_COUNT, MODE_LIST, MODE_SAMPLE };

struct arguments {
    const char *path;
    struct option_list overrides;
    enum mode mode;
    int64_t sample;
    uint64_t seed;
    bool json;
};

static const struct argp_option options[] = {
    {"count", OPTION_COUNT, 0, 0, "Count strings, distinct and rejected functions (the default)", 0},
    {"list", OPTION_LIST, 0, 0, "List every string: its tokens, its status, its canonical form", 0},
    {"sample", OPTION_SAMPLE, "N", 0, "List N strings that are drawn at random", 0},
    {"seed", OPTION_SEED, "S", 0, "What the draws come from (default 1)", 0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "Replace a line of the experiment file; may be repeated", 0},
    OPTION_ROW_JSON,
    {0},
};

static void take_mode(const struct argp_state *state, struct arguments *arguments, enum mode mode)
{
    if (arguments->mode != MODE_NONE && arguments->mode != mode)
        argp_error(state, "--count, --list and --sample exclude each other");
    arguments->mode = mode;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_COUNT:
        take_mode(state, arguments, MODE_COUNT);
        return 0;
    case OPTION_LIST:
        take_mode(state, arguments, MODE_LIST);
        return 0;
    case OPTION_SAMPLE:
        take_mode(state, arguments, MODE_SAMPLE);
        arguments->sample = option_int(state, "--sample", value, 1, SAMPLE_MAX);
        return 0;
    case OPTION_SEED:
        arguments->seed = option_u64(state, "--seed", value);
        return 0;
    case OPTION_SET:
        option_list_add(&arguments->overrides, value);
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "one experiment file at a time: '%s' is a second one", value);
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path)
            argp_error(state, "expected an experiment file, FILE.ini");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "FILE.ini",
    .doc = "Says how many strings the search space of FILE.ini has, how many distinct functions they are, "
           "how many of these are worth a trial, and why the others are rejected.\v"
           "A space of more than 1,000,000 strings is not gone through one by one: --count draws 10,000 "
           "of them and estimates shares, and --list is refused; --sample N works for any space.\n"
           "With --json, --list and --sample print one object a line: tokens (five a unit: input 1, input "
           "2, unary 1, unary 2, binary), activation, status.",
};

/* ---- lists --------------------------------------------------------------------------------------------- */

static void print_item(const struct space *space, const uint16_t *tokens, const struct survey_item *item,
                       bool as_json)
{
    char *status = survey_status_text(item);
    if (as_json) {
        struct json json = {0};
        json_object(&json, NULL);
        json_array(&json, "tokens");
        for (int i = 0; i < space_tokens(space); i++)
            json_int(&json, NULL, tokens[i]);
        json_end(&json);
        json_text(&json, "activation", item->activation);
        json_text(&json, "status", status);
        json_end(&json);
        puts(buf_text(&json.out));
        buf_release(&json.out);
    } else {
        for (int i = 0; i < space_tokens(space); i++)
            printf("%s%d", i ? " " : "", tokens[i]);
        printf("\t%s\t%s\n", status, item->activation);
    }
    free(status);
}

/* String number `index`, or one that is drawn. */
static void pick(const struct space *space, struct rng *rng, uint64_t index,
                 uint16_t tokens[SPACE_MAX_TOKENS])
{
    if (rng)
        space_sample(space, rng, tokens);
    else
        space_unrank(space, index, tokens);
}

static void list_strings(const struct space *space, uint64_t count, struct rng *rng, bool as_json)
{
    struct survey survey;
    survey_start(&survey, space);
    for (uint64_t i = 0; i < count; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        char *own_text = NULL;
        pick(space, rng, i, tokens);
        struct survey_item item = survey_add(&survey, tokens, &own_text);
        print_item(space, tokens, &item, as_json);
        free(own_text);
    }
    survey_release(&survey);
}

/* ---- counts -------------------------------------------------------------------------------------------- */

static void fill_survey(struct survey *survey, uint64_t count, struct rng *rng)
{
    struct progress *progress = progress_new(stderr);
    for (uint64_t i = 0; i < count; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        char *own_text = NULL;
        pick(survey->space, rng, i, tokens);
        survey_add(survey, tokens, &own_text);
        free(own_text);
        if (i % 256 == 0)
            progress_show(progress, (double)i / (double)count, "strings");
    }
    progress_destroy(&progress);
}

static void print_count(const struct survey *survey)
{
    printf("strings      %lld\n", (long long)survey->strings);
    printf("distinct     %lld functions, usable or not\n", (long long)survey_distinct(survey));
    printf("usable       %lld functions that are worth a trial\n", (long long)survey->usable);
    printf("duplicates   %lld strings that are another spelling of one of these\n",
           (long long)survey->duplicates);
    int64_t rejected = 0;
    for (int v = 0; v < VERDICTS; v++)
        rejected += survey->rejected[v];
    printf("rejected     %lld strings\n", (long long)rejected);
    for (int v = 0; v < VERDICTS; v++)
        if (survey->rejected[v])
            printf("  %-18s %lld\n", verdict_text((enum verdict)v), (long long)survey->rejected[v]);
}

static void json_rejected(struct json *json, const char *key, const struct survey *survey, double per)
{
    json_object(json, key);
    for (int v = 0; v < VERDICTS; v++)
        if (survey->rejected[v] && per > 0)
            json_real(json, verdict_text((enum verdict)v), (double)survey->rejected[v] / per);
        else if (survey->rejected[v])
            json_int(json, verdict_text((enum verdict)v), survey->rejected[v]);
    json_end(json);
}

static void print_count_json(const struct survey *survey)
{
    struct json json = {0};
    json_object(&json, NULL);
    json_int(&json, "strings", survey->strings);
    json_int(&json, "distinct", survey_distinct(survey));
    json_int(&json, "usable", survey->usable);
    json_int(&json, "duplicates", survey->duplicates);
    json_rejected(&json, "rejected", survey, 0);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
}

/* Twice the deviation of a share that is estimated from so many independent draws. */
static double margin(double share, double draws)
{
    return 2 * sqrt(share * (1 - share) / draws);
}

static void print_estimate(const struct survey *survey, double strings)
{
    double draws = (double)survey->strings;
    double usable = (double)(survey->usable + survey->duplicates) / draws;
    printf("strings      %.4g, too many to go through one by one\n", strings);
    printf("Estimates from %lld strings drawn at random (95 %% intervals):\n", (long long)survey->strings);
    printf("  %-18s %5.1f ± %.1f %% of the strings\n", "usable", 100 * usable, 100 * margin(usable, draws));
    for (int v = 0; v < VERDICTS; v++) {
        double share = (double)survey->rejected[v] / draws;
        if (survey->rejected[v])
            printf("  %-18s %5.1f ± %.1f %%\n", verdict_text((enum verdict)v), 100 * share,
                   100 * margin(share, draws));
    }
    printf("Among those drawn, %lld are usable functions that differ; how many the whole space has is not "
           "known.\n",
           (long long)survey->usable);
}

static void print_estimate_json(const struct survey *survey, uint64_t strings, bool exact, double approximate)
{
    struct json json = {0};
    double draws = (double)survey->strings;
    json_object(&json, NULL);
    if (exact && strings <= INT64_MAX)
        json_int(&json, "strings", (int64_t)strings);
    else
        json_real(&json, "strings", approximate);
    json_null(&json, "distinct");
    json_null(&json, "usable");
    json_null(&json, "rejected");
    json_object(&json, "estimate");
    json_int(&json, "draws", survey->strings);
    json_int(&json, "distinct_among_draws", survey_distinct(survey));
    json_real(&json, "usable_share", (double)(survey->usable + survey->duplicates) / draws);
    json_rejected(&json, "rejected_share", survey, draws);
    json_end(&json);
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
}

/* ---- the command --------------------------------------------------------------------------------------- */

static int answer(const struct arguments *arguments, const struct space *space)
{
    bool exact = true;
    double approximate = 0;
    uint64_t strings = space_strings(space, &exact, &approximate);
    bool small = exact && strings <= STRINGS_MAX;
    struct rng rng = rng_seed(arguments->seed, "space", 0);
    if (arguments->mode == MODE_SAMPLE) {
        list_strings(space, (uint64_t)arguments->sample, &rng, arguments->json);
        return STATUS_DONE;
    }
    if (arguments->mode == MODE_LIST) {
        if (small) {
            list_strings(space, strings, NULL, arguments->json);
            return STATUS_DONE;
        }
        fprintf(stderr,
                "actsearch space: %s: the space has %.4g strings, more than the %d that can be listed; "
                "--sample N lists N of them\n",
                arguments->path, approximate, STRINGS_MAX);
        return STATUS_FAILED;
    }
    struct survey survey;
    survey_start(&survey, space);
    fill_survey(&survey, small ? strings : ESTIMATE_DRAWS, small ? NULL : &rng);
    if (small && arguments->json)
        print_count_json(&survey);
    else if (small)
        print_count(&survey);
    else if (arguments->json)
        print_estimate_json(&survey, strings, exact, approximate);
    else
        print_estimate(&survey, approximate);
    survey_release(&survey);
    return STATUS_DONE;
}

int cli_space(int argc, char **argv)
{
    struct arguments arguments = {.seed = 1};
    struct experiment *experiment = NULL;
    struct space *space = NULL;
    struct problem problem;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    int err = experiment_load(arguments.path, arguments.overrides.items, arguments.overrides.count,
                              &experiment, &problem);
    if (!err)
        err = space_new(&experiment->space, &space, &problem);
    int status = err ? print_problem(argv[0], NULL, &problem) : answer(&arguments, space);
    if (err == ERR_USAGE)
        status = STATUS_USAGE;
    space_destroy(&space);
    experiment_destroy(&experiment);
    option_list_release(&arguments.overrides);
    return status;
}
