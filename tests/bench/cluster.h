/* cluster: what the benchmarks that start real programs share: a clock, a folder, processes, keys. */
#ifndef TESTS_BENCH_CLUSTER_H
#define TESTS_BENCH_CLUSTER_H

#include "proto/link.h"
#include "tests/bench/seconds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    return (int64_t)(1000 * now_seconds());
}

static void must(bool good, const char *what, const char *why)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

/* Its standard error goes to `folder`/log. */
static pid_t spawn(const char *folder, char *const *argv)
{
    extern char **environ;
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    char *log = xasprintf("%s/log", folder);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int err = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    must(err == 0, argv[0], strerror(err));
    posix_spawn_file_actions_destroy(&actions);
    free(log);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* The program of this build: "actsearchd", "bench/link". malloc'd, as all texts here. */
static char *beside_me(const char *name)
{
    char path[1000];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    must(size > 0, "myself", strerror(errno));
    path[size] = '\0';
    *strrchr(path, '/') = '\0'; /* build/MODE/bench */
    return xasprintf("%s/../%s", path, name);
}

/* An address that is free now. */
static char *free_endpoint(void)
{
    struct link *link = NULL;
    struct problem problem = {0};
    struct link_settings settings = {.endpoint = "tcp://127.0.0.1:*", .queued = 1};
    must(link_bind(&settings, &link, &problem) == 0, "bind", problem.text);
    char *endpoint = xstrdup(link_endpoint(link));
    link_destroy(&link);
    return endpoint;
}

/* The key of worker `number` in the folder of make_keys. */
static char *key_path(const char *dir, int number)
{
    return xasprintf("%s/w%d.key", dir, number);
}

/* A folder of keys for a coordinator, and keys of so many workers. */
static void make_keys(const char *dir, int count)
{
    struct problem problem = {0};
    struct key server, key, public;
    char *path = xasprintf("%s/" KEYS_SERVER_FILE, dir), *allowed = xasprintf("%s/" KEYS_WORKERS_DIR, dir);
    must(mkdir(dir, 0700) == 0 && mkdir(allowed, 0700) == 0, dir, strerror(errno));
    key_new("", NULL, &server);
    must(key_write(path, &server, &problem) == 0, "key", problem.text);
    for (int i = 0; i < count; i++) {
        char *own = key_path(dir, i), *shown = xasprintf("%s/w%d.pub", allowed, i);
        key_new("", server.public_key, &key);
        public = key_public(&key);
        must(key_write(own, &key, &problem) == 0 && key_write(shown, &public, &problem) == 0, "key",
             problem.text);
        free(own);
        free(shown);
    }
    key_wipe(&server);
    key_wipe(&key);
    free(path);
    free(allowed);
}

static int remove_folder(const char *folder)
{
    char *remove = xasprintf("rm -rf '%s'", folder);
    int status = system(remove);
    free(remove);
    return status == 0 ? 0 : 1;
}

#endif
