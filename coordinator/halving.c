#include "coordinator/halving.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool climbs(const struct halving *halving)
{
    return halving->experiment->halving.rungs > 1;
}

static bool asynchronous(const struct halving *halving)
{
    return halving->experiment->search.mode == MODE_ASYNC;
}

static struct contender contender_on(const struct halving *halving, const struct candidate_row *row,
                                     int64_t rung, bool *ret_open)
{
    const struct experiment *experiment = halving->experiment;
    struct figures figures = ledger_figures(halving->ledger, row->id, experiment_rung_steps(experiment, rung),
                                            experiment->child.seeds);
    *ret_open = figures.open > 0;
    return contender_of(row, rung, &figures);
}

/* ---- synchronous: the batches -------------------------------------------------------------------------- */

static int64_t batch_of(const struct halving *halving, const struct candidate_row *row)
{
    return row->first_proposal / halving->experiment->search.batch;
}

static struct climbing_batch *batch_at(struct halving *halving, int64_t batch)
{
    if ((size_t)batch >= halving->batch_capacity) {
        size_t wanted = 2 * (size_t)batch + 64, old = halving->batch_capacity;
        halving->batches = xrealloc(halving->batches, wanted, sizeof *halving->batches);
        memset(halving->batches + old, 0, (wanted - old) * sizeof *halving->batches);
        halving->batch_capacity = wanted;
    }
    return &halving->batches[batch];
}

static void look_at(struct halving *halving, int64_t number)
{
    struct climbing_batch *batch = batch_at(halving, number);
    if (batch->listed)
        return;
    batch->listed = true;
    if (halving->to_look_at_count == halving->to_look_at_capacity) {
        halving->to_look_at_capacity = 2 * halving->to_look_at_capacity + 16;
        halving->to_look_at =
            xrealloc(halving->to_look_at, halving->to_look_at_capacity, sizeof *halving->to_look_at);
    }
    halving->to_look_at[halving->to_look_at_count++] = number;
}

static void join_batch(struct halving *halving, const struct candidate_row *row)
{
    struct climbing_batch *batch = batch_at(halving, batch_of(halving, row));
    if (batch->count == 0)
        batch->first = row->id;
    assert(batch->first + batch->count == row->id);
    batch->count++;
}

/* Makes the trials of a rung that the candidate has not; returns how many. */
static int64_t train(struct halving *halving, int64_t candidate, int64_t rung)
{
    const struct experiment *experiment = halving->experiment;
    int64_t added =
        ledger_add_trials(halving->ledger, candidate, rung, experiment_rung_steps(experiment, rung),
                          experiment->child.seeds, experiment->seed);
    queue_put_last(halving->queue, ledger_trials(halving->ledger), added);
    return added;
}

/* The candidates of a batch that were given trials of that rung, the best first. Returns how many. */
static size_t contenders_of(const struct halving *halving, const struct climbing_batch *batch, int64_t rung,
                            struct contender *ret_contenders)
{
    size_t count = 0;
    bool open;
    for (int64_t id = batch->first; id < batch->first + batch->count; id++) {
        const struct candidate_row *row = ledger_candidate(halving->ledger, id);
        if (row->rung < rung)
            continue;
        ret_contenders[count++] = contender_on(halving, row, rung, &open);
    }
    contenders_sort(ret_contenders, count);
    return count;
}

/* Nothing of the batch is open: the best of each rung climb to the next, until there is something open again.
 */
static void climb(struct halving *halving, struct climbing_batch *batch)
{
    int64_t eta = halving->experiment->halving.eta, added = 0;
    struct contender *contenders = xcalloc((size_t)batch->count, sizeof *contenders);
    for (int64_t rung = 0; rung + 1 < halving->experiment->halving.rungs && added == 0; rung++) {
        int64_t count = (int64_t)contenders_of(halving, batch, rung, contenders);
        int64_t promoted = (count + eta - 1) / eta;
        for (int64_t i = 0; i < promoted && contenders[i].able; i++)
            added += train(halving, contenders[i].candidate, rung + 1);
    }
    batch->open += added;
    free(contenders);
}

void halving_climb(struct halving *halving, int64_t proposals, bool over)
{
    size_t kept = 0;
    for (size_t i = 0; i < halving->to_look_at_count; i++) {
        int64_t number = halving->to_look_at[i];
        struct climbing_batch *batch = batch_at(halving, number);
        bool complete = over || (number + 1) * halving->experiment->search.batch <= proposals;
        if (batch->open == 0 && !complete) {
            halving->to_look_at[kept++] = number;
            continue;
        }
        batch->listed = false;
        if (batch->open == 0)
            climb(halving, batch);
    }
    halving->to_look_at_count = kept;
}

/* ---- asynchronous: the rungs --------------------------------------------------------------------------- */

static void append(struct through *through, const struct contender *contender)
{
    if (through->count == through->capacity) {
        through->capacity = 2 * through->capacity + 16;
        through->items = xrealloc(through->items, through->capacity, sizeof *through->items);
    }
    through->items[through->count++] = *contender;
}

