/* server: the shell around the core: the link (proto/link.h), the clock, the allow-list, and the turn that
 * receives, commits and sends.
 *
 * Invariants
 * 1. Nothing is sent before what it promises is committed; where a commit fails, nothing is sent and the
 *    server ends. Where it fails for want of room on the disk, the server stands still instead and tries
 *    again, until there is room or a signal comes: results are not acknowledged and no leases granted
 *    meanwhile, and nobody is taken for silent.
 * 2. Sending never blocks: a message to a peer that is gone or does not read is marked unsent.
 * 3. What comes in is bounded: bytes of a frame, frames of a message, messages of a turn. A bad one is
 *    counted and answered by nothing; it is logged at most once a minute for each of 1,024 groups of peers.
 * 4. With keys, no message is heard but from a connection whose key is in the allow-list at that moment
 *    (give or take two seconds), and what each key may have is bounded (core.h, allow.h). A key that is
 *    taken off the list loses its leases at once, and its connections at their next word.
 * 5. The data set is handed over between turns, PIECES_PER_TURN pieces or PIECES_MS at a time: what waits
 *    for a lease or an ACK waits no longer than that for it.
 */
#ifndef COORDINATOR_SERVER_H
#define COORDINATOR_SERVER_H

#include "coordinator/core.h"
#include "proto/control.h"

struct server;

struct server_settings {
    const char *endpoint;
    const char *keys_dir;  /* as proto/keys.h describes it; NULL: no encryption */
    bool insecure;         /* without keys, an endpoint that other machines can reach is fine */
    const char *cache_dir; /* where the data set is looked for; NULL: as data_cache_dir says */
    struct control *control; /* NULL: it takes no orders. Borrowed */
};

/* ERR_INPUT: no endpoint, or one that other machines can reach, without keys or `insecure`. */
int server_check(const struct server_settings *settings, struct problem *problem);
/* Binds. ERR_INPUT (as server_check, or the keys cannot be used), ERR_NOT_FOUND (no keys), ERR_BUSY (in use),
 * ERR_IO. Takes SIGINT and SIGTERM for itself from here on; call it while there is one thread
 * (matrix_fix_core keeps OpenBLAS from starting its own). */
int server_new(const struct server_settings *settings, struct server **ret_server, struct problem *problem);
void server_destroy(struct server **server);
/* The address as it was bound (the port where "*" was asked for). Borrowed. */
const char *server_endpoint(const struct server *server);

/* Makes rows durable: 0 once they are, else an error with *problem filled, and none of them are. After
 * ERR_FULL the same rows are handed over again later. */
typedef int server_commit(void *context, const struct rows *rows, struct problem *problem);

/* Looks for data set `name`, to hand it over to workers that lack it; where it is not there, again while the
 * server runs. *problem is why it cannot be handed over now, with its ERR_…. */
int server_offer(struct server *server, struct core *core, const char *name, struct problem *problem);
/* How long workers may take to hand back and leave when the search is stopped; a little longer than they do. */
enum { SERVER_STOP_MS = 4000 };

/* Runs until the experiment is finished (0), a signal comes (ERR_STOPPED; workers are told nothing and keep
 * trying to come back), it was ordered to stop and the workers have left (ERR_STOPPED; server_was_ordered), or
 * a commit or the socket fails. */
int server_run(struct server *server, struct core *core, server_commit *commit, void *context,
               struct problem *problem);

/* ERR_STOPPED came from an order, not from a signal. */
bool server_was_ordered(const struct server *server);

/* Unix time in ms, which never goes back while the program runs. */
int64_t server_now_ms(const struct server *server);

#endif
