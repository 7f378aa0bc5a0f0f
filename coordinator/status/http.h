/* http: the web page of a search, on a socket: a thread with libmicrohttpd, a connection to the database of its own, and nothing
 * shared with the rest of the program. However slow a browser is, and however many there are, no lease waits for it.
 *
 * Invariants
 * 1. One thread does all: it answers (status.h), looks at the database once a second, and sends what is new to those who listen.
 * 2. Bounded: connections, also of one address, bytes of a request's head (16 KiB), seconds without a byte in either
 *    direction, and listeners. What is past a bound is refused or closed; the page tries again.
 * 3. Other machines cannot reach it unless `insecure` says that they may. Nobody can change anything through it.
 */
#ifndef COORDINATOR_STATUS_HTTP_H
#define COORDINATOR_STATUS_HTTP_H

#include "common/err.h"

#include <stdbool.h>

enum { HTTP_CONNECTIONS = 200, HTTP_CONNECTIONS_OF_ONE = 100, HTTP_LISTENERS = 50, HTTP_TIMEOUT_S = 15 };

struct http;

struct http_settings {
    const char *address;  /* "127.0.0.1:8080"; port 0: any */
    const char *database; /* need not be there yet */
    bool insecure;        /* an address that other machines can reach is fine */
};

/* ERR_INPUT: the address is none, or one that other machines can reach without `insecure`. Opens nothing. */
int http_check(const struct http_settings *settings, struct problem *problem);
/* Binds and starts the thread, which takes no signals. ERR_INPUT as above, ERR_BUSY (in use), ERR_IO. All of the settings are
 * copied. */
int http_start(const struct http_settings *settings, struct http **ret_http, struct problem *problem);
/* Tells those who listen what is newest, and ends. The database is let go. */
void http_stop(struct http **http);
/* "http://127.0.0.1:8080/". Borrowed. */
const char *http_url(const struct http *http);

#endif
