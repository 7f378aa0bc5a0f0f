/* command: the program of a trainer process that runs the user's own trainer, a command line, and speaks for
 * it: it has the LEASE from the daemon and gives the command its line of JSON, reads the command's lines, and
 * writes PROGRESS and the RESULT (or a FAILURE). So to the daemon it is a trainer as any other (slot.h), and
 * whatever a command prints is taken apart outside of the daemon.
 *
 *     daemon ──LEASE──▶ this process ──a line of JSON on standard input──▶ sh -c COMMAND
 *            ◀─RESULT──              ◀──lines of JSON from its output─────
 *
 * Invariants
 * 1. The command comes from the worker's own command line, never from the network. What comes from there
 * reaches the command on its standard input alone, as JSON.
 * 2. The command runs as the daemon does: the same user, environment and limits, with the number of its slot
 * in ACTSEARCH_SLOT. It is in this process's group, which the daemon ends as a whole; and it dies when this
 * process or the daemon does.
 * 3. SIGTERM to this process goes on to the whole group. A command that ends then without an outcome has
 * handed its training back.
 */
#ifndef WORKER_COMMAND_H
#define WORKER_COMMAND_H

#include "common/hash.h"

/* What the first argument must be for the program to be such a process; the exit status is that of trial.h. */
#define COMMAND_MODE "--trainer-command"
enum {
    COMMAND_ARGUMENTS = 5
}; /* program, COMMAND_MODE, pid of the daemon, number of the slot, the command */

/* What stands for the content of data set `data`, which only the trainer knows: its name. */
struct hash command_data_hash(const char *data);

int command_main(int argc, char **argv);

#endif
