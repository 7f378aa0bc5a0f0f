/* core_state: the inside of the core, for core.c (time, start, what comes out) and receive.c (messages) only.
 */
#ifndef COORDINATOR_CORE_STATE_H
#define COORDINATOR_CORE_STATE_H

#include "coordinator/audit.h"
#include "coordinator/core.h"
#include "coordinator/dispute.h"
#include "coordinator/lease.h"
#include "coordinator/ledger.h"
#include "coordinator/propose.h"
#include "coordinator/queue.h"
#include "coordinator/workers.h"

struct core {
    const struct experiment *experiment; /* borrowed */
    char *experiment_text;
    int64_t now_ms;      /* never goes back */
    struct rows kept;    /* the present: all that is restored at the next start */
    struct rows changes; /* of this turn */
    struct ledger ledger;
    struct queue queue;
    struct leases leases;
    struct workers workers;
    struct propose propose;
    struct audit audit;
    char offered[65]; /* hash of the data set that can be fetched; "" where none can */
    int64_t offered_bytes;
    bool stopping; /* the workers are told to leave; not stored */
    struct disputes disputes;
    struct buf hosts;       /* of judge_hosts */
    int64_t alone_since_ms; /* nobody who is there can do the audits that are left; 0: not so */
    bool more_to_do;
    int64_t started_ms;                        /* this coordinator */
    int64_t farewell_until_ms;                 /* once it is finished */
    int64_t refusals_since_ms, refusals_noted; /* of the present minute */
    struct core_send *sends;
    size_t send_count, send_capacity;
};

void core_set_now(struct core *core, int64_t now_ms);
/* Appends a message to the sends; borrowed until the next one. */
struct core_send *core_send_to(struct core *core, uint64_t peer, enum msg_type type, int64_t attempt);
void core_send_bye(struct core *core, uint64_t peer, bool finished, const char *reason);
/* Appends an event. `kind` is a constant. */
void core_note(struct core *core, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *core_activation(const struct core *core, int64_t trial);
const char *core_host(const struct core *core, int64_t worker);
/* Of the worker whose result closed the trial. */
const char *core_first_host(const struct core *core, int64_t trial);

/* Closes an open trial that is neither in the queue nor leased any more, and rewards its candidate where it
 * was the last. */
void core_close_trial(struct core *core, int64_t trial, const struct trial_row *outcome);
/* A worker is gone for good: what it holds goes to others at once, and counts as no loss. */
void core_leave(struct core *core, int64_t worker, const char *reason);
/* An open lease ends without an outcome. The trial is ready again, or has failed where it was lost too often;
 * a closed one waits for its audit again, or is not audited. */
void core_lose_lease(struct core *core, int64_t attempt, enum attempt_state state, const char *reason);

#endif
