#include "cli/paired.h"

#include <assert.h>
#include <math.h>

double student_within(double t, int freedom)
{
    assert(t >= 0 && freedom >= 1);
    const double theta = atan(t / sqrt(freedom)), cosine = cos(theta), sine = sin(theta);
    /* The series Σ cos^k θ · ((k−1)(k−3)…)/(k(k−2)…): odd k from 1, or even k from 0, up to freedom − 2. */
    const int first = freedom % 2;
    double term = first ? cosine : 1, sum = 0;
    for (int k = first; k <= freedom - 2; k += 2) {
        sum += term;
        term *= cosine * cosine * (k + 1) / (k + 2);
    }
    return freedom % 2 ? 2 / acos(-1) * (theta + sine * sum) : sine * sum;
}

double student_quantile(double part, int freedom)
{
    assert(part >= 0 && part < 1);
    double low = 0, high = 1;
    while (student_within(high, freedom) < part)
        high *= 2;
    for (int i = 0; i < 100; i++) {
        const double middle = low + (high - low) / 2;
        *(student_within(middle, freedom) < part ? &low : &high) = middle;
    }
    return high;
}

struct paired paired_compare(const double *a, const double *b, int pairs)
{
    struct paired paired = {.pairs = pairs, .mean = NAN, .sd = NAN, .low = NAN, .high = NAN, .p = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < pairs; i++) {
        sum += a[i] - b[i];
        paired.better += a[i] > b[i];
        paired.worse += a[i] < b[i];
        paired.equal += a[i] == b[i];
    }
    if (pairs > 0)
        paired.mean = sum / pairs;
    if (pairs < 2)
        return paired;
    for (int i = 0; i < pairs; i++)
        squares += (a[i] - b[i] - paired.mean) * (a[i] - b[i] - paired.mean);
    paired.sd = sqrt(squares / (pairs - 1));
    const double error = paired.sd / sqrt(pairs), reach = student_quantile(0.95, pairs - 1) * error;
    paired.low = paired.mean - reach;
    paired.high = paired.mean + reach;
    if (error > 0)
        paired.p = 1 - student_within(fabs(paired.mean) / error, pairs - 1);
    return paired;
}

/* Summed from the rarest case on, each term from logarithms, since 2^−n alone would be 0 for large n. */
double sign_test(int better, int worse)
{
    assert(better >= 0 && worse >= 0);
    const double tosses = (double)better + worse;
    double p = 0;
    for (double heads = tosses; heads >= better; heads--)
        p += exp(lgamma(tosses + 1) - lgamma(heads + 1) - lgamma(tosses - heads + 1) - tosses * log(2));
    return fmin(p, 1);
}
