/* search_synthetic: how many proposals each algorithm needs to find a function among those of the paper's
 * space, without training.
 *
 * The function is x·σ(b·x) or another one that is given, or, with target=hidden, another one for each seed,
 * which is drawn from the space; the reward is that of tests/synthetic_reward.h. With target=scores it is the
 * sequence with the best sum of hidden scores, tests/synthetic_scores.h. Prints, for each algorithm, the runs
 * that found it, the quartiles of the proposals that it took (a run without success counts as infinite), the
 * median of the distinct usable functions (with scores, sequences) among these, each of which would have been
 * a training, the median of the best reward, the processor time of one proposal with its share of the update,
 * and the size of a saved state and the time to make it.
 *
 *   search_synthetic [SETTING=VALUE …]
 *
 * SETTING: seeds (20), first (1, the first seed), limit (5000), units (1), algorithm (all), target (an
 * expression, hidden or scores), batch, or a key of [rl] or [evolution].
 */
#include "common/matrix.h"
#include "coordinator/search/search.h"

#include "tests/synthetic_reward.h"
#include "tests/synthetic_scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct space *space;
    int64_t seeds, first, limit, units;
    const char *only;   /* algorithm; NULL: all */
    const char *target; /* an expression, "hidden" or "scores" */
    struct synthetic synthetic;
    struct scores scores;
    struct experiment experiment; /* a copy: its texts belong to the parsed one */
};

/* How one search went. */
struct outcome {
    double proposals, trainings; /* until the function was found; INFINITY where the limit came first */
    double best;                 /* reward */
};

