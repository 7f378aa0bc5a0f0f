/* metrics: the state of a search in the text format of Prometheus. The table is metrics.def. */
#ifndef COORDINATOR_STATUS_METRICS_H
#define COORDINATOR_STATUS_METRICS_H

#include "coordinator/status/outlook.h"

int metrics_put(struct store_reader *reader, const struct outlook *outlook, struct buf *ret_text,
                struct problem *problem);

#endif
