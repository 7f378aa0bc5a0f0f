#include "cli/study_file.h"

#include "cli/study_lines.h"
#include "common/functions.h"
#include "common/ini.h"
#include "common/json.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
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

/* A section of a network must be of one that is studied: a slip of the pen would be without effect. Where an override
 * has narrowed the list, those of the others rest. */
static int check_sections(const struct study_lines *lines, const struct study *study, struct problem *problem)
{
    for (int i = 0; i < lines->pair_count; i++) {
        const char *section = lines->pairs[i].section;
        if (!study_pair_of_network(&lines->pairs[i]))
            continue;
        const bool model = begins(section, "model ");
        const char *name = strchr(section, ' ') + 1;
        char *const *names = model ? study->models : study->data;
        const int count = model ? study->model_count : study->data_count;
        bool found = study_lines_overridden(lines, model ? "models" : "data");
        for (int k = 0; k < count && !found; k++)
            found = strcmp(names[k], name) == 0;
        if (!found) {
            return problem_at(problem, ERR_INPUT, lines->pairs[i].line, 0, "[%.60s]: study.%s has no '%.60s'",
                              section, model ? "models" : "data", name);
        }
    }
    return 0;
}

/* Whether a line is for this network on this data set: 0 not, else how much it counts against others. */
static int weight_of(const struct study_pair *pair, const char *model, const char *data)
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
static const char *rates_of(const struct study_lines *lines, const char *model, const char *data)
{
    const char *rates = lines->head.lrs;
    for (int weight = 1; weight <= WEIGHTS; weight++)
        for (int i = 0; i < lines->pair_count; i++)
            if (strcmp(lines->pairs[i].key, "lrs") == 0 && weight_of(&lines->pairs[i], model, data) == weight)
                rates = lines->pairs[i].value;
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

static int set_child(const struct study_lines *lines, const char *model, const char *data,
                     struct experiment *experiment, struct problem *problem)
{
    int err = experiment_set(experiment, "child", "model", model, problem);
    if (!err)
        err = experiment_set(experiment, "child", "data", data, problem);
    for (int weight = 1; weight <= WEIGHTS; weight++)
        for (int i = 0; i < lines->pair_count && !err; i++) {
            const struct study_pair *pair = &lines->pairs[i];
            if (weight_of(pair, model, data) == weight && strcmp(pair->key, "lrs") != 0)
                err = experiment_set(experiment, "child", pair->key, pair->value, problem);
        }
    return err;
}

/* What no result depends on is in the file of a cell as it is in that of the study. */
static int set_operational(const struct study_lines *lines, struct experiment *experiment,
                           struct problem *problem)
{
    int err = 0;
    for (int i = 0; i < lines->pair_count && !err; i++) {
        const struct study_pair *pair = &lines->pairs[i];
        if (study_pair_operational(pair))
            err = experiment_set(experiment, pair->section, pair->key, pair->value, problem);
    }
    return err;
}

static void put_operational(const struct study_lines *lines, struct buf *text)
{
    for (int i = 0; i < lines->pair_count; i++) {
        const struct study_pair *pair = &lines->pairs[i];
        bool last = study_pair_operational(pair); /* an override stands behind what it replaces */
        for (int k = i + 1; k < lines->pair_count && last; k++)
            last = strcmp(lines->pairs[k].section, pair->section) != 0 ||
                   strcmp(lines->pairs[k].key, pair->key) != 0;
        if (last)
            buf_printf(text, "\n[%s]\n%s = %s\n", pair->section, pair->key, pair->value);
    }
}

static int add_cell(const struct study_lines *lines, struct study *study, int data, int model, int rate,
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
        err = set_child(lines, study->models[model], study->data[data], cell->experiment, problem);
    if (!err)
        err = experiment_set(cell->experiment, "child", "lr", lr_text, problem);
    if (!err)
        err = set_operational(lines, cell->experiment, problem);
    if (!err && (err = experiment_check(cell->experiment, problem)) != 0)
        problem_prefix(problem, "%s", cell->name);
    if (!err) {
        struct buf text = {0};
        char *canonical = experiment_text(cell->experiment);
        buf_printf(&text, "%s", canonical);
        put_operational(lines, &text);
        cell->text = (char *)text.data;
        free(canonical);
    }
    return err;
}

static int make_cells(const struct study_lines *lines, struct study *study, struct problem *problem)
{
    int err = 0;
    for (int d = 0; d < study->data_count && !err; d++)
        for (int m = 0; m < study->model_count && !err; m++) {
            double rates[STUDY_MAX_RATES];
            int count = 0;
            struct experiment *draft = NULL;
            err = start_experiment(study, &draft, problem);
            if (!err)
                err = set_child(lines, study->models[m], study->data[d], draft, problem);
            if (!err)
                err = read_rates(rates_of(lines, study->models[m], study->data[d]), draft->child.lr, rates,
                                 &count, problem);
            experiment_destroy(&draft);
            for (int r = 0; r < count && !err; r++)
                err = add_cell(lines, study, d, m, r, rates[r], problem);
        }
    return err;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static int build(const struct study_lines *lines, struct study *study, struct problem *problem)
{
    const struct study_head *head = &lines->head;
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
        err = check_sections(lines, study, problem);
    return err ? err : make_cells(lines, study, problem);
}

int study_parse(const char *name, const char *text, const char *const *overrides, int override_count,
                struct study **ret_study, struct problem *problem)
{
    struct study_lines lines;
    struct study *study = xcalloc(1, sizeof *study);
    int err = study_lines_read(name, text, overrides, override_count, &lines, problem);
    if (!err && (err = build(&lines, study, problem)) != 0)
        study_lines_place(&lines, problem, err);
    study_lines_release(&lines);
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
