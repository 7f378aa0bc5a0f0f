/* slot: one trainer process, from the LEASE to its end.
 *
 * Invariants
 * 1. A process that slot_start made is a child of ours until slot_read has reaped it and said SLOT_ENDED;
 * only such a child is ever signalled. Each slot_start that succeeds is followed by exactly one SLOT_ENDED,
 *    or by slot_end.
 * 2. Whatever the trainer does (crashes, hangs, writes rubbish, floods), the outcome is a RESULT that fits
 * the lease, or a FAILURE that says what happened, with its last words from standard error, or a RETURN where
 * it saved its state because SIGTERM came, from slot_halt or from anywhere else.
 * 3. The trainer gets three descriptors (the job, and two pipes to us), a process group of its own, and an
 * environment of two variables: it cannot tell one daemon from another. A trainer of the user's own gets the
 * daemon's environment (command.h). What is left of its group when it has ended is ended too.
 * 4. Nothing here waits: descriptors do not block, and a wake-up comes through the epoll descriptor.
 */
#ifndef WORKER_SLOT_H
#define WORKER_SLOT_H

#include "worker/pipe.h"

#include <sys/types.h>

enum { SLOT_WORDS = 512 };

/* The same for all slots of a daemon. Borrowed. */
struct slot_setup {
    const char *program; /* the trainer: started as  program TRIAL_MODE pid bytes cache  (trial.h) */
    const char *command; /* the user's own trainer: started as  program COMMAND_MODE pid index command
                            (command.h). NULL: the built-in one */
    const char *cache_dir;
    int64_t memory_bytes; /* of each trainer; 0: no bound */
    int64_t stall_ms;     /* a trainer that makes no step for so long is ended */
    int epoll;            /* where its descriptors are watched; the event's data.u32 is `index` */
};

struct slot {
    pid_t pid;             /* 0: none runs */
    int pidfd, out, words; /* −1: closed */
    int job; /* the file in memory that it shares with its trainer (trial.h); 0: none, whatever else is closed
              */
    int64_t attempt, trial;
    struct pipe_in in;
    struct msg *outcome; /* what it reported at last, or why it was ended; NULL so far */
    int64_t started_ms, moved_ms;
    int64_t first_step_ms; /* from the start to the first step; −1 so far */
    int64_t step;
    double train_loss;
    char tail[SLOT_WORDS]; /* the end of what it wrote to standard error */
    size_t tail_size;
};

/* `checkpoint` is a file to go on from, borrowed, or −1. ERR_IO: it could not be started. */
int slot_start(struct slot *slot, uint32_t index, const struct slot_setup *setup,
               const struct msg_lease *lease, int checkpoint, int64_t now_ms, struct problem *problem);
/* Asks the trainer to save its state and end; SLOT_ENDED comes with a RETURN then, if it does. */
void slot_halt(struct slot *slot);
/* Ends the trainer, whatever it does; SLOT_ENDED comes as always. */
void slot_stop(struct slot *slot);
/* Ends the trainer and waits for that: the way out when nobody will call slot_read any more. */
void slot_end(struct slot *slot);

enum slot_news {
    SLOT_NOTHING,
    SLOT_MOVED, /* step and train_loss are new */
    SLOT_ENDED, /* *ret_outcome is a RESULT, a FAILURE or a RETURN; the slot is free */
};
/* Takes in what there is, without waiting. */
enum slot_news slot_read(struct slot *slot, const struct slot_setup *setup, int64_t now_ms,
                         struct msg *ret_outcome);
/* After a RETURN: the size of the checkpoint that the trainer left in slot->job at TRIAL_CHECKPOINT_AT; 0:
 * none. What is in it is checked by whoever goes on from it. */
size_t slot_saved(const struct slot *slot);
/* Gives back what is left of an ended trainer, its checkpoint; slot_start does so too. */
void slot_release(struct slot *slot);
/* The last words of a trainer that ended as one line, "" where there were none. */
void slot_words(const struct slot *slot, char *ret_text, size_t size);
/* When slot_read is to be called even if nothing comes. */
int64_t slot_next_ms(const struct slot *slot, const struct slot_setup *setup);

#endif
