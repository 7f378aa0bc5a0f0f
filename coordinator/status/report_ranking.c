/* report_ranking: one page of the ranked list, in any order, with a picture of each function. */
#include "coordinator/status/report.h"
#include "coordinator/status/sketch.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the list can be sorted by: ROW(name, table, ascending, descending). Functions that are equal there stand in the order in
 * which they were proposed. The index of the ranking is used for its own order only: through it the rows of the table would be
 * read one here and one there. */
#define SORT_TABLE(ROW)                                                                                      \
    ROW("rank", "candidate", STORE_RANKING_ORDER, STORE_RANKING_ORDER_REVERSED)                              \
    ROW("activation", "candidate", "activation", "activation DESC")                                          \
    ROW("accuracy", BY("accuracy_mean"))                                                                     \
    ROW("seeds", BY("seeds"))                                                                                \
    ROW("steps", BY("steps"))                                                                                \
    ROW("parameters", BY("parameters"))                                                                      \
    ROW("seconds", BY("seconds"))                                                                            \
    ROW("cost", BY("cost_ns"))
#define BY(column) "candidate NOT INDEXED", column " NULLS LAST, id", column " DESC NULLS LAST, id"

static const struct sort {
    const char *name, *table, *ascending, *descending;
} sorts[] = {
#define SORT_ROW(name, ...) {name, __VA_ARGS__},
    SORT_TABLE(SORT_ROW)
#undef SORT_ROW
};
enum { SORTS = sizeof sorts / sizeof *sorts };

enum {
    COMPARED_PLACES = 2000
}; /* so far down it is said whether a place differs from the next beyond noise */

struct request {
    const struct sort *sort;
    bool descending;
    char *filter; /* owned; "": none */
    struct report_page page;
};

/* Expressions are stored without blanks. */
static char *without_blanks(const char *text)
{
    char *copy = xstrdup(text), *out = copy;
    for (const char *at = copy; *at; at++)
        if (*at != ' ')
            *out++ = *at;
    *out = '\0';
    return copy;
}

static int read_request(const struct http_target *target, struct request *ret_request,
                        struct problem *problem)
{
    const char *sort = http_parameter(target, "sort"), *order = http_parameter(target, "order"),
               *filter = http_parameter(target, "filter");
    struct request request = {.sort = sort ? NULL : &sorts[0],
                              .descending = order && strcmp(order, "desc") == 0};
    for (int i = 0; i < SORTS && !request.sort; i++)
        if (strcmp(sorts[i].name, sort) == 0)
            request.sort = &sorts[i];
    if (!request.sort)
        return problem_set(
            problem, ERR_INPUT,
            "sort: expected rank, activation, accuracy, seeds, steps, parameters, seconds or cost");
    if (order && !request.descending && strcmp(order, "asc") != 0)
        return problem_set(problem, ERR_INPUT, "order: expected asc or desc");
    int err = report_page(target, &request.page, problem);
    if (err)
        return err;
    request.filter = without_blanks(filter ? filter : "");
    *ret_request = request;
    return 0;
}

/* ---- ranks --------------------------------------------------------------------------------------------- */

/* The rank of each candidate, by its number: candidates are numbered from 1 to `count`. */
struct ranks {
    int64_t *of;
    int64_t count;
};

static bool note_rank(void *context, int64_t rank, int64_t candidate)
{
    struct ranks *ranks = context;
    if (candidate >= 1 && candidate <= ranks->count) /* else somebody else has written this database */
        ranks->of[candidate] = rank;
    return true;
}

/* ranks->of is the caller's. */
static int read_ranks(struct store_reader *reader, struct ranks *ranks, struct problem *problem)
{
    int err = store_query(reader, "SELECT count(*) FROM candidate", NULL, 0, report_take_int, &ranks->count,
                          problem);
    if (err)
        return err;
    ranks->of = xcalloc((size_t)ranks->count + 1, sizeof *ranks->of);
    return store_ranks(reader, note_rank, ranks, problem);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

struct list {
    struct json *json;
    const struct ranks *ranks; /* NULL: the rows have them */
};

static void put_column(struct json *json, const char *name, const char *value)
{
    if (strcmp(name, "activation") == 0)
        json_text(json, name, value);
    else /* numbers, which read as they are */
        json_raw(json, name, value && isdigit((unsigned char)value[value[0] == '-']) ? value : "null");
}

/* The first column is the candidate's number, or its rank where the rows have them. */
static bool put_row(void *context, int columns, const char *const *names, const char *const *values)
{
    const struct list *list = context;
    struct expr *expr = NULL;
    struct problem unreadable;
    const int64_t first = values[0] ? strtoll(values[0], NULL, 10) : 0;
    json_object(list->json, NULL);
    if (!list->ranks)
        json_int(list->json, "rank", first);
    else if (first >= 1 && first <= list->ranks->count)
        json_int(list->json, "rank", list->ranks->of[first]);
    for (int c = 1; c < columns; c++)
        put_column(list->json, names[c], values[c]);
    if (values[1] && expr_parse(values[1], &expr, &unreadable) == 0)
        sketch_put(expr, "sketch", list->json);
    expr_destroy(&expr);
    json_end(list->json);
    return true;
}

#define COLUMNS                                                                                              \
    "activation, accuracy_mean, accuracy_sd, seeds, trials, steps, parameters, seconds, cost_ns, reference"

static int put_rows(const struct report *report, const struct request *request, struct json *json,
                    struct problem *problem)
{
    const char *const limit = request->page.limit_text, *const offset = request->page.offset_text;
    const bool filtered = request->filter[0] != '\0';
    struct list list = {.json = json};
    if (request->sort == &sorts[0] && !request->descending && !filtered &&
        request->page.offset < COMPARED_PLACES)
        return store_query(report->reader,
                           "SELECT rank, " COLUMNS ", distinct_from_next FROM ranking " REPORT_PAGED,
                           (const char *const[]){limit, offset}, 2, put_row, &list, problem);
    struct ranks ranks = {0};
    list.ranks = &ranks;
    char *sql = xasprintf("SELECT id, " COLUMNS " FROM %s WHERE seeds > 0%s ORDER BY %s " REPORT_PAGED,
                          request->sort->table, filtered ? " AND instr(activation, ?3)" : "",
                          request->descending ? request->sort->descending : request->sort->ascending);
    int err = read_ranks(report->reader, &ranks, problem);
    if (!err)
        err = store_query(report->reader, sql, (const char *const[]){limit, offset, request->filter},
                          filtered ? 3 : 2, put_row, &list, problem);
    free(sql);
    free(ranks.of);
    return err;
}

int report_ranking(const struct report *report, struct json *json, struct problem *problem)
{
    struct request request = {0};
    int err = read_request(report->target, &request, problem);
    if (err)
        return err;
    json_object(json, NULL);
    err = report_value(
        report, "SELECT count(*) FROM candidate WHERE seeds > 0 AND (?1 = '' OR instr(activation, ?1))",
        (const char *const[]){request.filter, NULL}, "total", json, problem);
    json_int(json, "offset", request.page.offset);
    json_array(json, "rows");
    if (!err)
        err = put_rows(report, &request, json, problem);
    json_end(json);
    json_end(json);
    free(request.filter);
    return err;
}
