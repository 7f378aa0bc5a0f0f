/* search_table: the search algorithms on real rewards: regret against trainings, steps and time, in a table whose trainings are all done
 * (common/trial_table.h, tests/bench/table_world.h).
 *
 *   search_table TABLE FOLDER [SEEDS [PROCESSES]]              100 seeds and 2 processes by default
 *
 * Prints the tables of docs/results/search.md as Markdown. In FOLDER it leaves the data of the figures, trials.dat, ten.dat and
 * seconds.dat: for each setting a block with its name, and lines "x mean low high" with the 95 % interval of the mean over seeds, in
 * points (0.01 of accuracy). What is in a table depends on TABLE and SEEDS alone, whatever the number of processes.
 */
#include "common/matrix.h"
#include "tests/bench/table_world.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANDIDATES = 2000, PROPOSALS = 5000, YARDSTICK = 1500, ASYNC_CANDIDATES = 1000, MOST_SEEDS = 1000 };

/* The first are the plain ones, in the order of those with halving that follow. */
static const struct contest settings[] = {
    {"random", "random", "sync", 20, 1, 1, CANDIDATES},
    {"evolution", "evolution", "sync", 20, 1, 1, CANDIDATES},
    {"rl", "rl", "sync", 20, 1, 1, CANDIDATES},
    {"random, halving", "random", "sync", 20, 1, 2, CANDIDATES},
    {"evolution, halving", "evolution", "sync", 20, 1, 2, CANDIDATES},
    {"rl, halving", "rl", "sync", 20, 1, 2, CANDIDATES},
    {"random, 64 workers", "random", "async", 20, WORLD_WORKERS, 1, ASYNC_CANDIDATES},
    {"evolution, 64 workers, sync", "evolution", "sync", WORLD_WORKERS, WORLD_WORKERS, 1, ASYNC_CANDIDATES},
    {"evolution, 64 workers, async", "evolution", "async", 20, WORLD_WORKERS, 1, ASYNC_CANDIDATES},
    {"rl, 64 workers, sync", "rl", "sync", WORLD_WORKERS, WORLD_WORKERS, 1, ASYNC_CANDIDATES},
    {"rl, 64 workers, async", "rl", "async", 20, WORLD_WORKERS, 1, ASYNC_CANDIDATES},
};
enum { SETTINGS = sizeof settings / sizeof *settings, PLAIN = 3, HALVING = 3, ASYNC_FROM = 6 };

struct bench {
    struct landscape landscape;
    int seeds, processes;
    bool halves;            /* the table has the shorter trainings that halving begins with */
    struct course *courses; /* SETTINGS × seeds, shared with the processes that run them */
};

static const struct course *course_of(const struct bench *bench, int setting, int seed)
{
    return &bench->courses[(size_t)setting * (size_t)bench->seeds + (size_t)seed];
}

static bool is_run(const struct bench *bench, int setting)
{
    return settings[setting].rungs == 1 || bench->halves;
}

/* ---- running ---- */

/* Each process takes every so-manieth search. */
static void run_all(struct bench *bench)
{
    for (int process = 0; process < bench->processes; process++) {
        if (fork() != 0)
            continue;
        for (int i = process; i < SETTINGS * bench->seeds; i += bench->processes)
            if (is_run(bench, i / bench->seeds))
                world_run(&bench->landscape, &settings[i / bench->seeds], i % bench->seeds + 1, PROPOSALS,
                          &bench->courses[i]);
        _exit(0);
    }
    int status;
    while (wait(&status) > 0)
        if (status != 0) {
            fprintf(stderr, "search_table: a process failed\n");
            exit(1);
        }
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The given share of the values, which are sorted here; between two that are there, in proportion. */
static double quantile(double *values, int count, double share)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    const double at = share * (count - 1);
    const int low = (int)at;
    if (low + 1 >= count || values[low] == values[low + 1])
        return values[low];
    return values[low] + (at - low) * (values[low + 1] - values[low]);
}

/* Mean and half of its 95 % interval: from 30 seeds on, Student's t is near enough to 2. */
static void interval(const double *values, int count, double *ret_mean, double *ret_half)
{
    double sum = 0, square = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    const double mean = sum / count;
    for (int i = 0; i < count; i++)
        square += (values[i] - mean) * (values[i] - mean);
    *ret_mean = mean;
    *ret_half = count > 1 ? 2 * sqrt(square / (count - 1) / count) : 0;
}

static double regret(const struct point *point)
{
    return 100 * (double)point->regret;
}

