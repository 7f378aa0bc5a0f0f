/* comparison: two functions of a results database, seed by seed, as people read it and as programs do.
 *
 * Seeds are the same for all functions: the same initial weights and the same order of images. So a
 * difference that is taken seed by seed says more than the difference of two means.
 */
#ifndef CLI_COMPARISON_H
#define CLI_COMPARISON_H

#include "cli/answer.h"
#include "cli/paired.h"

#include <stdio.h>

struct comparison {
    char *activation[2];
    long long steps;    /* of the trainings; the most that both have */
    struct answer rows; /* seed, a, b: accuracies, NULL where there is none yet; in order of replica */
    double mean[2];     /* over the pairs; NaN without */
    struct paired paired;
};

/* `ids`: of two candidates. */
int comparison_make(struct store_reader *reader, const char *const ids[2], struct comparison *ret_comparison,
                    struct problem *problem);
void comparison_release(struct comparison *comparison);

void comparison_print(const struct comparison *comparison, FILE *out);
void comparison_print_json(const struct comparison *comparison, FILE *out);

#endif
