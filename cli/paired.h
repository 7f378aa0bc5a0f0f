/* paired: the difference of two series that belong together pair by pair, and how sure one can be of it.
 * Pure.
 */
#ifndef CLI_PAIRED_H
#define CLI_PAIRED_H

struct paired {
    int pairs;
    double mean; /* of a − b; NaN without pairs */
    double sd;   /* sample deviation of a − b; NaN with fewer than 2 pairs, and so are the next three */
    double low, high; /* the 95 % interval of the mean, by Student's t */
    double p; /* of a difference at least as large if there were none; NaN also where all are the same */
    int better, worse, equal; /* a > b, a < b, a = b */
};

struct paired paired_compare(const double *a, const double *b, int pairs);

/* The one-sided sign test: how likely at least so many of `better` + `worse` tosses of a fair coin are heads. 1 with none.
 * Pairs that are equal are left out of it. */
double sign_test(int better, int worse);

/* The part of Student's distribution with `freedom` ≥ 1 degrees that lies within ±t. Abramowitz and Stegun,
 * 26.7.3 and 26.7.4. */
double student_within(double t, int freedom);
/* The t within which that part lies, 0 ≤ part < 1. */
double student_quantile(double part, int freedom);

#endif
