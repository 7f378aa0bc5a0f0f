#include "cli/study_lines.h"

#include "cli/study_file.h"
#include "common/ini.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OVERRIDDEN = -1 }; /* in head_line */

/* ---- the keys of [study] ------------------------------------------------------------------------------- */

#define KEY(key_, type_, ...)                                                                                \
    {                                                                                                        \
        .section = "study", .key = #key_, .type = type_, SETTING_FIELD(struct study_head, key_),             \
        .allowed = __VA_ARGS__                                                                               \
    }
static const struct setting keys[] = {
    KEY(name, SETTING_NAME, {.whole = {0, 0}}),
    KEY(seed, SETTING_INT, {.whole = {0, INT64_MAX}}),
    KEY(seeds, SETTING_INT, {.whole = {1, 1000}}),
    KEY(functions, SETTING_LIST, {.whole = {1, STUDY_MAX_FUNCTIONS}}),
    KEY(models, SETTING_LIST, {.whole = {1, STUDY_MAX_MODELS}}),
    KEY(data, SETTING_LIST, {.whole = {1, STUDY_MAX_DATA}}),
    KEY(lrs, SETTING_LIST, {.whole = {1, STUDY_MAX_RATES}}),
    KEY(against, SETTING_LIST, {.whole = {1, 1}}),
};
enum { KEYS = sizeof keys / sizeof *keys };

/* ---- lines ------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool of_a_network(const char *section)
{
    return begins(section, "model ") || begins(section, "data ");
}

static bool is_operational(const char *section)
{
    return strcmp(section, "queue") == 0 || strcmp(section, "log") == 0;
}

static int refuse_section(const char *section, struct problem *problem)
{
    return problem_set(
        problem, ERR_INPUT,
        "there is no section [%.48s] in a study; the sections are [study] [child] [model NAME] "
        "[data NAME] [queue] [log]",
        section);
}

/* Keys of [child] that a study sets itself. */
static const char *own_key(const char *key)
{
    return strcmp(key, "model") == 0   ? "study.models"
           : strcmp(key, "data") == 0  ? "study.data"
           : strcmp(key, "seeds") == 0 ? "study.seeds"
                                       : NULL;
}

static int check_pair(struct study_lines *lines, const char *section, const char *key, const char *value,
                      struct problem *problem)
{
    const bool child = strcmp(section, "child") == 0 || of_a_network(section);
    if (!child && !is_operational(section))
        return refuse_section(section, problem);
    if (child && own_key(key))
        return problem_set(problem, ERR_INPUT, "%.60s.%s: a study has %s", section, key, own_key(key));
    if (of_a_network(section) && strcmp(key, "lrs") == 0) {
        struct study_head unused = {0};
        int err = setting_set(setting_find(keys, KEYS, "study", "lrs"), &unused, value, problem);
        free(unused.lrs);
        return err;
    }
    return experiment_set(lines->scratch, child ? "child" : section, key, value, problem);
}

static int take_head(struct study_lines *lines, const char *key, const char *value, int line,
                     struct problem *problem)
{
    const struct setting *setting = setting_find(keys, KEYS, "study", key);
    if (!setting) {
        const char *nearest = setting_nearest(keys, KEYS, "study", key);
        struct buf allowed = {0};
        for (int i = 0; i < KEYS; i++)
            buf_printf(&allowed, "%s%s", i ? ", " : "", keys[i].key);
        problem_set(problem, ERR_INPUT, "[study] has no key '%.48s'%s%s%s; the keys are %s", key,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "",
                    buf_text(&allowed));
        buf_release(&allowed);
        return ERR_INPUT;
    }
    int *first = &lines->head_line[setting - keys];
    if (*first && !lines->overriding)
        return problem_set(problem, ERR_INPUT, "study.%s stands there twice, first in line %d", key, *first);
    *first = lines->overriding ? OVERRIDDEN : line;
    int err = setting_set(setting, &lines->head, value, problem);
    if (err)
        problem_prefix(problem, "study.%s", key);
    return err;
}

