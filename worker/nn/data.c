#include "worker/nn/data.h"

#include "common/settings.h"
#include "worker/nn/data_file.h"
#include "worker/nn/data_published.h"
#include "worker/nn/data_sums.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- the folder ------------------------------------------------------------------------------------------
 */

/* The folder, locked (LOCK_SH, LOCK_EX) until it is closed, so that NAME.data and NAME.hash are seen and
 * replaced as a pair. Negative where there is no folder; a file system without locks is used without. */
static int dir_lock(const char *dir, int operation)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        while (flock(fd, operation) != 0 && errno == EINTR) {
        }
    return fd;
}

static char *data_path(const char *dir, const char *name)
{
    return xasprintf("%s/%s.data", dir, name);
}

/* ---- the hash beside the file ----------------------------------------------------------------------------
 */

struct stamp {
    char hex[HASH_HEX];
    uint64_t bytes;
    int64_t changed_ns;
};

static int64_t changed_ns(const struct stat *stat)
{
    return (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
}

static bool stamp_read(const char *dir, const char *name, struct stamp *ret_stamp)
{
    char *path = xasprintf("%s/%s.hash", dir, name);
    FILE *file = fopen(path, "re");
    bool good = false;
    if (file) {
        good = fscanf(file, "%64[0-9a-f] %" SCNu64 " %" SCNd64, ret_stamp->hex, &ret_stamp->bytes,
                      &ret_stamp->changed_ns) == 3 &&
               strlen(ret_stamp->hex) == HASH_HEX - 1;
        fclose(file);
    }
    free(path);
    return good;
}

static int stamp_write(const char *path, const struct hash *hash, const struct stat *stat,
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

/* ---- the sums beside it ----------------------------------------------------------------------------------
 */

static int sums_write(const char *path, const struct data *data, struct problem *problem)
{
    struct buf buf = {0};
    data_sums_print(data, &buf);
    FILE *file = fopen(path, "we");
    bool good = file && fwrite(buf.data, 1, buf.size, file) == buf.size;
    good = file && fclose(file) == 0 && good;
    buf_release(&buf);
    return good ? 0 : problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
}

/* Where there are none to read, a trial sums for itself. */
static void sums_read(const char *dir, const char *name, struct data *data)
{
    char *path = xasprintf("%s/%s.sums", dir, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size > 0) {
        void *map = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map != MAP_FAILED) {
            data_sums_take(data, map, (size_t)stat.st_size);
            munmap(map, (size_t)stat.st_size);
        }
    }
    if (fd >= 0)
        close(fd);
    free(path);
}

static struct hash hash_parse(const char *hex)
{
    struct hash hash;
    for (int i = 0; i < HASH_BYTES; i++)
        sscanf(hex + 2 * i, "%2hhx", &hash.bytes[i]);
    return hash;
}

static int hash_differs(const char *path, const char *name, struct problem *problem)
{
    return problem_set(
        problem, ERR_CORRUPT,
        "%s: damaged: its content does not have the hash beside it; remove this file and add the data "
        "set again: actsearch data add %s DIR",
        path, name);
}

/* ---- opening ---------------------------------------------------------------------------------------------
 */

/* What is in the cache; ERR_NOT_FOUND where it is not there. reread: take the hash of the whole file in any
 * case. */
static int cache_open(const char *dir, const char *name, bool reread, struct data **ret_data,
                      struct problem *problem)
{
    char *path = data_path(dir, name);
    struct stamp stamp;
    struct stat stat;
    const int lock = dir_lock(dir, LOCK_SH);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool stamped = stamp_read(dir, name, &stamp);
    int err = 0;
    if (fd < 0)
        err = problem_set(problem, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, "%s: %s",
                          path, strerror(errno));
    if (lock >= 0)
        close(lock);
    struct data *data = NULL;
    if (!err)
        err = data_map(fd, path, &data, problem);
    if (!err && fstat(fd, &stat) != 0)
        err = problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
    if (!err) {
        const bool current =
            stamped && stamp.bytes == (uint64_t)stat.st_size && stamp.changed_ns == changed_ns(&stat);
        data->hash = current && !reread ? hash_parse(stamp.hex) : hash_of(data->map, data->map_bytes);
        char hex[HASH_HEX];
        hash_hex(&data->hash, hex);
        if (stamped && strcmp(hex, stamp.hex) != 0)
            err = hash_differs(path, name, problem);
        else if (!stamped && reread)
            err = problem_set(
                problem, ERR_CORRUPT,
                "%s: there is no readable %s.hash beside it to compare with; add the data set again", path,
                name);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    if (err)
        data_close(&data);
    else {
        sums_read(dir, name, data);
        *ret_data = data;
    }
    return err;
}

static int unknown(const char *dir, const char *name, struct problem *problem)
{
    const struct published *set = published_find(name);
    const char *nearest = set ? NULL : published_nearest(name);
    return problem_set(problem, ERR_NOT_FOUND,
                       "there is no data set '%s' in %.160s%s%s%s; %sadd it: actsearch data add %s DIR", name,
                       dir, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "",
                       set ? set->how_to_get : "", name);
}

int data_open(const char *cache_dir, const char *name, struct data **ret_data, struct problem *problem)
{
    int err = data_name_check(name, problem);
    if (err)
        return err;
    err = cache_open(cache_dir, name, false, ret_data, problem);
    if (err != ERR_NOT_FOUND)
        return err;
    const char *found = published_system_dir(name);
    if (!found)
        return unknown(cache_dir, name, problem);
    err = data_import(cache_dir, name, found, NULL, problem);
    return err ? err : cache_open(cache_dir, name, false, ret_data, problem);
}

int data_verify(const char *cache_dir, const char *name, struct problem *problem)
{
    struct data *data = NULL;
    int err = data_name_check(name, problem);
    if (!err)
        err = cache_open(cache_dir, name, true, &data, problem);
    data_close(&data);
    return err == ERR_NOT_FOUND ? unknown(cache_dir, name, problem) : err;
}

/* ---- importing -------------------------------------------------------------------------------------------
 */

/* Makes the finished file at `temporary` the data set `name`: file, hash and sums are replaced together. */
static int publish(const char *dir, const char *name, const char *temporary, const struct data *data,
                   const struct stat *stat, struct problem *problem)
{
    char *path = data_path(dir, name), *hash_path = xasprintf("%s/%s.hash", dir, name),
         *sums_path = xasprintf("%s/%s.sums", dir, name), *hash_temporary = xasprintf("%s.hash", temporary),
         *sums_temporary = xasprintf("%s.sums", temporary);
    int err = stamp_write(hash_temporary, &data->hash, stat, problem);
    if (!err)
        err = sums_write(sums_temporary, data, problem);
    const int lock = dir_lock(dir, LOCK_EX);
    if (!err && (rename(temporary, path) != 0 || rename(hash_temporary, hash_path) != 0 ||
                 rename(sums_temporary, sums_path) != 0))
        err = problem_set(problem, ERR_IO, "%s: rename: %s", path, strerror(errno));
    if (lock >= 0)
        close(lock);
    if (err) {
        unlink(hash_temporary);
        unlink(sums_temporary);
    }
    free(path);
    free(hash_path);
    free(sums_path);
    free(hash_temporary);
    free(sums_temporary);
    return err;
}

int data_adopt(const char *cache_dir, const char *name, const char *file, const struct hash *expected,
               struct hash *ret_hash, struct problem *problem)
{
    int err = data_name_check(name, problem);
    if (err)
        return err;
    const int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return problem_set(problem, ERR_IO, "%s: %s", file, strerror(errno));
    struct data *data = NULL;
    struct stat stat;
    err = data_map(fd, file, &data, problem);
    if (!err && (fsync(fd) != 0 || fstat(fd, &stat) != 0))
        err = problem_set(problem, ERR_IO, "%s: %s", file, strerror(errno));
    close(fd);
    if (err) {
        data_close(&data);
        return err;
    }
    data->hash = hash_of(data->map, data->map_bytes);
    if (expected && memcmp(expected, &data->hash, sizeof data->hash) != 0)
        err = problem_set(problem, ERR_CORRUPT, "%s: not the content that was expected for data set '%s'",
                          file, name);
    else
        err = publish(cache_dir, name, file, data, &stat, problem);
    if (!err && ret_hash)
        *ret_hash = data->hash;
    data_close(&data);
    return err;
}

/* ---- listing ---------------------------------------------------------------------------------------------
 */

static int is_data_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && strcmp(dot, ".data") == 0;
}

int data_names(const char *cache_dir, char ***ret_names, int *ret_count, struct problem *problem)
{
    struct dirent **files = NULL;
    int count = scandir(cache_dir, &files, is_data_file, alphasort);
    if (count < 0 && errno != ENOENT)
        return problem_set(problem, ERR_IO, "%s: %s", cache_dir, strerror(errno));
    count = count < 0 ? 0 : count;
    char **names = xcalloc((size_t)count + 1, sizeof *names);
    for (int i = 0; i < count; i++) {
        names[i] =
            xasprintf("%.*s", (int)(strrchr(files[i]->d_name, '.') - files[i]->d_name), files[i]->d_name);
        free(files[i]);
    }
    free(files);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int entry_fill(const char *cache_dir, const char *name, struct data_entry *ret_entry,
                      struct problem *problem)
{
    struct data *data = NULL;
    int err = cache_open(cache_dir, name, false, &data, problem);
    if (err)
        return err;
    *ret_entry = (struct data_entry){.name = xstrdup(name),
                                     .train_count = data->train.count,
                                     .test_count = data->test.count,
                                     .channels = data->channels,
                                     .height = data->height,
                                     .width = data->width,
                                     .classes = data->classes,
                                     .bytes = data->map_bytes};
    hash_hex(&data->hash, ret_entry->hash_hex);
    data_close(&data);
    return 0;
}

int data_list(const char *cache_dir, struct data_entry **ret_entries, int *ret_count, struct problem *problem)
{
    char **names;
    int count, filled = 0;
    int err = data_names(cache_dir, &names, &count, problem);
    if (err)
        return err;
    struct data_entry *entries = xcalloc((size_t)count + 1, sizeof *entries);
    for (int i = 0; i < count; i++) {
        if (!err)
            err = entry_fill(cache_dir, names[i], &entries[filled], problem);
        filled += !err;
        free(names[i]);
    }
    free(names);
    if (err) {
        data_list_release(&entries, filled);
        return err;
    }
    *ret_entries = entries;
    *ret_count = filled;
    return 0;
}

void data_list_release(struct data_entry **entries, int count)
{
    for (int i = 0; i < count; i++)
        free((*entries)[i].name);
    free(*entries);
    *entries = NULL;
}
