/* course: how a search went, as a few hundred points however many functions it tried. Pure.
 *
 * Functions come in the order of their first proposals. Each of up to COURSE_SLICES slices of the proposals keeps its best and its
 * mean; the best so far keeps each rise. Only functions that were trained for as many steps as the longest are compared.
 */
#ifndef COORDINATOR_STATUS_COURSE_H
#define COORDINATOR_STATUS_COURSE_H

#include "common/json.h"
#include "coordinator/store_read.h"

enum { COURSE_SLICES = 400, COURSE_RISES = 1000 };

struct course {
    int64_t proposals, width; /* of the whole search; of a slice */
    int64_t steps;            /* the most so far; with more, all begins anew */
    struct {
        int64_t proposal; /* of the best */
        int64_t count;
        double best, sum;
    } slice[COURSE_SLICES];
    int rises;
    struct {
        int64_t proposal;
        double accuracy;
    } rise[COURSE_RISES];
};

void course_start(struct course *course, int64_t proposals);
/* A row that does not fit (a proposal past `proposals`) counts in the last slice. */
void course_add(struct course *course, const struct score_row *row);
/* {"proposals", "steps", "slices": [[proposal, best, mean, count], …], "best": [[proposal, accuracy], …]}; proposals count
 * from 1. */
void course_put(const struct course *course, const char *key, struct json *json);

#endif
