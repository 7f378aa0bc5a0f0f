#include "worker/nn/data_published.h"

#include "worker/nn/data_import.h"

#include <string.h>

/* The folder of Debian's package, and those of older versions of it. */
#define FASHION_DIRS                                                                                         \
    {                                                                                                        \
        "/usr/share/datasets/fashion-mnist", "/usr/share/dataset/fashion-mnist",                             \
            "/usr/share/dataset-fashion-mnist"                                                               \
    }

static const struct published published[] = {
    {"fashion-mnist", 1, 28, 28, 10, 60000, 10000, FASHION_DIRS,
     "install the Debian package dataset-fashion-mnist, or "},
    {"mnist", 1, 28, 28, 10, 60000, 10000, {NULL}, ""},
    {"cifar-10", 3, 32, 32, 10, 50000, 10000, {NULL}, ""},
    {"cifar-100", 3, 32, 32, 100, 50000, 10000, {NULL}, ""},
};
enum { PUBLISHED = sizeof published / sizeof *published };

const struct published *published_find(const char *name)
{
    for (int i = 0; i < PUBLISHED; i++)
        if (strcmp(published[i].name, name) == 0)
            return &published[i];
    return NULL;
}

const char *published_nearest(const char *name)
{
    return nearest_name(name, &published[0].name, PUBLISHED, sizeof published[0]);
}

const char *published_system_dir(const char *name)
{
    const struct published *set = published_find(name);
    for (int i = 0; set && i < SYSTEM_DIRS && set->system_dirs[i]; i++)
        if (idx_present(set->system_dirs[i]))
            return set->system_dirs[i];
    return NULL;
}
