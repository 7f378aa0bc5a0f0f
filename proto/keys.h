/* keys: the CURVE keys of a coordinator and its workers, and the files that hold them.
 *
 * A file is a certificate in the text format of czmq, so that zcert_load, zauth and other tools of ZeroMQ
 * read it too:
 *
 *     metadata
 *         name = "node-17"
 *         server = "…"        in a worker's file: the public key of its coordinator
 *     curve
 *         public-key = "…"
 *         secret-key = "…"    absent from a public certificate
 *
 * A key is 32 bytes, written as 40 characters of Z85. Lines that begin with # are comments; other entries of
 * metadata are ignored.
 *
 * The folder that `actsearch keygen DIR` makes:
 *
 *     DIR/server.key          the coordinator's own pair
 *     DIR/workers/NAME.pub    the allow-list: the public key of each worker that may connect
 *     DIR/NAME.key            what worker NAME is given: its own pair and the coordinator's public key
 *
 * Invariants
 * 1. A file with a secret is read only where no one but its owner can, and made with mode 0600; a public one
 *    only where no one but its owner can write it. The owner is this user or root.
 * 2. What is read is whole: the public key is the one that belongs to the secret.
 * 3. No file is ever overwritten.
 * 4. Secrets stay in `struct key`: all copies on the way are wiped, and no message names one.
 */
#ifndef PROTO_KEYS_H
#define PROTO_KEYS_H

#include "common/err.h"

#include <stdbool.h>

enum {
    KEY_TEXT = 40,       /* characters of a key */
    KEY_NAME_MAX = 64,   /* bytes of a name */
    KEY_FILE_MAX = 4096, /* bytes of a file */
};

#define KEYS_SERVER_FILE "server.key"
#define KEYS_WORKERS_DIR "workers"

enum key_kind {
    KEY_PUBLIC, /* a public key alone */
    KEY_SERVER, /* a pair */
    KEY_WORKER, /* a pair and the coordinator's public key */
};

struct key {
    enum key_kind kind;
    char name[KEY_NAME_MAX + 1]; /* "" where there is none */
    char public_key[KEY_TEXT + 1];
    char secret_key[KEY_TEXT + 1];
    char server_key[KEY_TEXT + 1];
};

/* A new pair. `server_key` is the coordinator's public key, NULL for the coordinator's own. */
void key_new(const char *name, const char *server_key, struct key *ret_key);
/* The same without its secret. */
struct key key_public(const struct key *key);
/* Overwrites it; to be called for each key once it is not needed any more. */
void key_wipe(struct key *key);

/* A name becomes a file name: 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit.
 * ERR_INPUT. */
int key_name_check(const char *name, struct problem *problem);

/* ERR_INPUT with the line of what is wrong. *ret_key is to be wiped. */
int key_parse(const char *text, size_t size, struct key *ret_key, struct problem *problem);
/* ERR_NOT_FOUND, ERR_IO, ERR_LIMIT (too long), ERR_INPUT (cannot be read, is of another kind, or is open to
 * others). The problem names the file. *ret_key is to be wiped. */
int key_read(const char *path, enum key_kind kind, struct key *ret_key, struct problem *problem);
/* Makes the file with mode 0600. ERR_CONFLICT where something is there already, ERR_IO. */
int key_write(const char *path, const struct key *key, struct problem *problem);

/* Whether only this user or root can have written what stands there: `mode` and `uid` as stat says. */
bool key_owner_only(unsigned mode, unsigned uid, unsigned forbidden);

#endif
