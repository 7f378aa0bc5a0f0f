/* trial_table: what trainings came to, kept in one file that stands for them: each with its outcome, bit for bit, its cost, and a few
 * points of its learning curve. It may be searched in without training, and goes on being filled.
 *
 * The file is a gzip of text that a person can read (zcat FILE | less), docs/table.md: the format's number, what the bits of an
 * outcome depend on (numerics, trainer, hash of the data set, the experiment's canonical text), and a line for each training with
 * tabs between the columns of TRIAL_TABLE_COLUMNS.
 *
 * Invariants
 * 1. All trainings of a table differ only in activation, steps and seed: [child] is the experiment's but for these. So a training's
 *    key (activation, steps, seed) says what its bits are.
 * 2. trials[0 … count) are in ascending order of the key, by bytes, by number, by number; no key is there twice. (Between
 *    trial_table_add and trial_table_settle they are not.)
 * 3. The same trainings make the same bytes.
 */
#ifndef COMMON_TRIAL_TABLE_H
#define COMMON_TRIAL_TABLE_H

#include "common/buf.h"
#include "common/experiment.h"
#include "common/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRIAL_TABLE_FORMAT = 1,
    TRIAL_TABLE_CURVE = 8,             /* points that are kept of a learning curve */
    TRIAL_TABLE_NAME = 256,            /* bytes of a trainer's name, with its NUL */
    TRIAL_TABLE_MAX_BYTES = 256 << 20, /* of the text */
};

/* INT(column, lowest, highest, meaning)   REAL(column, digits that are written, meaning): 17 are all there are. Activation goes
 * before these, the curve after them. */
#define TRIAL_TABLE_COLUMNS(INT, REAL)                                                                       \
    INT(steps, 1, 100000000, "training steps")                                                               \
    INT(seed, 0, INT64_MAX, "of the first weights and the order of the images")                              \
    INT(diverged, 0, 1, "1: a loss was not finite")                                                          \
    INT(step, 0, 100000000, "steps done, or the one at which it diverged")                                   \
    INT(correct, 0, INT64_MAX, "validation images classified correctly; 0 where it diverged")                \
    INT(validation_count, 1, INT64_MAX, "validation images")                                                 \
    REAL(validation_loss, 17, "mean over them, nats")                                                        \
    REAL(train_loss, 17, "of the last batch, nats")                                                          \
    INT(parameters, 0, INT64_MAX, "weights of the network")                                                  \
    INT(betas, 0, INT64_MAX, "trainable b, over all channels")                                               \
    REAL(seconds, 3, "wall time")                                                                            \
    REAL(images_per_second, 3, "training images")                                                            \
    REAL(cost_ns, 3, "of f and f' for each element")

/* One training. A real that is no number is NaN. */
struct table_trial {
    const char *activation; /* canonical */
#define TRIAL_INT(name, low, high, meaning) int64_t name;
#define TRIAL_REAL(name, digits, meaning)   double name;
    TRIAL_TABLE_COLUMNS(TRIAL_INT, TRIAL_REAL)
#undef TRIAL_INT
#undef TRIAL_REAL
    int curve_points;
    int64_t curve_step[TRIAL_TABLE_CURVE];
    double curve_loss[TRIAL_TABLE_CURVE]; /* training loss, to four digits */
};

struct trial_table {
    struct experiment *experiment;
    int64_t numerics;
    char trainer[TRIAL_TABLE_NAME];
    char data_hash[HASH_HEX];
    struct table_trial *trials; /* their activations are owned */
    size_t count, capacity;
};

/* An empty one. The text is an experiment's. ERR_INPUT. */
int trial_table_new(const char *experiment_text, int64_t numerics, const char *trainer, const char *data_hash,
                    struct trial_table **ret_table, struct problem *problem);
void trial_table_destroy(struct trial_table **table);

/* Copies the training. trial_table_settle brings all that were added in order; a training that is there twice with the same outcome
 * is one, with another outcome ERR_CONFLICT. */
void trial_table_add(struct trial_table *table, const struct table_trial *trial);
int trial_table_settle(struct trial_table *table, struct problem *problem);
/* Adds another table's trainings, and settles. ERR_CONFLICT also where it is of another kind (invariant 1). */
int trial_table_merge(struct trial_table *table, const struct trial_table *other, struct problem *problem);

/* A whole learning curve as a table keeps it: evenly spaced points, the last among them. */
void trial_table_put_curve(struct table_trial *trial, const int64_t *steps, const double *losses, int points);
/* Whether both came to the same: what the bits of a training decide. */
bool trial_table_same_outcome(const struct table_trial *a, const struct table_trial *b);

/* NULL: not there. */
const struct table_trial *trial_table_find(const struct trial_table *table, const char *activation,
                                           int64_t steps, int64_t seed);
/* Whether trainings by this build's own trainer, with these settings and on data of this hash (NULL: not yet known), have the bits
 * that the table has: 0, or ERR_CONFLICT. */
int trial_table_fits(const struct trial_table *table, const struct child *child, const char *data_hash,
                     struct problem *problem);

/* The text. ERR_INPUT and ERR_VERSION with the line, ERR_LIMIT. */
void trial_table_print(const struct trial_table *table, struct buf *ret_text);
int trial_table_parse(const char *text, size_t size, struct trial_table **ret_table, struct problem *problem);

/* The file. All problems name it. ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT, and as trial_table_parse. */
int trial_table_read(const char *path, struct trial_table **ret_table, struct problem *problem);
int trial_table_write(const struct trial_table *table, const char *path, struct problem *problem);

#endif
