/* runtime: the folder of one `actsearch run`, which holds the socket of its coordinator and the lock that
 * says that it is in use.
 *
 * It lies in $XDG_RUNTIME_DIR, else $TMPDIR, else /tmp, has mode 0700, and is removed at the end. One that
 * was left behind by a run that was killed is removed by the next run: the kernel has given up its lock.
 */
#ifndef CLI_RUNTIME_H
#define CLI_RUNTIME_H

#include "common/err.h"

struct runtime {
    char *folder;
    char *endpoint; /* ipc://FOLDER/socket */
    int lock_fd;
};

/* ERR_IO. */
int runtime_make(struct runtime *ret_runtime, struct problem *problem);
/* Removes it. Also for one that is {0}. */
void runtime_remove(struct runtime *runtime);

#endif
