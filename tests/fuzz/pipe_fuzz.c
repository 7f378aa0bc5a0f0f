/* Anything that a trainer could write: it is taken or refused the same way whether it comes at once or in
 * pieces. */
#include "worker/pipe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes all messages of the input in pieces of that size; what was taken, encoded again, in *ret_taken.
 * Returns the last answer. */
static int take_all(const uint8_t *data, size_t size, size_t piece, struct buf *ret_taken)
{
    static struct msg msg;
    struct pipe_in in = {0};
    struct problem problem;
    int got = 0;
    for (size_t at = 0; at < size && got >= 0; at += piece) {
        pipe_in_put(&in, data + at, piece < size - at ? piece : size - at);
        while ((got = pipe_in_take(&in, &msg, &problem)) > 0)
            pipe_put(&msg, ret_taken);
    }
    pipe_in_release(&in);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {0}, pieces = {0};
    int once = take_all(data, size, size ? size : 1, &whole);
    int often = take_all(data, size, 1 + size % 7, &pieces);
    if (once != often || whole.size != pieces.size ||
        (whole.size > 0 && memcmp(whole.data, pieces.data, whole.size) != 0))
        abort();
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
