/* data_published: the data sets that everybody knows by name: what each holds, and where a system may have
 * it. */
#ifndef WORKER_NN_DATA_PUBLISHED_H
#define WORKER_NN_DATA_PUBLISHED_H

#include <stdint.h>

enum { SYSTEM_DIRS = 3 };

struct published {
    const char *name;
    int channels, height, width, classes;
    uint32_t train_count, test_count;
    const char *system_dirs[SYSTEM_DIRS]; /* NULL where there are fewer */
    const char *how_to_get;               /* "install …, or ", or "" */
};

/* NULL where no published data set has that name. */
const struct published *published_find(const char *name);
/* The nearest of the names, or NULL. */
const char *published_nearest(const char *name);
/* The folder on this machine that has the files of that data set, or NULL. */
const char *published_system_dir(const char *name);

#endif
