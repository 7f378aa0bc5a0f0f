/* core: the coordinator as a pure state machine. Messages and the time go in; messages to send and rows to
 * make durable come out. It knows no socket, file or clock.
 *
 * The shell, once a turn:
 *     core_receive   for each message that is there
 *     core_advance   what time alone brings about, new proposals, leases for those who wait
 *     core_rows      one transaction; COMMIT
 *     core_sends     only now the messages; what could not be handed over is marked unsent
 *     core_clear     and then it may sleep until core_next_ms, or until a message comes
 *
 * Invariants
 * 1. A message that promises something (ACK, LEASE) is among the sends of a turn only if the rows of the
 *    same turn say it.
 * 2. An outcome is taken once: the trial it closes never changes again. The attempt that closed it is
 *    acknowledged however often it is reported.
 * 3. The ready trials are exactly those in the queue; the leased trials exactly those with an open lease that
 *    is no audit. A closed trial with an open lease is being audited (audit.h), and stays as it is whatever
 *    comes of it.
 * 4. No worker has more open leases than slots when a new one is granted.
 * 5. A worker that came with a key is known by that key and its name together: whoever holds another key
 *    cannot be it, has nothing leased to it, and so cannot report for it.
 * 6. The candidates, their order, their rewards and the end do not depend on time, workers or the order of
 *    arrival, as long as no trial fails (propose.h) and the search is not an asynchronous one that learns or
 *    halves.
 */
#ifndef COORDINATOR_CORE_H
#define COORDINATOR_CORE_H

#include "common/experiment.h"
#include "coordinator/rows.h"
#include "proto/msg.h"

struct core;

/* Starts from what the store has restored (at least the row of the experiment; consumed: *restored is empty
 * afterwards, also on failure). The first rows raise the epoch: make them durable before anything is sent.
 * Where the experiment is finished, and has not grown since, it stays so: the core only tells the workers
 * that are not known to have been told.
 * `experiment` and `space` are borrowed. ERR_CORRUPT where the rows contradict each other, ERR_INPUT where a
 * reference is bad, ERR_LIMIT after 2^31 starts. */
int core_new(const struct experiment *experiment, const struct space *space, struct rows *restored,
             int64_t now_ms, struct core **ret_core, struct problem *problem);
void core_destroy(struct core **core);

/* Time is Unix time in ms; where it goes back it counts as standing still. A peer is a connection's handle,
 * never 0. */
void core_receive(struct core *core, uint64_t peer, const struct msg *msg, int64_t now_ms);
void core_advance(struct core *core, int64_t now_ms);

/* What one key may have at once; a cluster may share one. */
enum { KEY_MAX_WORKERS = 4096, KEY_MAX_LEASES = 65536 };

/* HELLO of a peer that has proved to hold the secret of this public key; all else that the peer says goes to
 * core_receive. */
void core_hello(struct core *core, uint64_t peer, const char *key, const struct msg_hello *hello,
                int64_t now_ms);
/* That key counts no more: what its workers hold is queued again at once, and counts as no loss. */
void core_revoke(struct core *core, const char *key, int64_t now_ms);

/* Whether a worker that was welcomed speaks through this peer. */
bool core_knows(const struct core *core, uint64_t peer);
/* The data set of the experiment can be fetched: WELCOME says so, unless the experiment was begun with one of
 * another hash. "" where it cannot any more. */
void core_offer(struct core *core, const char *data_hash, int64_t data_bytes);
/* The content hash that the experiment was begun with; "" while no worker has asked for work. */
const char *core_data_hash(const struct core *core);

struct core_send {
    uint64_t peer;
    enum msg_type type;
    int64_t attempt;    /* ACK, STALE, CANCEL, LEASE */
    bool finished;      /* BYE */
    const char *reason; /* BYE */
    bool unsent;        /* set by the shell: the message could not be handed to the peer */
};

/* What is to be made durable now; borrowed until core_clear. */
const struct rows *core_rows(struct core *core);
/* What is to be sent after that, in order; borrowed until core_clear. */
struct core_send *core_sends(struct core *core, size_t *ret_count);
/* The whole message of a send. */
void core_message(const struct core *core, const struct core_send *send, struct msg *ret_msg);
/* The turn is over. A lease that could not be sent is taken back, and its peer counts as gone. */
void core_clear(struct core *core, int64_t now_ms);

/* The shell has stood still since core_advance, until now: whoever was not heard meanwhile was not silent.
 * Before core_clear. */
void core_stood_still(struct core *core, int64_t now_ms);

/* ---- what people ask for (coordinator/steer.c) ---- */

/* No new leases from now on, or leases again; what is in training goes on to its end. Durable with the rows of
 * this turn: it stays paused whatever becomes of the coordinator. False: it was so already. */
bool core_pause(struct core *core, bool paused, int64_t now_ms);
bool core_paused(const struct core *core);
/* The search is to end for now: no new leases, and every worker is told to hand back what it has and leave
 * (LEAVE, again at each REQUEST). A new start knows nothing of it. */
void core_stop(struct core *core, int64_t now_ms);
/* core_stop was called, and no worker is connected any more. One that fell silent counts until it is missed:
 * whoever waits for this had better not wait for ever. */
bool core_stopped(const struct core *core);

/* When core_advance has something to do next, if no message comes. */
int64_t core_next_ms(const struct core *core);
/* Why the experiment is finished; NULL while it runs. The sends of that turn say BYE to all workers. */
const char *core_finished(const struct core *core);
/* For so long after the end a core waits for workers that it could not tell of it. One that lives asks who is
 * there within 12 s (worker/agent.h). */
enum { FAREWELL_MS = 15 * 1000 };
/* It is finished, nobody is waited for any more, and that is on disk: the shell may end. */
bool core_is_over(const struct core *core);
const struct counters_row *core_counters(const struct core *core);

#endif
