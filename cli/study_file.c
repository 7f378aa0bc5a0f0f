#include "cli/study_file.h"

#include "common/functions.h"
#include "common/ini.h"
#include "common/json.h"
#include "common/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the keys of [study] ------------------------------------------------------------------------------- */

struct head {
    char name[NAME_BYTES];
    int64_t seed, seeds;
    char *functions, *models, *data, *lrs, *against; /* lists */
};

#define KEY(key_, type_, ...)                                                                                \
    {                                                                                                        \
        .section = "study", .key = #key_, .type = type_, SETTING_FIELD(struct head, key_),                   \
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

/* ---- reading ------------------------------------------------------------------------------------------- */

/* A line of another section, which some or all cells take over. */
struct pair {
    char *section, *key, *value; /* "child", "model NAME", "data NAME", "queue", "log" */
    int line;                    /* 0: an override */
};

enum { OVERRIDDEN = -1 };

struct reading {
    const char *name;
    struct head head;
    int head_line[KEYS]; /* 0: not in the file; OVERRIDDEN */
    struct pair *pairs;
    int pair_count;
    struct experiment *scratch; /* takes each line, to see whether it can be taken */
    bool overriding;
};

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

static int check_pair(struct reading *reading, const char *section, const char *key, const char *value,
                      struct problem *problem)
{
    const bool child = strcmp(section, "child") == 0 || of_a_network(section);
    if (!child && !is_operational(section))
        return refuse_section(section, problem);
    if (child && own_key(key))
        return problem_set(problem, ERR_INPUT, "%.60s.%s: a study has %s", section, key, own_key(key));
    if (of_a_network(section) && strcmp(key, "lrs") == 0) {
        struct head unused = {0};
        int err = setting_set(setting_find(keys, KEYS, "study", "lrs"), &unused, value, problem);
        free(unused.lrs);
        return err;
    }
    return experiment_set(reading->scratch, child ? "child" : section, key, value, problem);
}

static int take_head(struct reading *reading, const char *key, const char *value, int line,
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
    int *first = &reading->head_line[setting - keys];
    if (*first && !reading->overriding)
        return problem_set(problem, ERR_INPUT, "study.%s stands there twice, first in line %d", key, *first);
    *first = reading->overriding ? OVERRIDDEN : line;
    int err = setting_set(setting, &reading->head, value, problem);
    if (err)
        problem_prefix(problem, "study.%s", key);
    return err;
}

static int take_pair(void *context, const char *section, const char *key, const char *value, int line,
                     struct problem *problem)
{
    struct reading *reading = context;
    if (strcmp(section, "study") == 0)
        return take_head(reading, key, value, line, problem);
    for (int i = 0; i < reading->pair_count && !reading->overriding; i++)
        if (strcmp(reading->pairs[i].section, section) == 0 && strcmp(reading->pairs[i].key, key) == 0)
            return problem_set(problem, ERR_INPUT, "%.60s.%.48s stands there twice, first in line %d",
                               section, key, reading->pairs[i].line);
    int err = check_pair(reading, section, key, value, problem);
    if (err)
        return err;
    reading->pairs = xrealloc(reading->pairs, (size_t)reading->pair_count + 1, sizeof *reading->pairs);
    reading->pairs[reading->pair_count++] =
        (struct pair){xstrdup(section), xstrdup(key), xstrdup(value), line};
    return 0;
}

/* "section.key=value"; a section may have dots in it ("model net.2"), a key has none. */
static int take_override(struct reading *reading, const char *text, struct problem *problem)
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
        err = take_pair(reading, section, key, equals + 1, 0, problem);
        free(section);
        free(key);
    }
    if (err)
        problem_prefix(problem, "--set %.120s", text);
    return err ? ERR_USAGE : 0;
}

