/* progress: how far a long command is: a bar with the time left on a terminal, a plain line now and then in a
 * pipe.
 *
 * Reads the monotonic clock itself. Nothing is printed for a command that ends within a second.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdio.h>

struct progress;

/* `out` is borrowed: stderr, so that standard output holds results alone. */
struct progress *progress_new(FILE *out);
/* Call as often as it suits: a terminal is redrawn at most 5 times a second, a pipe gets a line at most every
 * 10 seconds. fraction: 0 … 1 of the work; NaN where it is not known. detail: for people, one line. */
void progress_show(struct progress *progress, double fraction, const char *detail);
/* Judges the speed from here on: it stood still on purpose. */
void progress_restart(struct progress *progress);
/* Takes the bar off the terminal, so that something else can be printed; the next progress_show draws it
 * again. */
void progress_hide(struct progress *progress);
/* Hides and frees it. */
void progress_destroy(struct progress **progress);

#endif
