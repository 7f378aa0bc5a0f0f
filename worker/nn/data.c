#include "worker/nn/data.h"

#include "common/data_cache.h"
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

/* ---- the sums beside the file ---------------------------------------------------------------------------
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
    char *path = data_cache_path(dir, name, "sums");
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

/* ---- opening ---------------------------------------------------------------------------------------------
 */

/* What is in the cache; ERR_NOT_FOUND where it is not there. reread: take the hash of the whole file in any
 * case. */
static int cache_open(const char *dir, const char *name, bool reread, struct data **ret_data,
                      struct problem *problem)
{
    struct data_cached cached;
    int err = data_cached_open(dir, name, &cached, problem);
    if (err)
        return err;
    char *path = data_cache_path(dir, name, "data");
    struct data *data = NULL;
    err = data_map(cached.fd, path, &data, problem);
    if (!err)
        err = data_cached_hash(&cached, dir, name, data->map, reread, &data->hash, problem);
    close(cached.fd);
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
    char *path = data_cache_path(dir, name, "data"), *hash_path = data_cache_path(dir, name, "hash"),
         *sums_path = data_cache_path(dir, name, "sums"), *hash_temporary = xasprintf("%s.hash", temporary),
         *sums_temporary = xasprintf("%s.sums", temporary);
    int err = data_stamp_write(hash_temporary, &data->hash, stat, problem);
    if (!err)
        err = sums_write(sums_temporary, data, problem);
    const int lock = data_cache_lock(dir, LOCK_EX);
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
