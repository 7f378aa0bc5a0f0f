#include "cli/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char PREFIX[] = "actsearch-run-";
static const char *const contents[] = {"socket", "lock"};
enum { CONTENTS = sizeof contents / sizeof *contents };

static const char *parent_folder(void)
{
    static const char *const variables[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *folder = getenv(variables[i]);
        if (folder && folder[0] == '/' && access(folder, W_OK | X_OK) == 0)
            return folder;
    }
    return "/tmp";
}

static void remove_folder(const char *folder)
{
    for (int i = 0; i < CONTENTS; i++) {
        char *path = xasprintf("%s/%s", folder, contents[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
}

/* A descriptor on the folder's lock, or −1 where somebody has it or it cannot be had. */
static int take_lock(const char *folder, int flags)
{
    char *path = xasprintf("%s/lock", folder);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    free(path);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Removes what killed runs of this user left in `parent`. */
static void sweep(const char *parent)
{
    DIR *entries = opendir(parent);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        struct stat status;
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        char *folder = xasprintf("%s/%s", parent, entry->d_name);
        if (lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid()) {
            int fd = take_lock(folder, 0);
            if (fd >= 0) {
                remove_folder(folder);
                close(fd);
            }
        }
        free(folder);
    }
    if (entries)
        closedir(entries);
}

int runtime_make(struct runtime *ret_runtime, struct problem *problem)
{
    const char *parent = parent_folder();
    struct sockaddr_un address;
    if (strlen(parent) + sizeof PREFIX + sizeof "/XXXXXX/socket" > sizeof address.sun_path)
        parent = "/tmp";
    sweep(parent);
    char *folder = xasprintf("%s/%sXXXXXX", parent, PREFIX);
    if (!mkdtemp(folder)) {
        int err =
            problem_set(problem, ERR_IO, "no folder can be made in %.200s: %s", parent, strerror(errno));
        free(folder);
        return err;
    }
    int fd = take_lock(folder, O_CREAT | O_EXCL);
    if (fd < 0) {
        int err = problem_set(problem, ERR_IO, "%.200s/lock: %s", folder, strerror(errno));
        remove_folder(folder);
        free(folder);
        return err;
    }
    *ret_runtime =
        (struct runtime){.folder = folder, .endpoint = xasprintf("ipc://%s/socket", folder), .lock_fd = fd};
    return 0;
}

void runtime_remove(struct runtime *runtime)
{
    if (!runtime->folder)
        return;
    remove_folder(runtime->folder);
    close(runtime->lock_fd);
    free(runtime->folder);
    free(runtime->endpoint);
    *runtime = (struct runtime){.lock_fd = -1};
}
