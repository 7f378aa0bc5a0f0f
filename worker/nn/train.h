/* train: one child network, from initialisation to validation accuracy (DESIGN 4.7). Knows no socket and no database.
 *
 * Deterministic: the result depends on (activation, child, seed, data, NUMERICS) alone, bit for bit.
 */
#ifndef WORKER_NN_TRAIN_H
#define WORKER_NN_TRAIN_H

#include "common/buf.h"
#include "common/child.h"
#include "common/expr/expr.h"
#include "worker/nn/data.h"

enum { CURVE_POINTS = 64 };

struct train_job {
    const struct expr *activation; /* canonical */
    const struct child *child;
    uint64_t seed;
    const struct data *data;
    bool test;                /* evaluate on the test set too */
    const struct buf *resume; /* what `checkpoint` got once: go on from there. NULL: from the start */
    struct buf *checkpoint;   /* where a training that report stops leaves its state. NULL: nowhere */
};

struct train_progress {
    int64_t step; /* done */
    int64_t steps;
    double train_loss; /* of the last batch, in nats */
};

struct train_result {
    int64_t correct, validation_count; /* accuracy = correct / validation_count, 0 where it diverged */
    double validation_loss;            /* mean cross-entropy in nats; NaN where it diverged */
    double train_loss;                 /* of the last step's batch */
    bool diverged;                     /* a loss was not finite */
    int64_t step;                      /* steps done; where it diverged, the step at which it did (from 1) */
    int64_t test_correct, test_count;  /* with job.test */
    int64_t parameters;                /* trainable, β not counted */
    int64_t betas;                     /* trainable β, all layers and channels */
    double seconds;            /* wall time of the training steps and the evaluation, stops not counted */
    double images_per_second;  /* of the training steps */
    double cost_ns;            /* f + f′, ns per element, measured in L1 before the training */
    int64_t peak_memory_bytes; /* of this process */
    int curve_points;          /* at most CURVE_POINTS, evenly spaced, the last step among them */
    int64_t curve_step[CURVE_POINTS];
    double curve_loss[CURVE_POINTS];
};

/* Called after each step, and then after each batch of the evaluation; returning false stops the training
 * (train_run then returns ERR_STOPPED). */
typedef bool train_report(void *context, const struct train_progress *progress);

/* ERR_INPUT where the model is unknown, the data have too few records, or a setting does not fit; the problem says which.
 * ERR_CORRUPT where job->resume is damaged or of another training: nothing was trained then. A training that diverges is a
 * result, not an error. report may be NULL. A training that was stopped and goes on gives the bits of one that was not. */
int train_run(const struct train_job *job, train_report *report, void *context,
              struct train_result *ret_result, struct problem *problem);

/* Whether `model` is known: 0, or ERR_INPUT with the list and the nearest. */
int train_model_check(const char *model, struct problem *problem);

/* Whether the data have enough records, channels and classes for a training with these settings: 0, or ERR_INPUT. */
int train_check(const struct child *child, const struct data *data, struct problem *problem);

/* Nanoseconds per element of f and f′ together over a tile that stays in L1, measured for a few milliseconds. */
double train_cost_ns(const struct expr *activation);

/* Layers, shapes, parameters and multiply-adds of the model on that data, and how its authors trained it, as text for people.
 * malloc'd. */
int train_describe(const char *model, const struct data *data, const struct expr *activation, char **ret_text,
                   struct problem *problem);

#endif
