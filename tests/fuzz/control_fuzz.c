/* control_fuzz: the line that orders a coordinator about. However it is cut into pieces, the same order comes of
 * it or the same refusal. */
#include "proto/control.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says how large the pieces are. */
static int take_in_pieces(const char *bytes, size_t size, size_t piece, enum control_order *ret_order)
{
    struct control_line line = {0};
    struct problem problem = {0};
    int err = 0;
    for (size_t at = 0; at < size && !err && *ret_order == CONTROL_NOTHING; at += piece) {
        err = control_take(&line, bytes + at, piece < size - at ? piece : size - at, ret_order, &problem);
        assert(line.used <= CONTROL_LINE_MAX);
    }
    assert((err == 0) == (problem.text[0] == '\0'));
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum control_order whole = CONTROL_NOTHING, pieces = CONTROL_NOTHING;
    const char *bytes = (const char *)data + 1;
    const int err = take_in_pieces(bytes, size - 1, SIZE_MAX, &whole);
    assert(take_in_pieces(bytes, size - 1, 1 + data[0] % 40, &pieces) == err && pieces == whole);
    assert(!err || whole == CONTROL_NOTHING);
    assert(whole == CONTROL_NOTHING || memchr(bytes, '\n', size - 1));
    return 0;
}
