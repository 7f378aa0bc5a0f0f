/* model: the table of child networks (models.def), by name. */
#ifndef WORKER_NN_MODEL_H
#define WORKER_NN_MODEL_H

#include "worker/nn/layers.h"

/* The network called `name`, for images of that shape, not yet laid out (net_finish). ERR_INPUT where there
 * is no such model; the problem has the list and the nearest. `activation` is borrowed for the net's
 * lifetime. */
int model_build(const char *name, struct shape image, int classes, const struct expr *activation,
                struct net **ret_net, struct problem *problem);

#endif
