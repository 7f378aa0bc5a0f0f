/* endpoint: what an address like tcp://head-node:5570 says about who can reach it. */
#ifndef PROTO_ENDPOINT_H
#define PROTO_ENDPOINT_H

#include "common/err.h"

#include <stdbool.h>

enum { ENDPOINT_MAX = 255 };

/* True where only processes of this machine can be at the other end: ipc://, or tcp:// with a loopback
 * address in numbers or the name localhost. */
bool endpoint_is_local(const char *endpoint);
/* tcp://HOST:PORT or ipc://PATH, within bounds. ERR_INPUT says what was expected. */
int endpoint_check(const char *endpoint, struct problem *problem);

#endif
