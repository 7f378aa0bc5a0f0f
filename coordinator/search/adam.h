/* adam: the optimiser of Kingma and Ba (arXiv:1412.6980, algorithm 1), and clipping of a gradient by its
 * norm. */
#ifndef COORDINATOR_SEARCH_ADAM_H
#define COORDINATOR_SEARCH_ADAM_H

#include "common/buf.h"

#include <stddef.h>

struct adam {
    size_t count;
    double *first;                  /* count: moving average of the gradient */
    double *second;                 /* count: of its square */
    double first_bias, second_bias; /* 0.9 and 0.999 to the number of steps */
};

void adam_init(struct adam *adam, size_t count);
void adam_release(struct adam *adam);
/* One step down the gradient. weights, gradient: adam->count. */
void adam_step(struct adam *adam, double lr, const double *gradient, double *weights);

void adam_save(const struct adam *adam, struct buf *buf);
int adam_load(struct adam *adam, struct cursor *cursor);

/* Scales the gradient to a norm of at most `limit`; 0: no limit. */
void gradient_clip(double *gradient, size_t count, double limit);

#endif
