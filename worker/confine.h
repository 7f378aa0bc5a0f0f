/* confine: what a trainer process may not do, set by itself at its start, for good.
 *
 * - it dies with its daemon, however that dies
 * - memory of its own: at most so many bytes
 * - CPU time: at most a week
 * - no core files, no files written, few descriptors
 * - no network, no other programs (a seccomp filter, where the kernel and the machine have it)
 * - the kernel's out-of-memory killer prefers it to the daemon
 */
#ifndef WORKER_CONFINE_H
#define WORKER_CONFINE_H

#include "common/err.h"

#include <stdint.h>
#include <sys/types.h>

/* `parent` is the daemon; memory_bytes 0: no bound. ERR_STOPPED where the daemon is gone already, ERR_IO
 * where a limit cannot be set. */
int confine(pid_t parent, int64_t memory_bytes, struct problem *problem);

#endif
