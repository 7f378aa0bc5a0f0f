#include "common/data_cache.h"

#include "common/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- the folder and the names ---- */

char *data_cache_dir(const char *given)
{
    const char *own = getenv("ACTSEARCH_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (given)
        return xstrdup(given);
    if (own && *own)
        return xstrdup(own);
    if (xdg && *xdg)
        return xasprintf("%s/actsearch", xdg);
    return xasprintf("%s/.cache/actsearch", home && *home ? home : ".");
}

int data_name_check(const char *name, struct problem *problem)
{
    const size_t length = strlen(name);
    const size_t fitting = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (length == 0 || length >= NAME_BYTES || fitting < length || name[0] == '.' || name[0] == '-')
        return problem_set(
            problem, ERR_INPUT,
            "'%.80s' cannot name a data set: expected 1 to %d letters, digits, '.', '_' or '-', the "
            "first a letter, a digit or '_'",
            name, NAME_BYTES - 1);
    return 0;
}

char *data_cache_path(const char *dir, const char *name, const char *suffix)
{
    return xasprintf("%s/%s.%s", dir, name, suffix);
}

int data_cache_make(const char *dir, struct problem *problem)
{
    char *path = xstrdup(dir);
    int failed = 0;
    for (char *at = path + 1; !failed && *path; at++)
        if (*at == '/' || *at == '\0') {
            const char end = *at;
            *at = '\0';
            failed = mkdir(path, 0777) != 0 && errno != EEXIST ? errno : 0;
            *at = end;
            if (!end)
                break;
        }
    free(path);
    return failed ? problem_set(problem, ERR_IO, "%s: the cache folder cannot be made: %s", dir,
                                strerror(failed))
                  : 0;
}

int data_cache_lock(const char *dir, int operation)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        while (flock(fd, operation) != 0 && errno == EINTR) {
        }
    return fd;
}

/* ---- the hash beside the file ---- */

static int64_t changed_ns(const struct stat *stat)
{
    return (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
}

/* Fills what NAME.hash says of the file with that `stat`. */
static void stamp_read(const char *dir, const char *name, const struct stat *stat, struct data_cached *cached)
{
    char *path = data_cache_path(dir, name, "hash"), hex[HASH_HEX];
    FILE *file = fopen(path, "re");
    uint64_t bytes;
    int64_t ns;
    if (file) {
        cached->stamped = fscanf(file, "%64[0-9a-f] %" SCNu64 " %" SCNd64, hex, &bytes, &ns) == 3 &&
                          hash_parse(hex, &cached->stamp);
        cached->current = cached->stamped && bytes == (uint64_t)stat->st_size && ns == changed_ns(stat);
        fclose(file);
    }
    free(path);
}

int data_stamp_write(const char *path, const struct hash *hash, const struct stat *stat,
                     struct problem *problem)
{
    char hex[HASH_HEX];
    hash_hex(hash, hex);
    FILE *file = fopen(path, "we");
    bool good = file && fprintf(file, "%s %" PRIu64 " %" PRId64 "\n", hex, (uint64_t)stat->st_size,
                                changed_ns(stat)) > 0;
    good = file && fclose(file) == 0 && good;
    return good ? 0 : problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- opening ---- */

int data_cached_open(const char *dir, const char *name, struct data_cached *ret_cached,
                     struct problem *problem)
{
    int err = data_name_check(name, problem);
    if (err)
        return err;
    char *path = data_cache_path(dir, name, "data");
    struct stat stat;
    const int lock = data_cache_lock(dir, LOCK_SH);
    struct data_cached cached = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (cached.fd < 0)
        err = problem_set(problem, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, "%s: %s",
                          path, strerror(errno));
    else if (fstat(cached.fd, &stat) != 0)
        err = problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
    else {
        cached.bytes = (uint64_t)stat.st_size;
        stamp_read(dir, name, &stat, &cached);
    }
    if (lock >= 0)
        close(lock);
    free(path);
    if (!err)
        *ret_cached = cached;
    else if (cached.fd >= 0)
        close(cached.fd);
    return err;
}

int data_cached_hash(const struct data_cached *cached, const char *dir, const char *name, const void *map,
                     bool reread, struct hash *ret_hash, struct problem *problem)
{
    const bool trusted = cached->current && !reread;
    const struct hash hash = trusted ? cached->stamp : hash_of(map, (size_t)cached->bytes);
    char *path = data_cache_path(dir, name, "data");
    int err = 0;
    if (cached->stamped && memcmp(&hash, &cached->stamp, sizeof hash) != 0)
        err = problem_set(
            problem, ERR_CORRUPT,
            "%s: damaged: its content does not have the hash beside it; remove this file and add the data "
            "set again: actsearch data add %s DIR",
            path, name);
    else if (!cached->stamped && reread)
        err = problem_set(
            problem, ERR_CORRUPT,
            "%s: there is no readable %s.hash beside it to compare with; add the data set again", path, name);
    else
        *ret_hash = hash;
    free(path);
    return err;
}
