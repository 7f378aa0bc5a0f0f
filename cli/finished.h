/* finished: whether a database holds an experiment that is done. */
#ifndef CLI_FINISHED_H
#define CLI_FINISHED_H

#include "common/experiment.h"
#include "coordinator/store_read.h"

/* Whether the database holds this very experiment, finished; then it is left open in *ret_reader, else that is NULL.
 * Where it cannot be read the coordinator will say why. */
bool finished_open(const char *database, const struct experiment *experiment,
                   struct store_reader **ret_reader);

#endif
