/* response: what is answered to a request, before it is sent. */
#ifndef COORDINATOR_STATUS_RESPONSE_H
#define COORDINATOR_STATUS_RESPONSE_H

#include "common/buf.h"

/* Headers that every answer has; the page may run and load only what comes from here. */
#define HTTP_HEADER_TABLE(ROW)                                                                               \
    ROW("Content-Security-Policy",                                                                           \
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "      \
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")                                       \
    ROW("X-Content-Type-Options", "nosniff")                                                                 \
    ROW("X-Frame-Options", "DENY")                                                                           \
    ROW("Referrer-Policy", "no-referrer")                                                                    \
    ROW("Cross-Origin-Resource-Policy", "same-origin")                                                       \
    ROW("Cross-Origin-Opener-Policy", "same-origin")                                                         \
    ROW("Permissions-Policy", "camera=(), geolocation=(), microphone=()")

struct http_response {
    int status;          /* 200, 304, 400, … */
    const char *type;    /* Content-Type */
    struct buf body;     /* owned; empty where `file` is there */
    const uint8_t *file; /* of the program itself; NULL: none */
    size_t file_size;
    bool file_gzip;
    char etag[24]; /* quoted; "": it changes all the time, and is not to be kept */
    bool events;   /* goes on: a stream of server-sent events follows */
};

#endif
