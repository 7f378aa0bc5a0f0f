/* trial: the program of a trainer process. It reads a LEASE from standard input, trains, and writes PROGRESS
 * and the RESULT (or a FAILURE) to standard output; pipe.h says how. It opens nothing but its data set, and
 * takes nothing from the environment but ACTSEARCH_KERNELS, which changes no bits.
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
};

int trial_main(int argc, char **argv);

#endif
