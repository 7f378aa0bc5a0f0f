#include "worker/dataset.h"

#include "common/data_cache.h"
#include "common/log.h"
#include "worker/fetch.h"
#include "worker/nn/data.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char folder[] = "fetching";

enum step {
    STEP_NONE,
    STEP_LOOK,   /* in the cache, and whether another daemon fetches it */
    STEP_FETCH,  /* the file is ours */
    STEP_VERIFY, /* all of it has come */
    STEP_OPEN,
    STEP_FAILED,
};

struct dataset {
    const char *cache_dir;
    struct rng rng;
    enum step step;
    char name[65];
    char offered[65]; /* hash of what can be fetched; "" where nothing can */
    int64_t offered_bytes;
    int64_t look_ms; /* when to look next */
    int file;        /* what has come, locked; −1: not ours */
    char *path;      /* of it */
    struct fetch fetch;
    int64_t began_ms;
    char hash[HASH_HEX];
    struct problem problem;
};

/* ---- life ---- */

struct dataset *dataset_new(const char *cache_dir, struct rng rng)
{
    struct dataset *dataset = xcalloc(1, sizeof *dataset);
    dataset->cache_dir = cache_dir;
    dataset->rng = rng;
    dataset->file = -1;
    return dataset;
}

/* Leaves the file to others, and to a later start. */
static void let_go(struct dataset *dataset)
{
    if (dataset->file >= 0)
        close(dataset->file);
    dataset->file = -1;
    free(dataset->path);
    dataset->path = NULL;
}

void dataset_destroy(struct dataset **dataset)
{
    if (!*dataset)
        return;
    let_go(*dataset);
    free(*dataset);
    *dataset = NULL;
}

static void set_failed(struct dataset *dataset)
{
    let_go(dataset);
    dataset->step = STEP_FAILED;
}

static double megabytes(int64_t bytes)
{
    return (double)bytes / 1e6;
}

/* ---- the file that grows ---- */

