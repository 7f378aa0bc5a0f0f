#include "worker/nn/data_import.h"

#include "worker/nn/data_file.h"
#include "worker/nn/data_published.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void import_release(struct import *import)
{
    buf_release(&import->train.images);
    buf_release(&import->train.labels);
    buf_release(&import->test.images);
    buf_release(&import->test.labels);
}

/* A published name must hold what was published. */
static int import_check(const char *name, const char *dir, const struct import *import,
                        struct problem *problem)
{
    const struct published *set = published_find(name);
    if (!set)
        return 0;
    const size_t train = import->train.labels.size, test = import->test.labels.size;
    if (import->channels != set->channels || import->height != set->height || import->width != set->width ||
        import->classes != set->classes || train != set->train_count || test != set->test_count)
        return problem_set(problem, ERR_INPUT,
                           "%s: %zu and %zu records of %d x %d x %d in %d classes, but %s has %" PRIu32
                           " and %" PRIu32 " of %d x %d x %d in %d; give other data another name",
                           dir, train, test, import->channels, import->height, import->width, import->classes,
                           name, set->train_count, set->test_count, set->channels, set->height, set->width,
                           set->classes);
    return 0;
}

static int import_read(const char *name, const char *dir, struct import *import, struct problem *problem)
{
    int err;
    if (idx_present(dir) && cifar_present(dir))
        err = problem_set(problem, ERR_INPUT, "%s: files of IDX and of CIFAR; expected those of one data set",
                          dir);
    else if (idx_present(dir))
        err = idx_import(dir, import, problem);
    else if (cifar_present(dir))
        err = cifar_import(dir, import, problem);
    else if (access(dir, R_OK | X_OK) != 0)
        err = problem_set(problem, ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
    else
        err = problem_set(
            problem, ERR_NOT_FOUND,
            "%s: no files of a data set; expected IDX (train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or .gz), CIFAR-10 (data_batch_1.bin to "
            "data_batch_5.bin, test_batch.bin) or CIFAR-100 (train.bin, test.bin)",
            dir);
    return err ? err : import_check(name, dir, import, problem);
}

/* What imports that were killed have left, ".NAME.XXXXXX": nobody holds its lock, and it is not a fresh one that
 * is about to be locked. */
static void sweep(const char *cache_dir, time_t now)
{
    enum { FRESH_S = 60, RANDOM = 7 }; /* ".XXXXXX" */
    DIR *dir = opendir(cache_dir);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        const size_t length = strlen(name);
        struct stat status;
        if (name[0] != '.' || length <= RANDOM + 1 || name[length - RANDOM] != '.')
            continue;
        const int fd = openat(dirfd(dir), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && now - status.st_mtime > FRESH_S &&
            flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(dir), name, 0);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

int data_import(const char *cache_dir, const char *name, const char *dir, struct hash *ret_hash,
                struct problem *problem)
{
    struct import import = {0};
    int err = data_name_check(name, problem);
    if (!err)
        err = import_read(name, dir, &import, problem);
    if (!err)
        err = data_cache_make(cache_dir, problem);
    if (!err) {
        sweep(cache_dir, time(NULL));
        char *temporary = xasprintf("%s/.%s.XXXXXX", cache_dir, name);
        const int fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
            err = problem_set(problem, ERR_IO, "%s: %s", temporary, strerror(errno));
        else {
            flock(fd, LOCK_EX | LOCK_NB);
            err = fchmod(fd, 0644) == 0 ? data_write(fd, temporary, &import, problem)
                                        : problem_set(problem, ERR_IO, "%s: %s", temporary, strerror(errno));
            close(fd);
            if (!err)
                err = data_adopt(cache_dir, name, temporary, NULL, ret_hash, problem);
            if (err)
                unlink(temporary);
        }
        free(temporary);
    }
    import_release(&import);
    return err;
}
