/* Anything that a trainer of the user's own could print, line by line: what is taken is within its bounds. */
#include "worker/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct line *line)
{
    if (line->step < (line->last ? -1 : 0) || line->parameters < 0 || line->betas < 0 || isinf(line->loss))
        abort();
    if (line->last && !line->diverged &&
        (line->count < 1 || line->correct < 0 || line->correct > line->count ||
         !isfinite(line->validation_loss)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at <= size;) {
        const uint8_t *end = at < size ? memchr(data + at, '\n', size - at) : NULL;
        const size_t length = end ? (size_t)(end - (data + at)) : size - at;
        /* A copy of just that size: a read past its end is seen. */
        char *text = xcalloc(length ? length : 1, 1);
        if (length > 0)
            memcpy(text, data + at, length);
        struct line line;
        struct problem problem = {0};
        if (line_read(text, length, &line, &problem) == 0)
            check(&line);
        else if (!problem.text[0])
            abort();
        free(text);
        at += length + 1;
    }
    return 0;
}
