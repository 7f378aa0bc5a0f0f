/* search_async: what it costs a search that learns when no worker waits, with the real core and 64 workers of
 * uneven speed.
 *
 * A world of events: each worker trains one function at a time; a training takes 1 unit of time on average,
 * from a quarter to four times as long by worker and by function. The reward is that of
 * tests/synthetic_reward.h. Prints, for each algorithm and mode: the share of the time that the workers
 * trained, until the last training was begun; the runs that trained the function that is looked for, the
 * median trainings begun and the median time until then; the mean reward of the last 100 trainings; and the
 * time that a turn of the coordinator took.
 *
 *   search_async [SEEDS [WORKERS [UNITS [TRAININGS]]]]        20, 64, 1, 2000 by default
 */
#define CORE_FIXTURE_REAL_SEARCH
#include "tests/bench/seconds.h"
#include "tests/unit/core_fixture.h"

#include "common/matrix.h"
#include "tests/synthetic_reward.h"

enum { UNIT_MS = 100000 /* of simulated time */, LAST = 100, MOST_WORKERS = 1024 };

struct world {
    struct space *space;
    struct synthetic synthetic;
    int workers, units, trainings;
    struct core *core;
    struct training {
        bool busy;
        int64_t begun_ms, done_ms;
        struct msg_lease lease;
    } training[MOST_WORKERS];
};

struct outcome {
    double busy, trainings, time, last, turn_us;
    bool found;
};

/* Half to twice the unit by worker, and again by function. */
static int64_t duration_ms(int worker, const char *activation)
{
    uint64_t by_worker = hash64(&worker, sizeof worker), by_function = hash64(activation, strlen(activation));
    double exponent = (double)(by_worker % 1001) / 500 - 1 + (double)(by_function % 1001) / 500 - 1;
    return (int64_t)(UNIT_MS * exp2(exponent) / 1.1);
}

static struct synthetic_function function_of(struct world *world, const char *activation)
{
    struct expr *expr;
    struct problem problem;
    int err = expr_parse(activation, &expr, &problem);
    assert(!err);
    struct synthetic_function function =
        synthetic_at(&world->synthetic, synthetic_add_expr(&world->synthetic, expr));
    expr_destroy(&expr);
    return function;
}

/* A turn of the coordinator: what it leases begins. */
static void turn(struct world *world, int64_t now_ms, int *begun)
{
    core_advance(world->core, now_ms);
    core_rows(world->core);
    size_t count;
    struct core_send *sends = core_sends(world->core, &count);
    for (size_t i = 0; i < count; i++) {
        if (sends[i].type != MSG_LEASE)
            continue;
        struct msg msg;
        struct training *training = &world->training[sends[i].peer - 1];
        core_message(world->core, &sends[i], &msg);
        *training = (struct training){.busy = true, .begun_ms = now_ms, .lease = msg.lease_};
        training->done_ms = now_ms + duration_ms((int)sends[i].peer, msg.lease_.activation);
        ++*begun;
    }
    core_clear(world->core, now_ms);
}

static struct msg result_for(const struct msg_lease *lease, double reward)
{
    struct msg msg = {.type = MSG_RESULT, .result_ = result_of(lease)};
    msg.result_.diverged = false;
    msg.result_.step = 100;
    msg.result_.validation_count = 1000000;
    msg.result_.correct = (int64_t)(reward * 1e6);
    msg.result_.validation_loss = 1;
    return msg;
}

