/* table_world: searches among functions whose trainings are in a table (common/trial_table.h): the coordinator's own core and search, and
 * made-up workers that take as long as the table says. Nothing is trained.
 *
 * A trial gets the accuracy of one of the seeds that the table has for its function, drawn by the seed of the search. What is found is
 * judged by the mean over all seeds: the regret of a function is how far its mean is below the best mean of the table.
 */
#ifndef TESTS_BENCH_TABLE_WORLD_H
#define TESTS_BENCH_TABLE_WORLD_H

#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_fixture.h"

#include "common/functions.h"
#include "common/trial_table.h"

enum { WORLD_POINTS = 4096, WORLD_TEN = 10, WORLD_LAST = 200, WORLD_WORKERS = 64 };

/* ---- the table by function, whatever its spelling ---- */

struct landscape {
    struct trial_table *table;
    struct space *space;
    struct functions *functions;
    struct known {
        const struct table_trial *trials; /* of its spelling in the table, all steps; NULL: not there */
        int count;
        double mean; /* accuracy at the experiment's steps */
    } * known;
    size_t capacity, functions_known;
    double best;            /* of the means */
    double longest_seconds; /* of a training of the experiment's steps that had a core for itself */
};

static inline double trial_accuracy(const struct table_trial *trial)
{
    return (double)trial->correct / (double)trial->validation_count;
}

static inline int64_t landscape_function(struct landscape *landscape, const char *activation)
{
    struct expr *expr;
    struct problem problem;
    int err = expr_parse(activation, &expr, &problem);
    assert(err == 0);
    const int64_t id = functions_add(landscape->functions, expr, NULL)->id;
    expr_destroy(&expr);
    if ((size_t)id >= landscape->capacity) {
        const size_t before = landscape->capacity;
        landscape->capacity = 2 * (size_t)id + 64;
        landscape->known = xrealloc(landscape->known, landscape->capacity, sizeof *landscape->known);
        memset(landscape->known + before, 0, (landscape->capacity - before) * sizeof *landscape->known);
    }
    return id;
}

/* Its trainings of so many steps, which stand one after the other. */
static inline const struct table_trial *known_trials(const struct known *known, int64_t steps, int *ret_count)
{
    int first = 0, count = 0;
    while (first < known->count && known->trials[first].steps != steps)
        first++;
    while (first + count < known->count && known->trials[first + count].steps == steps)
        count++;
    *ret_count = count;
    return known->trials + first;
}

static inline double known_mean(const struct known *known, int64_t steps)
{
    int count;
    double sum = 0;
    const struct table_trial *trials = known_trials(known, steps, &count);
    for (int i = 0; i < count; i++)
        sum += trial_accuracy(&trials[i]);
    return count ? sum / count : NAN;
}

static inline int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Four times the median of those that did not diverge: where one took longer, its machine was busy with something else. */
static inline double longest_seconds(const struct trial_table *table)
{
    double *seconds = xcalloc(table->count + 1, sizeof *seconds), longest = INFINITY;
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        if (table->trials[i].steps == table->experiment->child.steps && !table->trials[i].diverged)
            seconds[count++] = table->trials[i].seconds;
    qsort(seconds, count, sizeof *seconds, compare_seconds);
    if (count > 0)
        longest = 4 * seconds[count / 2];
    free(seconds);
    return longest;
}

/* Takes the table. Of two spellings the one with more trainings counts. */
static inline struct landscape landscape_new(struct trial_table *table)
{
    struct landscape landscape = {
        .table = table, .functions = functions_new(), .longest_seconds = longest_seconds(table)};
    struct problem problem;
    int err = space_new(&table->experiment->space, &landscape.space, &problem);
    assert(err == 0);
    for (size_t i = 0, count; i < table->count; i += count) {
        const struct table_trial *first = &table->trials[i];
        for (count = 1; i + count < table->count; count++)
            if (strcmp(first[count].activation, first->activation) != 0)
                break;
        const int64_t id = landscape_function(&landscape, first->activation);
        struct known *known = &landscape.known[id];
        const struct known own = {.trials = first, .count = (int)count};
        const double mean = known_mean(&own, table->experiment->child.steps);
        if (isnan(mean) || own.count <= known->count)
            continue;
        landscape.functions_known += known->count == 0;
        *known = own;
        known->mean = mean;
        landscape.best = mean > landscape.best ? mean : landscape.best;
    }
    return landscape;
}

