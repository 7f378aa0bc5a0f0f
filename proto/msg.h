/* msg: the messages of messages.def as structs, and their bytes. The only includer of msgpack is msg.c.
 *
 * A message is one frame: a msgpack map of "type" (the name in lower case) and the fields, in the table's order. The decoder walks
 * the bytes with its own bounds first (proto/bounded.h), so that the library never allocates for what a header only claims.
 */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROTO_VERSION = 2, MSG_MAX_BYTES = 64 * 1024 };

enum msg_type {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) MSG_##NAME,
#include "proto/messages.def"
    MSG_TYPES,
};

#define MESSAGE_BEGIN(NAME, Name, direction, meaning) struct msg_##Name {
#define FIELD_INT(message, key, low, high, meaning)   int64_t key;
#define FIELD_REAL(message, key, meaning)             double key;
#define FIELD_BOOL(message, key, meaning)             bool key;
#define FIELD_TEXT(message, key, max_bytes, meaning)  char key[(max_bytes) + 1];
#define FIELD_BYTES(message, key, max_count, meaning)                                                        \
    uint8_t key[max_count];                                                                                  \
    int key##_count;
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    int64_t key[max_count];                                                                                  \
    int key##_count;
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    double key[max_count];                                                                                   \
    int key##_count;
#define MESSAGE_END(NAME, Name)                                                                              \
    char end_;                                                                                               \
    }                                                                                                        \
    ; /* end_: a message without fields is a struct all the same */
#include "proto/messages.def"

struct msg {
    enum msg_type type;
    union {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) struct msg_##Name Name##_;
#include "proto/messages.def"
    };
};

/* The length of each piece of a data set but the last. */
enum { CHUNK_BYTES = sizeof((struct msg_chunk *)0)->bytes };

const char *msg_type_name(enum msg_type type);

/* Copies a text from outside (a host name, a program's last words) into a field: cut at a whole character where it is too long, '?'
 * in place of each byte that is no UTF-8. msg_put_text(hello.host, sizeof hello.host, name) */
void msg_put_text(char *field, size_t field_size, const char *text);

/* Appends the message's bytes. All values must be within the table's bounds (assert). */
void msg_encode(const struct msg *msg, struct buf *ret_bytes);
/* ERR_INPUT, ERR_LIMIT: "byte N: " and what is wrong. *ret_msg is untouched then. The keys may come in any order. What stands behind
 * a text's NUL and an array's count is not defined. */
int msg_decode(const void *bytes, size_t size, struct msg *ret_msg, struct problem *problem);

#endif
