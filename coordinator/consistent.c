#include "coordinator/consistent.h"

#include "coordinator/map.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int corrupt(struct problem *problem, const char *list, int64_t key, const char *why)
{
    return problem_set(problem, ERR_CORRUPT, "%s %" PRId64 ": %s", list, key, why);
}

static bool within(int64_t key, size_t count)
{
    return key >= 1 && (uint64_t)key <= count;
}

static bool has_outcome(const struct trial_row *trial)
{
    return trial->state == TRIAL_DONE || trial->state == TRIAL_DIVERGED;
}

static bool is_open(const struct trial_row *trial)
{
    return trial->state == TRIAL_READY || trial->state == TRIAL_LEASED;
}

static int check_workers(const struct rows *rows, struct problem *problem)
{
    for (size_t i = 0; i < rows->workers.count; i++)
        if (rows->workers.items[i].id != (int64_t)i + 1)
            return corrupt(problem, "worker", (int64_t)i + 1, "is missing");
    return 0;
}

/* What the trials of a candidate add up to. */
struct tally {
    int64_t trials, first, open_first; /* first: those of rung 0 */
    int64_t rung;                      /* the highest */
};

/* The trials of a candidate that have as many steps are its replicas 0, 1, 2, … in order. */
static int tally_trials(const struct rows *rows, struct tally *tallies, struct problem *problem)
{
    struct map replicas = {0}; /* by candidate and steps */
    int err = 0;
    for (size_t i = 0; i < rows->trials.count && !err; i++) {
        const struct trial_row *row = &rows->trials.items[i];
        if (!within(row->candidate, rows->candidates.count)) {
            err = corrupt(problem, "trial", row->id, "belongs to no candidate");
        } else if (row->steps < 1 || row->steps > UINT32_MAX || row->rung < RUNG_FINALS) {
            err = corrupt(problem, "trial", row->id, "is of no length, or of no rung");
        } else {
            uint64_t key = (uint64_t)row->candidate << 32 | (uint64_t)row->steps;
            uint32_t before = map_get(&replicas, key);
            if (row->replica != before)
                err = corrupt(problem, "trial", row->id, "is out of order");
            map_set(&replicas, key, before + 1);
            struct tally *tally = &tallies[row->candidate - 1];
            tally->trials++;
            tally->first += row->rung == 0;
            tally->open_first += row->rung == 0 && is_open(row);
            if (row->rung > tally->rung)
                tally->rung = row->rung;
        }
    }
    map_release(&replicas);
    return err;
}

/* A candidate has as many trials as it says, some of rung 0 and none of a rung above its own; it has a reward
 * once those of rung 0 are closed. */
static int check_candidates(const struct rows *rows, struct problem *problem)
{
    struct tally *tallies = xcalloc(rows->candidates.count, sizeof *tallies);
    int err = tally_trials(rows, tallies, problem);
    for (size_t i = 0; i < rows->candidates.count && !err; i++) {
        const struct candidate_row *row = &rows->candidates.items[i];
        if (row->id != (int64_t)i + 1)
            err = corrupt(problem, "candidate", (int64_t)i + 1, "is missing");
        else if (tallies[i].first == 0 || tallies[i].trials != row->trials || tallies[i].rung > row->rung)
            err = corrupt(problem, "candidate", row->id, "its trials are not all there");
        else if (isnan(row->reward) != (tallies[i].open_first > 0))
            err = corrupt(problem, "candidate", row->id, "its reward does not fit its trials");
        else if (!isnan(row->reward) && !(row->reward >= 0 && row->reward <= 1))
            err = corrupt(problem, "candidate", row->id, "its reward is not from 0 to 1");
    }
    free(tallies);
    return err;
}

static int check_trials(const struct rows *rows, struct problem *problem)
{
    for (size_t i = 0; i < rows->trials.count; i++) {
        const struct trial_row *row = &rows->trials.items[i];
        if (row->id != (int64_t)i + 1)
            return corrupt(problem, "trial", (int64_t)i + 1, "is missing");
        if (has_outcome(row) != (row->closed_by != 0))
            return corrupt(problem, "trial", row->id, "its state does not fit the attempt that closed it");
        if (row->state == TRIAL_DONE &&
            !(row->correct >= 0 && row->validation_count > 0 && row->correct <= row->validation_count))
            return corrupt(problem, "trial", row->id, "its accuracy is not from 0 to 1");
    }
    return 0;
}

static bool may_be_leased(const struct trial_row *trial)
{
    return trial->state == TRIAL_LEASED || has_outcome(trial);
}

/* A leased trial has one open attempt, a closed one has at most one (its audit), a ready one has none, and
 * the attempt that closed one is that of its trial. */
static int check_attempts(const struct rows *rows, struct problem *problem)
{
    struct map open = {0}, closing = {0}; /* by trial; by attempt: its trial */
    int err = 0;
    for (size_t i = 0; i < rows->attempts.count && !err; i++) {
        const struct attempt_row *row = &rows->attempts.items[i];
        if (i > 0 && row->id <= rows->attempts.items[i - 1].id)
            err = corrupt(problem, "attempt", row->id, "is out of order");
        else if (row->id < 1 || row->id >> 32 > rows->experiment.epoch)
            err = corrupt(problem, "attempt", row->id, "is of a start that has not been");
        else if (!within(row->trial, rows->trials.count) || !within(row->worker, rows->workers.count))
            err = corrupt(problem, "attempt", row->id, "its trial or its worker is missing");
        else if (row->state == ATTEMPT_LEASED && (!may_be_leased(&rows->trials.items[row->trial - 1]) ||
                                                  map_get(&open, (uint64_t)row->trial) != 0))
            err = corrupt(problem, "attempt", row->id, "is leased, but its trial is not, or twice");
        else if (row->state == ATTEMPT_LEASED)
            map_set(&open, (uint64_t)row->trial, 1);
        else if (row->state == ATTEMPT_TAKEN)
            map_set(&closing, (uint64_t)row->id, (uint32_t)row->trial);
    }
    for (size_t i = 0; i < rows->trials.count && !err; i++) {
        const struct trial_row *row = &rows->trials.items[i];
        if (row->state == TRIAL_LEASED && map_get(&open, (uint64_t)row->id) == 0)
            err = corrupt(problem, "trial", row->id, "is leased without an attempt");
        else if (row->closed_by != 0 && map_get(&closing, (uint64_t)row->closed_by) != (uint32_t)row->id)
            err = corrupt(problem, "trial", row->id, "the attempt that closed it is missing");
    }
    map_release(&open);
    map_release(&closing);
    return err;
}

/* Those that wait for their reward. */
static int check_proposals(const struct rows *rows, struct problem *problem)
{
    for (size_t i = 0; i < rows->proposals.count; i++) {
        const struct proposal_row *row = &rows->proposals.items[i];
        if (row->number < 0 || row->number >= rows->counters.proposals)
            return corrupt(problem, "proposal", row->number, "has not been made");
        if (!within(row->candidate, rows->candidates.count) ||
            !isnan(rows->candidates.items[row->candidate - 1].reward))
            return corrupt(problem, "proposal", row->number, "waits for no candidate");
    }
    return 0;
}

int rows_consistent(const struct rows *rows, struct problem *problem)
{
    if (rows->experiment.epoch < 0)
        return corrupt(problem, "epoch", rows->experiment.epoch, "there is no such number");
    int err = check_workers(rows, problem);
    if (!err)
        err = check_candidates(rows, problem);
    if (!err)
        err = check_trials(rows, problem);
    if (!err)
        err = check_attempts(rows, problem);
    if (!err)
        err = check_proposals(rows, problem);
    return err;
}
