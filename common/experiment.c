#include "common/experiment.h"

#include "common/ini.h"
#include "common/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct section {
    const char *name;
    bool operational;
    const char *meaning;
} sections[] = {
#define SECTION(name, operational, meaning) {#name, operational, meaning},
#include "common/experiment.def"
};
enum { SECTIONS = sizeof sections / sizeof *sections };

#define ROW(part, name, place, kind, text)                                                                   \
    .section = #part, .key = #name, .type = kind, .meaning = text, SETTING_FIELD(struct experiment, place)
static const struct setting settings[] = {
#define KEY_INT(section, key, field, initial, lowest, highest, text)                                         \
    {ROW(section, key, field, SETTING_INT, text), .allowed.whole = {lowest, highest}},
#define KEY_REAL(section, key, field, initial, lowest, highest, text)                                        \
    {ROW(section, key, field, SETTING_REAL, text), .allowed.real = {lowest, highest}},
#define KEY_DURATION(section, key, field, initial, lowest, highest, text)                                    \
    {ROW(section, key, field, SETTING_DURATION, text), .allowed.whole = {lowest, highest}},
#define KEY_NAME(section, key, field, initial, text) {ROW(section, key, field, SETTING_NAME, text)},
#define KEY_CHOICE(section, key, field, initial, choices, text)                                              \
    {ROW(section, key, field, SETTING_CHOICE, text), .allowed.names = choices},
#define KEY_LIST(section, key, field, initial, lowest, highest, text)                                        \
    {ROW(section, key, field, SETTING_LIST, text), .allowed.whole = {lowest, highest}},
#include "common/experiment.def"
#define CHILD_INT(key, initial, lowest, highest, text)                                                       \
    {ROW(child, key, child.key, SETTING_INT, text), .allowed.whole = {lowest, highest}},
#define CHILD_REAL(key, initial, lowest, highest, text)                                                      \
    {ROW(child, key, child.key, SETTING_REAL, text), .allowed.real = {lowest, highest}},
#define CHILD_BOOL(key, initial, text) {ROW(child, key, child.key, SETTING_BOOL, text)},
#define CHILD_NAME(key, initial, text) {ROW(child, key, child.key, SETTING_NAME, text)},
#define CHILD_CHOICE(key, enumeration, initial, choices, text)                                               \
    {ROW(child, key, child.key, SETTING_CHOICE, text), .allowed.names = choices},
#include "common/child.def"
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* Proposals for each distinct candidate after which a search that repeats itself ends. */
enum { PROPOSALS_PER_CANDIDATE = 20 };

/* Below so many strings evolution found the better functions, from there on rl: docs/search.md. */
static const double rl_strings = 1e9;

static struct experiment *experiment_defaults(void)
{
    struct experiment *experiment = xcalloc(1, sizeof *experiment);
#define KEY_INT(section, key, field, initial, low, high, meaning)      experiment->field = initial;
#define KEY_REAL(section, key, field, initial, low, high, meaning)     experiment->field = initial;
#define KEY_DURATION(section, key, field, initial, low, high, meaning) experiment->field = initial;
#define KEY_NAME(section, key, field, initial, meaning)                memcpy(experiment->field, initial, sizeof initial);
#define KEY_CHOICE(section, key, field, initial, names, meaning)       experiment->field = initial;
#define KEY_LIST(section, key, field, initial, low, high, meaning)     experiment->field = xstrdup(initial);
#include "common/experiment.def"
    experiment->child = child_defaults();
    return experiment;
}

char *experiment_database(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return xasprintf("%.*s.db", dot && dot > name ? (int)(dot - name) : (int)strlen(name), name);
}

void experiment_destroy(struct experiment **experiment)
{
    if (!*experiment)
        return;
#define KEY_LIST(section, key, field, initial, low, high, meaning) free((char *)(*experiment)->field);
#include "common/experiment.def"
    free(*experiment);
    *experiment = NULL;
}

/* Where each setting comes from, for the messages. */
struct reading {
    const char *name; /* of the file */
    const char *const *overrides;
    struct experiment *experiment;
    int line[SETTINGS];     /* 0: not in the file */
    int override[SETTINGS]; /* 1 + number of the last override that set it, or 0 */
};

/* Puts where it stands in front of a problem that begins with "section.key: " or that has a line. */
static int problem_place(const struct reading *reading, struct problem *problem, int err)
{
    for (int i = 0; i < SETTINGS && problem->line == 0; i++) {
        char start[2 * NAME_BYTES];
        int length = snprintf(start, sizeof start, "%s.%s: ", settings[i].section, settings[i].key);
        if (strncmp(problem->text, start, (size_t)length) != 0)
            continue;
        if (reading->override[i]) {
            problem_prefix(problem, "--set %.120s", reading->overrides[reading->override[i] - 1]);
            return ERR_USAGE;
        }
        problem->line = reading->line[i];
    }
    if (problem->line > 0)
        problem_prefix(problem, "%.200s:%d", reading->name, problem->line);
    else
        problem_prefix(problem, "%.200s", reading->name);
    return err;
}

static int refuse_section(const char *name, struct problem *problem)
{
    struct buf allowed = {0};
    for (int i = 0; i < SECTIONS; i++)
        buf_printf(&allowed, "%s[%s]", i ? " " : "", sections[i].name);
    const char *nearest = nearest_name(name, &sections[0].name, SECTIONS, sizeof sections[0]);
    if (!*name)
        problem_set(problem, ERR_INPUT, "a key stands before the first section; the sections are %s",
                    buf_text(&allowed));
    else if (nearest)
        problem_set(problem, ERR_INPUT, "there is no section [%.48s]; did you mean [%s]? The sections are %s",
                    name, nearest, buf_text(&allowed));
    else
        problem_set(problem, ERR_INPUT, "there is no section [%.48s]; the sections are %s", name,
                    buf_text(&allowed));
    buf_release(&allowed);
    return ERR_INPUT;
}

/* Says what the section does hold, the nearest spelling, and where the key belongs if it is another
 * section's. */
static int refuse_key(const char *section, const char *key, struct problem *problem)
{
    bool known = false;
    for (int i = 0; i < SECTIONS; i++)
        known |= strcmp(sections[i].name, section) == 0;
    if (!known)
        return refuse_section(section, problem);
    struct buf allowed = {0};
    const char *elsewhere = NULL;
    for (int i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].section, section) == 0)
            buf_printf(&allowed, "%s%s", allowed.size ? ", " : "", settings[i].key);
        else if (strcmp(settings[i].key, key) == 0)
            elsewhere = settings[i].section;
    }
    const char *nearest = setting_nearest(settings, SETTINGS, section, key);
    if (elsewhere)
        problem_set(problem, ERR_INPUT, "[%s] has no key '%.48s': it belongs to [%s]", section, key,
                    elsewhere);
    else if (nearest)
        problem_set(problem, ERR_INPUT, "[%s] has no key '%.48s'; did you mean '%s'? The keys are %s",
                    section, key, nearest, buf_text(&allowed));
    else
        problem_set(problem, ERR_INPUT, "[%s] has no key '%.48s'; the keys are %s", section, key,
                    buf_text(&allowed));
    buf_release(&allowed);
    return ERR_INPUT;
}

