#include "coordinator/ledger.h"

#include "common/hash.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct candidate_row *candidate_at(const struct ledger *ledger, int64_t candidate)
{
    assert(candidate > 0 && (size_t)candidate <= ledger->kept->candidates.count);
    return &ledger->kept->candidates.items[candidate - 1];
}

static struct trial_row *trial_at(const struct ledger *ledger, int64_t trial)
{
    assert(trial > 0 && (size_t)trial <= ledger->kept->trials.count);
    return &ledger->kept->trials.items[trial - 1];
}

/* Most are looked for soon after they were leased, and those of one start have consecutive numbers. */
static struct attempt_row *find_attempt(const struct ledger *ledger, int64_t attempt)
{
    struct attempt_row *items = ledger->kept->attempts.items;
    size_t low = 0, high = ledger->kept->attempts.count;
    if (high == 0 || attempt > items[high - 1].id)
        return NULL;
    uint64_t back = (uint64_t)items[high - 1].id - (uint64_t)attempt;
    if (back < high && items[high - 1 - back].id == attempt)
        return &items[high - 1 - back];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].id < attempt)
            low = middle + 1;
        else
            high = middle;
    }
    return items[low].id == attempt ? &items[low] : NULL;
}

static struct attempt_row *attempt_at(const struct ledger *ledger, int64_t attempt)
{
    struct attempt_row *row = find_attempt(ledger, attempt);
    assert(row);
    return row;
}

const struct candidate_row *ledger_candidate(const struct ledger *ledger, int64_t candidate)
{
    return candidate > 0 && (size_t)candidate <= ledger->kept->candidates.count
               ? candidate_at(ledger, candidate)
               : NULL;
}

const struct trial_row *ledger_trial(const struct ledger *ledger, int64_t trial)
{
    return trial > 0 && (size_t)trial <= ledger->kept->trials.count ? trial_at(ledger, trial) : NULL;
}

const struct attempt_row *ledger_attempt(const struct ledger *ledger, int64_t attempt)
{
    return find_attempt(ledger, attempt);
}

/* The counter of the trials in a state. */
static int64_t *counter_of(struct counters_row *counters, enum trial_state state)
{
    switch (state) {
    case TRIAL_READY:
        return &counters->ready;
    case TRIAL_LEASED:
        return &counters->leased;
    case TRIAL_DONE:
        return &counters->done;
    case TRIAL_DIVERGED:
        return &counters->diverged;
    case TRIAL_FAILED:
        return &counters->failed;
    case TRIAL_STATES:
        break;
    }
    assert(!"a state of a trial");
    return NULL;
}

static void move_trial(struct ledger *ledger, struct trial_row *trial, enum trial_state state)
{
    struct counters_row *counters = &ledger->kept->counters;
    (*counter_of(counters, trial->state))--;
    (*counter_of(counters, state))++;
    counters->finals_open -= trial->rung == RUNG_FINALS && trial_is_open(trial);
    trial->state = state;
    counters->finals_open += trial->rung == RUNG_FINALS && trial_is_open(trial);
    ledger->changes->counters_changed = true;
    assert(counters->trials ==
           counters->ready + counters->leased + counters->done + counters->diverged + counters->failed);
}

static void write_trial(struct ledger *ledger, const struct trial_row *trial)
{
    *rows_trial(ledger->changes) = *trial;
}

static void write_attempt(struct ledger *ledger, const struct attempt_row *attempt)
{
    *rows_attempt(ledger->changes) = *attempt;
}

static void make_room_for_candidate(struct ledger *ledger, size_t candidate)
{
    if (candidate < ledger->candidate_capacity)
        return;
    size_t wanted = 2 * candidate + 64, old = ledger->candidate_capacity;
    ledger->trials_of = xrealloc(ledger->trials_of, wanted, sizeof *ledger->trials_of);
    memset(ledger->trials_of + old, 0, (wanted - old) * sizeof *ledger->trials_of);
    ledger->candidate_capacity = wanted;
}

