/* study_results: what a study came to: for each data set, network and function the accuracies at the learning rate
 * that was best for it, and how one function compares with the others. Pure.
 *
 * A training that diverged counts as an accuracy of 0, as in the ranked list.
 */
#ifndef CLI_STUDY_RESULTS_H
#define CLI_STUDY_RESULTS_H

#include "cli/study_file.h"

/* The trainings of one function in one cell. */
struct study_series {
    double *accuracy; /* by seed (replica), as many as the study has; NaN: not there yet, or given up */
    int count;        /* of those that are there */
    int diverged;     /* of these */
};

/* One function in one network on one data set. */
struct study_entry {
    const struct study_series *series; /* at the learning rate that was taken */
    double lr; /* that one: highest median, then highest mean, then first of the grid */
    int count, diverged;
    double median, low, high, mean, sd; /* NaN without (sd: with fewer than 2) */
    bool best; /* no function has a higher median there; false where some function has none yet */
};

/* A and another function: pairs in which A is better, equal, worse; p: how likely it were by chance that A is better so
 * often, if either were better as often as the other (one-sided sign test, equal pairs left out). */
struct study_sign {
    int better, equal, worse;
    double p;
};
struct study_comparison {
    struct study_sign networks; /* pairs: the medians of each network on each data set */
    struct study_sign seeds;    /* pairs: the trainings on each seed there */
};

struct study_results {
    const struct study *study;            /* borrowed */
    struct study_series *series;          /* by cell and function */
    struct study_entry *entries;          /* by data set, network and function */
    struct study_comparison *comparisons; /* by function: study->against with it */
};

/* Without any training yet. */
struct study_results *study_results_new(const struct study *study);
void study_results_destroy(struct study_results **results);
/* The accuracy of a training; NaN: it diverged. Unknown functions and replicas are ignored. */
void study_results_add(struct study_results *results, int cell, const char *activation, int64_t replica,
                       double accuracy);
/* After the last of them: entries and comparisons. */
void study_results_close(struct study_results *results);

const struct study_entry *study_entry_at(const struct study_results *results, int data, int model,
                                         int function);

/* Of the values, which are sorted thereby; NaN with none. */
double median_of(double *values, int count);

#endif
