#include "worker/pipe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH_BYTES = 4 };

void pipe_in_release(struct pipe_in *in)
{
    buf_release(&in->bytes);
    *in = (struct pipe_in){0};
}

void pipe_in_put(struct pipe_in *in, const void *bytes, size_t size)
{
    if (in->lost)
        return;
    if (in->taken > 0) { /* what is left moves to the front */
        size_t left = in->bytes.size - in->taken;
        memmove(in->bytes.data, in->bytes.data + in->taken, left);
        in->bytes.size = left;
        in->taken = 0;
    }
    buf_put(&in->bytes, bytes, size);
}

int pipe_in_take(struct pipe_in *in, struct msg *ret_msg, struct problem *problem)
{
    if (in->lost)
        return problem_set(problem, ERR_INPUT, "nothing can be read behind a bad message");
    size_t left = in->bytes.size - in->taken;
    if (left < LENGTH_BYTES)
        return 0;
    struct cursor cursor = cursor_of(in->bytes.data + in->taken, left);
    uint32_t size = cursor_take_u32(&cursor);
    int err = 0;
    if (size > MSG_MAX_BYTES)
        err = problem_set(problem, ERR_LIMIT, "a message of %u bytes; at most %d are allowed", size,
                          MSG_MAX_BYTES);
    else if (left - LENGTH_BYTES < size)
        return 0;
    else
        err = msg_decode(in->bytes.data + in->taken + LENGTH_BYTES, size, ret_msg, problem);
    if (err) {
        in->lost = true;
        buf_release(&in->bytes);
        in->taken = 0;
        return err;
    }
    in->taken += LENGTH_BYTES + size;
    return 1;
}

void pipe_put(const struct msg *msg, struct buf *ret_bytes)
{
    struct buf body = {0};
    msg_encode(msg, &body);
    buf_put_u32(ret_bytes, (uint32_t)body.size);
    buf_put(ret_bytes, body.data, body.size);
    buf_release(&body);
}

int pipe_write(int fd, const struct msg *msg, struct problem *problem)
{
    struct buf bytes = {0};
    pipe_put(msg, &bytes);
    size_t at = 0;
    int err = 0;
    while (at < bytes.size && !err) {
        ssize_t written = write(fd, bytes.data + at, bytes.size - at);
        if (written >= 0)
            at += (size_t)written;
        else if (errno != EINTR)
            err = problem_set(problem, ERR_IO, "cannot write to the daemon: %s", strerror(errno));
    }
    buf_release(&bytes);
    return err;
}

int pipe_read(int fd, struct msg *ret_msg, struct problem *problem)
{
    struct pipe_in in = {0};
    int got;
    while ((got = pipe_in_take(&in, ret_msg, problem)) == 0) {
        uint8_t bytes[PIPE_READ_BYTES];
        ssize_t count = read(fd, bytes, sizeof bytes);
        if (count > 0) {
            pipe_in_put(&in, bytes, (size_t)count);
        } else if (count == 0) {
            got = problem_set(problem, ERR_INPUT, "the input ended before a whole message");
            break;
        } else if (errno != EINTR) {
            got = problem_set(problem, ERR_IO, "cannot read from the daemon: %s", strerror(errno));
            break;
        }
    }
    pipe_in_release(&in);
    return got < 0 ? got : 0;
}
