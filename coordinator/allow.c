#include "coordinator/allow.h"

#include "common/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MESSAGE_US = 1000000 / ALLOW_PER_SECOND, FULL_US = ALLOW_BURST * MESSAGE_US };

struct list {
    struct allowed *items; /* in ascending order of the key, each once */
    size_t count, capacity;
};

struct allow {
    char *folder;
    struct list list;
    uint64_t stamp; /* of the files that the list was made of */
    int problem;    /* why the folder could not be read the last time: an errno, −1: others can write it */
};

int allow_new(const char *dir, struct allow **ret_allow, struct problem *problem)
{
    char *folder = xasprintf("%s/" KEYS_WORKERS_DIR, dir);
    struct stat stat_of;
    int err = 0;
    if (stat(folder, &stat_of) != 0)
        err =
            problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", folder, strerror(errno));
    else if (!S_ISDIR(stat_of.st_mode))
        err = problem_set(problem, ERR_INPUT, "%s: expected a folder", folder);
    else if (!key_owner_only(stat_of.st_mode, stat_of.st_uid, 022))
        err =
            problem_set(problem, ERR_INPUT,
                        "%s: others can write it (owner %u, mode %04o), and so let anyone in: chmod go-w %s",
                        folder, (unsigned)stat_of.st_uid, (unsigned)stat_of.st_mode & 07777, folder);
    if (err) {
        free(folder);
        return err;
    }
    struct allow *allow = xcalloc(1, sizeof *allow);
    allow->folder = folder;
    *ret_allow = allow;
    return 0;
}

void allow_destroy(struct allow **allow)
{
    if (!*allow)
        return;
    free((*allow)->list.items);
    free((*allow)->folder);
    free(*allow);
    *allow = NULL;
}

/* ---- the folder ---- */

/* The names in the folder, and a number that changes with any of the files. 0, or what allow.problem is. */
static int scan(const char *folder, char ***ret_names, size_t *ret_count, uint64_t *ret_stamp)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno;
    struct stat stat;
    int fd = dirfd(dir), err = 0;
    size_t count = 0;
    char **names = xcalloc(ALLOW_MAX, sizeof *names);
    uint64_t stamp = 1;
    if (fstat(fd, &stat) == 0 && !key_owner_only(stat.st_mode, stat.st_uid, 022))
        err = -1;
    const struct dirent *entry;
    while (!err && count < ALLOW_MAX && (errno = 0, entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (fstatat(fd, entry->d_name, &stat, 0) != 0 || !S_ISREG(stat.st_mode))
            continue;
        struct {
            uint64_t name;
            int64_t inode, size, changed_s, changed_ns, modified_s, modified_ns;
        } file = {hash64(entry->d_name, strlen(entry->d_name)),
                  (int64_t)stat.st_ino,
                  stat.st_size,
                  stat.st_ctim.tv_sec,
                  stat.st_ctim.tv_nsec,
                  stat.st_mtim.tv_sec,
                  stat.st_mtim.tv_nsec};
        stamp += hash64(&file, sizeof file); /* a sum: the order of the folder means nothing */
        names[count++] = xstrdup(entry->d_name);
    }
    if (!err && count < ALLOW_MAX && errno != 0)
        err = errno;
    closedir(dir);
    *ret_names = names;
    *ret_count = count;
    *ret_stamp = stamp;
    return err;
}

static void release_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct allowed *)a)->key, ((const struct allowed *)b)->key);
}

/* By key, and by name where two files hold the same one: the outcome does not hang on the folder's order. */
static int by_key_and_name(const void *a, const void *b)
{
    int order = by_key(a, b);
    return order != 0 ? order : strcmp(((const struct allowed *)a)->name, ((const struct allowed *)b)->name);
}