static inline void landscape_release(struct landscape *landscape)
{
    functions_destroy(&landscape->functions);
    space_destroy(&landscape->space);
    trial_table_destroy(&landscape->table);
    free(landscape->known);
    *landscape = (struct landscape){0};
}

/* ---- one search ---- */

struct contest {
    const char *name, *algorithm, *mode;
    int batch, workers, rungs, candidates;
};

/* After each training that ended. */
struct point {
    float regret;  /* of what had the highest accuracy so far (of the longest trainings) */
    float ten;     /* mean of the ten that had the highest */
    float steps;   /* trained so far, all together */
    float seconds; /* until now */
};

struct course {
    int points;
    struct point point[WORLD_POINTS];
    double busy;                /* share of the workers' time, until the last training was begun */
    double last;                /* mean reward of the last WORLD_LAST distinct functions that were proposed */
    double proposals;           /* made */
    double missing;             /* trainings of functions that the table lacks: they count as 0 */
    float reward[WORLD_POINTS]; /* of each candidate, in order; NaN where it was not rewarded */
    int candidates;
};

struct seen {
    int64_t function, steps;
    double accuracy;
};

struct world {
    struct landscape *landscape;
    const struct contest *setting;
    int seed;
    struct core *core;
    struct course *course;
    int64_t now_ms;
    int begun;
    double steps, busy_ms;
    struct training {
        bool busy;
        int64_t begun_ms, done_ms;
        struct msg_lease lease;
        struct seen seen;
        const struct table_trial *trial; /* NULL: the table has none */
    } training[WORLD_WORKERS];
    struct seen top[WORLD_TEN]; /* the best so far */
    int top_count;
    int64_t *proposed; /* candidates, by number of proposal; 0: rejected */
    size_t proposed_count, proposed_capacity;
};

/* Which training of the function this search sees. */
static inline const struct table_trial *draw(const struct world *world, int64_t function, int64_t steps)
{
    const struct known *known = &world->landscape->known[function];
    int count = 0;
    const struct table_trial *trials = known->count ? known_trials(known, steps, &count) : NULL;
    struct rng rng =
        rng_seed((uint64_t)world->seed, "which seed", (uint64_t)function * 1000003 + (uint64_t)steps);
    return count ? &trials[rng_below(&rng, (uint64_t)count)] : NULL;
}

/* Half to twice as long, by worker, where there are several. */
static inline int64_t duration_ms(const struct world *world, int worker, const struct table_trial *trial)
{
    const uint64_t hash = hash64(&worker, sizeof worker);
    const double factor = world->setting->workers > 1 ? exp2((double)(hash % 1001) / 500 - 1) : 1;
    const double seconds = trial ? fmin(trial->seconds, world->landscape->longest_seconds) : 1;
    const double ms = 1000 * seconds * factor;
    return ms < 1 ? 1 : (int64_t)ms;
}

static inline void begin(struct world *world, int worker, const struct msg_lease *lease)
{
    struct training *training = &world->training[worker];
    struct child child;
    struct problem problem;
    int err = child_parse(lease->child, &child, &problem);
    assert(err == 0);
    *training = (struct training){.busy = true, .begun_ms = world->now_ms, .lease = *lease};
    training->seen.function = landscape_function(world->landscape, lease->activation);
    training->seen.steps = child.steps;
    training->trial = draw(world, training->seen.function, child.steps);
    training->seen.accuracy = training->trial ? trial_accuracy(training->trial) : 0;
    training->done_ms = world->now_ms + duration_ms(world, worker, training->trial);
    world->course->missing += !training->trial;
    world->begun++;
}

