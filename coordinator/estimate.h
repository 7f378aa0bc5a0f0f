/* estimate: how far a search is. Pure: the experiment and a row of the view `progress` in, a share out. */
#ifndef COORDINATOR_ESTIMATE_H
#define COORDINATOR_ESTIMATE_H

#include "common/experiment.h"
#include "coordinator/store_read.h"

struct estimate {
    double trials;    /* that there will be in the search; 0: not known */
    double finals;    /* and in the finals */
    double longer;    /* so many times as long as one of the search is one of the finals */
    double proposals; /* that there will be, where that is what ends it; 0: not known */
};

/* `references`: how many the experiment has. */
void estimate_start(struct estimate *estimate, const struct experiment *experiment, int references);

/* Also where they are paused. */
bool estimate_in_finals(const struct progress_row *row);
/* Trials that have come to their end, however. */
int64_t estimate_closed(const struct progress_row *row);
/* 0 … 1 of the work; 1 where the search is finished, NaN where it is not known. */
double estimate_fraction(const struct estimate *estimate, const struct progress_row *row);

#endif
