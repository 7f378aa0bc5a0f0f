/* disk_checks: what must hold of a coordinator's disk, at each commit and at the end. The numbers are those
 * of core_world.h. */
#ifndef TESTS_UNIT_DISK_CHECKS_H
#define TESTS_UNIT_DISK_CHECKS_H

#include "tests/unit/core_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

UNUSED static const struct attempt_row *attempt_on(const struct rows *disk, int64_t attempt)
{
    for (size_t i = disk->attempts.count; i > 0; i--)
        if (disk->attempts.items[i - 1].id == attempt)
            return &disk->attempts.items[i - 1];
    return NULL;
}

UNUSED static bool is_closed(const struct trial_row *trial)
{
    return trial->state != TRIAL_READY && trial->state != TRIAL_LEASED;
}

/* The turn withdraws the result that closed this trial. */
UNUSED static bool is_withdrawn(const struct rows *changes, const struct trial_row *trial)
{
    for (size_t i = 0; i < changes->attempts.count; i++)
        if (changes->attempts.items[i].id == trial->closed_by &&
            changes->attempts.items[i].state == ATTEMPT_WITHDRAWN)
            return true;
    return false;
}

/* An attempt at this candidate was withdrawn, in the turn or before. */
UNUSED static bool was_corrected(const struct rows *disk, const struct rows *changes, int64_t candidate)
{
    const struct rows *all[] = {disk, changes};
    for (int n = 0; n < 2; n++)
        for (size_t i = 0; all[n] && i < all[n]->attempts.count; i++) {
            const struct attempt_row *row = &all[n]->attempts.items[i];
            if (row->state == ATTEMPT_WITHDRAWN && disk->trials.items[row->trial - 1].candidate == candidate)
                return true;
        }
    return false;
}

UNUSED static bool is_shut_out_on(const struct rows *disk, int64_t worker)
{
    return (size_t)worker <= disk->workers.count && disk->workers.items[worker - 1].shut_out_ms != 0;
}

/* Invariants 1 and 2, before the changes are on disk. */
UNUSED static void check_changes(const struct rows *disk, const struct rows *changes)
{
    for (size_t i = 0; i < changes->trials.count; i++) {
        const struct trial_row *new = &changes->trials.items[i];
        if ((size_t) new->id > disk->trials.count || !is_closed(&disk->trials.items[new->id - 1]))
            continue;
        const struct trial_row *old = &disk->trials.items[new->id - 1];
        if (is_withdrawn(changes, old))
            continue;
        assert_int_equal(new->state, old->state);
        assert_int_equal(new->closed_by, old->closed_by);
        assert_int_equal(new->correct, old->correct);
        assert_memory_equal(&new->validation_loss, &old->validation_loss, sizeof(double));
    }
    for (size_t i = 0; i < changes->candidates.count; i++) {
        const struct candidate_row *new = &changes->candidates.items[i];
        if ((size_t) new->id <= disk->candidates.count &&
            !isnan(disk->candidates.items[new->id - 1].reward) && !was_corrected(disk, changes, new->id))
            assert_memory_equal(&new->reward, &disk->candidates.items[new->id - 1].reward, sizeof(double));
    }
    int64_t highest = disk->attempts.count == 0 ? 0 : disk->attempts.items[disk->attempts.count - 1].id;
    for (size_t i = 0; i < changes->attempts.count; i++) {
        const struct attempt_row *new = &changes->attempts.items[i], *old = attempt_on(disk, new->id);
        assert_true(old || new->id > highest || (i > 0 && attempt_on(changes, new->id) != new));
        assert_true(!old || old->state != ATTEMPT_TAKEN || new->state == ATTEMPT_TAKEN ||
                    new->state == ATTEMPT_WITHDRAWN);
        assert_true(old || !is_shut_out_on(disk, new->worker));
    }
}

/* Invariants 3 and 4. */
UNUSED static void check_disk(const struct rows *disk)
{
    int64_t in_state[TRIAL_STATES] = {0};
    int *leases = xcalloc(disk->trials.count + 1, sizeof *leases);
    for (size_t i = 0; i < disk->attempts.count; i++)
        leases[disk->attempts.items[i].trial] += disk->attempts.items[i].state == ATTEMPT_LEASED;
    for (size_t i = 0; i < disk->trials.count; i++) {
        in_state[disk->trials.items[i].state]++;
        if (disk->trials.items[i].closed_by != 0)
            assert_true(leases[i + 1] <= 1); /* its audit */
        else
            assert_int_equal(leases[i + 1], disk->trials.items[i].state == TRIAL_LEASED);
    }
    free(leases);
    const struct counters_row *counters = &disk->counters;
    assert_int_equal(counters->trials, disk->trials.count);
    assert_int_equal(counters->ready, in_state[TRIAL_READY]);
    assert_int_equal(counters->leased, in_state[TRIAL_LEASED]);
    assert_int_equal(counters->done, in_state[TRIAL_DONE]);
    assert_int_equal(counters->diverged, in_state[TRIAL_DIVERGED]);
    assert_int_equal(counters->failed, in_state[TRIAL_FAILED]);
    assert_int_equal(counters->candidates + counters->references, disk->candidates.count);
}