/* What somebody began long ago, and nobody goes on with. */
static void tidy(const char *dir)
{
    DIR *files = opendir(dir);
    if (!files)
        return;
    for (const struct dirent *entry; (entry = readdir(files));) {
        struct stat stat;
        const int fd = openat(dirfd(files), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
            time(NULL) - stat.st_mtime > DATASET_DAYS * 24 * 3600 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(files), entry->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    closedir(files);
}

/* Whether the descriptor is still of the file of that name: whoever finishes or tidies takes it away. */
static bool is_at(int fd, const char *path)
{
    struct stat ours, theirs;
    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

/* Opens and locks it. ERR_BUSY: another daemon has it. */
static int take_file(struct dataset *dataset)
{
    char *dir = xasprintf("%s/%s", dataset->cache_dir, folder);
    char *path = xasprintf("%s/%s", dir, dataset->offered);
    int err = data_cache_make(dir, &dataset->problem), fd = -1;
    if (!err) {
        tidy(dir);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            err = problem_set(&dataset->problem, errno == ENOSPC ? ERR_FULL : ERR_IO, "%s: %s", path,
                              strerror(errno));
    }
    if (!err && (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_at(fd, path)))
        err = ERR_BUSY;
    if (err && fd >= 0)
        close(fd);
    if (!err) {
        dataset->file = fd;
        dataset->path = path;
        path = NULL;
    }
    free(path);
    free(dir);
    return err;
}

static int no_room(struct dataset *dataset)
{
    return problem_set(
        &dataset->problem, ERR_FULL,
        "no room for data set '%s' (%.0f MB) in %.200s: make some, or use another disk (--cache "
        "DIR)",
        dataset->name, megabytes(dataset->offered_bytes), dataset->cache_dir);
}

static int file_failed(struct dataset *dataset, int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG
               ? no_room(dataset)
               : problem_set(&dataset->problem, ERR_IO, "%s: %s", dataset->path, strerror(error));
}

/* Goes on where the file ends; all the room that it takes is taken at once. */
static int begin(struct dataset *dataset)
{
    struct stat stat;
    if (fstat(dataset->file, &stat) != 0)
        return file_failed(dataset, errno);
    int64_t have = stat.st_size;
    if (have > dataset->offered_bytes) {
        if (ftruncate(dataset->file, 0) != 0)
            return file_failed(dataset, errno);
        have = 0;
    }
    if (fallocate(dataset->file, FALLOC_FL_KEEP_SIZE, 0, dataset->offered_bytes) != 0 && errno == ENOSPC) {
        if (have == 0)
            unlink(dataset->path);
        return no_room(dataset);
    }
    fetch_start(&dataset->fetch, dataset->offered, dataset->offered_bytes, have, dataset->rng);
    dataset->step = fetch_done(&dataset->fetch) ? STEP_VERIFY : STEP_FETCH;
    log_info("fetching data set '%s' from the coordinator: %.1f MB%s", dataset->name,
             megabytes(dataset->offered_bytes - have), have > 0 ? " more" : "");
    return 0;
}

/* ---- steps ---- */

void dataset_want(struct dataset *dataset, const char *name, const char *hash, int64_t bytes)
{
    let_go(dataset);
    snprintf(dataset->name, sizeof dataset->name, "%s", name);
    snprintf(dataset->offered, sizeof dataset->offered, "%s", hash);
    dataset->offered_bytes = bytes;
    dataset->look_ms = 0;
    dataset->began_ms = -1;
    dataset->step = STEP_LOOK;
}

/* 0 where it is in the cache, and the right one; ERR_NOT_FOUND. */
static int look(struct dataset *dataset)
{
    struct data *data = NULL;
    int err = data_open(dataset->cache_dir, dataset->name, &data, &dataset->problem);
    if (err)
        return err;
    hash_hex(&data->hash, dataset->hash);
    data_close(&data);
    if (dataset->offered[0] == '\0' || strcmp(dataset->hash, dataset->offered) == 0)
        return 0;
    return problem_set(
        &dataset->problem, ERR_CONFLICT,
        "data set '%s' in %.160s has content hash %.16s…, the coordinator's has %.16s…: they are "
        "not the same images; remove %s.data there, and the coordinator's is fetched",
        dataset->name, dataset->cache_dir, dataset->hash, dataset->offered, dataset->name);
}

static int check_offer(struct dataset *dataset)
{
    struct hash hash;
    if (dataset->offered[0] == '\0') {
        problem_prefix(&dataset->problem, "the coordinator has no data set '%s' to hand over; here",
                       dataset->name);
        return ERR_NOT_FOUND;
    }
    if (!hash_parse(dataset->offered, &hash) || dataset->offered_bytes == 0)
        return problem_set(&dataset->problem, ERR_INPUT,
                           "the coordinator offers data set '%s' with a hash that is none", dataset->name);
    return 0;
}

/* Looks without the lock first: most daemons find it. And once more with it: it may have come just before. */
static void step_look(struct dataset *dataset, int64_t now_ms)
{
    if (dataset->began_ms < 0)
        dataset->began_ms = now_ms;
    int err = look(dataset);
    if (err == ERR_NOT_FOUND) {
        err = check_offer(dataset);
        if (!err)
            err = take_file(dataset);
        if (!err) {
            err = look(dataset);
            if (err != ERR_NOT_FOUND)
                unlink(dataset->path);
            else
                err = begin(dataset);
            if (!err && dataset->step != STEP_LOOK)
                return;
        }
    }
    if (err == ERR_BUSY) {
        dataset->look_ms = now_ms + DATASET_LOOK_MS;
    } else if (err) {
        set_failed(dataset);
    } else {
        let_go(dataset);
        dataset->step = STEP_OPEN;
    }
}

static void step_verify(struct dataset *dataset, int64_t now_ms)
{
    struct hash expected;
    const bool good = hash_parse(dataset->offered, &expected);
    assert(good);
    int err =
        data_adopt(dataset->cache_dir, dataset->name, dataset->path, &expected, NULL, &dataset->problem);
    if (!err) {
        log_info("data set '%s' is here after %.1f s", dataset->name,
                 (double)(now_ms - dataset->began_ms) / 1000);
        let_go(dataset);
        dataset->step = STEP_LOOK;
        return;
    }
    if (err == ERR_CORRUPT && fetch_start_again(&dataset->fetch)) {
        log_warning("what came of data set '%s' is not what the coordinator promised: fetching it again",
                    dataset->name);
        dataset->step = STEP_FETCH;
        if (ftruncate(dataset->file, 0) == 0)
            return;
        err = file_failed(dataset, errno);
    }
    if (err == ERR_CORRUPT) {
        unlink(dataset->path);
        problem_set(&dataset->problem, ERR_CORRUPT,
                    "data set '%s' was fetched %d times, and never had the hash that the coordinator says, "
                    "%.16s…: is its copy damaged? ('actsearch data verify %s' there)",
                    dataset->name, FETCH_TRIES, dataset->offered, dataset->name);
    }
    set_failed(dataset);
}

enum dataset_state dataset_turn(struct dataset *dataset, int64_t now_ms)
{
    if (dataset->step == STEP_VERIFY)
        step_verify(dataset, now_ms);
    if (dataset->step == STEP_LOOK && now_ms >= dataset->look_ms)
        step_look(dataset, now_ms);
    static const enum dataset_state states[] = {
        [STEP_NONE] = DATASET_NONE,     [STEP_LOOK] = DATASET_COMING, [STEP_FETCH] = DATASET_COMING,
        [STEP_VERIFY] = DATASET_COMING, [STEP_OPEN] = DATASET_OPEN,   [STEP_FAILED] = DATASET_FAILED,
    };
    return states[dataset->step];
}

/* ---- messages ---- */

void dataset_greeted(struct dataset *dataset)
{
    if (dataset->step == STEP_FETCH)
        fetch_greeted(&dataset->fetch);
}

static int write_piece(struct dataset *dataset, const struct msg_chunk *chunk)
{
    for (int done = 0; done < chunk->bytes_count;) {
        const ssize_t count = pwrite(dataset->file, chunk->bytes + done, (size_t)(chunk->bytes_count - done),
                                     chunk->offset + done);
        if (count < 0 && errno != EINTR)
            return file_failed(dataset, errno);
        done += count < 0 ? 0 : (int)count;
    }
    return 0;
}

void dataset_receive(struct dataset *dataset, const struct msg_chunk *chunk, int64_t now_ms)
{
    if (dataset->step != STEP_FETCH)
        return;
    const enum fetch_news news = fetch_receive(&dataset->fetch, chunk, now_ms);
    if (news == FETCH_GONE) {
        problem_set(&dataset->problem, ERR_NOT_FOUND,
                    "the coordinator cannot read data set '%s' any more: see what it says", dataset->name);
        set_failed(dataset);
    } else if (news == FETCH_PIECE && write_piece(dataset, chunk) != 0) {
        set_failed(dataset);
    } else if (fetch_done(&dataset->fetch)) {
        dataset->step = STEP_VERIFY;
    }
}

bool dataset_next(struct dataset *dataset, int64_t now_ms, struct msg_fetch *ret_fetch)
{
    return dataset->step == STEP_FETCH && fetch_next(&dataset->fetch, now_ms, ret_fetch);
}

int64_t dataset_next_ms(const struct dataset *dataset, bool greeted)
{
    if (dataset->step == STEP_LOOK)
        return dataset->look_ms;
    if (dataset->step == STEP_VERIFY)
        return 0;
    return dataset->step == STEP_FETCH && greeted ? fetch_next_ms(&dataset->fetch) : INT64_MAX;
}

const char *dataset_name(const struct dataset *dataset)
{
    return dataset->name;
}

const char *dataset_hash(const struct dataset *dataset)
{
    return dataset->hash;
}

const char *dataset_reason(const struct dataset *dataset)
{
    return dataset->problem.text;
}
