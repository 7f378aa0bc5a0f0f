#include "cli/ranking.h"

#include "common/expr/function.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "common/buf.h"
#include "common/expr/expr.h"
#include "common/json.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name under which people know the function, NULL where it has none. */
static const char *known_name(const char *activation)
{
    struct expr *expr = NULL;
    struct problem problem;
    if (expr_parse(activation, &expr, &problem) != 0)
        return NULL;
    const char *name = function_known_name(expr);
    expr_destroy(&expr);
    return name;
}

/* ---- what nothing beats -------------------------------------------------------------------------------- */

bool pareto_keeps(struct pareto *pareto, const struct ranking_row *row)
{
    if (!pareto->any)
        *pareto = (struct pareto){true, row->steps, row->accuracy_mean, HUGE_VAL, HUGE_VAL};
    if (row->steps != pareto->steps || row->accuracy_mean != pareto->accuracy) {
        pareto->cost_of_better = fmin(pareto->cost_of_better, pareto->cost_of_equal);
        pareto->cost_of_equal = HUGE_VAL;
        pareto->steps = row->steps;
        pareto->accuracy = row->accuracy_mean;
    }
    if (!isfinite(row->cost_ns))
        return false;
    pareto->cost_of_equal = fmin(pareto->cost_of_equal, row->cost_ns);
    return row->cost_ns <= pareto->cost_of_better;
}

/* ---- for people ---------------------------------------------------------------------------------------- */

struct table_context {
    const struct ranking_options *options;
    bool narrow; /* without parameters and time, and names beside the functions */
    struct table *table;
    struct pareto pareto;
    int64_t shown, rows;
    int64_t last_rank; /* of the row printed last */
    bool like_next;    /* a row does not differ from the next beyond noise */
};