static double ten(const struct point *point)
{
    return 100 * (double)point->ten;
}

static double in_trials(const struct course *course, int point)
{
    (void)course;
    return point + 1;
}

static double in_steps(const struct course *course, int point)
{
    return (double)course->point[point].steps;
}

static double in_seconds(const struct course *course, int point)
{
    return (double)course->point[point].seconds;
}

typedef double axis_of(const struct course *, int point);
typedef double measure_of(const struct point *);

/* How the search stood at x: what ended after that does not count, and after its end it stays as it was. NaN: nothing had ended. */
static double value_at(const struct course *course, axis_of *axis, measure_of *measure, double x)
{
    int low = 0, high = course->points;
    while (low < high) { /* the number of points up to x */
        const int middle = (low + high) / 2;
        if (axis(course, middle) <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? measure(&course->point[low - 1]) : NAN;
}

/* Over the seeds; NaN where one of them has nothing yet. */
static void mean_at(const struct bench *bench, int setting, axis_of *axis, measure_of *measure, double x,
                    double *ret_mean, double *ret_half)
{
    double values[MOST_SEEDS];
    for (int seed = 0; seed < bench->seeds; seed++)
        values[seed] = value_at(course_of(bench, setting, seed), axis, measure, x);
    interval(values, bench->seeds, ret_mean, ret_half);
}

static double median_at(const struct bench *bench, int setting, axis_of *axis, double x)
{
    double values[MOST_SEEDS];
    for (int seed = 0; seed < bench->seeds; seed++)
        values[seed] = value_at(course_of(bench, setting, seed), axis, regret, x);
    return quantile(values, bench->seeds, 0.5);
}

/* Where the search first has a regret of at most so much; infinity where it never does. */
static double first_at(const struct course *course, axis_of *axis, double most)
{
    for (int i = 0; i < course->points; i++)
        if (regret(&course->point[i]) <= most)
            return axis(course, i);
    return INFINITY;
}

/* The same of the mean over the seeds, in strides: it is smooth, one search is not. */
static double mean_first_at(const struct bench *bench, int setting, axis_of *axis, double most, double stride,
                            double end)
{
    for (double x = stride; x <= end; x += stride) {
        double mean, half;
        mean_at(bench, setting, axis, regret, x, &mean, &half);
        if (mean <= most)
            return x;
    }
    return INFINITY;
}

static const char *number(double value, int digits, char text[32])
{
    if (isfinite(value))
        snprintf(text, 32, "%.*f", digits, value);
    else
        snprintf(text, 32, "–");
    return text;
}

/* ---- the data of the figures ---- */

static int write_figure(const struct bench *bench, const char *folder, const char *name, axis_of *axis,
                        measure_of *measure, int first, int last, double stride, double end)
{
    char *path = xasprintf("%s/%s.dat", folder, name);
    FILE *file = fopen(path, "we");
    free(path);
    if (!file)
        return -1;
    for (int setting = first; setting < last; setting++) {
        if (!is_run(bench, setting))
            continue;
        fprintf(file, "\"%s\"\n", settings[setting].name);
        for (double x = stride; x <= end; x += stride) {
            double mean, half;
            mean_at(bench, setting, axis, measure, x, &mean, &half);
            if (!isnan(mean))
                fprintf(file, "%g %.4f %.4f %.4f\n", x, mean, mean - half, mean + half);
        }
        fprintf(file, "\n\n");
    }
    return fclose(file);
}

/* ---- the tables ---- */

static void print_regrets(const struct bench *bench)
{
    static const int trials[] = {50, 100, 200, 500, 1000, 1500, 2000};
    enum { COLUMNS = sizeof trials / sizeof *trials };
    static const struct {
        const char *title;
        measure_of *measure;
    } parts[] = {{"the best so far", regret}, {"mean of the final ten", ten}};
    for (int part = 0; part < 2; part++) {
        printf("| regret in points, %s, after trainings |", parts[part].title);
        for (int i = 0; i < COLUMNS; i++)
            printf(" %d |", trials[i]);
        printf("\n|---|");
        for (int i = 0; i < COLUMNS; i++)
            printf("---|");
        printf("\n");
        for (int setting = 0; setting < PLAIN; setting++) {
            printf("| %s |", settings[setting].name);
            for (int i = 0; i < COLUMNS; i++) {
                double mean, half;
                mean_at(bench, setting, in_trials, parts[part].measure, trials[i], &mean, &half);
                printf(" %.2f ± %.2f |", mean, half);
            }
            printf("\n");
        }
        printf("\n");
    }
}

/* What random without repetitions reaches in 1,500 trainings. */
static void print_yardstick(const struct bench *bench)
{
    const double most = median_at(bench, 0, in_trials, YARDSTICK);
    printf("Random without repetitions has a regret of %.2f points after %d trainings (median of %d seeds). "
           "The first time that a search has it, in trainings:\n\n",
           most, YARDSTICK, bench->seeds);
    printf("| | searches that get there | 25 %% | median | 75 %% | the mean over all searches gets to "
           "random's mean there | distinct functions in %d proposals |\n|---|---|---|---|---|---|---|\n",
           PROPOSALS);
    double random_mean, half;
    mean_at(bench, 0, in_trials, regret, YARDSTICK, &random_mean, &half);
    for (int setting = 0; setting < PLAIN; setting++) {
        double firsts[MOST_SEEDS], distinct[MOST_SEEDS];
        char a[32], b[32], c[32], d[32];
        int found = 0;
        for (int seed = 0; seed < bench->seeds; seed++) {
            firsts[seed] = first_at(course_of(bench, setting, seed), in_trials, most);
            distinct[seed] = course_of(bench, setting, seed)->candidates;
            found += isfinite(firsts[seed]);
        }
        printf("| %s | %d of %d | %s | %s | %s | %s | %.0f |\n", settings[setting].name, found, bench->seeds,
               number(quantile(firsts, bench->seeds, 0.25), 0, a),
               number(quantile(firsts, bench->seeds, 0.5), 0, b),
               number(quantile(firsts, bench->seeds, 0.75), 0, c),
               number(mean_first_at(bench, setting, in_trials, random_mean, 10, CANDIDATES), 0, d),
               quantile(distinct, bench->seeds, 0.5));
    }
    printf("\n");
}

static void print_last(const struct bench *bench)
{
    double *rewards = xcalloc((size_t)bench->seeds * WORLD_POINTS, sizeof *rewards), lasts[MOST_SEEDS];
    int count = 0;
    for (int seed = 0; seed < bench->seeds; seed++) {
        const struct course *course = course_of(bench, 0, seed);
        for (int i = 0; i < course->candidates; i++)
            if (!isnan(course->reward[i]))
                rewards[count++] = (double)course->reward[i];
        lasts[seed] = course->last;
    }
    printf("Mean reward of the last %d distinct functions proposed (accuracy; 0 where it diverged). Of "
           "single functions that random proposed, 95 %% are below %.2f %%; "
           "of random's means of the last %d, 95 %% are below %.2f %%.\n\n",
           WORLD_LAST, 100 * quantile(rewards, count, 0.95), WORLD_LAST,
           100 * quantile(lasts, bench->seeds, 0.95));
    free(rewards);
    printf("| | mean | lowest search | highest |\n|---|---|---|---|\n");
    for (int setting = 0; setting < PLAIN; setting++) {
        double mean, half;
        for (int seed = 0; seed < bench->seeds; seed++)
            lasts[seed] = course_of(bench, setting, seed)->last;
        interval(lasts, bench->seeds, &mean, &half);
        printf("| %s | %.2f %% ± %.2f | %.2f %% | %.2f %% |\n", settings[setting].name, 100 * mean,
               100 * half, 100 * quantile(lasts, bench->seeds, 0), 100 * quantile(lasts, bench->seeds, 1));
    }
    printf("\n");
}

static void print_halving(const struct bench *bench)
{
    if (!bench->halves) {
        printf("The table has no trainings of a quarter of the steps yet: nothing to say of halving.\n\n");
        return;
    }
    static const int trials[] = {200, 500, 1000, 2000};
    printf("Steps that the mean over all searches takes to the regret that the same algorithm has without "
           "halving, after so many trainings of full length:\n\n"
           "| | regret there | steps without | with halving | share |\n|---|---|---|---|---|\n");
    const double full = (double)bench->landscape.table->experiment->child.steps;
    for (int setting = 0; setting < PLAIN; setting++)
        for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
            double mean, half;
            char steps[32], share[32];
            mean_at(bench, setting, in_trials, regret, trials[i], &mean, &half);
            const double without =
                mean_first_at(bench, setting, in_steps, mean, 10 * full, CANDIDATES * full);
            const double with =
                mean_first_at(bench, setting + HALVING, in_steps, mean, 10 * full, CANDIDATES * full);
            printf("| %s, %d | %.2f | %.0f | %s | %s |\n", settings[setting].name, trials[i], mean, without,
                   number(with, 0, steps), number(with / without, 2, share));
        }
    printf("\n");
}

static void print_async(const struct bench *bench)
{
    static const int trials[] = {200, 500, 1000};
    printf("%d workers, one half to twice as fast as the mean, %d trainings. Regret of the best so far, in "
           "points:\n\n"
           "| | busy | after 200 | 500 | 1,000 trainings | until its end |\n|---|---|---|---|---|---|\n",
           WORLD_WORKERS, ASYNC_CANDIDATES);
    for (int setting = ASYNC_FROM; setting < SETTINGS; setting++) {
        double busy = 0, seconds[MOST_SEEDS];
        for (int seed = 0; seed < bench->seeds; seed++) {
            const struct course *course = course_of(bench, setting, seed);
            busy += course->busy / bench->seeds;
            seconds[seed] = course->points ? in_seconds(course, course->points - 1) : NAN;
        }
        printf("| %s | %.1f %% |", settings[setting].name, 100 * busy);
        for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
            double mean, half;
            mean_at(bench, setting, in_trials, regret, trials[i], &mean, &half);
            printf(" %.2f ± %.2f |", mean, half);
        }
        printf(" %.0f s |\n", quantile(seconds, bench->seeds, 0.5));
    }
    printf("\n");
}