static int set_value(struct experiment *experiment, const struct setting *setting, const char *value,
                     struct problem *problem)
{
    int err = setting_set(setting, experiment, value, problem);
    if (!err)
        return 0;
    /* Two slips that the bare message would not explain. */
    const char *hint = "";
    if (setting->type != SETTING_LIST && strchr(value, '\n'))
        hint = " (a line that begins with a space goes on with the value above it)";
    else if (setting->type != SETTING_LIST && strpbrk(value, ";#"))
        hint = " (a comment needs a line of its own)";
    strncat(problem->text, hint, sizeof problem->text - strlen(problem->text) - 1);
    problem_prefix(problem, "%s.%s", setting->section, setting->key);
    return err;
}

int experiment_set(struct experiment *experiment, const char *section, const char *key, const char *value,
                   struct problem *problem)
{
    const struct setting *setting = setting_find(settings, SETTINGS, section, key);
    return setting ? set_value(experiment, setting, value, problem) : refuse_key(section, key, problem);
}

static int take_pair(void *context, const char *section, const char *key, const char *value, int line,
                     struct problem *problem)
{
    struct reading *reading = context;
    const struct setting *setting = setting_find(settings, SETTINGS, section, key);
    if (!setting)
        return refuse_key(section, key, problem);
    int *first = &reading->line[setting - settings];
    if (*first)
        return problem_set(problem, ERR_INPUT, "%s.%s stands there twice, first in line %d", section, key,
                           *first);
    *first = line;
    return set_value(reading->experiment, setting, value, problem);
}