/* Puts a trial behind the others of its candidate, and counts it. */
static void list_trial(struct ledger *ledger, const struct trial_row *trial)
{
    if ((size_t)trial->id >= ledger->trial_capacity) {
        ledger->trial_capacity = 2 * (size_t)trial->id + 64;
        ledger->next_trial = xrealloc(ledger->next_trial, ledger->trial_capacity, sizeof *ledger->next_trial);
    }
    struct trials_of *trials = &ledger->trials_of[trial->candidate];
    ledger->next_trial[trial->id] = 0;
    if (trials->first == 0)
        trials->first = trial->id;
    else
        ledger->next_trial[trials->last] = trial->id;
    trials->last = trial->id;
    trials->open += trial->rung == 0 && trial_is_open(trial);
    ledger->kept->counters.trials++;
    (*counter_of(&ledger->kept->counters, trial->state))++;
    ledger->kept->counters.finals += trial->rung == RUNG_FINALS;
    ledger->kept->counters.finals_open += trial->rung == RUNG_FINALS && trial_is_open(trial);
}

void ledger_start(struct ledger *ledger, struct rows *kept, struct rows *changes)
{
    *ledger = (struct ledger){.kept = kept, .changes = changes};
    make_room_for_candidate(ledger, kept->candidates.count);
    struct counters_row *counters = &kept->counters;
    counters->trials = counters->ready = counters->leased = 0;
    counters->done = counters->diverged = counters->failed = counters->finals = counters->finals_open = 0;
    for (size_t i = 0; i < kept->trials.count; i++)
        list_trial(ledger, &kept->trials.items[i]);
    for (size_t i = 1; i < kept->attempts.count; i++)
        assert(kept->attempts.items[i - 1].id < kept->attempts.items[i].id);
}

void ledger_release(struct ledger *ledger)
{
    free(ledger->trials_of);
    free(ledger->next_trial);
    *ledger = (struct ledger){0};
}

int64_t ledger_add_candidate(struct ledger *ledger, const struct candidate_row *row)
{
    struct rows *kept = ledger->kept;
    struct candidate_row *candidate = rows_candidate(kept);
    *candidate = *row;
    candidate->id = (int64_t)kept->candidates.count;
    candidate->activation = rows_keep(kept, row->activation);
    candidate->accuracy_mean = candidate->accuracy_sd = candidate->validation_loss_mean = NAN;
    candidate->seconds = candidate->cost_ns = candidate->reward = NAN;
    make_room_for_candidate(ledger, (size_t)candidate->id);
    *rows_candidate(ledger->changes) = *candidate;
    return candidate->id;
}

/* ---- the trials of a candidate ------------------------------------------------------------------------- */

/* Over the trials of a candidate, in the order of their numbers. */
#define EACH_TRIAL(row, ledger, candidate)                                                                   \
    const struct trial_row *row = ledger_trial(ledger, (ledger)->trials_of[candidate].first);                \
    row;                                                                                                     \
    row = ledger_trial(ledger, (ledger)->next_trial[row->id])

int64_t ledger_add_trials(struct ledger *ledger, int64_t candidate, int64_t rung, int64_t steps,
                          int64_t replicas, uint64_t experiment_seed)
{
    struct rows *kept = ledger->kept;
    struct candidate_row *owner = candidate_at(ledger, candidate);
    int64_t there = 0;
    for (EACH_TRIAL(row, ledger, candidate))
        there += row->steps == steps;
    for (int64_t replica = there; replica < replicas; replica++) {
        struct trial_row *trial = rows_trial(kept);
        *trial = (struct trial_row){.id = (int64_t)kept->trials.count,
                                    .candidate = candidate,
                                    .replica = replica,
                                    .seed = (int64_t)trial_seed(experiment_seed, (uint32_t)replica),
                                    .rung = rung,
                                    .steps = steps,
                                    .state = TRIAL_READY,
                                    .validation_loss = NAN,
                                    .train_loss = NAN,
                                    .seconds = NAN,
                                    .images_per_second = NAN,
                                    .cost_ns = NAN};
        list_trial(ledger, trial);
        write_trial(ledger, trial);
    }
    int64_t added = replicas > there ? replicas - there : 0;
    if (added == 0 && rung <= owner->rung)
        return 0;
    if (rung > owner->rung)
        owner->rung = rung;
    if (owner->trials == 0)
        owner->steps = steps;
    owner->trials += added;
    if (rung == 0 && added > 0)
        owner->reward = NAN; /* more seeds than it was given for */
    *rows_candidate(ledger->changes) = *owner;
    ledger->changes->counters_changed = true;
    return added;
}

