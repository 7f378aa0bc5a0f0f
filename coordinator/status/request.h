/* request: what a browser asks for, taken apart. Pure: no socket, and nothing is trusted.
 *
 * Bounds: a target of HTTP_TARGET_MAX bytes and HTTP_PARAMETERS_MAX parameters; bytes are decoded once, to text that
 * is UTF-8 and without control characters.
 */
#ifndef COORDINATOR_STATUS_REQUEST_H
#define COORDINATOR_STATUS_REQUEST_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_TARGET_MAX = 2048, HTTP_PARAMETERS_MAX = 8, HTTP_HOST_MAX = 255 };

/* As it came. Texts are borrowed; a header that is not there is NULL. */
struct http_request {
    const char *method;
    const char *target; /* "/api/ranking?offset=50" */
    const char *host;   /* of the header Host */
    const char *if_none_match;
    bool gzip; /* the header Accept-Encoding allows it */
};

/* A target taken apart. Texts are in `text`. */
struct http_target {
    char text[HTTP_TARGET_MAX + 1];
    const char *path;
    int count;
    struct {
        const char *name, *value;
    } parameter[HTTP_PARAMETERS_MAX];
};

/* ERR_INPUT: it does not begin with '/', a %XX is none, or what it says is no text; ERR_LIMIT: past a bound. */
int http_target_parse(const char *target, struct http_target *ret_target, struct problem *problem);

/* The last value of that name; NULL where there is none. */
const char *http_parameter(const struct http_target *target, const char *name);
/* The same as a whole number, low … high; *ret_value stays where there is none. */
int http_parameter_int(const struct http_target *target, const char *name, int64_t low, int64_t high,
                       int64_t *ret_value, struct problem *problem);
/* ERR_INPUT where a parameter is none of `names`, which is "a|b|c" ("": there are none). */
int http_parameters_check(const struct http_target *target, const char *names, struct problem *problem);

/* ---- where we listen, and under which names we may be called ---- */

struct http_address {
    char host[HTTP_HOST_MAX + 1]; /* in numbers, without brackets */
    int port;                     /* 0: any */
    bool ipv6;
    bool loopback; /* only this machine can reach it */
    bool any;      /* all addresses of this machine */
};

/* "127.0.0.1:8080", "[::1]:8080" or "localhost:8080". ERR_INPUT says what was expected. */
int http_address_parse(const char *text, struct http_address *ret_address, struct problem *problem);

/* Whether the header Host names us. A page of another site that has its name resolve to our address (DNS rebinding)
 * still calls us by its own name: so we answer to localhost and addresses in numbers, and where others may reach us
 * also to `machine`, this machine's name. The port does not matter, so that tunnels work. */
bool http_host_is_ours(const struct http_address *address, const char *machine, const char *host);

#endif