static struct list read_list(const char *folder, char **names, size_t count, allow_visit *visit,
                             void *context)
{
    struct list list = {0};
    struct problem problem = {0};
    list.items = xcalloc(count, sizeof *list.items);
    for (size_t i = 0; i < count; i++) {
        struct key key = {0};
        char *path = xasprintf("%s/%s", folder, names[i]);
        if (key_read(path, KEY_PUBLIC, &key, &problem) == 0) {
            struct allowed *item = &list.items[list.count++];
            *item = (struct allowed){.allowance_us = FULL_US};
            memcpy(item->key, key.public_key, sizeof item->key);
            snprintf(item->name, sizeof item->name, "%s", key.name);
            if (key.name[0] == '\0' && key_name_check(names[i], &problem) == 0)
                snprintf(item->name, sizeof item->name, "%s", names[i]);
        } else {
            visit(context, ALLOW_BAD, "", problem.text);
        }
        free(path);
    }
    qsort(list.items, list.count, sizeof *list.items, by_key_and_name);
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++)
        if (kept == 0 || by_key(&list.items[kept - 1], &list.items[i]) != 0)
            list.items[kept++] = list.items[i];
    list.count = kept;
    return list;
}

/* Goes through both lists in order of the key. */
static void compare(const struct list *old, struct list *new, allow_visit *visit, void *context)
{
    for (size_t i = 0, j = 0; i < old->count || j < new->count;) {
        int order = i == old->count ? 1 : j == new->count ? -1 : by_key(&old->items[i], &new->items[j]);
        if (order < 0) {
            visit(context, ALLOW_REMOVED, old->items[i].key, old->items[i].name);
            i++;
        } else if (order > 0) {
            visit(context, ALLOW_ADDED, new->items[j].key, new->items[j].name);
            j++;
        } else {
            new->items[j].allowance_us = old->items[i].allowance_us;
            new->items[j].filled_ms = old->items[i].filled_ms;
            i++;
            j++;
        }
    }
}

/* The folder cannot be read: told once, and the list stays. */
static void keep_list(struct allow *allow, int reason, allow_visit *visit, void *context)
{
    if (allow->problem == reason)
        return;
    allow->problem = reason;
    char *text = xasprintf("%s: %s; the keys that were allowed before still are", allow->folder,
                           reason == -1 ? "others can write it: chmod go-w" : strerror(reason));
    visit(context, ALLOW_BAD, "", text);
    free(text);
}

void allow_refresh(struct allow *allow, allow_visit *visit, void *context)
{
    char **names = NULL;
    size_t count = 0;
    uint64_t stamp = 0;
    int reason = scan(allow->folder, &names, &count, &stamp);
    if (reason != 0 && reason != ENOENT) {
        keep_list(allow, reason, visit, context);
    } else if (stamp != allow->stamp || allow->problem != 0) {
        struct list old = allow->list;
        allow->list = read_list(allow->folder, names, count, visit, context);
        allow->stamp = stamp;
        allow->problem = 0;
        compare(&old, &allow->list, visit, context);
        free(old.items);
    }
    release_names(names, count);
}

/* ---- the keys ---- */

struct allowed *allow_find(const struct allow *allow, const char *key)
{
    struct allowed wanted = {0};
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    if (allow->list.count == 0 || strlen(key) != KEY_TEXT)
        return NULL;
    return bsearch(&wanted, allow->list.items, allow->list.count, sizeof wanted, by_key);
}

size_t allow_count(const struct allow *allow)
{
    return allow->list.count;
}

bool allow_spend(struct allowed *allowed, int64_t now_ms)
{
    int64_t passed_ms = now_ms - allowed->filled_ms;
    if (passed_ms > 0) {
        bool full = passed_ms >= FULL_US / 1000 || allowed->allowance_us + passed_ms * 1000 >= FULL_US;
        allowed->allowance_us = full ? FULL_US : allowed->allowance_us + passed_ms * 1000;
        allowed->filled_ms = now_ms;
    }
    if (allowed->allowance_us < MESSAGE_US)
        return false;
    allowed->allowance_us -= MESSAGE_US;
    return true;
}