static void print_head(const struct bench *bench)
{
    const struct landscape *landscape = &bench->landscape;
    double missing = 0, trained = 0;
    for (int setting = 0; setting < PLAIN; setting++)
        for (int seed = 0; seed < bench->seeds; seed++) {
            missing += course_of(bench, setting, seed)->missing;
            trained += course_of(bench, setting, seed)->points;
        }
    printf("%zu functions with %lld steps in the table; the best mean is %.2f %%. %d seeds for each line; ± "
           "is half of the 95 %% interval of the mean.\n\n",
           landscape->functions_known, (long long)landscape->table->experiment->child.steps,
           100 * landscape->best, bench->seeds);
    if (missing > 0)
        printf("**The table is not complete**: %.0f %% of the trainings were of functions that it lacks. "
               "They count as accuracy 0, and these figures are preliminary.\n\n",
               100 * missing / (trained > 0 ? trained : 1));
}

/* ---- the whole ---- */

static bool has_steps(const struct trial_table *table, int64_t steps)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->trials[i].steps == steps)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    matrix_fix_core(argv);
    struct trial_table *table;
    struct problem problem;
    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: search_table TABLE FOLDER [SEEDS [PROCESSES]]\n");
        return 2;
    }
    if (trial_table_read(argv[1], &table, &problem) != 0) {
        fprintf(stderr, "search_table: %s\n", problem.text);
        return 1;
    }
    struct bench bench = {.seeds = argc > 3 ? atoi(argv[3]) : 100, .processes = argc > 4 ? atoi(argv[4]) : 2};
    if (bench.seeds < 2 || bench.seeds > MOST_SEEDS || bench.processes < 1 || table->count == 0) {
        fprintf(stderr, "search_table: expected 2 to %d seeds, a process, and trainings in the table\n",
                MOST_SEEDS);
        return 2;
    }
    const struct experiment *experiment = table->experiment;
    bench.halves = has_steps(table, experiment->child.steps / experiment->halving.eta);
    bench.landscape = landscape_new(table);
    const size_t bytes = (size_t)SETTINGS * (size_t)bench.seeds * sizeof *bench.courses;
    bench.courses =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bench.courses == MAP_FAILED)
        out_of_memory();
    run_all(&bench);
    print_head(&bench);
    print_regrets(&bench);
    print_yardstick(&bench);
    print_last(&bench);
    print_halving(&bench);
    print_async(&bench);
    double seconds = 0;
    for (int seed = 0; seed < bench.seeds; seed++) {
        const struct course *course = course_of(&bench, 0, seed);
        seconds += (course->points ? in_seconds(course, course->points - 1) : 0) / bench.seeds;
    }
    int failed = write_figure(&bench, argv[2], "trials", in_trials, regret, 0, PLAIN, 20, CANDIDATES);
    failed |= write_figure(&bench, argv[2], "ten", in_trials, ten, 0, PLAIN, 20, CANDIDATES);
    failed |=
        write_figure(&bench, argv[2], "seconds", in_seconds, regret, 0, ASYNC_FROM, seconds / 100, seconds);
    if (failed)
        fprintf(stderr, "search_table: %s: the data of the figures could not be written\n", argv[2]);
    munmap(bench.courses, bytes);
    landscape_release(&bench.landscape);
    return failed ? 1 : 0;
}