static struct outcome run(struct world *world, const char *algorithm, const char *mode, int batch, int seed)
{
    char settings[8][64];
    const char *overrides[9] = {NULL};
    snprintf(settings[0], 64, "search.algorithm=%s", algorithm);
    snprintf(settings[1], 64, "search.mode=%s", mode);
    snprintf(settings[2], 64, "search.batch=%d", batch);
    snprintf(settings[3], 64, "search.candidates=%d", world->trainings);
    snprintf(settings[4], 64, "experiment.seed=%d", seed);
    snprintf(settings[5], 64, "space.units=%d", world->units);
    snprintf(settings[6], 64, "queue.lease=24h");
    snprintf(settings[7], 64, "search.references=");
    for (int i = 0; i < 8; i++)
        overrides[i] = settings[i];
    struct experiment *experiment = experiment_with(overrides);
    struct rows disk = disk_new(experiment);
    world->core = core_on(experiment, world->space, &disk, 1);
    memset(world->training, 0, sizeof world->training);
    struct outcome outcome = {.trainings = INFINITY, .time = INFINITY};
    double rewards[LAST] = {0}, trained_ms = 0, wall = 0;
    int begun = 0, turns = 0, done = 0;
    int64_t now_ms = 1;
    for (int i = 0; i < world->workers; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        struct msg hello = hello_of(name, 1), request = request_of(1);
        core_receive(world->core, (uint64_t)i + 1, &hello, now_ms);
        core_receive(world->core, (uint64_t)i + 1, &request, now_ms);
    }
    turn(world, now_ms, &begun);
    while (begun < world->trainings && !core_finished(world->core)) {
        int next = -1;
        for (int i = 0; i < world->workers; i++)
            if (world->training[i].busy &&
                (next < 0 || world->training[i].done_ms < world->training[next].done_ms))
                next = i;
        if (next < 0) { /* only the budget of a turn is spent */
            turn(world, now_ms, &begun);
            continue;
        }
        struct training *training = &world->training[next];
        now_ms = training->done_ms;
        trained_ms += (double)(now_ms - training->begun_ms);
        training->busy = false;
        struct synthetic_function function = function_of(world, training->lease.activation);
        rewards[done++ % LAST] = function.reward;
        if (function.target && !outcome.found) {
            outcome.found = true;
            outcome.trainings = begun;
            outcome.time = (double)now_ms / UNIT_MS;
        }
        struct msg result = result_for(&training->lease, function.reward), request = request_of(1);
        double start = now_seconds();
        core_receive(world->core, (uint64_t)next + 1, &result, now_ms);
        core_receive(world->core, (uint64_t)next + 1, &request, now_ms);
        do
            turn(world, now_ms, &begun);
        while (core_next_ms(world->core) <= now_ms && !core_finished(world->core));
        wall += now_seconds() - start;
        turns++;
    }
    for (int i = 0; i < world->workers; i++)
        if (world->training[i].busy)
            trained_ms += (double)(now_ms - world->training[i].begun_ms);
    outcome.busy = trained_ms / ((double)now_ms * world->workers);
    outcome.turn_us = 1e6 * wall / turns;
    for (int i = 0; i < LAST; i++)
        outcome.last += rewards[i] / LAST;
    core_destroy(&world->core);
    rows_release(&disk);
    experiment_destroy(&experiment);
    return outcome;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct world *world, const char *algorithm, const char *mode, int batch, int seeds)
{
    double *trainings = xcalloc(2 * (size_t)seeds, sizeof *trainings), *time = trainings + seeds;
    double busy = 0, last = 0, turn_us = 0;
    int found = 0;
    for (int i = 0; i < seeds; i++) {
        struct outcome outcome = run(world, algorithm, mode, batch, i + 1);
        found += outcome.found;
        trainings[i] = outcome.trainings;
        time[i] = outcome.time;
        busy += outcome.busy / seeds;
        last += outcome.last / seeds;
        turn_us += outcome.turn_us / seeds;
    }
    qsort(trainings, (size_t)seeds, sizeof *trainings, compare);
    qsort(time, (size_t)seeds, sizeof *time, compare);
    printf("%-10s %-6s %5d %7.1f %% %4d of %-4d %9.0f %9.1f %9.4f %9.0f\n", algorithm, mode, batch,
           100 * busy, found, seeds, trainings[seeds / 2], time[seeds / 2], last, turn_us);
    fflush(stdout);
    free(trainings);
}

int main(int argc, char **argv)
{
    matrix_fix_core(argv);
    int numbers[4] = {20, 64, 1, 2000};
    for (int i = 1; i < argc && i <= 4; i++)
        numbers[i - 1] = atoi(argv[i]);
    struct world *world = xcalloc(1, sizeof *world);
    world->workers = numbers[1] < MOST_WORKERS ? numbers[1] : MOST_WORKERS;
    world->units = numbers[2];
    world->trainings = numbers[3];
    struct space_settings settings = {
        .units = world->units, .unary = "paper", .binary = "paper", .beta_init = 1, .epsilon = 1e-6};
    struct problem problem;
    if (space_new(&settings, &world->space, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        return 1;
    }
    world->synthetic = synthetic_new(world->space);
    printf("%d workers, %d units, %d trainings, time in mean trainings\n", world->workers, world->units,
           world->trainings);
    printf("%-10s %-6s %5s %9s %-12s %9s %9s %9s %9s\n", "algorithm", "mode", "batch", "busy", "found",
           "trainings", "time", "last", "us/turn");
    measure(world, "random", "async", 20, numbers[0]);
    static const char *const algorithms[] = {"evolution", "rl"};
    for (int i = 0; i < 2; i++) {
        measure(world, algorithms[i], "sync", 20, numbers[0]);
        measure(world, algorithms[i], "sync", world->workers, numbers[0]);
        measure(world, algorithms[i], "async", 20, numbers[0]);
    }
    synthetic_release(&world->synthetic);
    space_destroy(&world->space);
    free(world);
    return 0;
}
