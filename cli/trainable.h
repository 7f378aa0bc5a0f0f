/* trainable: whether the built-in trainer can do on this machine what the settings of a child ask for, before anything
 * is started.
 */
#ifndef CLI_TRAINABLE_H
#define CLI_TRAINABLE_H

#include "common/child.h"
#include "worker/nn/data.h"

/* The model, the data set, and whether the two fit; the problem says which key of [child] is wrong. `cache`: of
 * --cache, or NULL. *ret_data is the caller's to close; NULL on failure. */
int trainable_check(const struct child *child, const char *cache, struct data **ret_data,
                    struct problem *problem);

#endif