static int take_pair(void *context, const char *section, const char *key, const char *value, int line,
                     struct problem *problem)
{
    struct study_lines *lines = context;
    if (strcmp(section, "study") == 0)
        return take_head(lines, key, value, line, problem);
    for (int i = 0; i < lines->pair_count && !lines->overriding; i++)
        if (strcmp(lines->pairs[i].section, section) == 0 && strcmp(lines->pairs[i].key, key) == 0)
            return problem_set(problem, ERR_INPUT, "%.60s.%.48s stands there twice, first in line %d",
                               section, key, lines->pairs[i].line);
    int err = check_pair(lines, section, key, value, problem);
    if (err)
        return err;
    lines->pairs = xrealloc(lines->pairs, (size_t)lines->pair_count + 1, sizeof *lines->pairs);
    lines->pairs[lines->pair_count++] =
        (struct study_pair){xstrdup(section), xstrdup(key), xstrdup(value), line};
    return 0;
}

/* "section.key=value"; a section may have dots in it ("model net.2"), a key has none. */
static int take_override(struct study_lines *lines, const char *text, struct problem *problem)
{
    const char *equals = strchr(text, '='), *dot = equals;
    while (dot && dot > text && *dot != '.')
        dot--;
    int err;
    if (!equals || dot == text || strlen(text) > INI_VALUE_MAX) {
        err = problem_set(problem, ERR_INPUT, "expected section.key=value");
    } else {
        char *section = xasprintf("%.*s", (int)(dot - text), text);
        char *key = xasprintf("%.*s", (int)(equals - dot - 1), dot + 1);
        err = take_pair(lines, section, key, equals + 1, 0, problem);
        free(section);
        free(key);
    }
    if (err)
        problem_prefix(problem, "--set %.120s", text);
    return err ? ERR_USAGE : 0;
}

int study_lines_place(const struct study_lines *lines, struct problem *problem, int err)
{
    for (int i = 0; i < KEYS && problem->line == 0; i++) {
        char *start = xasprintf("study.%s: ", keys[i].key);
        if (begins(problem->text, start))
            problem->line = lines->head_line[i] == OVERRIDDEN ? 0 : lines->head_line[i];
        free(start);
    }
    if (problem->line > 0)
        problem_prefix(problem, "%.200s:%d", lines->name, problem->line);
    else
        problem_prefix(problem, "%.200s", lines->name);
    return err;
}

bool study_lines_overridden(const struct study_lines *lines, const char *key)
{
    return lines->head_line[setting_find(keys, KEYS, "study", key) - keys] == OVERRIDDEN;
}

bool study_pair_of_network(const struct study_pair *pair)
{
    return of_a_network(pair->section);
}

bool study_pair_operational(const struct study_pair *pair)
{
    return is_operational(pair->section);
}

int study_lines_read(const char *name, const char *text, const char *const *overrides, int override_count,
                     struct study_lines *ret_lines, struct problem *problem)
{
    *ret_lines = (struct study_lines){.name = name,
                                      .head = {.name = "study",
                                               .seed = 1,
                                               .seeds = 5,
                                               .models = xstrdup("cnn"),
                                               .data = xstrdup("fashion-mnist")},
                                      .head_line = xcalloc(KEYS, sizeof(int))};
    *problem = (struct problem){0};
    int err = experiment_parse("", "[search]\nalgorithm = none\n", NULL, 0, &ret_lines->scratch, problem);
    assert(err == 0);
    err = ini_read(text, take_pair, ret_lines, problem);
    if (err)
        study_lines_place(ret_lines, problem, err);
    ret_lines->overriding = true;
    for (int i = 0; i < override_count && !err; i++)
        err = take_override(ret_lines, overrides[i], problem);
    return err;
}

void study_lines_release(struct study_lines *lines)
{
    for (int i = 0; i < lines->pair_count; i++) {
        free(lines->pairs[i].section);
        free(lines->pairs[i].key);
        free(lines->pairs[i].value);
    }
    free(lines->pairs);
    free(lines->head_line);
    free(lines->head.functions);
    free(lines->head.models);
    free(lines->head.data);
    free(lines->head.lrs);
    free(lines->head.against);
    experiment_destroy(&lines->scratch);
}
