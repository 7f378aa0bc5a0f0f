#include "coordinator/offer.h"

#include "common/data_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint64_t BYTES_MAX = UINT64_C(4294967296); /* of WELCOME's data_bytes */

struct offer {
    int fd;
    int64_t bytes;
    char *path;
    char hash[HASH_HEX];
};

/* The hash beside the file, or, where it is of another time, that of the file. */
static int hash_file(const struct data_cached *cached, const char *cache_dir, const char *name,
                     struct hash *ret_hash, struct problem *problem)
{
    if (cached->current)
        return data_cached_hash(cached, cache_dir, name, NULL, false, ret_hash, problem);
    void *map = mmap(NULL, (size_t)cached->bytes, PROT_READ, MAP_SHARED, cached->fd, 0);
    if (map == MAP_FAILED)
        return problem_set(problem, ERR_IO, "%.200s/%s.data: mmap: %s", cache_dir, name, strerror(errno));
    int err = data_cached_hash(cached, cache_dir, name, map, false, ret_hash, problem);
    munmap(map, (size_t)cached->bytes);
    return err;
}

int offer_open(const char *cache_dir, const char *name, struct offer **ret_offer, struct problem *problem)
{
    struct data_cached cached;
    struct hash hash;
    int err = data_cached_open(cache_dir, name, &cached, problem);
    if (err)
        return err;
    if (cached.bytes == 0 || cached.bytes > BYTES_MAX)
        err = problem_set(problem, ERR_LIMIT, "%.200s/%s.data: its size does not allow it to be handed over",
                          cache_dir, name);
    if (!err)
        err = hash_file(&cached, cache_dir, name, &hash, problem);
    if (err) {
        close(cached.fd);
        return err;
    }
    struct offer *offer = xcalloc(1, sizeof *offer);
    offer->fd = cached.fd;
    offer->bytes = (int64_t)cached.bytes;
    offer->path = data_cache_path(cache_dir, name, "data");
    hash_hex(&hash, offer->hash);
    *ret_offer = offer;
    return 0;
}

void offer_close(struct offer **offer)
{
    if (!*offer)
        return;
    close((*offer)->fd);
    free((*offer)->path);
    free(*offer);
    *offer = NULL;
}

const char *offer_hash(const struct offer *offer)
{
    return offer->hash;
}

int64_t offer_bytes(const struct offer *offer)
{
    return offer->bytes;
}

int offer_read(const struct offer *offer, int64_t offset, void *ret_bytes, int size, struct problem *problem)
{
    for (int done = 0; done < size;) {
        const ssize_t count =
            pread(offer->fd, (char *)ret_bytes + done, (size_t)(size - done), offset + done);
        if (count == 0 || (count < 0 && errno != EINTR))
            return problem_set(problem, ERR_IO, "%s: %s", offer->path,
                               count == 0 ? "it has become shorter" : strerror(errno));
        done += count < 0 ? 0 : (int)count;
    }
    return 0;
}