static void add_attempt(struct ledger *ledger, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms)
{
    struct rows *kept = ledger->kept;
    size_t count = kept->attempts.count;
    assert(count == 0 || attempt > kept->attempts.items[count - 1].id);
    struct attempt_row *row = rows_attempt(kept);
    *row = (struct attempt_row){.id = attempt,
                                .trial = trial,
                                .worker = worker,
                                .state = ATTEMPT_LEASED,
                                .leased_ms = now_ms,
                                .reason = ""};
    write_attempt(ledger, row);
}

void ledger_lease(struct ledger *ledger, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms)
{
    assert(trial_at(ledger, trial)->state == TRIAL_READY);
    add_attempt(ledger, attempt, trial, worker, now_ms);
    move_trial(ledger, trial_at(ledger, trial), TRIAL_LEASED);
    write_trial(ledger, trial_at(ledger, trial));
}

void ledger_audit(struct ledger *ledger, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms)
{
    assert(!trial_is_open(trial_at(ledger, trial)));
    add_attempt(ledger, attempt, trial, worker, now_ms);
}

void ledger_readopt(struct ledger *ledger, int64_t attempt)
{
    struct attempt_row *row = attempt_at(ledger, attempt);
    struct trial_row *trial = trial_at(ledger, row->trial);
    assert(trial->state == TRIAL_READY);
    if (row->state == ATTEMPT_LAPSED)
        trial->lost--;
    else
        assert(row->state == ATTEMPT_UNCLAIMED);
    row->state = ATTEMPT_LEASED;
    row->ended_ms = 0;
    row->reason = "";
    move_trial(ledger, trial, TRIAL_LEASED);
    write_trial(ledger, trial);
    write_attempt(ledger, row);
}

void ledger_end_attempt(struct ledger *ledger, int64_t attempt, enum attempt_state state, const char *reason,
                        int64_t now_ms)
{
    assert(state != ATTEMPT_LEASED);
    struct attempt_row *row = attempt_at(ledger, attempt);
    row->state = state;
    row->ended_ms = now_ms;
    row->reason = reason[0] != '\0' ? rows_keep(ledger->kept, reason) : "";
    write_attempt(ledger, row);
}

void ledger_ready(struct ledger *ledger, int64_t trial, bool lost)
{
    struct trial_row *row = trial_at(ledger, trial);
    assert(row->state == TRIAL_LEASED);
    row->lost += lost;
    move_trial(ledger, row, TRIAL_READY);
    write_trial(ledger, row);
}

static bool has_outcome(const struct trial_row *trial)
{
    return trial->state == TRIAL_DONE || trial->state == TRIAL_DIVERGED;
}

static double accuracy_of(const struct trial_row *trial)
{
    return trial->state == TRIAL_DONE ? (double)trial->correct / (double)trial->validation_count : 0;
}

struct figures ledger_figures(const struct ledger *ledger, int64_t candidate, int64_t steps, int64_t replicas)
{
    struct figures figures = {0};
    double accuracy = 0, loss = 0, seconds = 0, cost_ns = 0, squares = 0;
    for (EACH_TRIAL(trial, ledger, candidate)) {
        if (trial->steps != steps || trial->replica >= replicas)
            continue;
        figures.open += trial_is_open(trial);
        figures.diverged += trial->state == TRIAL_DIVERGED;
        if (!has_outcome(trial))
            continue;
        figures.seeds++;
        seconds += trial->seconds;
        if (figures.parameters == 0) {
            figures.parameters = trial->parameters;
            figures.betas = trial->betas;
        }
        if (trial->state == TRIAL_DIVERGED)
            continue;
        figures.done++;
        accuracy += accuracy_of(trial);
        loss += trial->validation_loss;
        cost_ns += trial->cost_ns;
    }
    double seeds = (double)figures.seeds, done = (double)figures.done;
    figures.accuracy_mean = figures.seeds > 0 ? accuracy / seeds : NAN;
    figures.seconds = figures.seeds > 0 ? seconds / seeds : NAN;
    figures.validation_loss_mean = figures.done > 0 ? loss / done : NAN;
    figures.cost_ns = figures.done > 0 ? cost_ns / done : NAN;
    for (EACH_TRIAL(trial, ledger, candidate)) {
        double distance = accuracy_of(trial) - figures.accuracy_mean;
        if (trial->steps == steps && trial->replica < replicas && has_outcome(trial))
            squares += distance * distance;
    }
    figures.accuracy_sd = figures.seeds > 1 ? sqrt(squares / (seeds - 1)) : NAN;
    return figures;
}

