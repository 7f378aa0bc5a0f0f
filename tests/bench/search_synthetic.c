/* search_synthetic: how many proposals each algorithm needs to find x·σ(b·x) in the paper's one-unit
 * space, without training.
 *
 * The reward is that of tests/synthetic_reward.h. Prints, for each algorithm, the runs that found the
 * function, the quartiles of the proposals that it took (a run without success counts as infinite), the time
 * of one proposal with its share of the update, and the size of a saved state and the time to make it.
 *
 *   search_synthetic [SETTING=VALUE …]
 *
 * SETTING: seeds (20), limit (5000), algorithm (all), batch, or a key of [rl].
 */
#include "common/matrix.h"
#include "coordinator/search/search.h"

#include "tests/synthetic_reward.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct space *space;
    struct synthetic synthetic;
    int64_t seeds, limit;
    struct experiment experiment; /* a copy: its texts belong to the parsed one */
};

static const struct {
    const char *name;
    enum algorithm algorithm;
} algorithms[] = {
    {"exhaustive", ALGORITHM_EXHAUSTIVE},
    {"random", ALGORITHM_RANDOM},
    {"rl", ALGORITHM_RL},
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Proposals until the function is found; INFINITY where the limit comes first. */
static double run(const struct bench *bench, uint64_t seed, uint64_t *proposals)
{
    struct experiment experiment = bench->experiment;
    experiment.seed = seed;
    struct search *search = search_new(&experiment, bench->space);
    size_t batch = (size_t)experiment.search.batch, open = 0;
    double *reward = xcalloc(batch, sizeof *reward), found = INFINITY;
    for (int64_t i = 0; i < bench->limit && found == INFINITY; i++) {
        struct proposal proposal;
        enum search_answer answer = search_next(search, &proposal);
        if (answer == SEARCH_DONE)
            break;
        size_t rank = synthetic_rank(&bench->synthetic, proposal.tokens);
        reward[open++] = bench->synthetic.reward[rank];
        if (bench->synthetic.target[rank])
            found = (double)(i + 1);
        for (size_t j = 0; j < batch && open == batch; j++)
            search_report(search, proposal.number + 1 - batch + j, reward[j]);
        open = open == batch ? 0 : open;
        ++*proposals;
    }
    free(reward);
    search_destroy(&search);
    return found;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The given share of the sorted values, interpolated. */
static double quantile(const double *sorted, int64_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t low = (size_t)at;
    if (at == (double)low || sorted[low] == sorted[low + 1])
        return sorted[low];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

/* The size of a saved state, and the seconds that saving takes. */
static double measure_save(const struct bench *bench, size_t *ret_bytes)
{
    enum { TIMES = 10 };
    struct search *search = search_new(&bench->experiment, bench->space);
    struct proposal proposal;
    struct buf state = {0};
    search_next(search, &proposal);
    double start = now_seconds();
    for (int i = 0; i < TIMES; i++) {
        buf_clear(&state);
        search_save(search, &state);
    }
    double seconds = (now_seconds() - start) / TIMES;
    *ret_bytes = state.size;
    buf_release(&state);
    search_destroy(&search);
    return seconds;
}

static void measure(struct bench *bench, const char *name)
{
    double *needed = xcalloc((size_t)bench->seeds, sizeof *needed), start = now_seconds();
    uint64_t proposals = 0;
    int64_t found = 0;
    for (int64_t seed = 0; seed < bench->seeds; seed++) {
        needed[seed] = run(bench, (uint64_t)seed + 1, &proposals);
        found += needed[seed] < INFINITY;
    }
    double seconds = now_seconds() - start;
    qsort(needed, (size_t)bench->seeds, sizeof *needed, compare);
    size_t bytes;
    double save_seconds = measure_save(bench, &bytes);
    printf("%-11s %4lld of %-4lld %8.0f %8.0f %8.0f %8.0f %12.4f %9zu %8.3f\n", name, (long long)found,
           (long long)bench->seeds, quantile(needed, bench->seeds, 0.25), quantile(needed, bench->seeds, 0.5),
           quantile(needed, bench->seeds, 0.75), needed[bench->seeds - 1], 1e3 * seconds / (double)proposals,
           bytes / 1024, 1e3 * save_seconds);
    fflush(stdout);
    free(needed);
}

/* Takes NAME=VALUE; false where the name is unknown. */
static bool set(struct bench *bench, const char *argument, const char **only)
{
    struct experiment *experiment = &bench->experiment;
    const struct {
        const char *name;
        int64_t *integer;
        double *real;
    } settings[] = {
        {"seeds", &bench->seeds, NULL},
        {"limit", &bench->limit, NULL},
        {"batch", &experiment->search.batch, NULL},
        {"hidden", &experiment->rl.hidden, NULL},
        {"layers", &experiment->rl.layers, NULL},
        {"epochs", &experiment->rl.epochs, NULL},
        {"lr", NULL, &experiment->rl.lr},
        {"clip", NULL, &experiment->rl.clip},
        {"entropy", NULL, &experiment->rl.entropy},
        {"baseline_decay", NULL, &experiment->rl.baseline_decay},
        {"gradient_clip", NULL, &experiment->rl.gradient_clip},
    };
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : 0;
    if (equals && strncmp(argument, "algorithm=", length + 1) == 0) {
        *only = equals + 1;
        return true;
    }
    for (size_t i = 0; equals && i < sizeof settings / sizeof *settings; i++) {
        if (strlen(settings[i].name) != length || strncmp(settings[i].name, argument, length) != 0)
            continue;
        if (settings[i].integer)
            *settings[i].integer = strtoll(equals + 1, NULL, 10);
        else
            *settings[i].real = strtod(equals + 1, NULL);
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    matrix_fix_core(argv);
    struct bench bench = {.seeds = 20, .limit = 5000};
    struct problem problem = {0};
    const char *only = NULL;
    struct experiment *defaults;
    if (experiment_parse("defaults", "[search]\ncandidates = 1\n", NULL, 0, &defaults, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        return 1;
    }
    bench.experiment = *defaults;
    for (int i = 1; i < argc; i++)
        if (!set(&bench, argv[i], &only)) {
            fprintf(stderr, "search_synthetic: %s: expected SETTING=VALUE\n", argv[i]);
            return 2;
        }
    if (space_new(&bench.experiment.space, &bench.space, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        return 1;
    }
    bench.synthetic = synthetic_new(bench.space);
    size_t targets = 0;
    for (size_t i = 0; i < bench.synthetic.strings; i++)
        targets += bench.synthetic.target[i];
    printf("%zu strings, %zu of them x*sigmoid(b*x); at most %lld proposals\n", bench.synthetic.strings,
           targets, (long long)bench.limit);
    printf("%-11s %-12s %8s %8s %8s %8s %12s %9s %8s\n", "algorithm", "found", "25 %", "median", "75 %",
           "most", "ms/proposal", "state KiB", "save ms");
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (only && strcmp(only, algorithms[i].name) != 0)
            continue;
        bench.experiment.search.algorithm = algorithms[i].algorithm;
        measure(&bench, algorithms[i].name);
    }
    synthetic_release(&bench.synthetic);
    space_destroy(&bench.space);
    experiment_destroy(&defaults);
    return 0;
}