/* Puts file and line before a problem that begins with "study.key: ", or that has a line. */
static int place(const struct reading *reading, struct problem *problem, int err)
{
    for (int i = 0; i < KEYS && problem->line == 0; i++) {
        char *start = xasprintf("study.%s: ", keys[i].key);
        if (begins(problem->text, start))
            problem->line = reading->head_line[i] == OVERRIDDEN ? 0 : reading->head_line[i];
        free(start);
    }
    if (problem->line > 0)
        problem_prefix(problem, "%.200s:%d", reading->name, problem->line);
    else
        problem_prefix(problem, "%.200s", reading->name);
    return err;
}

/* ---- functions ----------------------------------------------------------------------------------------- */

/* "LABEL: FORMULA", a name, or a formula. */
static int read_function(const char *item, struct study_function *function, struct expr **ret_expr,
                         struct problem *problem)
{
    const char *colon = strchr(item, ':'), *formula = colon ? colon + 1 : item;
    const size_t length = colon ? (size_t)(colon - item) : strlen(item);
    formula += strspn(formula, " \t\r\n");
    if (colon && (length == 0 || length >= sizeof function->label))
        return problem_set(
            problem, ERR_INPUT,
            "study.functions: '%.60s': expected a label of 1 to %d characters before the colon", item,
            STUDY_MAX_LABEL - 1);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)item[i] < ' ' || item[i] == 127)
            return problem_set(problem, ERR_INPUT, "study.functions: '%.60s': a control character", item);
    const size_t kept =
        text_utf8_prefix(item, length < sizeof function->label ? length : sizeof function->label - 1);
    memcpy(function->label, item, kept);
    function->label[kept] = '\0';
    const char *text = expr_known_text(formula);
    int err = expr_parse(text, ret_expr, problem);
    if (err) {
        char *shown = expr_problem_text(text, problem);
        problem->line = problem->column = 0;
        problem_set(problem, err, "study.functions: %.400s", shown);
        free(shown);
        return err;
    }
    struct expr *canonical = expr_canon(*ret_expr);
    function->activation = expr_print(canonical);
    expr_destroy(&canonical);
    return 0;
}

static int refuse_twin(const struct study *study, int64_t twin, struct problem *problem)
{
    return problem_set(
        problem, ERR_INPUT,
        "study.functions: %s and %s are the same function (functions are told apart on [-5, 5])",
        study->functions[twin].label, study->functions[study->function_count - 1].label);
}

static int read_functions(const char *text, struct study *study, struct problem *problem)
{
    struct text_list list = {0};
    int err = text_list_parse(text, STUDY_MAX_FUNCTIONS, &list, problem);
    struct functions *distinct = functions_new();
    study->functions = xcalloc((size_t)list.count, sizeof *study->functions);
    for (int i = 0; i < list.count && !err; i++) {
        struct expr *expr = NULL;
        struct study_function *function = &study->functions[study->function_count++];
        err = read_function(list.items[i], function, &expr, problem);
        bool is_new = true;
        const struct function *known = err ? NULL : functions_add(distinct, expr, &is_new);
        if (!err && !is_new)
            err = refuse_twin(study, known->id, problem);
        for (int k = 0; k < i && !err; k++)
            if (strcmp(study->functions[k].label, function->label) == 0)
                err = problem_set(
                    problem, ERR_INPUT,
                    "study.functions: two are called %s; give one of them a name, as in 'mine: FORMULA'",
                    function->label);
        expr_destroy(&expr);
    }
    functions_destroy(&distinct);
    text_list_release(&list);
    return err;
}

/* The function of that label, or that formula. */
static int find_against(const char *text, struct study *study, struct problem *problem)
{
    struct study_function meant = {0};
    struct expr *expr = NULL;
    struct text_list list = {0};
    int err = text_list_parse(text, 1, &list, problem);
    for (int i = 0; i < study->function_count && !err; i++)
        if (strcmp(study->functions[i].label, list.items[0]) == 0) {
            study->against = i;
            text_list_release(&list);
            return 0;
        }
    study->against = -1;
    struct problem ignored;
    if (!err && read_function(list.items[0], &meant, &expr, &ignored) == 0)
        for (int i = 0; i < study->function_count; i++)
            if (strcmp(study->functions[i].activation, meant.activation) == 0)
                study->against = i;
    if (!err && study->against < 0)
        err = problem_set(problem, ERR_INPUT, "study.against: expected one of study.functions, not '%.60s'",
                          list.items[0]);
    expr_destroy(&expr);
    free(meant.activation);
    text_list_release(&list);
    return err;
}

