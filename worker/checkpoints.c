#include "worker/checkpoints.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING     ".checkpoint"
#define UNFINISHED ".part" /* after the name, and the process that writes it */

static char *folder_of(const char *cache_dir)
{
    return xasprintf("%s/checkpoints", cache_dir);
}

static char *path_of(const char *cache_dir, const struct hash *identity)
{
    char hex[HASH_HEX];
    hash_hex(identity, hex);
    return xasprintf("%s/checkpoints/%s" ENDING, cache_dir, hex);
}

int checkpoints_open(const char *cache_dir, const struct hash *identity)
{
    char *path = path_of(cache_dir, identity);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat file;
    if (fd >= 0 && (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))) {
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

void checkpoints_drop(const char *cache_dir, const struct hash *identity)
{
    char *path = path_of(cache_dir, identity);
    unlink(path);
    free(path);
}

/* ---- writing ---- */

static bool copy(int from, off_t at, size_t size, int to)
{
    while (size > 0) {
        const ssize_t count = sendfile(to, from, &at, size);
        if (count <= 0)
            return false;
        size -= (size_t)count;
    }
    return true;
}

/* The name in a folder survives a power cut only once the folder is on disk too. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

int checkpoints_put(const char *cache_dir, const struct hash *identity, int fd, off_t at, size_t size,
                    struct problem *problem)
{
    char *folder = folder_of(cache_dir), *path = path_of(cache_dir, identity);
    char *part = xasprintf("%s.%d" UNFINISHED, path, (int)getpid());
    mkdir(folder, 0700);
    int err = 0, to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = to >= 0 && copy(fd, at, size, to) && fsync(to) == 0;
    good = to >= 0 && close(to) == 0 && good;
    if (!good || rename(part, path) != 0) {
        err = problem_set(problem, ERR_IO, "%s: %s", part, strerror(errno));
        unlink(part);
    } else {
        sync_folder(folder);
    }
    free(part);
    free(path);
    free(folder);
    return err;
}

/* ---- bounds ---- */

struct entry {
    char name[NAME_MAX + 1];
    int64_t changed_s;
    int64_t bytes;
};

static bool ends_in(const char *name, const char *ending)
{
    const size_t length = strlen(name), size = strlen(ending);
    return length >= size && strcmp(name + length - size, ending) == 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    if (one->changed_s != other->changed_s)
        return one->changed_s > other->changed_s ? -1 : 1;
    return strcmp(one->name, other->name);
}

void checkpoints_tidy(const char *cache_dir, int64_t now_s)
{
    char *path = folder_of(cache_dir);
    DIR *folder = opendir(path);
    free(path);
    if (!folder)
        return;
    struct entry *entries = NULL;
    size_t count = 0;
    for (const struct dirent *found; (found = readdir(folder));) {
        struct stat file;
        if ((!ends_in(found->d_name, ENDING) && !ends_in(found->d_name, UNFINISHED)) ||
            fstatat(dirfd(folder), found->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(file.st_mode))
            continue;
        entries = xrealloc(entries, ++count, sizeof *entries);
        struct entry *entry = &entries[count - 1];
        *entry = (struct entry){.changed_s = file.st_mtim.tv_sec, .bytes = file.st_size};
        snprintf(entry->name, sizeof entry->name, "%s", found->d_name);
    }
    if (count > 0)
        qsort(entries, count, sizeof *entries, newest_first);
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += entries[i].bytes;
        const int64_t age_s = now_s - entries[i].changed_s;
        if (i >= CHECKPOINTS_MAX || bytes > (int64_t)CHECKPOINTS_MAX_MB << 20 ||
            age_s > (int64_t)CHECKPOINTS_MAX_DAYS * 24 * 3600 ||
            (ends_in(entries[i].name, UNFINISHED) && age_s > 3600))
            unlinkat(dirfd(folder), entries[i].name, 0);
    }
    free(entries);
    closedir(folder);
}
