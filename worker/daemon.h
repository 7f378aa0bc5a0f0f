/* daemon: the shell around the agent: the link (proto/link.h), the clock, signals, the data set, and the
 * trainers.
 *
 * Invariants
 * 1. Sending never blocks: a message that the socket does not take is lost, and the agent says it again.
 * 2. What comes in is bounded (bytes of a frame, messages of a turn); what cannot be read is counted, and
 *    logged once a minute.
 * 3. When daemon_run returns, no trainer is left. When this process is killed, its trainers die with it
 *    (confine.h).
 * 4. A trial that is answered from a table has the bits that its training would have: the table is of this
 * build's arithmetic, of the same data and settings, or the daemon leaves (worker/answers.h).
 * 5. No file name comes over the network: a data set is a name in the cache folder, checked by
 *    worker/dataset.h.
 */
#ifndef WORKER_DAEMON_H
#define WORKER_DAEMON_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The name of a trainer that has no other. */
#define DAEMON_OWN_TRAINER "custom"
enum {
    DAEMON_STALL_MS = 15 * 60 * 1000
}; /* one step of the largest networks takes a minute, an evaluation some */

struct daemon_settings {
    const char *endpoint;
    int slots;             /* trials at once, 1 … AGENT_MAX_SLOTS */
    const char *key_file;  /* NULL: no encryption */
    bool insecure;         /* an endpoint on another machine is fine without a key */
    const char *cache_dir; /* NULL: as data_cache_dir says */
    const char *command;   /* the user's own trainer (command.h); NULL: the built-in one */
    const char *trainer;   /* how it is called; NULL: DAEMON_OWN_TRAINER, or BUILT_IN_TRAINER without one */
    int64_t stall_ms;      /* a trainer without progress for so long is ended */
    int64_t give_up_ms;    /* it leaves after so long without a coordinator; 0: never */
    const char *table;     /* trainings that are in this file are not done again; NULL: none */
};

struct daemon;

/* CPUs that this process may use, at most AGENT_MAX_SLOTS. */
int daemon_default_slots(void);
/* ERR_INPUT: no endpoint, or one on another machine without a key or `insecure`. */
int daemon_check(const struct daemon_settings *settings, struct problem *problem);
/* ERR_INPUT (as daemon_check, or as key_read says), ERR_IO, and as answers_open says. `settings` is borrowed. Takes SIGINT and SIGTERM
 * for itself from here on; call it while there is one thread. */
int daemon_new(const struct daemon_settings *settings, struct daemon **ret_daemon, struct problem *problem);
void daemon_destroy(struct daemon **daemon);

/* Works until the experiment is done or a signal asked for the end (0), or the coordinator does not want this
 * worker or its data set is not to be had (ERR_CONFLICT, with the reason). */
int daemon_run(struct daemon *daemon, struct problem *problem);

#endif