static const struct {
    const char *name;
    enum algorithm algorithm;
} algorithms[] = {
    {"exhaustive", ALGORITHM_EXHAUSTIVE},
    {"random", ALGORITHM_RANDOM},
    {"evolution", ALGORITHM_EVOLUTION},
    {"rl", ALGORITHM_RL},
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A usable function of the space, drawn with the seed. */
static struct expr *hidden_target(const struct space *space, uint64_t seed)
{
    struct rng rng = rng_seed(seed, "hidden target", 0);
    for (;;) {
        uint16_t tokens[SPACE_MAX_TOKENS];
        struct expr *expr;
        enum verdict verdict;
        space_sample(space, &rng, tokens);
        if (space_expr(space, tokens, &expr) != 0)
            continue;
        fingerprint_of(expr, &verdict);
        if (verdict == VERDICT_USABLE)
            return expr;
        expr_destroy(&expr);
    }
}

static struct expr *given_target(const char *text)
{
    struct expr *expr;
    struct problem problem = {0};
    if (expr_parse(text, &expr, &problem) != 0) {
        fprintf(stderr, "search_synthetic: %s\n", problem.text);
        exit(2);
    }
    return expr;
}

/* What a seed's search looks for. Kept from seed to seed where it is a table of the same target. */
static void prepare(struct bench *bench, uint64_t seed)
{
    bool hidden = strcmp(bench->target, "hidden") == 0;
    if (strcmp(bench->target, "scores") == 0) {
        scores_release(&bench->scores);
        bench->scores = scores_new(bench->space, seed);
        return;
    }
    if (bench->synthetic.strings > 0 && !hidden)
        return;
    if (bench->synthetic.space)
        synthetic_release(&bench->synthetic);
    bench->synthetic =
        synthetic_of(bench->space, hidden ? hidden_target(bench->space, seed) : given_target(bench->target));
}

/* What a proposal is worth. */
static struct synthetic_function value_of(struct bench *bench, const uint16_t *tokens, uint64_t *ret_identity)
{
    if (bench->scores.space) {
        double reward = scores_reward(&bench->scores, tokens);
        *ret_identity = hash64(tokens, (size_t)space_tokens(bench->space) * sizeof *tokens);
        return (struct synthetic_function){reward, true, reward > 1 - 1e-9};
    }
    int64_t id = synthetic_function(&bench->synthetic, tokens);
    *ret_identity = (uint64_t)id;
    return synthetic_at(&bench->synthetic, id);
}

/* Numbers that were met: open addressing, a power of two of places, the number + 1 in each. */
struct met {
    uint64_t *places;
    size_t mask;
};

/* Whether the number is new. */
static bool met_add(struct met *met, uint64_t number)
{
    for (size_t at = (size_t)hash64(&number, sizeof number);; at++) {
        uint64_t *place = &met->places[at & met->mask];
        if (*place == number + 1)
            return false;
        if (*place == 0) {
            *place = number + 1;
            return true;
        }
    }
}

static struct outcome run(struct bench *bench, uint64_t seed, uint64_t *proposals, double *search_seconds)
{
    struct experiment experiment = bench->experiment;
    experiment.seed = seed;
    prepare(bench, seed);
    double start = now_seconds();
    struct search *search = search_new(&experiment, bench->space);
    size_t batch = (size_t)experiment.search.batch, open = 0;
    struct met met = {.mask = 1};
    while (met.mask < 2 * (size_t)bench->limit)
        met.mask *= 2;
    met.places = xcalloc(met.mask--, sizeof *met.places);
    bool found = false;
    double *reward = xcalloc(batch, sizeof *reward), trainings = 0;
    struct outcome outcome = {.proposals = INFINITY, .trainings = INFINITY};
    *search_seconds += now_seconds() - start;
    for (int64_t i = 0; i < bench->limit && !found; i++) {
        struct proposal proposal;
        start = now_seconds();
        enum search_answer answer = search_next(search, &proposal);
        *search_seconds += now_seconds() - start;
        if (answer == SEARCH_DONE)
            break;
        uint64_t identity;
        struct synthetic_function function = value_of(bench, proposal.tokens, &identity);
        trainings += function.usable && met_add(&met, identity);
        reward[open++] = function.reward;
        outcome.best = function.reward > outcome.best ? function.reward : outcome.best;
        if (function.target) {
            outcome.proposals = (double)(i + 1);
            outcome.trainings = trainings;
            found = true;
        }
        start = now_seconds();
        for (size_t j = 0; j < batch && open == batch; j++)
            search_report(search, proposal.number + 1 - batch + j, reward[j]);
        *search_seconds += now_seconds() - start;
        open = open == batch ? 0 : open;
        ++*proposals;
    }
    free(reward);
    free(met.places);
    search_destroy(&search);
    return outcome;
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

/* The sizes of a saved state and of the model beside it, and the seconds that saving both takes. */
static double measure_save(const struct bench *bench, size_t *ret_bytes, size_t *ret_model_bytes)
{
    enum { TIMES = 10 };
    struct search *search = search_new(&bench->experiment, bench->space);
    struct proposal proposal;
    struct buf state = {0}, model = {0};
    for (int64_t i = 0; i < bench->experiment.search.batch; i++) /* so that it has learnt something */
        search_next(search, &proposal);
    for (int64_t i = 0; i < bench->experiment.search.batch; i++)
        search_report(search, (uint64_t)i, 0.5);
    search_next(search, &proposal);
    double start = now_seconds();
    for (int i = 0; i < TIMES; i++) {
        buf_clear(&state);
        buf_clear(&model);
        search_save(search, &state);
        search_save_model(search, &model);
    }
    double seconds = (now_seconds() - start) / TIMES;
    *ret_bytes = state.size;
    *ret_model_bytes = model.size;
    buf_release(&state);
    buf_release(&model);
    search_destroy(&search);
    return seconds;
}

static void measure(struct bench *bench, const char *name)
{
    size_t seeds = (size_t)bench->seeds, bytes, model_bytes;
    double *needed = xcalloc(3 * seeds, sizeof *needed), *trainings = needed + seeds,
           *best = trainings + seeds;
    double seconds = 0;
    uint64_t proposals = 0;
    int64_t found = 0;
    for (size_t i = 0; i < seeds; i++) {
        struct outcome outcome = run(bench, (uint64_t)bench->first + i, &proposals, &seconds);
        needed[i] = outcome.proposals;
        trainings[i] = outcome.trainings;
        best[i] = outcome.best;
        found += outcome.proposals < INFINITY;
    }
    for (int i = 0; i < 3; i++)
        qsort(needed + (size_t)i * seeds, seeds, sizeof *needed, compare);
    double save_seconds = measure_save(bench, &bytes, &model_bytes);
    printf("%-11s %4lld of %-4lld %7.0f %7.0f %7.0f %7.0f %9.0f %7.4f %11.4f %7zu %9zu %7.3f\n", name,
           (long long)found, (long long)bench->seeds, quantile(needed, bench->seeds, 0.25),
           quantile(needed, bench->seeds, 0.5), quantile(needed, bench->seeds, 0.75), needed[seeds - 1],
           quantile(trainings, bench->seeds, 0.5), quantile(best, bench->seeds, 0.5),
           1e3 * seconds / (double)proposals, bytes, model_bytes / 1024, 1e3 * save_seconds);
    fflush(stdout);
    free(needed);
}

/* Takes NAME=VALUE; false where the name is unknown. */
static bool set(struct bench *bench, const char *argument)
{
    struct experiment *experiment = &bench->experiment;
    const struct {
        const char *name;
        int64_t *integer;
        double *real;
    } settings[] = {
        {"seeds", &bench->seeds, NULL},
        {"first", &bench->first, NULL},
        {"limit", &bench->limit, NULL},
        {"units", &bench->units, NULL},
        {"batch", &experiment->search.batch, NULL},
        {"hidden", &experiment->rl.hidden, NULL},
        {"layers", &experiment->rl.layers, NULL},
        {"epochs", &experiment->rl.epochs, NULL},
        {"lr", NULL, &experiment->rl.lr},
        {"clip", NULL, &experiment->rl.clip},
        {"entropy", NULL, &experiment->rl.entropy},
        {"baseline_decay", NULL, &experiment->rl.baseline_decay},
        {"gradient_clip", NULL, &experiment->rl.gradient_clip},
        {"replay", &experiment->rl.replay, NULL},
        {"population", &experiment->evolution.population, NULL},
        {"sample", &experiment->evolution.sample, NULL},
    };
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : 0;
    if (equals && strncmp(argument, "algorithm=", length + 1) == 0) {
        bench->only = equals + 1;
        return true;
    }
    if (strcmp(argument, "repeats=no") == 0 || strcmp(argument, "repeats=yes") == 0) {
        experiment->rl.repeats = strcmp(equals + 1, "yes") == 0;
        return true;
    }
    if (equals && strncmp(argument, "target=", length + 1) == 0) {
        bench->target = equals + 1;
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
    struct bench bench = {.seeds = 20, .first = 1, .limit = 5000, .units = 1, .target = "x*sigmoid(b*x)"};
    struct problem problem = {0};
    struct experiment *defaults;
    if (experiment_parse("defaults", "[search]\ncandidates = 1\n", NULL, 0, &defaults, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        return 1;
    }
    bench.experiment = *defaults;
    for (int i = 1; i < argc; i++)
        if (!set(&bench, argv[i])) {
            fprintf(stderr, "search_synthetic: %s: expected SETTING=VALUE\n", argv[i]);
            return 2;
        }
    bench.experiment.space.units = (int)bench.units;
    if (space_new(&bench.experiment.space, &bench.space, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        return 1;
    }
    bool exact;
    double strings;
    space_strings(bench.space, &exact, &strings);
    printf("%.0f strings; at most %lld proposals; target: %s\n", strings, (long long)bench.limit,
           bench.target);
    printf("%-11s %-12s %7s %7s %7s %7s %9s %7s %11s %7s %9s %7s\n", "algorithm", "found", "25 %", "median",
           "75 %", "most", "trainings", "best", "ms/proposal", "state B", "model KiB", "save ms");
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (bench.only && strcmp(bench.only, algorithms[i].name) != 0)
            continue;
        bench.experiment.search.algorithm = algorithms[i].algorithm;
        measure(&bench, algorithms[i].name);
    }
    if (bench.synthetic.space)
        synthetic_release(&bench.synthetic);
    scores_release(&bench.scores);
    space_destroy(&bench.space);
    experiment_destroy(&defaults);
    return 0;
}