static inline void note_proposals(struct world *world, const struct rows *rows)
{
    for (size_t i = 0; i < rows->proposals.count; i++) {
        const struct proposal_row *row = &rows->proposals.items[i];
        if ((size_t)row->number < world->proposed_count)
            continue;
        if (world->proposed_count == world->proposed_capacity) {
            world->proposed_capacity = 2 * world->proposed_capacity + 1024;
            world->proposed = xrealloc(world->proposed, world->proposed_capacity, sizeof *world->proposed);
        }
        world->proposed[world->proposed_count++] = row->candidate;
    }
    struct course *course = world->course;
    for (size_t i = 0; i < rows->candidates.count; i++) {
        const struct candidate_row *row = &rows->candidates.items[i];
        assert(row->id <= WORLD_POINTS);
        course->candidates = row->id > course->candidates ? (int)row->id : course->candidates;
        course->reward[row->id - 1] = (float)row->reward;
    }
}

/* A turn of the coordinator: what it leases begins. */
static inline void turn(struct world *world)
{
    size_t count;
    do {
        core_advance(world->core, world->now_ms);
        note_proposals(world, core_rows(world->core));
        struct core_send *sends = core_sends(world->core, &count);
        for (size_t i = 0; i < count; i++) {
            struct msg msg;
            if (sends[i].type != MSG_LEASE)
                continue;
            core_message(world->core, &sends[i], &msg);
            begin(world, (int)sends[i].peer - 1, &msg.lease_);
        }
        core_clear(world->core, world->now_ms);
    } while (core_next_ms(world->core) <= world->now_ms && !core_finished(world->core));
}

static inline bool better(const struct seen *a, const struct seen *b)
{
    return a->steps != b->steps ? a->steps > b->steps : a->accuracy > b->accuracy;
}

static inline void note_outcome(struct world *world, const struct seen *seen)
{
    int at = world->top_count < WORLD_TEN ? world->top_count++ : WORLD_TEN;
    for (; at > 0 && better(seen, &world->top[at - 1]); at--)
        if (at < WORLD_TEN)
            world->top[at] = world->top[at - 1];
    if (at < WORLD_TEN)
        world->top[at] = *seen;
    struct course *course = world->course;
    assert(course->points < WORLD_POINTS);
    const struct known *known = world->landscape->known;
    double ten = 0;
    for (int i = 0; i < world->top_count; i++)
        ten += (world->landscape->best - known[world->top[i].function].mean) / world->top_count;
    course->point[course->points++] =
        (struct point){.regret = (float)(world->landscape->best - known[world->top[0].function].mean),
                       .ten = (float)ten,
                       .steps = (float)world->steps,
                       .seconds = (float)((double)world->now_ms / 1000)};
}

/* The next training ends, and its worker asks for another. False: none is under way. */
static inline bool end_one(struct world *world)
{
    int next = -1;
    for (int i = 0; i < world->setting->workers; i++)
        if (world->training[i].busy &&
            (next < 0 || world->training[i].done_ms < world->training[next].done_ms))
            next = i;
    if (next < 0)
        return false;
    struct training *training = &world->training[next];
    world->now_ms = training->done_ms;
    world->busy_ms += (double)(training->done_ms - training->begun_ms);
    training->busy = false;
    const struct table_trial *trial = training->trial;
    struct msg result = {.type = MSG_RESULT, .result_ = result_of(&training->lease)};
    result.result_.diverged = !trial || trial->diverged;
    result.result_.step = trial ? trial->step : 1;
    result.result_.correct = trial ? trial->correct : 0;
    result.result_.validation_count = trial ? trial->validation_count : 1;
    result.result_.validation_loss = trial ? trial->validation_loss : NAN;
    world->steps += (double)result.result_.step;
    note_outcome(world, &training->seen);
    struct msg request = request_of(1);
    core_receive(world->core, (uint64_t)next + 1, &result, world->now_ms);
    core_receive(world->core, (uint64_t)next + 1, &request, world->now_ms);
    turn(world);
    return true;
}

