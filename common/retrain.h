/* retrain: the `actsearch train` line that gives a trial's bits once more. Pure. */
#ifndef COMMON_RETRAIN_H
#define COMMON_RETRAIN_H

#include "common/buf.h"
#include "common/child.h"

/* steps: 0: those of `child`. Settings that are the defaults are left out. */
void retrain_command(const struct child *child, const char *activation, int64_t steps, const char *seed,
                     struct buf *ret_text);

/* Appends ` WORD`, in single quotes where a shell would not take it as it is. */
void shell_word(struct buf *text, const char *word);

#endif
