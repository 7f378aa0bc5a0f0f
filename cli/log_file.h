/* log_file: the file that gets what the children of a command have to say. */
#ifndef CLI_LOG_FILE_H
#define CLI_LOG_FILE_H

#include "common/err.h"

#include <stdint.h>

/* Opens it to append. Its descriptor, and in *ret_start where this run's part begins; ERR_IO. */
int log_open(const char *path, int64_t *ret_start, struct problem *problem);
/* The last lines of that part, on stderr. */
void log_print_end(const char *path, int64_t start);

#endif