static int take_override(struct reading *reading, int number, struct problem *problem)
{
    const char *text = reading->overrides[number];
    const char *equals = strchr(text, '='), *dot = strchr(text, '.');
    int err;
    if (!equals || !dot || dot > equals || strlen(text) > INI_VALUE_MAX) {
        err = problem_set(problem, ERR_INPUT, "expected section.key=value");
    } else {
        char *section = strndup(text, (size_t)(dot - text));
        char *key = strndup(dot + 1, (size_t)(equals - dot - 1));
        const struct setting *setting =
            section && key ? setting_find(settings, SETTINGS, section, key) : NULL;
        if (!setting) {
            err = refuse_key(section ? section : "", key ? key : "", problem);
        } else {
            reading->override[setting - settings] = number + 1;
            err = set_value(reading->experiment, setting, equals + 1, problem);
        }
        free(section);
        free(key);
    }
    if (err)
        problem_prefix(problem, "--set %.120s", text);
    return err ? ERR_USAGE : 0;
}

/* The canonical text holds formulas, so that it stays what it is whatever names there will be. */
static void put_formulas_for_names(struct experiment *experiment)
{
    struct text_list list = {0};
    struct problem seen_when_it_was_set;
    struct buf text = {0};
    if (!*experiment->search.references ||
        text_list_parse(experiment->search.references, INI_VALUE_MAX, &list, &seen_when_it_was_set) != 0)
        return;
    for (int i = 0; i < list.count; i++) {
        char *formula = xstrdup(expr_known_text(list.items[i]));
        free(list.items[i]);
        list.items[i] = formula;
    }
    text_list_put(&list, &text);
    text_list_release(&list);
    free(experiment->search.references);
    experiment->search.references = (char *)text.data;
}

static int check_references(struct experiment *experiment, struct problem *problem)
{
    struct expr **references = NULL;
    int count = 0;
    put_formulas_for_names(experiment);
    int err = experiment_references(experiment, &references, &count, problem);
    for (int i = 0; i < count; i++)
        expr_destroy(&references[i]);
    free(references);
    if (!err && count == 0 && experiment->search.algorithm == ALGORITHM_NONE)
        return problem_set(problem, ERR_INPUT,
                           "search.references: with search.algorithm = none they are all that is trained: "
                           "expected at least one");
    return err;
}

int64_t experiment_rung_steps(const struct experiment *experiment, int64_t rung)
{
    assert(rung >= 0 && rung < experiment->halving.rungs);
    int64_t steps = experiment->child.steps;
    for (int64_t above = experiment->halving.rungs - 1; above > rung; above--)
        steps /= experiment->halving.eta;
    return steps;
}

int64_t experiment_finals_steps(const struct experiment *experiment)
{
    return experiment->finals.steps > 0 ? experiment->finals.steps : experiment->child.steps;
}

/* Each rung trains longer than the one below, and the finals no shorter than the search. */
static int check_rungs(const struct experiment *experiment, struct problem *problem)
{
    if (experiment_finals_steps(experiment) < experiment->child.steps)
        return problem_set(problem, ERR_INPUT,
                           "finals.steps: expected 0 or at least child.steps, %lld, not %lld",
                           (long long)experiment->child.steps, (long long)experiment->finals.steps);
    if (experiment_rung_steps(experiment, 0) > 0)
        return 0;
    return problem_set(
        problem, ERR_INPUT,
        "halving.rungs: with child.steps = %lld and halving.eta = %lld, the lowest of %lld rungs "
        "would train less than one step: expected fewer rungs, or more steps",
        (long long)experiment->child.steps, (long long)experiment->halving.eta,
        (long long)experiment->halving.rungs);
}

