/* resume: whether a database that was begun with one experiment text may go on with another. */
#ifndef COORDINATOR_RESUME_H
#define COORDINATOR_RESUME_H

#include "common/experiment.h"
#include "coordinator/rows.h"

/* 0 where `experiment` is the one of the database, or the same and larger in what may grow (and in *ret_grown
 * whether it is): search.candidates, search.proposals, [finals]; with search.algorithm = none also
 * search.references and child.seeds. ERR_CONFLICT with the lines that differ; ERR_VERSION where the database was
 * made under another numerics number. */
int resume_check(const struct experiment_row *row, const struct experiment *experiment, bool *ret_grown,
                 struct problem *problem);

#endif
