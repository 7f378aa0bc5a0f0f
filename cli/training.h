/* training: a child network trained by a command, with its progress on stderr. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include "cli/answer.h"
#include "worker/nn/train.h"

/* train_run. */
int training_run(const struct train_job *job, struct train_result *ret_result, struct problem *problem);

/* What job->inside has become, as JSON (docs/user-guide.md says what it holds). ERR_IO. */
int inside_write(const char *path, const struct train_job *job, const struct train_result *result,
                 struct problem *problem);

/* A trial of a results database, trained once more to look into its network: the database keeps no networks. */
struct retrained {
    char *activation;   /* canonical */
    struct child child; /* of the trial's steps */
    int64_t seed;
    struct train_result result;
    struct inside inside;
};

/* The trial of the most steps that came to an end, with that seed (−1: the first one), of the candidate whose canonical string
 * `activation` is. What comes out must be what the database has, to the bit: ERR_CORRUPT where it is not. ERR_NOT_FOUND: there is
 * no such trial, or no data set; ERR_INPUT, ERR_VERSION: this program cannot train it. */
int retrained_make(struct store_reader *reader, const char *activation, int64_t seed, const char *cache,
                   struct retrained *ret_retrained, struct problem *problem);
void retrained_release(struct retrained *retrained);

#endif
