/* process: the programs that `actsearch run` starts and looks after.
 *
 * Invariants
 * 1. A process that was started is a child of ours until process_poll or process_stop has reaped it; only
 *    pids of such children are ever signalled.
 * 2. It is the leader of a process group of its own, so that a Ctrl-C at the terminal reaches us alone and
 *    we end it in order.
 * 3. It gets SIGTERM when we die, however we die.
 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;       /* 0: none runs */
    int wait_status; /* of the last one that ended, as waitpid gives it */
};

/* The program `name` beside this one, else in PATH. malloc'd; ERR_NOT_FOUND. */
int program_find(const char *name, char **ret_path, struct problem *problem);

/* Appends an option and its value to an argument list of *count; nothing where value is NULL. Borrowed. */
void process_option(const char **argv, int *count, const char *option, const char *value);

/* argv[0] is the path. Standard input is empty; standard output and error go to output_fd. No other
 * descriptor that is close-on-exec is passed on. ERR_IO. */
int process_start(struct process *process, char *const argv[], int output_fd, struct problem *problem);

bool process_runs(const struct process *process);
/* Reaps it where it has ended. Returns process_runs. */
bool process_poll(struct process *process);
/* Waits for its end. */
void process_wait(struct process *process);
void process_signal(const struct process *process, int signal_number);
/* Kills it and waits for its end. */
void process_kill(struct process *process);

/* How it ended, for people: "exit status 1", "killed by signal 9 (Killed)". */
void process_end_text(const struct process *process, char ret_text[64]);

#endif
