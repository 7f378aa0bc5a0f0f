/* lines: what passes between the worker and a trainer of the user's own: one line of JSON to it, lines of JSON
 * from it. docs/trainers.md has each key.
 *
 * Pure. A trainer's lines are not trusted: a line is taken whole or refused with what is wrong with it; a key
 * that is unknown, twice there or of another type is wrong, so that a misspelt one is noticed.
 */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include "proto/msg.h"

enum {
    LINES_VERSION = 1,
    LINE_MAX_BYTES = 4096, /* of a line from a trainer, without its end */
};

/* The line to the trainer, with its end. `id` names the training, the same for each attempt at it. ERR_INPUT:
 * the lease is not what a coordinator sends. */
int line_of_job(const struct msg_lease *lease, const char *id, struct buf *ret_line, struct problem *problem);

struct line {
    bool last;              /* the outcome; otherwise progress: step and loss alone */
    int64_t step;           /* done so far; −1 where an outcome does not say */
    double loss;            /* of the training; NaN: not said, or not finite */
    bool diverged;          /* with such an outcome the numbers below are 0 and NaN */
    int64_t correct, count; /* of the validation: 0 … count, 1 … */
    double validation_loss;
    int64_t parameters, betas; /* 0: not said */
};

/* ERR_INPUT, ERR_LIMIT: what is wrong, with the beginning of the line. */
int line_read(const char *text, size_t size, struct line *ret_line, struct problem *problem);

#endif
