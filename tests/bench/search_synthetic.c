/* search_synthetic: how many proposals each algorithm needs to find x·σ(b·x) in the paper's one-unit space,
 * without training.
 *
 * Reward: 1 / (1 + RMS distance to x·σ(b·x) on the fingerprint grid, b at its initial value), 0 where the
 * function is rejected. Found: the proposal's fingerprint is that of x·σ(b·x). Prints, per algorithm, the
 * runs that found it and the quartiles of the proposals (a run that did not counts as infinite), and the cost
 * of one proposal with its share of the update.
 *
 *   search_synthetic [seeds=20] [limit=5000] [SETTING=VALUE …]      SETTING: batch, or a key of [rl];
 * algorithm=NAME picks one
 */
#include "common/expr/fingerprint.h"
#include "common/matrix.h"
#include "coordinator/search/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct space *space;
    size_t strings;
    double *reward; /* strings */
    bool *target;   /* strings: is it the function? */
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

static struct expr *parse(const char *text)
{
    struct expr *expr;
    struct problem problem = {0};
    if (expr_parse(text, &expr, &problem) != 0) {
        fprintf(stderr, "%s: %s\n", text, problem.text);
        exit(1);
    }
    return expr;
}

static double values_at(const struct expr *expr, double x)
{
    double beta[EXPR_MAX_BETAS];
    for (int i = 0; i < expr_betas(expr); i++)
        beta[i] = expr_beta_init(expr, i);
    return expr_eval(expr, x, beta);
}

static double reward_of(const struct expr *expr, const struct expr *target)
{
    double square = 0;
    for (int i = 0; i < FINGERPRINT_POINTS; i++) {
        double x = fingerprint_grid()[i], distance = values_at(expr, x) - values_at(target, x);
        square += distance * distance;
    }
    return 1 / (1 + sqrt(square / FINGERPRINT_POINTS));
}

static void fill_rewards(struct bench *bench)
{
    bool exact;
    double approximate;
    bench->strings = space_strings(bench->space, &exact, &approximate);
    bench->reward = xcalloc(bench->strings, sizeof *bench->reward);
    bench->target = xcalloc(bench->strings, sizeof *bench->target);
    struct expr *target = parse("x*sigmoid(b*x)");
    enum verdict verdict;
    struct hash wanted = fingerprint_of(target, &verdict);
    for (size_t i = 0; i < bench->strings; i++) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        struct expr *expr;
        space_unrank(bench->space, i, tokens);
        if (space_expr(bench->space, tokens, &expr) != 0)
            continue;
        struct hash found = fingerprint_of(expr, &verdict);
        if (verdict == VERDICT_USABLE) {
            bench->reward[i] = reward_of(expr, target);
            bench->target[i] = memcmp(&found, &wanted, sizeof found) == 0;
        }
        expr_destroy(&expr);
    }
    expr_destroy(&target);
}

static size_t rank_of(const struct space *space, const uint16_t *tokens)
{
    size_t rank = 0;
    for (int at = 0; at < space_tokens(space); at++)
        rank = rank * (size_t)space_choices(space, at) + tokens[at];
    return rank;
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
        size_t rank = rank_of(bench->space, proposal.tokens);
        reward[open++] = bench->reward[rank];
        if (bench->target[rank])
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
    size_t low = (size_t)at, high = low + 1 < (size_t)count ? low + 1 : low;
    return sorted[low] == sorted[high] ? sorted[low]
                                       : sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
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
    printf("%-11s %4lld of %-4lld %8.0f %8.0f %8.0f %8.0f %12.4f\n", name, (long long)found,
           (long long)bench->seeds, quantile(needed, bench->seeds, 0.25), quantile(needed, bench->seeds, 0.5),
           quantile(needed, bench->seeds, 0.75), needed[bench->seeds - 1], 1e3 * seconds / (double)proposals);
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
    fill_rewards(&bench);
    size_t targets = 0;
    for (size_t i = 0; i < bench.strings; i++)
        targets += bench.target[i];
    printf("%zu strings, %zu of them x*sigmoid(b*x); at most %lld proposals\n", bench.strings, targets,
           (long long)bench.limit);
    printf("%-11s %-12s %8s %8s %8s %8s %12s\n", "algorithm", "found", "25 %", "median", "75 %", "most",
           "ms/proposal");
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (only && strcmp(only, algorithms[i].name) != 0)
            continue;
        bench.experiment.search.algorithm = algorithms[i].algorithm;
        measure(&bench, algorithms[i].name);
    }
    free(bench.reward);
    free(bench.target);
    space_destroy(&bench.space);
    experiment_destroy(&defaults);
    return 0;
}
