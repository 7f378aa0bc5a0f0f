/* report: what the page asks for, as JSON: a row for each path. Reads the database, writes nothing, and knows no socket.
 *
 * Whatever came from outside (a filter, a name, a place in the list) reaches SQL as a bound parameter only; the order of the
 * list is one of a table. Lists are paged, so that no answer grows with the search.
 */
#ifndef COORDINATOR_STATUS_REPORT_H
#define COORDINATOR_STATUS_REPORT_H

#include "common/json.h"
#include "coordinator/status/outlook.h"
#include "coordinator/status/request.h"

/* ROW(name, the parameters it takes, what it says); its path is /api/NAME. */
#define REPORT_TABLE(ROW)                                                                                    \
    ROW(progress, "", "how far the search is, how fast, and the best function so far")                       \
    ROW(ranking, "sort|order|filter|offset|limit", "the ranked list, with a picture of each function")       \
    ROW(course, "", "how the search went: the best so far, and the functions in slices")                     \
    ROW(function, "activation", "one function: formula, values, trials, attempts, curves, code")             \
    ROW(workers, "offset|limit", "the workers, and what they train now")                                     \
    ROW(failures, "offset|limit", "attempts that were lost, the newest first")                               \
    ROW(events, "offset|limit", "what happened, the newest first")                                           \
    ROW(controller, "", "what the search has learnt: likeliest choices, their probabilities, entropy")

enum { REPORT_ROWS = 25, REPORT_ROWS_MAX = 200 }; /* of a page of a list, unless `limit` says so; at most */

struct report {
    struct store_reader *reader;
    const struct outlook *outlook;
    const struct http_target *target;
};

/* Each appends one JSON object to an empty `json`. ERR_INPUT: a parameter is wrong; ERR_NOT_FOUND; or the database's. */
#define REPORT_ROW(name, parameters, meaning)                                                                \
    int report_##name(const struct report *report, struct json *json, struct problem *problem);
REPORT_TABLE(REPORT_ROW)
#undef REPORT_ROW

/* Where a list starts and how long it is: offset, limit; and as the texts for ?1 and ?2 of a query that ends in
 * REPORT_PAGED. */
struct report_page {
    int64_t offset, limit;
    char offset_text[24], limit_text[24];
};
#define REPORT_PAGED "LIMIT CAST(?1 AS INTEGER) OFFSET CAST(?2 AS INTEGER)"
int report_page(const struct http_target *target, struct report_page *ret_page, struct problem *problem);

/* The first column of each row, which is JSON, as an array. parameters: texts for ?1, ?2, …; NULL-terminated, may be NULL. */
int report_rows(const struct report *report, const char *sql, const char *const *parameters, const char *key,
                struct json *json, struct problem *problem);
/* For store_query: the first column of the first row as a whole number, into an int64_t, which stays where there is no row. */
bool report_take_int(void *context, int columns, const char *const *names, const char *const *values);
/* The first column of the first row, or null. */
int report_value(const struct report *report, const char *sql, const char *const *parameters, const char *key,
                 struct json *json, struct problem *problem);

#endif