/* Of rung 0; NaN while one of its trials is open. */
static double reward_of(const struct ledger *ledger, int64_t candidate)
{
    double accuracy = 0;
    int64_t trials = 0, open = 0;
    for (EACH_TRIAL(trial, ledger, candidate)) {
        if (trial->rung != 0)
            continue;
        accuracy += accuracy_of(trial);
        open += trial_is_open(trial);
        trials++;
    }
    return open == 0 ? accuracy / (double)trials : NAN;
}

void ledger_compute(const struct ledger *ledger, struct candidate_row *row)
{
    int64_t longest = 0, shortest = INT64_MAX;
    row->failed = 0;
    for (EACH_TRIAL(trial, ledger, row->id)) {
        row->failed += trial->state == TRIAL_FAILED;
        if (has_outcome(trial) && trial->steps > longest)
            longest = trial->steps;
        if (trial->steps < shortest)
            shortest = trial->steps;
    }
    row->steps = longest > 0 ? longest : shortest;
    struct figures figures = ledger_figures(ledger, row->id, row->steps, INT64_MAX);
    row->seeds = figures.seeds;
    row->diverged = figures.diverged;
    row->accuracy_mean = figures.accuracy_mean;
    row->accuracy_sd = figures.accuracy_sd;
    row->validation_loss_mean = figures.validation_loss_mean;
    row->parameters = figures.parameters;
    row->betas = figures.betas;
    row->seconds = figures.seconds;
    row->cost_ns = figures.cost_ns;
    row->reward = reward_of(ledger, row->id);
}

bool ledger_close(struct ledger *ledger, int64_t trial, const struct trial_row *outcome)
{
    struct trial_row *row = trial_at(ledger, trial);
    assert(trial_is_open(row) && !trial_is_open(outcome));
    struct trial_row closed = *outcome;
    closed.id = row->id;
    closed.candidate = row->candidate;
    closed.replica = row->replica;
    closed.seed = row->seed;
    closed.rung = row->rung;
    closed.steps = row->steps;
    closed.state = row->state; /* moved below, where it is counted */
    *row = closed;
    move_trial(ledger, row, outcome->state);
    write_trial(ledger, row);

    struct candidate_row *candidate = candidate_at(ledger, row->candidate);
    bool last = row->rung == 0 && --ledger->trials_of[row->candidate].open == 0;
    ledger_compute(ledger, candidate);
    *rows_candidate(ledger->changes) = *candidate;
    return last;
}

void ledger_reopen(struct ledger *ledger, int64_t trial, bool leased)
{
    struct trial_row *row = trial_at(ledger, trial);
    assert(has_outcome(row) && row->closed_by != 0);
    *row = (struct trial_row){.id = row->id,
                              .candidate = row->candidate,
                              .replica = row->replica,
                              .seed = row->seed,
                              .rung = row->rung,
                              .steps = row->steps,
                              .state = row->state,
                              .lost = row->lost,
                              .validation_loss = NAN,
                              .train_loss = NAN,
                              .seconds = NAN,
                              .images_per_second = NAN,
                              .cost_ns = NAN};
    move_trial(ledger, row, leased ? TRIAL_LEASED : TRIAL_READY);
    write_trial(ledger, row);
    ledger->trials_of[row->candidate].open += row->rung == 0;
    struct candidate_row *candidate = candidate_at(ledger, row->candidate);
    ledger_compute(ledger, candidate);
    *rows_candidate(ledger->changes) = *candidate;
}

double ledger_reward(const struct ledger *ledger, int64_t candidate)
{
    return candidate_at(ledger, candidate)->reward;
}
