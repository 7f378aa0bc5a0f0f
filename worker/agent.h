/* agent: the worker as a pure state machine, the other side of coordinator/core.h. Messages, what becomes of
 * the trainers, and the time go in; messages and commands for the trainers come out. It knows no socket,
 * clock, process or file.
 *
 * The shell, again and again:
 *     agent_receive, agent_progress, agent_ended, agent_data, agent_stop      for all that has happened
 *     while (agent_next (agent, now, &action, &message)) …                   does what is due, in this order
 *     agent_left (agent)                                                     whether that was all
 * and then it may sleep until agent_next_ms, or until something happens.
 *
 * Nothing is queued: what is due is read off the state each time, so a shell that falls behind costs no
 * memory.
 *
 * Invariants
 * 1. A slot runs one attempt at a time. START goes to an idle slot only; each START is followed by exactly
 * one agent_ended, after HALT and STOP too, and only then the slot is free again.
 * 2. What is leased is held until the coordinator says that it may be forgotten (ACK, STALE, CANCEL), and is
 * named in each REQUEST meanwhile. An outcome is reported again and again until then, across any absence of
 * the coordinator.
 * 3. A LEASE is answered by running it, or by RETURN where no slot is free, the data are not there, or the
 * worker leaves. One for an attempt that is held, or was a short time ago, changes nothing.
 * 4. Before WELCOME, and after WHO or a long silence until the next WELCOME, nothing but HELLO is said.
 * 5. While greeted, a REQUEST goes out at least each heartbeat.
 * 6. What is repeated (HELLO, reports, new sockets) waits longer each time up to a bound, with jitter from
 * the generator that was passed in: a thousand workers do not come back in one millisecond.
 * 7. The end is final: afterwards only STOPs and at most one BYE come out.
 */
#ifndef WORKER_AGENT_H
#define WORKER_AGENT_H

#include "common/rng.h"
#include "proto/msg.h"

enum {
    AGENT_MAX_SLOTS = 1024, /* a quarter of what REQUEST can name: outcomes wait while their slots go on */
    AGENT_HELLO_MS = 500,   /* until the first repetition of HELLO; twice as long each time */
    AGENT_HELLO_MAX_MS = 8000,
    AGENT_QUIET_MS =
        2000, /* at least; three heartbeats: silence after which it asks whether anyone is there */
    AGENT_DEAF_MS = 20000,   /* silence after which the socket itself is doubted */
    AGENT_REFUSED_MS = 1000, /* until the next try with a socket that was refused; twice as long each time */
    AGENT_REPORT_MS = 1000,  /* until the first repetition of a report; twice as long each time */
    AGENT_REPORT_MAX_MS = 30000,
    AGENT_LEAVE_MS = 3000, /* how long handing back and saving may take */
};

struct agent;

/* `hello` says who this worker is; its slots are at most AGENT_MAX_SLOTS. Time is any clock in ms that does
 * not go back. */
struct agent *agent_new(const struct msg_hello *hello, struct rng rng, int64_t now_ms);
void agent_destroy(struct agent **agent);
/* It gives up, and leaves as after agent_stop, when nothing was heard of the coordinator for so long. It never
 * does where this was not called. */
void agent_give_up_after(struct agent *agent, int64_t ms);

/* ---- in ---- */

/* What a worker never gets is ignored. */
void agent_receive(struct agent *agent, const struct msg *msg, int64_t now_ms);
/* The trainer in that slot has done so many steps. */
void agent_progress(struct agent *agent, int slot, int64_t step, double train_loss);
/* The trainer in that slot is gone. `outcome` is a RESULT, a FAILURE or a RETURN (it saved its state and
 * left); its attempt and trial are filled in here. */
void agent_ended(struct agent *agent, int slot, const struct msg *outcome, int64_t now_ms);
/* The answer to AGENT_DATA: the content hash of the data set, or NULL and why it cannot be had (the worker
 * leaves then). */
void agent_data(struct agent *agent, const char *name, const char *hash, const char *reason, int64_t now_ms);
/* It cannot do this experiment's trials, and leaves. */
void agent_unfit(struct agent *agent, const char *reason, int64_t now_ms);
/* The coordinator does not let this socket in. It will not ask again by itself: a new one is due after a
 * while. */
void agent_refused(struct agent *agent, int64_t now_ms);
/* The worker is to leave: hands back what it holds, lets its trainers save their state, waits for both, at
 * most AGENT_LEAVE_MS; at once the second time. */
void agent_stop(struct agent *agent, int64_t now_ms);

/* ---- out ---- */

enum agent_action_type {
    AGENT_SEND,      /* the message */
    AGENT_START,     /* slot, lease */
    AGENT_HALT,      /* slot: ask its trainer to save its state and end */
    AGENT_STOP,      /* slot: end its trainer, whatever it does */
    AGENT_DATA,      /* data: open (or first import, or fetch) this data set, answer with agent_data */
    AGENT_RECONNECT, /* make a new socket: this one may be stuck */
};

struct agent_action {
    enum agent_action_type type;
    int slot;
    const struct msg_lease *lease; /* borrowed until agent_ended of the slot */
    const char *data;              /* borrowed, with data_hash, until the next call into the agent */
    const char *data_hash;         /* of the one that the coordinator can hand over; "" where it has none */
    int64_t data_bytes;            /* of that one */
};

/* The next thing that is due, if there is one; it counts as done then. With AGENT_SEND *ret_message is to be
 * sent; one that could not be sent counts as lost. */
bool agent_next(struct agent *agent, int64_t now_ms, struct agent_action *ret_action,
                struct msg *ret_message);
/* When agent_next has something to do next, if nothing happens. */
int64_t agent_next_ms(const struct agent *agent);

enum agent_end {
    AGENT_STAYS,
    AGENT_FINISHED, /* the experiment is done */
    AGENT_STOPPED,  /* as agent_stop, or the coordinator by LEAVE, asked */
    AGENT_REFUSED,  /* the coordinator does not want this worker, it cannot do the trials, or it gave up */
};
enum agent_end agent_left(const struct agent *agent);
/* Why; "" while it stays. Borrowed. */
const char *agent_reason(const struct agent *agent);

/* ---- for logs and tests ---- */

bool agent_greeted(const struct agent *agent);
int agent_busy(const struct agent *agent); /* slots with a trainer */
int agent_held(const struct agent *agent); /* attempts that are not settled */

#endif
