#include "coordinator/store_backup.h"

#include "coordinator/database_file.h"
#include "coordinator/reader_state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGES_AT_ONCE = 1024 };

static int system_problem(struct problem *problem, const char *path)
{
    return problem_set(problem, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s: %s", path,
                       strerror(errno));
}

/* What an earlier database, or an earlier attempt, may have left beside that name would be taken for a part
 * of the copy. */
static void remove_with(const char *path, const char *suffix)
{
    char *name = xasprintf("%s%s", path, suffix);
    unlink(name);
    free(name);
}

static bool same_file(const char *a, const char *b)
{
    struct stat status_a, status_b;
    return stat(a, &status_a) == 0 && stat(b, &status_b) == 0 && status_a.st_dev == status_b.st_dev &&
           status_a.st_ino == status_b.st_ino;
}

static int copy_pages(struct sql *from, const char *to_path,
                      bool (*visit)(void *context, int64_t done, int64_t all), void *context,
                      struct problem *problem)
{
    struct sql *to = NULL;
    struct sql_copy *copy = NULL;
    int err = sql_open(to_path, SQL_CREATE, &to, problem);
    if (!err)
        err = sql_begin_reading(from, problem); /* one state, however long it takes */
    if (!err)
        err = sql_copy_start(from, to, &copy, problem);
    for (bool more = true; more && !err;) {
        int64_t done = 0, all = 0;
        err = sql_copy_pages(copy, PAGES_AT_ONCE, &more, &done, &all, problem);
        if (!err && !visit(context, done, all))
            err = problem_set(problem, ERR_STOPPED, "stopped");
    }
    sql_copy_end(&copy);
    sql_rollback(from);
    if (!err) /* one file, which can be read where nothing can be written */
        err = sql_exec(to, "PRAGMA journal_mode = DELETE", problem);
    sql_close(&to);
    return err;
}

/* Durable under its name. */
static int sync_path(const char *path, int flags, struct problem *problem)
{
    int fd = open(path, flags | O_CLOEXEC);
    int err = fd < 0 || fsync(fd) != 0 ? system_problem(problem, path) : 0;
    if (fd >= 0)
        close(fd);
    return err;
}

static int put_in_place(const char *unfinished, const char *path, struct problem *problem)
{
    int err = sync_path(unfinished, O_RDONLY, problem);
    if (err)
        return err;
    remove_with(path, "-wal");
    remove_with(path, "-shm");
    remove_with(path, "-journal");
    if (rename(unfinished, path) != 0)
        return system_problem(problem, path);
    char *copy = xstrdup(path);
    err = sync_path(dirname(copy), O_RDONLY | O_DIRECTORY, problem);
    free(copy);
    return err;
}

int store_backup(struct store_reader *reader, const char *path, bool overwrite,
                 bool (*visit)(void *context, int64_t done, int64_t all), void *context,
                 struct problem *problem)
{
    char *real = NULL;
    bool exists = false;
    struct database_lock *lock = NULL;
    int err = database_path(path, &real, &exists, problem);
    if (err)
        return err;
    if (same_file(reader->path, real))
        err = problem_set(problem, ERR_CONFLICT, "%s is the database itself", path);
    else if (exists && !overwrite)
        err = problem_set(problem, ERR_CONFLICT, "%s is there already: name another file, or say --force",
                          path);
    if (!err)
        err = database_lock(real, true, &lock, problem);
    char *unfinished = xasprintf("%s-new", real);
    if (!err) {
        unlink(unfinished);
        remove_with(unfinished, "-journal");
        err = copy_pages(reader->sql, unfinished, visit, context, problem);
        if (err)
            problem_prefix(problem, "copying %s to %s", reader->path, path);
    }
    if (!err)
        err = put_in_place(unfinished, real, problem);
    if (err && lock)
        unlink(unfinished);
    database_unlock(&lock);
    free(unfinished);
    free(real);
    return err;
}