/* ---- models, data sets, learning rates ----------------------------------------------------------------- */

static int read_names(const char *key, const char *text, char **names, int limit, int *ret_count,
                      struct problem *problem)
{
    struct text_list list = {0};
    int err = text_list_parse(text, limit, &list, problem);
    for (int i = 0; i < list.count && !err; i++) {
        err = text_name(list.items[i], NAME_BYTES, problem);
        for (int k = 0; k < i && !err; k++)
            if (strcmp(names[k], list.items[i]) == 0)
                err = problem_set(problem, ERR_INPUT, "'%s' stands there twice", names[k]);
        if (!err)
            names[(*ret_count)++] = xstrdup(list.items[i]);
    }
    text_list_release(&list);
    if (err)
        problem_prefix(problem, "study.%s", key);
    return err;
}

static int line_of(const struct reading *reading, const char *key)
{
    return reading->head_line[setting_find(keys, KEYS, "study", key) - keys];
}

/* A section of a network must be of one that is studied: a slip of the pen would be without effect. Where an override
 * has narrowed the list, those of the others rest. */
static int check_sections(const struct reading *reading, const struct study *study, struct problem *problem)
{
    for (int i = 0; i < reading->pair_count; i++) {
        const char *section = reading->pairs[i].section;
        if (!of_a_network(section))
            continue;
        const bool model = begins(section, "model ");
        const char *name = strchr(section, ' ') + 1;
        char *const *names = model ? study->models : study->data;
        const int count = model ? study->model_count : study->data_count;
        bool found = line_of(reading, model ? "models" : "data") == OVERRIDDEN;
        for (int k = 0; k < count && !found; k++)
            found = strcmp(names[k], name) == 0;
        if (!found) {
            return problem_at(problem, ERR_INPUT, reading->pairs[i].line, 0,
                              "[%.60s]: study.%s has no '%.60s'", section, model ? "models" : "data", name);
        }
    }
    return 0;
}

/* Whether a line is for this network on this data set: 0 not, else how much it counts against others. */
static int weight_of(const struct pair *pair, const char *model, const char *data)
{
    if (strcmp(pair->section, "child") == 0)
        return 1;
    if (begins(pair->section, "data ") && strcmp(pair->section + strlen("data "), data) == 0)
        return 2;
    if (begins(pair->section, "model ") && strcmp(pair->section + strlen("model "), model) == 0)
        return 3;
    return 0;
}

enum { WEIGHTS = 3 };

/* The grid of this network on this data set, or NULL where there is none: then it is child.lr. */
static const char *rates_of(const struct reading *reading, const char *model, const char *data)
{
    const char *rates = reading->head.lrs;
    for (int weight = 1; weight <= WEIGHTS; weight++)
        for (int i = 0; i < reading->pair_count; i++)
            if (strcmp(reading->pairs[i].key, "lrs") == 0 &&
                weight_of(&reading->pairs[i], model, data) == weight)
                rates = reading->pairs[i].value;
    return rates;
}

static int read_rates(const char *text, double fallback, double rates[STUDY_MAX_RATES], int *ret_count,
                      struct problem *problem)
{
    struct text_list list = {0};
    rates[0] = fallback;
    *ret_count = 1;
    if (!text)
        return 0;
    int err = text_list_parse(text, STUDY_MAX_RATES, &list, problem);
    for (int i = 0; i < list.count && !err; i++) {
        err = text_real(list.items[i], 0, 1000, &rates[i], problem);
        for (int k = 0; k < i && !err; k++)
            if (rates[k] == rates[i])
                err = problem_set(problem, ERR_INPUT, "%s stands there twice", list.items[i]);
    }
    if (!err)
        *ret_count = list.count;
    text_list_release(&list);
    if (err)
        problem_prefix(problem, "study.lrs");
    return err;
}

