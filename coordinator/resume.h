/* resume: whether a database that was begun with one experiment text may go on with another. */
#ifndef COORDINATOR_RESUME_H
#define COORDINATOR_RESUME_H

#include "common/experiment.h"
#include "coordinator/rows.h"

/* 0 where `experiment` is the one of the database, or the same with a larger search.candidates or
 * search.proposals (and in *ret_grown whether one of them is). ERR_CONFLICT with the lines that differ;
 * ERR_VERSION where the database was made under another numerics number. */
int resume_check(const struct experiment_row *row, const struct experiment *experiment, bool *ret_grown,
                 struct problem *problem);

#endif
