/* sgd: stochastic gradient descent with Nesterov momentum and a schedule of the learning rate.
 *
 *     g += decay · w;  v = momentum · v + g;  w −= lr · (g + momentum · v)
 *
 * (Sutskever et al. 2013 as PyTorch writes it.) β has a learning rate and a decay of its own.
 */
#ifndef WORKER_NN_SGD_H
#define WORKER_NN_SGD_H

#include "common/child.h"
#include "worker/nn/layers.h"

/* What the learning rates are multiplied by in step `step` (from 0): the schedule over child->steps, times
 * (step + 1)/warmup during the warm-up. */
double sgd_schedule(const struct child *child, int64_t step);
/* One step with the gradients as they are. */
void sgd_step(struct net *net, const struct child *child, int64_t step);

#endif