/* ---- cells --------------------------------------------------------------------------------------------- */

/* What all cells share. */
static int start_experiment(const struct study *study, struct experiment **ret_experiment,
                            struct problem *problem)
{
    struct text_list references = {.items = xcalloc((size_t)study->function_count, sizeof(char *)),
                                   .count = study->function_count};
    struct buf text = {0};
    for (int i = 0; i < study->function_count; i++)
        references.items[i] = study->functions[i].activation;
    buf_printf(&text,
               "[experiment]\nname = %s\nseed = %lld\n[search]\nalgorithm = none\nreferences = ", study->name,
               (long long)study->seed);
    text_list_put(&references, &text);
    buf_printf(&text, "\n[child]\nseeds = %lld\n", (long long)study->seeds);
    int err = experiment_parse("study.functions", buf_text(&text), NULL, 0, ret_experiment, problem);
    buf_release(&text);
    free(references.items);
    return err;
}

static int set_child(const struct reading *reading, const char *model, const char *data,
                     struct experiment *experiment, struct problem *problem)
{
    int err = experiment_set(experiment, "child", "model", model, problem);
    if (!err)
        err = experiment_set(experiment, "child", "data", data, problem);
    for (int weight = 1; weight <= WEIGHTS; weight++)
        for (int i = 0; i < reading->pair_count && !err; i++) {
            const struct pair *pair = &reading->pairs[i];
            if (weight_of(pair, model, data) == weight && strcmp(pair->key, "lrs") != 0)
                err = experiment_set(experiment, "child", pair->key, pair->value, problem);
        }
    return err;
}

/* What no result depends on is in the file of a cell as it is in that of the study. */
static int set_operational(const struct reading *reading, struct experiment *experiment,
                           struct problem *problem)
{
    int err = 0;
    for (int i = 0; i < reading->pair_count && !err; i++) {
        const struct pair *pair = &reading->pairs[i];
        if (is_operational(pair->section))
            err = experiment_set(experiment, pair->section, pair->key, pair->value, problem);
    }
    return err;
}

static void put_operational(const struct reading *reading, struct buf *text)
{
    for (int i = 0; i < reading->pair_count; i++) {
        const struct pair *pair = &reading->pairs[i];
        bool last = is_operational(pair->section); /* an override stands behind what it replaces */
        for (int k = i + 1; k < reading->pair_count && last; k++)
            last = strcmp(reading->pairs[k].section, pair->section) != 0 ||
                   strcmp(reading->pairs[k].key, pair->key) != 0;
        if (last)
            buf_printf(text, "\n[%s]\n%s = %s\n", pair->section, pair->key, pair->value);
    }
}

static int add_cell(const struct reading *reading, struct study *study, int data, int model, int rate,
                    double lr, struct problem *problem)
{
    char lr_text[REAL_TEXT];
    real_text(lr, lr_text);
    study->cells = xrealloc(study->cells, (size_t)study->cell_count + 1, sizeof *study->cells);
    struct study_cell *cell = &study->cells[study->cell_count++];
    *cell = (struct study_cell){.data = data, .model = model, .rate = rate, .lr = lr};
    cell->name = xasprintf("%s+%s+%s", study->data[data], study->models[model], lr_text);
    int err = start_experiment(study, &cell->experiment, problem);
    if (!err)
        err = set_child(reading, study->models[model], study->data[data], cell->experiment, problem);
    if (!err)
        err = experiment_set(cell->experiment, "child", "lr", lr_text, problem);
    if (!err)
        err = set_operational(reading, cell->experiment, problem);
    if (!err && (err = experiment_check(cell->experiment, problem)) != 0)
        problem_prefix(problem, "%s", cell->name);
    if (!err) {
        struct buf text = {0};
        char *canonical = experiment_text(cell->experiment);
        buf_printf(&text, "%s", canonical);
        put_operational(reading, &text);
        cell->text = (char *)text.data;
        free(canonical);
    }
    return err;
}

