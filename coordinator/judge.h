/* judge: what becomes of a second report of a trial that is closed, and of a host that computes other bits.
 * For core.c and receive.c only.
 *
 * The same training gives the same bits on every sound host. Where two reports differ, the two alone do not
 * say who is wrong. The rule:
 * 1. Two hosts that came to the same bits of a trial are right, and every host that came to others is wrong.
 *    So a trial in dispute is given to a third host, and to further ones until two agree.
 * 2. A host that comes to two different results of one trial is wrong, whoever else says what.
 * 3. Nothing is decided where no two agree and no further host is there: what came first stands, and the
 *    events name both.
 *
 * A host that is wrong is shut out, under its name and key: it gets no lease any more, now or after a restart,
 * what it holds is queued again at once, and every trial that its results have closed is open again, is
 * marked (`withdrawn`), and is trained elsewhere, unless another host came to the same bits.
 *
 * What the search has learnt from a withdrawn result it has learnt: proposals that were made stay, and each
 * reward that was told stays told. docs/reliability.md says what follows.
 *
 * Invariants
 * 1. The disputes (dispute.h) are the trials with an attempt that `differed` of a worker that is not shut
 *    out; of a closed one that is neither under way nor decided, a third run waits (audit.h).
 * 2. No closed trial rests on a result of a host that is shut out, unless one that is not came to the same.
 */
#ifndef COORDINATOR_JUDGE_H
#define COORDINATOR_JUDGE_H

#include "coordinator/core_state.h"

/* The hosts that have reported this closed trial, as audit.h wants them. Borrowed until the next call. */
const char *judge_hosts(struct core *core, int64_t trial);
/* A worker reports an attempt at a closed trial. True where the trial is open again because of it, and this
 * very report is to close it. */
bool judge_report(struct core *core, int64_t worker, int64_t attempt, const struct trial_row *outcome);
/* A trial was closed by a result. */
void judge_closed(struct core *core, int64_t trial);
/* At a start, with the leases restored. */
void judge_restore(struct core *core);
void judge_release(struct core *core);

#endif
