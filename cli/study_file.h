/* study_file: a study as its file describes it, and the experiments that it is made of.
 *
 * A study trains each of some functions in each of some networks on each of some data sets, on several seeds and
 * perhaps with several learning rates. One experiment trains all functions in one network on one data set with one
 * learning rate: a cell. It is an ordinary experiment that proposes nothing (search.algorithm = none), with a
 * database of its own, so that all that holds for experiments holds for it: it goes on after a stop, it may grow, its
 * results do not depend on who computed them. docs/study.md describes the file. Pure, but for study_load.
 */
#ifndef CLI_STUDY_FILE_H
#define CLI_STUDY_FILE_H

#include "common/experiment.h"

enum {
    STUDY_MAX_FUNCTIONS = 64, /* as many as search.references takes */
    STUDY_MAX_MODELS = 12,    /* columns of a table */
    STUDY_MAX_DATA = 12,
    STUDY_MAX_RATES = 16,
    STUDY_MAX_LABEL = 40, /* bytes, with the NUL */
};

struct study_function {
    char label[STUDY_MAX_LABEL]; /* its name, the label it was given, or the start of the formula */
    char *activation;            /* the canonical string */
};

struct study_cell {
    int data, model, rate; /* rate: its place in the grid of that model and data set, from 0 */
    double lr;
    char *name;                    /* DATA+MODEL+LR: of its files */
    struct experiment *experiment; /* without [queue] and [log] */
    char *text;                    /* of its experiment file, with them */
};

struct study {
    char name[NAME_BYTES];
    int64_t seed, seeds;
    struct study_function *functions;
    int function_count;
    int against; /* the function that the others are compared with */
    char *models[STUDY_MAX_MODELS], *data[STUDY_MAX_DATA];
    int model_count, data_count;
    struct study_cell
        *cells; /* by data set, then by model, then by learning rate, each in the file's order */
    int cell_count;
};

/* `name` is what problems call the file; overrides are "section.key=value". A problem says the file and the line (or
 * the override) and what is allowed. ERR_USAGE where an override is what is wrong. */
int study_parse(const char *name, const char *text, const char *const *overrides, int override_count,
                struct study **ret_study, struct problem *problem);
int study_load(const char *path, const char *const *overrides, int override_count, struct study **ret_study,
               struct problem *problem);
void study_destroy(struct study **study);

#endif
