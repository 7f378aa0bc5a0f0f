/* actsearch keygen: makes the folder of keys that proto/keys.h describes, or adds workers to it. */
#include "cli/commands.h"
#include "cli/options.h"
#include "common/json.h"
#include "proto/keys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char COMMAND_NAME[] = "actsearch keygen";

struct arguments {
    const char *dir;
    struct option_list workers;
    bool json;
};

enum { OPTION_WORKER = OPTION_OWN };

static const struct argp_option options[] = {
    {"worker", OPTION_WORKER, "NAME", 0,
     "Make the key of a worker of this name, DIR/NAME.key; may be given several times (default: one worker, "
     "named worker, or worker-2, worker-3, … where that is there)",
     0},
    OPTION_ROW_JSON,
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct problem problem;
    switch (key) {
    case OPTION_WORKER:
        if (key_name_check(value, &problem) != 0)
            argp_error(state, "--worker: %s", problem.text);
        option_list_add(&arguments->workers, value);
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->dir)
            argp_error(state, "one folder at a time: '%s' is a second one", value);
        arguments->dir = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "expected DIR, the folder for the keys");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DIR",
    .doc =
        "Makes DIR with the keys of a coordinator, and a key file for a worker; run again, it adds workers. "
        "Nothing that is there is ever changed.\v"
        "  actsearch keygen keys                                  once\n"
        "  actsearchd --bind tcp://*:5570 --keys keys FILE.ini    on this host\n"
        "  actsearch-worker tcp://HOST:5570 --key worker.key      there, with a copy\n\n"
        "DIR/server.key stays on this host. DIR/NAME.key is for worker NAME: copy it there by a way that "
        "nobody else reads (scp), and remove it here if you like. DIR/workers/NAME.pub lets that worker in: "
        "a running coordinator notices within seconds when such a file is added or removed."};

/* ---- files ---- */

static char *path_of(const char *dir, const char *name, const char *suffix)
{
    return xasprintf("%s/%s%s", dir, name, suffix);
}

static bool is_there(const char *path)
{
    struct stat stat;
    return lstat(path, &stat) == 0;
}

/* A folder for this user alone; one that is there will do, if others cannot write it. */
static int make_folder(const char *path, struct problem *problem)
{
    struct stat stat_of;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
    if (stat(path, &stat_of) != 0)
        return problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(stat_of.st_mode))
        return problem_set(problem, ERR_INPUT, "%s: expected a folder", path);
    if (!key_owner_only(stat_of.st_mode, stat_of.st_uid, 022))
        return problem_set(problem, ERR_INPUT, "%s: others can write it (its mode is %04o): chmod 700 %s",
                           path, (unsigned)stat_of.st_mode & 07777, path);
    return 0;
}

/* The coordinator's key: the one that is there, or a new one. */
static int server_key(const char *dir, struct key *ret_key, bool *ret_made, struct problem *problem)
{
    char *path = path_of(dir, KEYS_SERVER_FILE, "");
    int err;
    *ret_made = !is_there(path);
    if (*ret_made) {
        key_new("", NULL, ret_key);
        err = key_write(path, ret_key, problem);
    } else {
        err = key_read(path, KEY_SERVER, ret_key, problem);
    }
    free(path);
    return err;
}

/* A worker's file first: the allow-list never holds a key that nobody has. */
static int add_worker(const char *dir, const char *name, const struct key *server,
                      char ret_public[KEY_TEXT + 1], struct problem *problem)
{
    char *own = path_of(dir, name, ".key"), *allowed = path_of(dir, KEYS_WORKERS_DIR "/", name);
    char *public_file = xasprintf("%s.pub", allowed);
    struct key key = {0};
    int err = 0;
    if (is_there(public_file))
        err = problem_set(problem, ERR_CONFLICT,
                          "%s is there already: worker '%s' has a key; remove the file to shut that one out, "
                          "or choose another name",
                          public_file, name);
    if (!err) {
        key_new(name, server->public_key, &key);
        err = key_write(own, &key, problem);
    }
    if (!err) {
        struct key public = key_public(&key);
        err = key_write(public_file, &public, problem);
        if (err)
            unlink(own);
        memcpy(ret_public, key.public_key, KEY_TEXT + 1);
    }
    key_wipe(&key);
    free(own);
    free(allowed);
    free(public_file);
    return err;
}

/* worker, worker-2, worker-3, …: the first that is not there. */
static char *free_name(const char *dir)
{
    for (int number = 1;; number++) {
        char *name = number == 1 ? xstrdup("worker") : xasprintf("worker-%d", number);
        char *own = path_of(dir, name, ".key"),
             *allowed = xasprintf("%s/" KEYS_WORKERS_DIR "/%s.pub", dir, name);
        bool taken = is_there(own) || is_there(allowed);
        free(own);
        free(allowed);
        if (!taken)
            return name;
        free(name);
    }
}

/* ---- the command ---- */

static void say_worker(struct json *json, const char *dir, const char *name, const char *public_key)
{
    char *path = path_of(dir, name, ".key");
    if (json) {
        json_object(json, NULL);
        json_text(json, "name", name);
        json_text(json, "file", path);
        json_text(json, "public_key", public_key);
        json_end(json);
    } else {
        printf("%s  for a worker:  actsearch-worker tcp://HOST:PORT --key %s.key\n", path, name);
    }
    free(path);
}

static int make_keys(const struct arguments *arguments, struct json *json, struct problem *problem)
{
    const char *dir = arguments->dir;
    char *workers = path_of(dir, KEYS_WORKERS_DIR, ""), *fallback = NULL, *path;
    struct key server = {0};
    bool made = false;
    int err = make_folder(dir, problem);
    if (!err)
        err = make_folder(workers, problem);
    if (!err)
        err = server_key(dir, &server, &made, problem);
    if (!err && json) {
        json_object(json, NULL);
        json_text(json, "server_public_key", server.public_key);
        json_array(json, "workers");
    } else if (!err && made) {
        path = path_of(dir, KEYS_SERVER_FILE, "");
        printf("%s  of the coordinator:  actsearchd --keys %s …\n", path, dir);
        free(path);
    }
    int count = arguments->workers.count > 0 ? arguments->workers.count : 1;
    if (!err && arguments->workers.count == 0)
        fallback = free_name(dir);
    for (int i = 0; !err && i < count; i++) {
        const char *name = fallback ? fallback : arguments->workers.items[i];
        char public_key[KEY_TEXT + 1];
        err = add_worker(dir, name, &server, public_key, problem);
        if (!err)
            say_worker(json, dir, name, public_key);
    }
    if (!err && json) {
        json_end(json);
        json_end(json);
    }
    key_wipe(&server);
    free(fallback);
    free(workers);
    return err;
}

int cli_keygen(int argc, char **argv)
{
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct problem problem = {0};
    struct json json = {0};
    int err = make_keys(&arguments, arguments.json ? &json : NULL, &problem);
    if (!err && arguments.json)
        printf("%s\n", buf_text(&json.out));
    buf_release(&json.out);
    option_list_release(&arguments.workers);
    return err ? print_problem(COMMAND_NAME, NULL, &problem) : STATUS_DONE;
}
