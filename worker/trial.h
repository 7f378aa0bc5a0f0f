/* trial: the program of a trainer process. It reads a LEASE from standard input, trains, and writes PROGRESS
 * and the RESULT (or a FAILURE) to standard output; pipe.h says how. It opens nothing but its data set, and
 * takes nothing from the environment but ACTSEARCH_KERNELS, which changes no bits.
 *
 * Standard input is a file in memory that it shares with the daemon: the LEASE, and from TRIAL_CHECKPOINT_AT
 * on, in room for CHECKPOINT_MAX_BYTES, a checkpoint to go on from, or zeros. Asked by SIGTERM, which is
 * blocked and looked for between steps, it puts its state there and ends with TRIAL_SAVED. It maps the file
 * for that: it may not write to any.
 */
#ifndef WORKER_TRIAL_H
#define WORKER_TRIAL_H

/* What the first argument must be for the program to be a trainer. */
#define TRIAL_MODE "--trial"
enum { TRIAL_ARGUMENTS = 5 }; /* program, TRIAL_MODE, pid of the daemon, bytes of memory, cache folder */

/* The exit status of a trainer. */
enum {
    TRIAL_DONE = 0,    /* RESULT is written */
    TRIAL_REFUSED = 1, /* FAILURE is written */
    TRIAL_BROKEN = 3,  /* neither could be; why is on standard error */
    TRIAL_SAVED = 4,   /* SIGTERM came: it can go on from the checkpoint */
};

enum { TRIAL_CHECKPOINT_AT = 128 * 1024 };

int trial_main(int argc, char **argv);

#endif
