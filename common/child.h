/* child: the settings of one child training, the [child] section of an experiment file (DESIGN 4.7, 4.9).
 *
 * One table, child.def, gives each field its key, type, default, bounds and meaning; the experiment file,
 * `actsearch train --set child.…`, the LEASE message (as canonical text) and the documentation all read it.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include "common/buf.h"
#include "common/err.h"
#include "common/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum schedule { SCHEDULE_COSINE, SCHEDULE_STEP, SCHEDULE_CONSTANT, SCHEDULE_FIFTHS };

struct child {
#define CHILD_INT(key, initial, low, high, meaning)      int64_t key;
#define CHILD_REAL(key, initial, low, high, meaning)     double key;
#define CHILD_BOOL(key, initial, meaning)                bool key;
#define CHILD_NAME(key, initial, meaning)                char key[NAME_BYTES];
#define CHILD_CHOICE(key, type, initial, names, meaning) enum type key;
#include "common/child.def"
};

struct child child_defaults(void);
/* Sets one field from text. ERR_NOT_FOUND (no such key; the problem names the nearest) or ERR_INPUT (what is
 * allowed). */
int child_set(struct child *child, const char *key, const char *value, struct problem *problem);
/* What holds between the fields. */
int child_check(const struct child *child, struct problem *problem);
/* The same training, but for its length: `steps` steps, and a warm-up of the same share of them. */
struct child child_of_steps(const struct child *child, int64_t steps);
/* "key = value\n" for each field, in the table's order, numbers in the shortest form that reads back exactly.
 */
void child_print(const struct child *child, struct buf *ret_text);
/* Reads what child_print wrote (each key at most once, none unknown). */
int child_parse(const char *text, struct child *ret_child, struct problem *problem);

#endif