/* Somebody who counts came to the same bits. */
UNUSED static bool was_confirmed(const struct rows *disk, int64_t trial)
{
    for (size_t i = 0; i < disk->attempts.count; i++)
        if (disk->attempts.items[i].trial == trial && disk->attempts.items[i].state == ATTEMPT_AGREED &&
            !is_shut_out_on(disk, disk->attempts.items[i].worker))
            return true;
    return false;
}

/* Nothing lost, nothing counted twice, nothing unexpected. */
UNUSED static void check_accounts(const struct rows *disk)
{
    const struct counters_row *counters = &disk->counters;
    int64_t taken = 0, open = 0;
    for (size_t i = 0; i < disk->attempts.count; i++) {
        const struct attempt_row *attempt = &disk->attempts.items[i];
        open += attempt->state == ATTEMPT_LEASED;
        taken += attempt->state == ATTEMPT_TAKEN;
        assert_true((attempt->state != ATTEMPT_DIFFERED && attempt->state != ATTEMPT_WITHDRAWN) ||
                    is_shut_out_on(disk, attempt->worker));
        assert_true(attempt->state != ATTEMPT_TAKEN || !is_shut_out_on(disk, attempt->worker) ||
                    was_confirmed(disk, attempt->trial));
        if (attempt->state == ATTEMPT_TAKEN)
            assert_int_equal(disk->trials.items[attempt->trial - 1].closed_by, attempt->id);
    }
    assert_int_equal(open, 0);
    assert_int_equal(taken, counters->trials);
    assert_int_equal(counters->done + counters->diverged, counters->trials);
    assert_int_equal(disk->trials.count, counters->trials);
    assert_int_equal(disk->curves.count, counters->trials);
    for (size_t i = 0; i < disk->trials.count; i++) {
        const struct trial_row *trial = &disk->trials.items[i];
        assert_true(trial->state == TRIAL_DONE || trial->state == TRIAL_DIVERGED);
        assert_int_equal(attempt_on(disk, trial->closed_by)->trial, trial->id);
    }
    for (size_t i = 0; i < disk->proposals.count; i++) {
        const struct proposal_row *row = &disk->proposals.items[i];
        if (was_corrected(disk, NULL, row->candidate)) /* what was told stays told */
            continue;
        double reward = row->candidate == 0 ? 0 : disk->candidates.items[row->candidate - 1].reward;
        assert_memory_equal(&row->reward, &reward, sizeof reward);
    }
}

UNUSED static void check_same_list(const struct rows *disk, const struct rows *expected)
{
    assert_int_equal(disk->candidates.count, expected->candidates.count);
    for (size_t i = 0; i < expected->candidates.count; i++) {
        const struct candidate_row *a = &disk->candidates.items[i], *b = &expected->candidates.items[i];
        assert_string_equal(a->activation, b->activation);
        assert_int_equal(a->first_proposal, b->first_proposal);
        assert_int_equal(a->rung, b->rung);
        assert_int_equal(a->steps, b->steps);
        assert_int_equal(a->trials, b->trials);
        assert_int_equal(a->seeds, b->seeds);
        assert_int_equal(a->diverged, b->diverged);
        assert_int_equal(a->parameters, b->parameters);
        assert_memory_equal(&a->accuracy_mean, &b->accuracy_mean, sizeof(double));
        assert_memory_equal(&a->accuracy_sd, &b->accuracy_sd, sizeof(double));
        assert_memory_equal(&a->validation_loss_mean, &b->validation_loss_mean, sizeof(double));
        assert_memory_equal(&a->reward, &b->reward, sizeof(double));
    }
    assert_int_equal(disk->counters.proposals, expected->counters.proposals);
    assert_int_equal(disk->counters.duplicates, expected->counters.duplicates);
    assert_int_equal(disk->counters.rejected, expected->counters.rejected);
    assert_false(disk->experiment.paused);
    assert_string_equal(disk->experiment.finished_because, expected->experiment.finished_because);
}

#endif
