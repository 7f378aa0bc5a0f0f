/* trials: a table of trainings (common/trial_table.h) from what a person names: a table, or a results database, also while a search
 * writes it. */
#ifndef CLI_TRIALS_H
#define CLI_TRIALS_H

#include "common/trial_table.h"

/* Of a database: its trainings with an outcome, as of one moment. ERR_NOT_FOUND also where there is none yet; all problems name the
 * file. */
int trials_load(const char *path, struct trial_table **ret_table, struct problem *problem);

#endif
