#include "coordinator/database_file.h"

#include "coordinator/schema.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- the path ------------------------------------------------------------------------------------------ */

/* The path in its folder, whose links are followed; the last part is not there yet. */
static int path_in_folder(const char *path, char **ret_path, struct problem *problem)
{
    char *for_folder = xstrdup(path), *for_name = xstrdup(path);
    char *folder = realpath(dirname(for_folder), NULL);
    int err = 0;
    if (!folder)
        err = problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: its folder: %s", path,
                          strerror(errno));
    else
        *ret_path = xasprintf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, basename(for_name));
    free(folder);
    free(for_folder);
    free(for_name);
    return err;
}

int database_path(const char *path, char **ret_path, bool *ret_exists, struct problem *problem)
{
    struct stat status;
    size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/')
        return problem_set(problem, ERR_INPUT, "'%s': expected the name of a file", path);
    if (lstat(path, &status) != 0) {
        if (errno != ENOENT)
            return problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
        int err = path_in_folder(path, ret_path, problem);
        if (!err)
            *ret_exists = false;
        return err;
    }
    char *real = realpath(path, NULL);
    if (!real)
        return problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                           errno == ENOENT ? "a symbolic link to nothing" : strerror(errno));
    if (stat(real, &status) != 0 || !S_ISREG(status.st_mode)) {
        free(real);
        return problem_set(problem, ERR_INPUT, "%s: not a regular file", path);
    }
    *ret_path = real;
    *ret_exists = status.st_size > 0;
    return 0;
}

/* ---- the first bytes ----------------------------------------------------------------------------------- */

int database_check(const char *path, struct problem *problem)
{
    static const char magic[16] = "SQLite format 3";
    enum { APPLICATION_AT = 68, HEADER_BYTES = 100 };
    char header[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
    ssize_t size = read(fd, header, sizeof header);
    close(fd);
    if (size < (ssize_t)sizeof header || memcmp(header, magic, sizeof magic) != 0)
        return problem_set(problem, ERR_CORRUPT, "%s is not a database; it is left as it is", path);
    uint32_t application; /* big-endian */
    memcpy(&application, header + APPLICATION_AT, sizeof application);
    if (be32toh(application) != SCHEMA_APPLICATION)
        return problem_set(problem, ERR_CORRUPT,
                           "%s is a database of another program, not a results database of actsearch; it is "
                           "left as it is",
                           path);
    return 0;
}

/* ---- the lock ------------------------------------------------------------------------------------------ */

static const struct {
    unsigned long type;
    const char *name;
} network_file_systems[] = {
    {0x00006969, "NFS"},  {0x0000517b, "SMB"},    {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"},
    {0x00c36400, "Ceph"}, {0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"}, {0x19830326, "BeeGFS"},
    {0x5346414f, "AFS"},  {0x73757245, "Coda"},   {0x01161970, "GFS2"}, {0x7461636f, "OCFS2"},
};

const char *network_file_system(unsigned long type)
{
    for (size_t i = 0; i < sizeof network_file_systems / sizeof *network_file_systems; i++)
        if (network_file_systems[i].type == (type & UINT32_MAX))
            return network_file_systems[i].name;
    return NULL;
}

struct database_lock {
    char *path;
    int fd;
};

/* How much of the path of a lock is that of its database. */
static int database_length(const char *lock_path)
{
    return (int)strlen(lock_path) - (int)strlen("-lock");
}

/* Who holds it, as the holder has written there; it may be about to. */
static int refuse_second(int fd, const char *path, struct problem *problem)
{
    char holder[HOST_NAME_MAX + 32] = "", host[HOST_NAME_MAX + 1] = "";
    long long pid = 0;
    ssize_t size = pread(fd, holder, sizeof holder - 1, 0);
    holder[size > 0 ? size : 0] = '\0';
    char *space = strchr(holder, ' ');
    if (space && space - holder <= HOST_NAME_MAX) {
        memcpy(host, holder, (size_t)(space - holder));
        pid = strtoll(space, NULL, 10);
    }
    int length = database_length(path);
    if (pid <= 0)
        return problem_set(problem, ERR_BUSY, "%.*s is in use by another coordinator", length, path);
    return problem_set(problem, ERR_BUSY,
                       "%.*s is in use by the coordinator on %s, process %lld: stop that one first, or name "
                       "another database",
                       length, path, host, pid);
}

static void write_holder(int fd)
{
    char host[HOST_NAME_MAX + 1] = "", holder[HOST_NAME_MAX + 32];
    gethostname(host, sizeof host - 1);
    int length = snprintf(holder, sizeof holder, "%s %lld\n", host[0] ? host : "?", (long long)getpid());
    /* For people only: where it cannot be written, the lock holds all the same. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, holder, (size_t)length, 0) < 0)
        return;
}

/* The file that we have locked is still the one of that name: its holder before us may have removed it. */
static bool still_named(int fd, const char *path)
{
    struct stat locked, named;
    return fstat(fd, &locked) == 0 && stat(path, &named) == 0 && locked.st_dev == named.st_dev &&
           locked.st_ino == named.st_ino;
}

static int lock_file(const char *path, bool network_too, int *ret_fd, struct problem *problem)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0666);
        if (fd < 0)
            return problem_set(problem, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO,
                               "%s cannot be made beside the database: %s; name another place with --db",
                               path, strerror(errno));
        struct statfs file_system;
        const char *network =
            fstatfs(fd, &file_system) == 0 ? network_file_system((unsigned long)file_system.f_type) : NULL;
        int err = 0;
        if (network && !network_too) {
            unlink(path);
            err =
                problem_set(problem, ERR_IO,
                            "%.*s lies on a network file system (%s), where a database can be damaged: name "
                            "one on a local disk, or say --network-disk if no other host uses it",
                            database_length(path), path, network);
        } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            err = errno == EWOULDBLOCK ? refuse_second(fd, path, problem)
                                       : problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
        } else if (still_named(fd, path)) {
            write_holder(fd);
            *ret_fd = fd;
            return 0;
        }
        close(fd);
        if (err)
            return err;
    }
}

int database_lock(const char *path, bool network_too, struct database_lock **ret_lock,
                  struct problem *problem)
{
    char *lock_path = xasprintf("%s-lock", path);
    int fd = -1;
    int err = lock_file(lock_path, network_too, &fd, problem);
    if (err) {
        free(lock_path);
        return err;
    }
    struct database_lock *lock = xcalloc(1, sizeof *lock);
    lock->path = lock_path;
    lock->fd = fd;
    *ret_lock = lock;
    return 0;
}

void database_unlock(struct database_lock **lock)
{
    if (!*lock)
        return;
    unlink((*lock)->path); /* while it is ours */
    close((*lock)->fd);
    free((*lock)->path);
    free(*lock);
    *lock = NULL;
}