/* Puts a candidate at its place. */
static void enter(struct through *through, const struct contender *contender)
{
    size_t low = 0, high = through->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (contender_compare(&through->items[middle], contender) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    append(through, contender);
    memmove(&through->items[low + 1], &through->items[low],
            (through->count - 1 - low) * sizeof *through->items);
    through->items[low] = *contender;
    if (low < through->promoted)
        through->promoted = low;
}

/* The candidate is not through with that rung after all. */
static void leave_rung(struct through *through, int64_t candidate)
{
    size_t at = 0;
    while (at < through->count && through->items[at].candidate != candidate)
        at++;
    if (at == through->count)
        return;
    through->count--;
    memmove(&through->items[at], &through->items[at + 1], (through->count - at) * sizeof *through->items);
    if (at < through->promoted)
        through->promoted--;
}

/* The candidate may be through with that rung. */
static void look_at_rung(struct halving *halving, const struct candidate_row *row, int64_t rung)
{
    bool open;
    struct contender contender = contender_on(halving, row, rung, &open);
    if (!open && rung + 1 < halving->experiment->halving.rungs)
        enter(&halving->through[rung], &contender);
}

bool halving_promote(struct halving *halving, bool last)
{
    if (!climbs(halving) || !asynchronous(halving))
        return false;
    size_t eta = (size_t)halving->experiment->halving.eta;
    for (int64_t rung = halving->experiment->halving.rungs - 2; rung >= 0; rung--) {
        struct through *through = &halving->through[rung];
        while (through->promoted < through->count &&
               ledger_candidate(halving->ledger, through->items[through->promoted].candidate)->rung > rung)
            through->promoted++;
        size_t places = (through->count + (last ? eta - 1 : 0)) / eta;
        if (through->promoted < places && through->items[through->promoted].able) {
            const struct contender *best = &through->items[through->promoted];
            if (train(halving, best->candidate, rung + 1) == 0) /* its finals were held before */
                look_at_rung(halving, ledger_candidate(halving->ledger, best->candidate), rung + 1);
            return true;
        }
    }
    return false;
}

/* ---- both ---------------------------------------------------------------------------------------------- */

/* The trial belongs to a candidate that climbs. */
static bool is_climbing(const struct halving *halving, const struct trial_row *trial)
{
    return climbs(halving) && trial->rung != RUNG_FINALS &&
           !ledger_candidate(halving->ledger, trial->candidate)->reference;
}

/* Synchronous. */
static void restore_batches(struct halving *halving)
{
    const struct candidate_row *row;
    for (int64_t id = 1; (row = ledger_candidate(halving->ledger, id)); id++)
        if (!row->reference) {
            join_batch(halving, row);
            look_at(halving, batch_of(halving, row));
        }
    const struct trial_row *trial;
    for (int64_t id = 1; (trial = ledger_trial(halving->ledger, id)); id++)
        if (is_climbing(halving, trial) && trial_is_open(trial)) {
            row = ledger_candidate(halving->ledger, trial->candidate);
            batch_at(halving, batch_of(halving, row))->open++;
        }
}

/* Asynchronous. */
static void restore_rungs(struct halving *halving)
{
    const int64_t top = halving->experiment->halving.rungs - 1;
    const struct candidate_row *row;
    for (int64_t id = 1; (row = ledger_candidate(halving->ledger, id)); id++)
        for (int64_t rung = 0; !row->reference && rung <= row->rung && rung < top; rung++) {
            bool open;
            struct contender contender = contender_on(halving, row, rung, &open);
            if (!open)
                append(&halving->through[rung], &contender);
        }
    for (int rung = 0; rung < MAX_RUNGS; rung++)
        contenders_sort(halving->through[rung].items, halving->through[rung].count);
}

void halving_start(struct halving *halving, const struct experiment *experiment, struct ledger *ledger,
                   struct queue *queue)
{
    *halving = (struct halving){.experiment = experiment, .ledger = ledger, .queue = queue};
    if (climbs(halving) && asynchronous(halving))
        restore_rungs(halving);
    else if (climbs(halving))
        restore_batches(halving);
}

void halving_release(struct halving *halving)
{
    free(halving->batches);
    free(halving->to_look_at);
    for (int rung = 0; rung < MAX_RUNGS; rung++)
        free(halving->through[rung].items);
    *halving = (struct halving){0};
}

void halving_admit(struct halving *halving, int64_t candidate)
{
    const struct candidate_row *row = ledger_candidate(halving->ledger, candidate);
    int64_t added = train(halving, candidate, 0);
    if (row->reference) {
        train(halving, candidate, halving->experiment->halving.rungs - 1);
    } else if (climbs(halving) && !asynchronous(halving)) {
        join_batch(halving, row);
        batch_at(halving, batch_of(halving, row))->open += added;
    }
}

void halving_closed(struct halving *halving, int64_t trial)
{
    const struct trial_row *row = ledger_trial(halving->ledger, trial);
    if (!is_climbing(halving, row))
        return;
    const struct candidate_row *candidate = ledger_candidate(halving->ledger, row->candidate);
    if (asynchronous(halving)) {
        look_at_rung(halving, candidate, row->rung);
        return;
    }
    struct climbing_batch *batch = batch_at(halving, batch_of(halving, candidate));
    assert(batch->open > 0);
    if (--batch->open == 0)
        look_at(halving, batch_of(halving, candidate));
}

void halving_reopened(struct halving *halving, int64_t trial)
{
    const struct trial_row *row = ledger_trial(halving->ledger, trial);
    if (!is_climbing(halving, row))
        return;
    if (asynchronous(halving))
        leave_rung(&halving->through[row->rung], row->candidate);
    else
        batch_at(halving, batch_of(halving, ledger_candidate(halving->ledger, row->candidate)))->open++;
}
