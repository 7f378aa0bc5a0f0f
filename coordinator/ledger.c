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

static struct attempt_row *attempt_at(const struct ledger *ledger, int64_t attempt)
{
    uint32_t at = map_get(&ledger->by_attempt, (uint64_t)attempt);
    assert(at != 0);
    return &ledger->kept->attempts.items[at - 1];
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
    return map_get(&ledger->by_attempt, (uint64_t)attempt) != 0 ? attempt_at(ledger, attempt) : NULL;
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
    trial->state = state;
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

static void make_room(struct ledger *ledger, size_t candidate)
{
    if (candidate < ledger->capacity)
        return;
    size_t wanted = 2 * candidate + 64, old = ledger->capacity;
    ledger->first_trial = xrealloc(ledger->first_trial, wanted, sizeof *ledger->first_trial);
    ledger->open_trials = xrealloc(ledger->open_trials, wanted, sizeof *ledger->open_trials);
    memset(ledger->first_trial + old, 0, (wanted - old) * sizeof *ledger->first_trial);
    memset(ledger->open_trials + old, 0, (wanted - old) * sizeof *ledger->open_trials);
    ledger->capacity = wanted;
}

void ledger_start(struct ledger *ledger, struct rows *kept, struct rows *changes)
{
    *ledger = (struct ledger){.kept = kept, .changes = changes};
    make_room(ledger, kept->candidates.count);
    struct counters_row *counters = &kept->counters;
    counters->trials = counters->ready = counters->leased = 0;
    counters->done = counters->diverged = counters->failed = 0;
    for (size_t i = 0; i < kept->trials.count; i++) {
        const struct trial_row *trial = &kept->trials.items[i];
        if (trial->replica == 0)
            ledger->first_trial[trial->candidate] = trial->id;
        ledger->open_trials[trial->candidate] += trial_is_open(trial);
        counters->trials++;
        (*counter_of(counters, trial->state))++;
    }
    for (size_t i = 0; i < kept->attempts.count; i++)
        map_set(&ledger->by_attempt, (uint64_t)kept->attempts.items[i].id, (uint32_t)i + 1);
}

void ledger_release(struct ledger *ledger)
{
    free(ledger->first_trial);
    free(ledger->open_trials);
    map_release(&ledger->by_attempt);
    *ledger = (struct ledger){0};
}

int64_t ledger_add_candidate(struct ledger *ledger, const struct candidate_row *row, uint64_t experiment_seed)
{
    struct rows *kept = ledger->kept;
    struct candidate_row *candidate = rows_candidate(kept);
    *candidate = *row;
    candidate->id = (int64_t)kept->candidates.count;
    candidate->activation = rows_keep(kept, row->activation);
    candidate->accuracy_mean = candidate->accuracy_sd = candidate->validation_loss_mean = NAN;
    candidate->seconds = candidate->cost_ns = candidate->reward = NAN;
    *rows_candidate(ledger->changes) = *candidate;

    int64_t first = (int64_t)kept->trials.count + 1;
    for (int64_t replica = 0; replica < row->trials; replica++) {
        struct trial_row *trial = rows_trial(kept);
        *trial = (struct trial_row){.id = first + replica,
                                    .candidate = candidate->id,
                                    .replica = replica,
                                    .seed = (int64_t)trial_seed(experiment_seed, (uint32_t)replica),
                                    .steps = row->steps,
                                    .state = TRIAL_READY,
                                    .validation_loss = NAN,
                                    .train_loss = NAN,
                                    .seconds = NAN,
                                    .images_per_second = NAN,
                                    .cost_ns = NAN};
        write_trial(ledger, trial);
    }
    make_room(ledger, (size_t)candidate->id);
    ledger->first_trial[candidate->id] = first;
    ledger->open_trials[candidate->id] = row->trials;
    kept->counters.trials += row->trials;
    kept->counters.ready += row->trials;
    ledger->changes->counters_changed = true;
    return first;
}

static void add_attempt(struct ledger *ledger, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms)
{
    struct rows *kept = ledger->kept;
    assert(!ledger_attempt(ledger, attempt));
    struct attempt_row *row = rows_attempt(kept);
    *row = (struct attempt_row){.id = attempt,
                                .trial = trial,
                                .worker = worker,
                                .state = ATTEMPT_LEASED,
                                .leased_ms = now_ms,
                                .reason = ""};
    map_set(&ledger->by_attempt, (uint64_t)attempt, (uint32_t)kept->attempts.count);
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

void candidate_figures(struct candidate_row *row, const struct trial_row *trials)
{
    double accuracy = 0, loss = 0, seconds = 0, cost_ns = 0;
    int64_t done = 0, open = 0;
    row->seeds = row->diverged = row->failed = row->parameters = row->betas = 0;
    for (int64_t i = 0; i < row->trials; i++) {
        const struct trial_row *trial = &trials[i];
        open += trial_is_open(trial);
        row->failed += trial->state == TRIAL_FAILED;
        row->diverged += trial->state == TRIAL_DIVERGED;
        if (trial->state != TRIAL_DONE && trial->state != TRIAL_DIVERGED)
            continue;
        row->seeds++;
        seconds += trial->seconds;
        if (row->parameters == 0) {
            row->parameters = trial->parameters;
            row->betas = trial->betas;
        }
        if (trial->state == TRIAL_DIVERGED)
            continue;
        done++;
        accuracy += (double)trial->correct / (double)trial->validation_count;
        loss += trial->validation_loss;
        cost_ns += trial->cost_ns;
    }
    row->accuracy_mean = row->seeds > 0 ? accuracy / (double)row->seeds : NAN;
    row->seconds = row->seeds > 0 ? seconds / (double)row->seeds : NAN;
    row->validation_loss_mean = done > 0 ? loss / (double)done : NAN;
    row->cost_ns = done > 0 ? cost_ns / (double)done : NAN;
    double squares = 0;
    for (int64_t i = 0; i < row->trials; i++) {
        const struct trial_row *trial = &trials[i];
        double value =
            trial->state == TRIAL_DONE ? (double)trial->correct / (double)trial->validation_count : 0;
        if (trial->state == TRIAL_DONE || trial->state == TRIAL_DIVERGED)
            squares += (value - row->accuracy_mean) * (value - row->accuracy_mean);
    }
    row->accuracy_sd = row->seeds > 1 ? sqrt(squares / (double)(row->seeds - 1)) : NAN;
    row->reward = open == 0 ? accuracy / (double)row->trials : NAN;
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
    closed.steps = row->steps;
    closed.state = row->state; /* moved below, where it is counted */
    *row = closed;
    move_trial(ledger, row, outcome->state);
    write_trial(ledger, row);

    struct candidate_row *candidate = candidate_at(ledger, row->candidate);
    bool last = --ledger->open_trials[row->candidate] == 0;
    candidate_figures(candidate, trial_at(ledger, ledger->first_trial[candidate->id]));
    *rows_candidate(ledger->changes) = *candidate;
    return last;
}

double ledger_reward(const struct ledger *ledger, int64_t candidate)
{
    return candidate_at(ledger, candidate)->reward;
}
