#include "coordinator/judge.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTCOME_TEXT = 160 };

static bool same_bits(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static bool same_outcome(const struct trial_row *a, const struct trial_row *b)
{
    return a->state == b->state && a->step == b->step && a->correct == b->correct &&
           a->validation_count == b->validation_count && same_bits(a->validation_loss, b->validation_loss);
}

/* All that must be the same: equal texts are equal bits. It is the reason of an attempt that differed. */
static void outcome_text(const struct trial_row *outcome, char ret_text[OUTCOME_TEXT])
{
    if (outcome->state == TRIAL_DIVERGED)
        snprintf(ret_text, OUTCOME_TEXT, "came to other bits: diverged at step %" PRId64, outcome->step);
    else
        snprintf(ret_text, OUTCOME_TEXT,
                 "came to other bits: %" PRId64 " of %" PRId64 " correct, loss %.17g, after %" PRId64
                 " steps",
                 outcome->correct, outcome->validation_count, outcome->validation_loss, outcome->step);
}

static const struct attempt_row *attempt_of(const struct core *core, int64_t attempt)
{
    const struct attempt_row *row = ledger_attempt(&core->ledger, attempt);
    assert(row);
    return row;
}

static int64_t first_worker(const struct core *core, int64_t trial)
{
    return attempt_of(core, ledger_trial(&core->ledger, trial)->closed_by)->worker;
}

static bool other_host(const struct core *core, int64_t worker, int64_t other)
{
    return strcmp(core_host(core, worker), core_host(core, other)) != 0;
}

static bool is_shut_out(const struct core *core, int64_t worker)
{
    return workers_row(&core->workers, worker)->shut_out_ms != 0;
}

const char *judge_hosts(struct core *core, int64_t trial)
{
    const struct dispute *dispute = dispute_find(&core->disputes, trial);
    buf_clear(&core->hosts);
    buf_printf(&core->hosts, "%s", core_first_host(core, trial));
    for (int i = 0; dispute && i < dispute->count; i++)
        buf_printf(&core->hosts, "\n%s", core_host(core, attempt_of(core, dispute->attempts[i])->worker));
    return buf_text(&core->hosts);
}

/* ---- a host that is wrong ------------------------------------------------------------------------------ */

static void reopen(struct core *core, int64_t trial)
{
    const bool under_way = lease_of_trial(&core->leases, trial) != NULL;
    const int64_t first = ledger_trial(&core->ledger, trial)->closed_by;
    if (under_way)
        audit_done(&core->audit);
    else
        audit_settle(&core->audit, trial, judge_hosts(core, trial));
    ledger_end_attempt(&core->ledger, first, ATTEMPT_WITHDRAWN,
                       "its host came to other bits than two others: trained again elsewhere", core->now_ms);
    ledger_reopen(&core->ledger, trial, under_way);
    propose_reopened(&core->propose, trial);
    if (!under_way)
        queue_put(&core->queue, trial);
    rows_curve(&core->changes)->trial = trial; /* without a point: the curve is forgotten */
}

/* Opens the trials that rest on results of a host that is shut out. Returns how many. */
static int64_t withdraw(struct core *core)
{
    const struct rows *kept = &core->kept;
    bool *confirmed = xcalloc(kept->trials.count + 1, sizeof *confirmed);
    int64_t count = 0;
    for (size_t i = 0; i < kept->attempts.count; i++) {
        const struct attempt_row *row = &kept->attempts.items[i];
        const bool closed =
            ledger_trial(&core->ledger, row->trial)->closed_by != 0; /* else it is open again */
        if (row->state == ATTEMPT_AGREED && closed && !is_shut_out(core, row->worker) &&
            other_host(core, row->worker, first_worker(core, row->trial)))
            confirmed[row->trial] = true;
    }
    for (size_t i = 0; i < kept->trials.count; i++) {
        const int64_t trial = (int64_t)i + 1;
        if (kept->trials.items[i].closed_by == 0 || confirmed[trial] ||
            !is_shut_out(core, first_worker(core, trial)))
            continue;
        reopen(core, trial);
        count++;
    }
    free(confirmed);
    return count;
}

static void ask_another_host(struct core *core, int64_t trial);

/* What hosts that are shut out have said counts against nothing any more. */
static void dismiss(struct core *core)
{
    for (uint32_t at = 1; at <= core->disputes.used; at++) {
        struct dispute *dispute = &core->disputes.items[at];
        const int64_t trial = dispute->trial;
        if (trial == 0)
            continue;
        const bool closed = ledger_trial(&core->ledger, trial)->closed_by != 0;
        if (closed && !lease_of_trial(&core->leases, trial))
            audit_settle(&core->audit, trial, judge_hosts(core, trial));
        for (int i = dispute->count - 1; i >= 0; i--)
            if (is_shut_out(core, attempt_of(core, dispute->attempts[i])->worker))
                dispute_remove(&core->disputes, trial, dispute->attempts[i]);
        if (closed && dispute->trial != 0)
            ask_another_host(core, trial);
    }
}

/* `why`: of the machine of that worker. */
static void shut_out(struct core *core, int64_t worker, int64_t trial, const char *why)
{
    if (is_shut_out(core, worker))
        return;
    const char *host = core_host(core, worker);
    for (size_t i = 1; i <= core->kept.workers.count; i++) {
        const int64_t other = (int64_t)i;
        if (!workers_same_machine(&core->workers, worker, other))
            continue;
        workers_shut_out(&core->workers, other, core->now_ms);
        if (workers_peer(&core->workers, other) != 0)
            core_send_bye(core, workers_peer(&core->workers, other), false,
                          "this host has computed other bits than other hosts, and gets no more work: see "
                          "docs/reliability.md");
        core_leave(core, other, "withdrawn: its host came to other bits");
    }
    const int64_t count = withdraw(core);
    dismiss(core);
    core_note(core, "difference",
              "host %s is shut out: of trial %" PRId64 " (%.300s) %s; bad memory or another build. %" PRId64
              " trainings that rested on it are done again elsewhere",
              host, trial, core_activation(core, trial), why, count);
}

/* ---- a trial in dispute -------------------------------------------------------------------------------- */

static void ask_another_host(struct core *core, int64_t trial)
{
    const struct dispute *dispute = dispute_find(&core->disputes, trial);
    if (lease_of_trial(&core->leases, trial))
        return;
    if (dispute->count < DISPUTE_ATTEMPTS)
        audit_put(&core->audit, trial, judge_hosts(core, trial));
}

/* Whether a host that counts came to the bits that stand, besides the one whose result closed the trial. */
static bool is_confirmed(const struct core *core, int64_t trial)
{
    const int64_t first = first_worker(core, trial);
    for (size_t i = 0; i < core->kept.attempts.count; i++) {
        const struct attempt_row *row = &core->kept.attempts.items[i];
        if (row->trial == trial && row->state == ATTEMPT_AGREED && !is_shut_out(core, row->worker) &&
            other_host(core, row->worker, first))
            return true;
    }
    return false;
}

/* Two hosts that came to the same bits, which are not those that stand. */
static bool stands_against_two(const struct core *core, const struct dispute *dispute)
{
    const int64_t first = first_worker(core, dispute->trial);
    for (int i = 0; i < dispute->count; i++)
        for (int j = 0; j < i; j++) {
            const struct attempt_row *a = attempt_of(core, dispute->attempts[i]),
                                     *b = attempt_of(core, dispute->attempts[j]);
            if (strcmp(a->reason, b->reason) == 0 && other_host(core, a->worker, b->worker) &&
                other_host(core, a->worker, first) && other_host(core, b->worker, first))
                return true;
        }
    return false;
}

/* Those that came to the bits of `standing` agree with it now. */
static void settle_equal(struct core *core, struct dispute *dispute, const char *standing)
{
    for (int i = dispute->count - 1; i >= 0; i--) {
        const int64_t attempt = dispute->attempts[i];
        if (strcmp(attempt_of(core, attempt)->reason, standing) != 0)
            continue;
        ledger_end_attempt(&core->ledger, attempt, ATTEMPT_AGREED, "", core->now_ms);
        dispute_remove(&core->disputes, dispute->trial, attempt);
    }
}

/* Decides a closed trial in dispute, or asks one more host. What waits for it does not wait any more. */
static void weigh(struct core *core, int64_t trial)
{
    struct dispute *dispute = dispute_find(&core->disputes, trial);
    char standing[OUTCOME_TEXT];
    outcome_text(ledger_trial(&core->ledger, trial), standing);
    settle_equal(core, dispute, standing);
    if (dispute->trial == 0)
        return;
    if (is_confirmed(core, trial)) {
        while ((dispute = dispute_find(&core->disputes, trial)))
            shut_out(core, attempt_of(core, dispute->attempts[0])->worker, trial,
                     "it came to other bits than two other hosts");
    } else if (stands_against_two(core, dispute)) {
        shut_out(core, first_worker(core, trial), trial, "it came to other bits than two other hosts");
    } else {
        ask_another_host(core, trial);
    }
}

static void note_difference(struct core *core, int64_t worker, const struct trial_row *trial,
                            const char *said)
{
    char standing[OUTCOME_TEXT];
    outcome_text(trial, standing);
    core_note(core, "difference", "trial %" PRId64 " (%.300s): host %s %s; host %s %s", trial->id,
              core_activation(core, trial->id), core_first_host(core, trial->id), standing,
              core_host(core, worker), said);
}

/* Whether this machine has said something else about the trial before. */
static bool contradicts_itself(const struct core *core, int64_t worker, const struct trial_row *trial,
                               bool agrees, const char *said)
{
    if (!agrees && workers_same_machine(&core->workers, worker, first_worker(core, trial->id)))
        return true;
    const struct dispute *dispute = dispute_find(&core->disputes, trial->id);
    for (int i = 0; dispute && i < dispute->count; i++) {
        const struct attempt_row *row = attempt_of(core, dispute->attempts[i]);
        if (workers_same_machine(&core->workers, worker, row->worker) && strcmp(row->reason, said) != 0)
            return true;
    }
    return false;
}

bool judge_report(struct core *core, int64_t worker, int64_t attempt, const struct trial_row *outcome)
{
    const int64_t id = attempt_of(core, attempt)->trial;
    const struct trial_row *trial = ledger_trial(&core->ledger, id);
    const bool agrees = same_outcome(trial, outcome);
    char said[OUTCOME_TEXT];
    outcome_text(outcome, said);
    const bool contradiction = contradicts_itself(core, worker, trial, agrees, said);
    if (!agrees || other_host(core, worker, first_worker(core, id)) || dispute_find(&core->disputes, id))
        audit_settle(&core->audit, id, judge_hosts(core, id));
    ledger_end_attempt(&core->ledger, attempt, agrees ? ATTEMPT_AGREED : ATTEMPT_DIFFERED, agrees ? "" : said,
                       core->now_ms);
    if (!agrees) {
        note_difference(core, worker, trial, said);
        dispute_add(&core->disputes, id, attempt);
    }
    if (contradiction)
        shut_out(core, worker, id, "it came to two different results");
    if (!trial_is_open(ledger_trial(&core->ledger, id)) && dispute_find(&core->disputes, id))
        weigh(core, id);
    if (!trial_is_open(ledger_trial(&core->ledger, id)) || is_shut_out(core, worker))
        return false;
    dispute_remove(&core->disputes, id, attempt); /* it is not against what stands, but stands */
    return true;
}

void judge_closed(struct core *core, int64_t trial)
{
    if (dispute_find(&core->disputes, trial))
        weigh(core, trial);
    else
        audit_add(&core->audit, trial, core_first_host(core, trial));
}

/* ---- a start ------------------------------------------------------------------------------------------- */

void judge_restore(struct core *core)
{
    const struct rows *kept = &core->kept;
    bool *settled = xcalloc(kept->trials.count + 1, sizeof *settled);
    for (size_t i = 0; i < kept->attempts.count; i++) {
        const struct attempt_row *row = &kept->attempts.items[i];
        const bool closed = ledger_trial(&core->ledger, row->trial)->closed_by != 0;
        const bool audited = row->state == ATTEMPT_LEASED && closed;
        const bool compared = row->state == ATTEMPT_AGREED || row->state == ATTEMPT_DIFFERED;
        core->audit.under_way += audited;
        settled[row->trial] |= audited || (compared && closed && !is_shut_out(core, row->worker) &&
                                           other_host(core, row->worker, first_worker(core, row->trial)));
        if (row->state == ATTEMPT_DIFFERED && !is_shut_out(core, row->worker))
            dispute_add(&core->disputes, row->trial, row->id);
    }
    for (size_t i = 0; i < kept->trials.count; i++) {
        const int64_t trial = (int64_t)i + 1;
        if (kept->trials.items[i].closed_by == 0)
            continue;
        if (dispute_find(&core->disputes, trial))
            ask_another_host(core, trial);
        else if (!settled[trial])
            audit_add(&core->audit, trial, core_first_host(core, trial));
    }
    free(settled);
}

void judge_release(struct core *core)
{
    disputes_release(&core->disputes);
    buf_release(&core->hosts);
}
