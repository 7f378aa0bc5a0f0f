/* link: the sockets between a coordinator and its workers, made in one way at both ends. The only includer of
 * czmq.
 *
 * A coordinator binds (ROUTER), a worker connects (DEALER). With a key the link is encrypted (CURVE): the
 * worker knows the coordinator by its public key, and the coordinator asks its door about each worker's.
 *
 * Invariants
 * 1. Nothing but link_wait blocks. What cannot be handed over at once is not sent.
 * 2. What comes in is bounded: bytes of a frame (MSG_MAX_BYTES), one frame a message, a queue for each peer.
 * 3. The socket chooses the routing ids (5 bytes), so that no peer can take another's.
 * 4. With a key, the door stands before the socket is bound: a CURVE socket without one lets every key in.
 * 5. A program has one context and takes its signals through link_take_signals, before the first link.
 */
#ifndef PROTO_LINK_H
#define PROTO_LINK_H

#include "common/err.h"
#include "proto/keys.h"

#include <stdbool.h>
#include <stdint.h>

struct link;

struct link_settings {
    const char *endpoint;
    const struct key *key; /* NULL: no encryption. Borrowed while the link is there */
    int queued;            /* messages for one peer, in each direction */
    int linger_ms;         /* how long the last messages may take to leave */
    int handshake_ms;      /* a connection that has not shown by then what it is, is closed; 0: 30 s */
};

/* SIGINT and SIGTERM become readable at *ret_fd from here on. While there is one thread. ERR_IO. */
int link_take_signals(int *ret_fd, struct problem *problem);
/* The signal that is there, taken; 0 where there is none. */
int link_signal(int fd);

/* ERR_BUSY (in use), ERR_IO. */
int link_bind(const struct link_settings *settings, struct link **ret_link, struct problem *problem);
/* ERR_IO. Succeeds where nobody is there yet. */
int link_connect(const struct link_settings *settings, struct link **ret_link, struct problem *problem);
/* A new socket in place of the one that may be stuck; what waits in that is lost. ERR_IO: the link has none
 * then. */
int link_renew(struct link *link, struct problem *problem);
void link_destroy(struct link **link);
/* The address as it was bound (the port where "*" was asked for). Borrowed. */
const char *link_endpoint(const struct link *link);

enum link_receipt {
    LINK_NOTHING,
    LINK_MESSAGE,
    LINK_BAD, /* what came is no message; `data` says why */
};

/* Borrowed until the next link_receive. */
struct link_message {
    uint64_t peer;   /* of a coordinator's link: the connection; 0 where it is not known */
    const char *key; /* the public key that the peer has proved to hold; NULL without encryption */
    const void *data;
    size_t size;
};

enum link_receipt link_receive(struct link *link, struct link_message *ret_message);
/* Ends the connection by which the last message came. */
void link_cut(struct link *link);
/* False: lost. `peer` means nothing to a worker's link. */
bool link_send(struct link *link, uint64_t peer, const void *data, size_t size);

/* Answers those who stand at the door of a coordinator's link: whether whoever holds this key may come in. */
typedef bool link_door(void *context, const char *key, const char *address);
void link_answer_door(struct link *link, link_door *door, void *context);

/* What has become of a worker's connection since it was last asked. Refused or mismatched it is given up by
 * libzmq: only link_renew tries again. Broken, it is tried again by itself. */
enum link_news {
    LINK_NO_NEWS,
    LINK_OPEN,     /* the two ends understand each other */
    LINK_REFUSED,  /* the coordinator does not let this key in */
    LINK_MISMATCH, /* one end uses keys, the other does not */
    LINK_BROKEN,   /* the other end hung up before it was open: with a key, it is not the coordinator of that
                      key */
};
enum link_news link_news(struct link *link);

enum { LINK_MAX_FDS = 4 };
/* Sleeps until something comes in, one of the descriptors can be read, or the time is up. ERR_IO. */
int link_wait(struct link *link, const int *fds, int count, int64_t timeout_ms, struct problem *problem);

#endif