/* When the search ends; fills in the number of proposals. */
static int check_limits(struct experiment *experiment, struct problem *problem)
{
    const int64_t candidates = experiment->search.candidates;
    int64_t *proposals = &experiment->search.proposals;
    if (experiment->search.algorithm == ALGORITHM_NONE) {
        if (candidates != 0 || *proposals != 0)
            return problem_set(problem, ERR_INPUT,
                               "search.%s: expected 0, since search.algorithm = none proposes nothing",
                               candidates != 0 ? "candidates" : "proposals");
    } else if (experiment->search.algorithm != ALGORITHM_EXHAUSTIVE) {
        if (candidates == 0)
            return problem_set(problem, ERR_INPUT,
                               "search.candidates: expected 1 or more: how many distinct functions to try");
        if (*proposals == 0 &&
            __builtin_mul_overflow(candidates, (int64_t)PROPOSALS_PER_CANDIDATE, proposals))
            *proposals = INT64_MAX;
    }
    if (*proposals != 0 && *proposals < candidates)
        return problem_set(problem, ERR_INPUT,
                           "search.proposals: expected at least search.candidates, %lld, not %lld",
                           (long long)candidates, (long long)*proposals);
    return 0;
}

/* Looks at the space, and picks the algorithm for its size where none is given. */
static int check_space(struct experiment *experiment, struct problem *problem)
{
    struct space *space = NULL;
    bool exact = true;
    double strings = 0;
    int err = space_new(&experiment->space, &space, problem);
    if (err)
        return err;
    space_strings(space, &exact, &strings);
    space_destroy(&space);
    if (experiment->search.algorithm == ALGORITHM_AUTO)
        experiment->search.algorithm = strings < rl_strings ? ALGORITHM_EVOLUTION : ALGORITHM_RL;
    if (experiment->search.algorithm == ALGORITHM_EXHAUSTIVE && !exact)
        return problem_set(problem, ERR_INPUT,
                           "search.algorithm: the space has more than 2^64 strings, too many for exhaustive");
    return 0;
}

/* What is wrong comes before what is missing. */
int experiment_check(struct experiment *experiment, struct problem *problem)
{
    if (2 * experiment->queue.heartbeat_ms > experiment->queue.lease_ms)
        return problem_set(problem, ERR_INPUT,
                           "queue.heartbeat: expected at most half of queue.lease (%lldms), not %lldms",
                           (long long)experiment->queue.lease_ms, (long long)experiment->queue.heartbeat_ms);
    int err = child_check(&experiment->child, problem);
    if (!err)
        err = check_rungs(experiment, problem);
    if (!err)
        err = check_space(experiment, problem);
    if (!err)
        err = check_references(experiment, problem);
    return err ? err : check_limits(experiment, problem);
}

int experiment_parse(const char *name, const char *text, const char *const *overrides, int override_count,
                     struct experiment **ret_experiment, struct problem *problem)
{
    struct reading reading = {.name = name, .overrides = overrides, .experiment = experiment_defaults()};
    *problem = (struct problem){0};
    int err = ini_read(text, take_pair, &reading, problem);
    if (err)
        problem_place(&reading, problem, err);
    for (int i = 0; i < override_count && !err; i++)
        err = take_override(&reading, i, problem);
    if (!err) {
        err = experiment_check(reading.experiment, problem);
        if (err)
            err = problem_place(&reading, problem, err);
    }
    if (err)
        experiment_destroy(&reading.experiment);
    else
        *ret_experiment = reading.experiment;
    return err;
}

int experiment_load(const char *path, const char *const *overrides, int override_count,
                    struct experiment **ret_experiment, struct problem *problem)
{
    char *text = NULL;
    *problem = (struct problem){0};
    int err = ini_file(path, &text, problem);
    if (!err)
        err = experiment_parse(path, text, overrides, override_count, ret_experiment, problem);
    free(text);
    return err;
}

char *experiment_text(const struct experiment *experiment)
{
    struct buf text = {0};
    for (int s = 0; s < SECTIONS; s++) {
        if (sections[s].operational)
            continue;
        buf_printf(&text, "%s[%s]\n", s ? "\n" : "", sections[s].name);
        for (int i = 0; i < SETTINGS; i++) {
            if (strcmp(settings[i].section, sections[s].name) != 0)
                continue;
            buf_printf(&text, "%s = ", settings[i].key);
            setting_print(&settings[i], experiment, &text);
            buf_put(&text, "\n", 1);
        }
    }
    return (char *)text.data;
}