static int make_cells(const struct reading *reading, struct study *study, struct problem *problem)
{
    int err = 0;
    for (int d = 0; d < study->data_count && !err; d++)
        for (int m = 0; m < study->model_count && !err; m++) {
            double rates[STUDY_MAX_RATES];
            int count = 0;
            struct experiment *draft = NULL;
            err = start_experiment(study, &draft, problem);
            if (!err)
                err = set_child(reading, study->models[m], study->data[d], draft, problem);
            if (!err)
                err = read_rates(rates_of(reading, study->models[m], study->data[d]), draft->child.lr, rates,
                                 &count, problem);
            experiment_destroy(&draft);
            for (int r = 0; r < count && !err; r++)
                err = add_cell(reading, study, d, m, r, rates[r], problem);
        }
    return err;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static int build(const struct reading *reading, struct study *study, struct problem *problem)
{
    const struct head *head = &reading->head;
    memcpy(study->name, head->name, sizeof study->name);
    study->seed = head->seed;
    study->seeds = head->seeds;
    if (!head->functions)
        return problem_set(problem, ERR_INPUT, "study.functions: expected a list of functions");
    int err = read_functions(head->functions, study, problem);
    if (!err && head->against)
        err = find_against(head->against, study, problem);
    if (!err)
        err =
            read_names("models", head->models, study->models, STUDY_MAX_MODELS, &study->model_count, problem);
    if (!err)
        err = read_names("data", head->data, study->data, STUDY_MAX_DATA, &study->data_count, problem);
    if (!err)
        err = check_sections(reading, study, problem);
    return err ? err : make_cells(reading, study, problem);
}

static void reading_release(struct reading *reading)
{
    for (int i = 0; i < reading->pair_count; i++) {
        free(reading->pairs[i].section);
        free(reading->pairs[i].key);
        free(reading->pairs[i].value);
    }
    free(reading->pairs);
    free(reading->head.functions);
    free(reading->head.models);
    free(reading->head.data);
    free(reading->head.lrs);
    free(reading->head.against);
    experiment_destroy(&reading->scratch);
}

int study_parse(const char *name, const char *text, const char *const *overrides, int override_count,
                struct study **ret_study, struct problem *problem)
{
    struct reading reading = {.name = name,
                              .head = {.name = "study",
                                       .seed = 1,
                                       .seeds = 5,
                                       .models = xstrdup("cnn"),
                                       .data = xstrdup("fashion-mnist")}};
    struct study *study = xcalloc(1, sizeof *study);
    *problem = (struct problem){0};
    int err = experiment_parse("", "[search]\nalgorithm = none\n", NULL, 0, &reading.scratch, problem);
    assert(err == 0);
    err = ini_read(text, take_pair, &reading, problem);
    if (err)
        place(&reading, problem, err);
    reading.overriding = true;
    for (int i = 0; i < override_count && !err; i++)
        err = take_override(&reading, overrides[i], problem);
    if (!err && (err = build(&reading, study, problem)) != 0)
        place(&reading, problem, err);
    reading_release(&reading);
    if (err)
        study_destroy(&study);
    else
        *ret_study = study;
    return err;
}

int study_load(const char *path, const char *const *overrides, int override_count, struct study **ret_study,
               struct problem *problem)
{
    char *text = NULL;
    *problem = (struct problem){0};
    int err = ini_file(path, &text, problem);
    if (!err)
        err = study_parse(path, text, overrides, override_count, ret_study, problem);
    free(text);
    return err;
}

void study_destroy(struct study **study)
{
    if (!*study)
        return;
    for (int i = 0; i < (*study)->function_count; i++)
        free((*study)->functions[i].activation);
    free((*study)->functions);
    for (int i = 0; i < (*study)->model_count; i++)
        free((*study)->models[i]);
    for (int i = 0; i < (*study)->data_count; i++)
        free((*study)->data[i]);
    for (int i = 0; i < (*study)->cell_count; i++) {
        free((*study)->cells[i].name);
        free((*study)->cells[i].text);
        experiment_destroy(&(*study)->cells[i].experiment);
    }
    free((*study)->cells);
    free(*study);
    *study = NULL;
}