static void put_count(char text[32], int64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

/* Empty where it is not known. */
static void measure_cell(struct table *table, double value, const char *unit, int decimals)
{
    if (isfinite(value))
        table_cell(table, "%.*f %s", decimals, value, unit);
    else
        table_cell(table, "%s", "");
}

static bool table_visit(void *context, const struct ranking_row *row)
{
    struct table_context *list = context;
    const int64_t limit = list->options->limit;
    if (list->options->pareto && !pareto_keeps(&list->pareto, row))
        return true;
    list->rows++;
    bool within = limit == 0 || list->shown < limit;
    if (!within && !row->reference)
        return true;
    if (!list->options->pareto && row->rank > list->last_rank + 1) {
        table_row(list->table);
        table_cell(list->table, "…");
    }
    list->shown += within;
    list->last_rank = row->rank;

    const bool like_next = row->distinct_from_next == 0;
    char parameters[32];
    put_count(parameters, row->parameters);
    const char *name = known_name(row->activation);
    table_row(list->table);
    table_cell(list->table, "%lld", (long long)row->rank);
    table_cell(list->table, "%.2f %%", 100 * row->accuracy_mean);
    if (isnan(row->accuracy_sd))
        table_cell(list->table, "%s", "");
    else
        table_cell(list->table, "± %.2f%s", 100 * row->accuracy_sd, like_next ? " ~" : "");
    list->like_next = list->like_next || like_next;
    table_cell(list->table, "%lld", (long long)row->seeds);
    table_cell(list->table, "%lld", (long long)row->steps);
    if (!list->narrow) {
        table_cell(list->table, "%s", parameters);
        measure_cell(list->table, row->seconds, "s", 1);
    }
    measure_cell(list->table, row->cost_ns, "ns", 2);
    struct buf remark = {0};
    if (name || row->reference) { /* the arrow says reference by itself where there is little room */
        const bool word = row->reference && !(list->narrow && name);
        buf_printf(&remark, "%s%s%s%s", row->reference ? "<- " : "", name ? name : "",
                   name && word ? ", " : "", word ? "reference" : "");
    }
    if (list->narrow) {
        table_cell(list->table, "%s%s%s", row->activation, remark.size ? "  " : "", buf_text(&remark));
    } else {
        table_cell(list->table, "%s", row->activation);
        table_cell(list->table, "%s", buf_text(&remark));
    }
    buf_release(&remark);
    return true;
}

static int fill_table(struct store_reader *reader, struct table_context *list, struct problem *problem)
{
    static const struct {
        const char *title;
        bool wide; /* not in a narrow table */
    } header[] = {
        {"rank", false},      {"accuracy", false}, {"± sd", false},   {"seeds", false},      {"steps", false},
        {"parameters", true}, {"time", true},      {"f + f'", false}, {"activation", false}, {"", true}};
    list->table = table_new(list->narrow ? "rrlrrrl" : "rrlrrrrrll");
    table_row(list->table);
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        if (!header[i].wide || !list->narrow)
            table_cell(list->table, "%s", header[i].title);
    const struct ranking_options *options = list->options;
    if (options->limit == 0 || options->pareto)
        return store_ranking(reader, 0, table_visit, list, problem);
    int64_t count;
    int err = store_ranking_top(reader, options->limit, table_visit, list, &count, problem);
    if (!err)
        list->rows = count;
    return err;
}

/* On a terminal too narrow for it the table does without what matters least. */
static int print_table(struct store_reader *reader, const struct ranking_options *options, FILE *out,
                       struct problem *problem)
{
    struct table_context list = {.options = options};
    int err = fill_table(reader, &list, problem), columns, rows;
    terminal_size(out, &columns, &rows);
    if (!err && isatty(fileno(out)) && table_width(list.table) > columns) {
        table_destroy(&list.table);
        list = (struct table_context){.options = options, .narrow = true};
        err = fill_table(reader, &list, problem);
    }
    if (!err && list.rows == 0)
        fputs("No function has a rank yet.\n", out);
    else if (!err) {
        table_print(list.table, out);
        if (list.like_next)
            fputs("~ not told from the next place beyond noise: paired by seed, at 95 %.\n", out);
        if (options->limit && list.rows > options->limit)
            fprintf(out, "%lld functions %s; -n 0 shows all.\n", (long long)list.rows,
                    options->pareto ? "are such that none is both better and cheaper" : "have a rank");
    }
    table_destroy(&list.table);
    return err;
}

/* ---- for programs -------------------------------------------------------------------------------------- */

/* The columns of the view `ranking`, in its order. A row begins with the columns that are `stable`. */
static const struct column {
    const char *name;
    enum { COLUMN_INT, COLUMN_REAL, COLUMN_TEXT } kind;
    size_t offset;
    bool stable;
} columns[] = {
    {"rank", COLUMN_INT, offsetof(struct ranking_row, rank), true},
    {"activation", COLUMN_TEXT, offsetof(struct ranking_row, activation), true},
    {"accuracy_mean", COLUMN_REAL, offsetof(struct ranking_row, accuracy_mean), true},
    {"accuracy_sd", COLUMN_REAL, offsetof(struct ranking_row, accuracy_sd), true},
    {"seeds", COLUMN_INT, offsetof(struct ranking_row, seeds), true},
    {"trials", COLUMN_INT, offsetof(struct ranking_row, trials), true},
    {"steps", COLUMN_INT, offsetof(struct ranking_row, steps), true},
    {"parameters", COLUMN_INT, offsetof(struct ranking_row, parameters), true},
    {"seconds", COLUMN_REAL, offsetof(struct ranking_row, seconds), false},
    {"cost_ns", COLUMN_REAL, offsetof(struct ranking_row, cost_ns), false},
    {"distinct_from_next", COLUMN_REAL, offsetof(struct ranking_row, distinct_from_next), false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

struct list_context {
    const struct ranking_options *options;
    FILE *out;
    struct json json;
    struct pareto pareto;
    int64_t shown;
};

static const void *column_of(const struct ranking_row *row, const struct column *column)
{
    return (const char *)row + column->offset;
}

static void json_column(struct json *json, const struct column *column, const struct ranking_row *row)
{
    const void *value = column_of(row, column);
    switch (column->kind) {
    case COLUMN_INT:
        json_int(json, column->name, *(const int64_t *)value);
        break;
    case COLUMN_REAL:
        json_real(json, column->name, *(const double *)value);
        break;
    case COLUMN_TEXT:
        json_text(json, column->name, *(const char *const *)value);
        break;
    }
}

static bool json_visit(void *context, const struct ranking_row *row)
{
    struct list_context *list = context;
    if (list->options->pareto && !pareto_keeps(&list->pareto, row))
        return true;
    json_object(&list->json, NULL);
    for (int i = 0; i < COLUMNS; i++)
        if (columns[i].stable || !list->options->stable)
            json_column(&list->json, &columns[i], row);
    json_end(&list->json);
    return ++list->shown != list->options->limit;
}

/* A real that is not there is an empty field. A text is quoted in CSV; activation strings hold no quotes,
 * tabs or line breaks. */
static void text_column(const struct list_context *list, const struct column *column,
                        const struct ranking_row *row)
{
    const void *value = column_of(row, column);
    char real[REAL_TEXT];
    switch (column->kind) {
    case COLUMN_INT:
        fprintf(list->out, "%lld", (long long)*(const int64_t *)value);
        break;
    case COLUMN_REAL:
        if (isfinite(*(const double *)value)) {
            real_text(*(const double *)value, real);
            fputs(real, list->out);
        }
        break;
    case COLUMN_TEXT:
        if (list->options->format == RANKING_CSV)
            fprintf(list->out, "\"%s\"", *(const char *const *)value);
        else
            fputs(*(const char *const *)value, list->out);
        break;
    }
}

/* A line of values, or of the columns' names where row is NULL. */
static void print_line(const struct list_context *list, const struct ranking_row *row)
{
    const char *separator = list->options->format == RANKING_CSV ? "," : "\t";
    for (int i = 0, written = 0; i < COLUMNS; i++) {
        if (!columns[i].stable && list->options->stable)
            continue;
        if (written++)
            fputs(separator, list->out);
        if (row)
            text_column(list, &columns[i], row);
        else
            fputs(columns[i].name, list->out);
    }
    fputc('\n', list->out);
}

static bool text_visit(void *context, const struct ranking_row *row)
{
    struct list_context *list = context;
    if (list->options->pareto && !pareto_keeps(&list->pareto, row))
        return true;
    print_line(list, row);
    return ++list->shown != list->options->limit;
}

static int print_list(struct store_reader *reader, const struct ranking_options *options, FILE *out,
                      struct problem *problem)
{
    struct list_context list = {.options = options, .out = out};
    int err;
    if (options->format == RANKING_JSON) {
        json_array(&list.json, NULL);
        err = store_ranking(reader, 0, json_visit, &list, problem);
        json_end(&list.json);
        if (!err)
            fprintf(out, "%s\n", buf_text(&list.json.out));
        buf_release(&list.json.out);
    } else {
        print_line(&list, NULL);
        err = store_ranking(reader, 0, text_visit, &list, problem);
    }
    return err;
}

int ranking_print(struct store_reader *reader, const struct ranking_options *options, FILE *out,
                  struct problem *problem)
{
    if (options->format == RANKING_TABLE)
        return print_table(reader, options, out, problem);
    return print_list(reader, options, out, problem);
}
