/* consistent: whether restored rows fit together, so that the core can take them for true. A database may be
 * damaged in ways that each column hides; the core's own invariants are asserts. */
#ifndef COORDINATOR_CONSISTENT_H
#define COORDINATOR_CONSISTENT_H

#include "coordinator/rows.h"

#include "common/err.h"

/* ERR_CORRUPT with the first row that does not fit: a key is missing, a reference leads nowhere, or a state
 * and what it says about others differ. Lists are in ascending order of their keys. */
int rows_consistent(const struct rows *rows, struct problem *problem);

#endif
