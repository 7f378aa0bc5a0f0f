#include "common/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 16 };

struct source {
    char *name;
    gzFile file;
    uint64_t offset;
};

int source_of_fd(int fd, const char *name, struct source **ret_source, struct problem *problem)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        close(fd);
        return problem_set(problem, ERR_INPUT, "%s: not a regular file", name);
    }
    gzFile file = gzdopen(fd, "rb");
    if (!file) {
        close(fd);
        return problem_set(problem, ERR_IO, "%s: cannot be read as a file", name);
    }
    gzbuffer(file, CHUNK);
    struct source *source = xcalloc(1, sizeof *source);
    source->name = xstrdup(name);
    source->file = file;
    *ret_source = source;
    return 0;
}

int source_open(const char *path, struct source **ret_source, struct problem *problem)
{
    /* A pipe of that name must not make us wait for somebody who writes. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                           strerror(errno));
    return source_of_fd(fd, path, ret_source, problem);
}

void source_close(struct source **source)
{
    if (!*source)
        return;
    gzclose((*source)->file);
    free((*source)->name);
    free(*source);
    *source = NULL;
}

const char *source_name(const struct source *source)
{
    return source->name;
}

uint64_t source_offset(const struct source *source)
{
    return source->offset;
}

/* What zlib says after a read that brought less than was asked for. */
static int trouble(struct source *source, struct problem *problem)
{
    int code = Z_OK;
    const char *text = gzerror(source->file, &code);
    if (code == Z_OK || code == Z_STREAM_END)
        return 0;
    if (code == Z_ERRNO)
        return problem_set(problem, ERR_IO, "%s: %s", source->name, strerror(errno));
    if (code == Z_BUF_ERROR)
        return problem_set(problem, ERR_CORRUPT,
                           "%s: cut short: the gzip ends in the middle, at offset %" PRIu64
                           " of the unpacked bytes",
                           source->name, source->offset);
    const char *colon = strstr(text, ": "); /* zlib puts its own name of the file in front */
    text = colon ? colon + 2 : text;
    return problem_set(problem, ERR_CORRUPT,
                       "%s: a damaged gzip: %s, after offset %" PRIu64 " of the unpacked bytes", source->name,
                       text, source->offset);
}

int source_read(struct source *source, size_t bytes, struct buf *to, size_t *ret_got, struct problem *problem)
{
    uint8_t chunk[CHUNK];
    size_t got = 0;
    while (got < bytes) {
        const size_t want = bytes - got < CHUNK ? bytes - got : CHUNK;
        const int count = gzread(source->file, chunk, (unsigned)want);
        if (count > 0) {
            buf_put(to, chunk, (size_t)count);
            got += (size_t)count;
            source->offset += (uint64_t)count;
        }
        if (count < (int)want) {
            int err = trouble(source, problem);
            if (err)
                return err;
            break;
        }
    }
    *ret_got = got;
    return 0;
}

int source_take(struct source *source, size_t bytes, struct buf *to, const char *what,
                struct problem *problem)
{
    const uint64_t start = source->offset;
    size_t got = 0;
    int err = source_read(source, bytes, to, &got, problem);
    if (!err && got < bytes)
        err = problem_set(problem, ERR_INPUT,
                          "%s: cut short at offset %" PRIu64 ": expected %zu bytes from offset %" PRIu64
                          " for %s",
                          source->name, source->offset, bytes, start, what);
    return err;
}

int source_end(struct source *source, struct problem *problem)
{
    const uint64_t end = source->offset;
    struct buf rest = {0};
    size_t got = 0;
    int err = source_read(source, 1, &rest, &got, problem);
    buf_release(&rest);
    if (!err && got > 0)
        err =
            problem_set(problem, ERR_INPUT,
                        "%s: too long: the header's records end at offset %" PRIu64 ", but the file goes on",
                        source->name, end);
    return err;
}

/* ---- writing ---- */

static bool write_all(gzFile file, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const unsigned part = (unsigned)(size < CHUNK ? size : CHUNK);
        if (gzwrite(file, data, part) != (int)part)
            return false;
        data += part;
        size -= part;
    }
    return true;
}

int source_write_gzip(const char *path, const void *data, size_t size, struct problem *problem)
{
    char *part = xasprintf("%s.%d.part", path, (int)getpid());
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666), err = 0;
    int own = fd >= 0 ? dup(fd) : -1; /* gzclose closes the other, before it can be brought to disk */
    gzFile file = own >= 0 ? gzdopen(own, "wb9") : NULL;
    bool good = file && write_all(file, data, size);
    if (file)
        good = gzclose(file) == Z_OK && good;
    else if (own >= 0)
        close(own);
    good = good && fsync(fd) == 0;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    if (!good || rename(part, path) != 0) {
        err = problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
        unlink(part);
    }
    free(part);
    return err;
}
