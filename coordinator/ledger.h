/* ledger: the candidates, their trials and all attempts at these, kept as the rows that stand in the
 * database. Pure.
 *
 * Every change is made here, counted here, and appended to the changes that the shell makes durable.
 *
 * Invariants
 * 1. Candidates and trials are numbered 1, 2, 3, … in the order of admission; the trials of a candidate are
 *    consecutive, in order of replica.
 * 2. A trial is open (ready, leased) or closed (done, diverged, failed), and once closed it never changes
 *    again.
 * 3. counters.trials = ready + leased + done + diverged + failed, always.
 * 4. The figures of a candidate are computed from its closed trials in order of replica: their bits do not
 *    depend on the order in which the results came.
 */
#ifndef COORDINATOR_LEDGER_H
#define COORDINATOR_LEDGER_H

#include "coordinator/map.h"
#include "coordinator/rows.h"

struct ledger {
    struct rows *kept;    /* borrowed: the present rows by number, and their texts */
    struct rows *changes; /* borrowed: where changed rows go */
    int64_t *first_trial; /* by candidate */
    int64_t *open_trials; /* by candidate: not closed yet */
    size_t capacity;
    struct map by_attempt; /* 1 + index in kept->attempts */
};

/* `kept` holds what is restored, and is consistent. Counts its trials. */
void ledger_start(struct ledger *ledger, struct rows *kept, struct rows *changes);
void ledger_release(struct ledger *ledger);

/* NULL where there is none of that number. Borrowed until the next call that adds one. */
const struct candidate_row *ledger_candidate(const struct ledger *ledger, int64_t candidate);
const struct trial_row *ledger_trial(const struct ledger *ledger, int64_t trial);
const struct attempt_row *ledger_attempt(const struct ledger *ledger, int64_t attempt);
static inline bool trial_is_open(const struct trial_row *trial)
{
    return trial->state == TRIAL_READY || trial->state == TRIAL_LEASED;
}

/* Adds candidate number count + 1 with its trials, all ready; `row` gives activation (copied), fingerprint,
 * reference, first_proposal, steps and trials. Returns the number of its first trial. */
int64_t ledger_add_candidate(struct ledger *ledger, const struct candidate_row *row,
                             uint64_t experiment_seed);

/* A ready trial goes out under a new attempt. */
void ledger_lease(struct ledger *ledger, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms);
/* A closed trial is trained once more under a new attempt, and stays as it is. */
void ledger_audit(struct ledger *ledger, int64_t attempt, int64_t trial, int64_t worker, int64_t now_ms);
/* An attempt that was believed lost goes on: its trial, ready again, is leased to it again, and the loss is
 * taken back. */
void ledger_readopt(struct ledger *ledger, int64_t attempt);
/* An attempt ended so. */
void ledger_end_attempt(struct ledger *ledger, int64_t attempt, enum attempt_state state, const char *reason,
                        int64_t now_ms);
/* A leased trial is ready again; `lost`: that counts as a lost attempt. */
void ledger_ready(struct ledger *ledger, int64_t trial, bool lost);
/* Closes an open trial: `outcome` gives state, closed_by, closed_ms, lost and the figures. True when that was
 * the last open trial of its candidate, whose reward is known now. */
bool ledger_close(struct ledger *ledger, int64_t trial, const struct trial_row *outcome);
/* Computes the figures of a candidate (seeds, diverged, failed, accuracy_mean … reward) anew from its
 * row->trials trials, in order of replica. */
void candidate_figures(struct candidate_row *row, const struct trial_row *trials);
/* What the search is told of a candidate: the mean accuracy of its trials, where a diverged or failed one
 * counts 0. NaN while one is open. */
double ledger_reward(const struct ledger *ledger, int64_t candidate);

#endif
