/* pipe: what passes between the daemon and a trainer, over the trainer's standard input and output.
 *
 * The same messages as between worker and coordinator, with the same encoder and bounds (proto/msg.h), each
 * after its length as 4 bytes, low byte first. The daemon writes one LEASE; the trainer writes PROGRESS now
 * and then, and at last one RESULT or FAILURE.
 *
 * Invariants
 * 1. A trainer is not trusted. Whatever it writes, pipe_in holds at most one message and what was put last,
 *    if all there is is taken after each put. A message is taken or refused, never half believed; after a
 *    refusal the stream is lost.
 * 2. How the bytes are cut into reads changes nothing.
 */
#ifndef WORKER_PIPE_H
#define WORKER_PIPE_H

#include "proto/msg.h"

enum { PIPE_READ_BYTES = 4096 };

struct pipe_in {
    struct buf bytes;
    size_t taken; /* bytes at the front that are done with */
    bool lost;
};

void pipe_in_release(struct pipe_in *in);
void pipe_in_put(struct pipe_in *in, const void *bytes, size_t size);
/* 1: *ret_msg is the next message; 0: not all of it is there yet; ERR_INPUT, ERR_LIMIT: what is wrong with
 * it. */
int pipe_in_take(struct pipe_in *in, struct msg *ret_msg, struct problem *problem);

/* Appends length and message. */
void pipe_put(const struct msg *msg, struct buf *ret_bytes);

/* Whole messages over blocking descriptors, for the trainer. ERR_IO, and for a read ERR_INPUT. */
int pipe_write(int fd, const struct msg *msg, struct problem *problem);
int pipe_read(int fd, struct msg *ret_msg, struct problem *problem);

#endif
