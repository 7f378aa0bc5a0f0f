/* ledger: the candidates, their trials and all attempts at these, kept as the rows that stand in the
 * database. Pure.
 *
 * Every change is made here, counted here, and appended to the changes that the shell makes durable.
 *
 * Invariants
 * 1. Candidates and trials are numbered 1, 2, 3, … in the order of admission; the trials of a candidate
 *    that have the same number of steps are its replicas 0, 1, 2, … in the order of their numbers.
 * 2. A trial is open (ready, leased) or closed (done, diverged, failed), and once closed it never changes
 *    again, unless its outcome is withdrawn: then it is open, and without outcome, as before.
 * 3. counters.trials = ready + leased + done + diverged + failed, always.
 * 4. Attempts stand in kept->attempts in ascending order of their numbers.
 * 5. The figures of a candidate are computed from its closed trials of one length in order of replica: their
 *    bits do not depend on the order in which the results came.
 * 6. A trial that is to be there already is not made again: more of the same length begin after its last
 *    replica.
 */
#ifndef COORDINATOR_LEDGER_H
#define COORDINATOR_LEDGER_H

#include "coordinator/rows.h"

struct ledger {
    struct rows *kept;    /* borrowed: the present rows by number, and their texts */
    struct rows *changes; /* borrowed: where changed rows go */
    struct trials_of {
        int64_t first, last; /* its trials in order of their numbers; 0: none */
        int64_t open;        /* of rung 0: not closed yet */
    } * trials_of;           /* by candidate */
    size_t candidate_capacity;
    int64_t *next_trial; /* by trial: the next one of the same candidate; 0: none */
    size_t trial_capacity;
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

/* Adds candidate number count + 1, without trials yet; `row` gives activation (copied), fingerprint,
 * reference, first_proposal. Returns its number. */
int64_t ledger_add_candidate(struct ledger *ledger, const struct candidate_row *row);
/* Adds the trials that `candidate` lacks of `replicas` trials of `steps` steps, for that rung, all ready.
 * Returns how many: their numbers are the last ones. */
int64_t ledger_add_trials(struct ledger *ledger, int64_t candidate, int64_t rung, int64_t steps,
                          int64_t replicas, uint64_t experiment_seed);

/* The number of the last trial, which is how many there are. */
static inline int64_t ledger_trials(const struct ledger *ledger)
{
    return (int64_t)ledger->kept->trials.count;
}

/* The outcome of the trials of one length of a candidate. */
struct figures {
    int64_t open, done;      /* done: with an accuracy */
    int64_t seeds, diverged; /* see candidate_row, as all that follows */
    double accuracy_mean, accuracy_sd, validation_loss_mean;
    int64_t parameters, betas;
    double seconds, cost_ns;
};
/* Of those that have `steps` steps, and a replica below `replicas`. */
struct figures ledger_figures(const struct ledger *ledger, int64_t candidate, int64_t steps,
                              int64_t replicas);

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
 * the last open trial of rung 0 of its candidate, whose reward is known now. */
bool ledger_close(struct ledger *ledger, int64_t trial, const struct trial_row *outcome);
/* A trial that a result closed is open again, ready or leased; the figures of its candidate are without it. */
void ledger_reopen(struct ledger *ledger, int64_t trial, bool leased);
/* Computes the figures of a candidate (steps, seeds, diverged, failed, accuracy_mean … reward) anew from its
 * trials. */
void ledger_compute(const struct ledger *ledger, struct candidate_row *row);
/* What the search is told of a candidate: the mean accuracy of its trials of rung 0, where a diverged or
 * failed one counts 0. NaN while one is open. */
double ledger_reward(const struct ledger *ledger, int64_t candidate);

#endif