int experiment_references(const struct experiment *experiment, struct expr ***ret_exprs, int *ret_count,
                          struct problem *problem)
{
    struct text_list list = {0};
    int err = *experiment->search.references
                  ? text_list_parse(experiment->search.references, INI_VALUE_MAX, &list, problem)
                  : 0;
    if (err) {
        problem_prefix(problem, "search.references");
        return err;
    }
    struct expr **exprs = xcalloc((size_t)list.count, sizeof *exprs);
    int parsed = 0;
    while (parsed < list.count && !(err = expr_parse(list.items[parsed], &exprs[parsed], problem)))
        parsed++;
    if (err) {
        char *shown = expr_problem_text(list.items[parsed], problem);
        problem_set(problem, err, "search.references: item %d of %d:\n%.400s", parsed + 1, list.count, shown);
        free(shown);
        for (int i = 0; i < parsed; i++)
            expr_destroy(&exprs[i]);
        free(exprs);
    } else {
        *ret_exprs = exprs;
        *ret_count = list.count;
    }
    text_list_release(&list);
    return err;
}

/* The pairs of one canonical text. */
struct pairs {
    struct {
        char *name; /* "section.key" */
        char *value;
    } * items;
    int count;
};

static int take_any(void *context, const char *section, const char *key, const char *value, int line,
                    struct problem *problem)
{
    (void)line, (void)problem;
    struct pairs *pairs = context;
    pairs->items = xrealloc(pairs->items, (size_t)pairs->count + 1, sizeof *pairs->items);
    pairs->items[pairs->count].name = xasprintf("%s.%s", section, key);
    pairs->items[pairs->count++].value = xstrdup(value);
    return 0;
}

static const char *pairs_value(const struct pairs *pairs, const char *name)
{
    for (int i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].name, name) == 0)
            return pairs->items[i].value;
    return NULL;
}

static void pairs_release(struct pairs *pairs)
{
    for (int i = 0; i < pairs->count; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

char *experiment_difference(const char *text_a, const char *text_b)
{
    struct pairs a = {0}, b = {0};
    struct problem ignored;
    struct buf text = {0};
    buf_put(&text, "", 0);
    ini_read(text_a, take_any, &a, &ignored);
    ini_read(text_b, take_any, &b, &ignored);
    for (int i = 0; i < a.count; i++) {
        const char *other = pairs_value(&b, a.items[i].name);
        if (!other || strcmp(other, a.items[i].value) != 0)
            buf_printf(&text, "%s: %s -> %s\n", a.items[i].name, a.items[i].value,
                       other ? other : "(absent)");
    }
    for (int i = 0; i < b.count; i++)
        if (!pairs_value(&a, b.items[i].name))
            buf_printf(&text, "%s: (absent) -> %s\n", b.items[i].name, b.items[i].value);
    pairs_release(&a);
    pairs_release(&b);
    return (char *)text.data;
}

char *experiment_help(bool markdown)
{
    struct experiment *defaults = experiment_defaults();
    struct buf text = {0}, value = {0}, allowed = {0};
    for (int s = 0; s < SECTIONS; s++) {
        const char *note = sections[s].operational ? " (operational: may change between starts)" : "";
        if (markdown)
            buf_printf(&text,
                       "%s## [%s]\n\n%s%s\n\n| key | default | allowed | meaning |\n|---|---|---|---|\n",
                       s ? "\n" : "", sections[s].name, sections[s].meaning, note);
        else
            buf_printf(&text, "%s[%s]  %s%s\n", s ? "\n" : "", sections[s].name, sections[s].meaning, note);
        for (int i = 0; i < SETTINGS; i++) {
            if (strcmp(settings[i].section, sections[s].name) != 0)
                continue;
            buf_clear(&value);
            buf_clear(&allowed);
            setting_print(&settings[i], defaults, &value);
            setting_print_allowed(&settings[i], &allowed);
            if (markdown)
                buf_printf(&text, "| `%s` | `%s` | %s | %s |\n", settings[i].key, buf_text(&value),
                           buf_text(&allowed), settings[i].meaning);
            else
                buf_printf(&text, "    %s = %s    (%s)\n        %s\n", settings[i].key, buf_text(&value),
                           buf_text(&allowed), settings[i].meaning);
        }
    }
    buf_release(&value);
    buf_release(&allowed);
    experiment_destroy(&defaults);
    return (char *)text.data;
}
