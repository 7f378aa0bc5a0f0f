/* agent_state: what an agent is made of, for agent.c (what goes in) and agent_next.c (what comes out) only.
 */
#ifndef WORKER_AGENT_STATE_H
#define WORKER_AGENT_STATE_H

#include "worker/agent.h"

enum {
    RECENT = 64, /* attempts that were settled last, so that a delayed LEASE does not start them again */
    HEARTBEAT_MIN_MS = 10, /* whatever WELCOME says */
    DEAF_MAX_MS = 60000,
    HOLDING_MAX = 4096, /* bound of REQUEST's list */
};

enum link {
    LINK_CONNECTING, /* says HELLO */
    LINK_GREETED,    /* waits for the data set */
    LINK_WORKING,
};

enum slot_state {
    SLOT_IDLE,
    SLOT_START_DUE,
    SLOT_RUNNING,
    SLOT_HALT_DUE, /* from here on its outcome is of no interest */
    SLOT_HALTING,
    SLOT_STOP_DUE,
    SLOT_STOPPING,
};

struct agent_slot {
    enum slot_state state;
    struct msg_lease lease;
    int64_t step, said_step;
    int64_t said_ms;
    double train_loss;
};

/* A repetition that waits longer each time. */
struct again {
    int64_t at_ms;
    int64_t wait_ms;
};

/* An attempt that the coordinator has not settled. */
struct held {
    int64_t attempt, trial;
    int slot;             /* where it runs; −1 once it is to be reported */
    enum msg_type report; /* RESULT, FAILURE, RETURN */
    union {
        struct msg_result *result; /* owned */
        char *reason;              /* of a FAILURE, owned */
    };
    struct again again;
};

struct agent {
    struct msg_hello hello;
    struct rng rng;
    int64_t now_ms;

    enum link link;
    struct again say_hello;
    int64_t heard_ms;
    int64_t give_up_ms; /* silence after which it leaves; INT64_MAX: never */
    struct again reconnect;
    struct again refused; /* at_ms is INT64_MAX while nobody refused */
    int64_t heartbeat_ms;
    int64_t request_at_ms;

    char data[65];      /* the data set that is asked for; "" before the first WELCOME */
    char data_hash[65]; /* "" while it is not there */
    char offered[65];   /* hash of the one that can be fetched; "" where there is none */
    int64_t offered_bytes;
    bool data_due;

    struct agent_slot *slots; /* hello.slots */
    struct held *held;
    int held_count, held_room; /* grows to HOLDING_MAX */
    int64_t recent[RECENT];
    unsigned recent_next;

    bool leaving;
    enum agent_end leaves_as;   /* while leaving */
    const char *leaves_because; /* a constant */
    int64_t leave_by_ms;
    bool bye_due;
    enum agent_end end;
    char reason[481];
};

void agent_set_now(struct agent *agent, int64_t now_ms);
/* The next HELLO goes out at once, and nothing else until WELCOME. */
void agent_greet_again(struct agent *agent);
/* Hands back what is held, and leaves when that is settled. `because` is a constant. */
void agent_begin_leaving(struct agent *agent, enum agent_end as, const char *because);
/* The end: all trainers are to be stopped. */
void agent_leave(struct agent *agent, enum agent_end how, const char *reason, bool say_bye);

/* Due now, and soon again if nothing comes of it. */
void again_now(struct again *again, int64_t now_ms);
/* Done once more: due later, after twice the time of before. */
void again_later(struct agent *agent, struct again *again, int64_t first_ms, int64_t max_ms);

#endif
