/* status: a request in, an answer out: what the page of a search says, without a socket.
 *
 * Invariants
 * 1. It only reads: GET and HEAD, and a connection to the database that cannot write (store_read.h). The connection is its own,
 *    opened at the first need, since a new search has no database yet.
 * 2. Who calls us by a name that is not ours is answered by nothing but 421.
 * 3. Every request gets an answer, and what is wrong with one is said in it; no answer grows with the search.
 */
#ifndef COORDINATOR_STATUS_STATUS_H
#define COORDINATOR_STATUS_STATUS_H

#include "coordinator/status/request.h"
#include "coordinator/status/response.h"

struct status;

/* All is copied. machine: this host's name, "" where it has none. */
struct status *status_new(const char *database, const struct http_address *address, const char *machine);
void status_destroy(struct status **status);

/* *ret_response is as {0} before; its body is the caller's. */
void status_answer(struct status *status, const struct http_request *request,
                   struct http_response *ret_response);

/* Looks at the database, once a second or so; now_ms is of one monotonic clock. Returns whether it has changed since the last look; *ret_event is then the event
 * for those who listen at /api/live, "event: progress\ndata: {…}\n\n", cleared before. */
bool status_look(struct status *status, int64_t now_ms, struct buf *ret_event);
/* The same event, changed or not, for one who begins to listen. Empty where the database cannot be read. */
void status_event(struct status *status, struct buf *ret_event);

#endif