/* The mean reward of the last distinct functions that were proposed and trained. */
static inline double last_rewards(const struct world *world)
{
    bool *seen = xcalloc(WORLD_POINTS + 1, sizeof *seen);
    double sum = 0;
    int count = 0;
    for (size_t i = world->proposed_count; i-- > 0 && count < WORLD_LAST;) {
        const int64_t candidate = world->proposed[i];
        if (candidate == 0 || seen[candidate] || isnan(world->course->reward[candidate - 1]))
            continue;
        seen[candidate] = true;
        sum += (double)world->course->reward[candidate - 1];
        count++;
    }
    free(seen);
    return count ? sum / count : NAN;
}

/* That of the table, but for how it is searched. */
static inline struct experiment *world_experiment(const struct world *world, int64_t proposals)
{
    const struct contest *setting = world->setting;
    char settings[12][64], *text = experiment_text(world->landscape->table->experiment);
    const char *overrides[12];
    int count = 0;
#define SET(...) snprintf(settings[count++], sizeof settings[0], __VA_ARGS__)
    SET("search.algorithm=%s", setting->algorithm);
    SET("search.mode=%s", setting->mode);
    SET("search.batch=%d", setting->batch);
    SET("search.candidates=%d", setting->candidates);
    SET("search.proposals=%lld", (long long)proposals);
    SET("search.references=");
    SET("experiment.seed=%d", world->seed);
    SET("halving.rungs=%d", setting->rungs);
    SET("child.seeds=1");
    SET("finals.top=0");
    SET("queue.lease=24h"); /* these workers say nothing while they train */
#undef SET
    for (int i = 0; i < count; i++)
        overrides[i] = settings[i];
    struct experiment *experiment;
    struct problem problem;
    if (experiment_parse("the table's experiment", text, overrides, count, &experiment, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        exit(1);
    }
    free(text);
    return experiment;
}

static inline void world_run(struct landscape *landscape, const struct contest *setting, int seed,
                             int64_t proposals, struct course *ret_course)
{
    struct world *world = xcalloc(1, sizeof *world);
    *world = (struct world){
        .landscape = landscape, .setting = setting, .seed = seed, .course = ret_course, .now_ms = 1};
    memset(ret_course, 0, sizeof *ret_course);
    struct experiment *experiment = world_experiment(world, proposals);
    struct rows disk = disk_new(experiment);
    world->core = core_on(experiment, landscape->space, &disk, 1);
    assert(setting->workers <= WORLD_WORKERS);
    for (int i = 0; i < setting->workers; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        struct msg hello = hello_of(name, 1), request = request_of(1);
        core_receive(world->core, (uint64_t)i + 1, &hello, world->now_ms);
        core_receive(world->core, (uint64_t)i + 1, &request, world->now_ms);
    }
    turn(world);
    int begun = 0;
    double busy_ms = 0, until_ms = 1;
    while (end_one(world))
        if (world->begun > begun) { /* the wait for the last trainings is not counted */
            begun = world->begun;
            until_ms = (double)world->now_ms;
            busy_ms = world->busy_ms;
            for (int i = 0; i < setting->workers; i++)
                if (world->training[i].busy)
                    busy_ms += until_ms - (double)world->training[i].begun_ms;
        }
    ret_course->busy = busy_ms / (until_ms * setting->workers);
    ret_course->proposals = (double)world->proposed_count;
    ret_course->last = last_rewards(world);
    core_destroy(&world->core);
    rows_release(&disk);
    experiment_destroy(&experiment);
    free(world->proposed);
    free(world);
}

#endif
