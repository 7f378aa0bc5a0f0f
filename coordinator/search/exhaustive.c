/* exhaustive: every token sequence of the space, once, in the order of space_unrank (the binary function
 * changes fastest). */
#include "coordinator/search/algorithm.h"

#include <stdlib.h>

struct exhaustive {
    const struct space *space;
    uint64_t strings; /* UINT64_MAX for a space that no search comes to the end of */
};

static void *exhaustive_new(const struct experiment *experiment, const struct space *space)
{
    (void)experiment;
    struct exhaustive *exhaustive = xcalloc(1, sizeof *exhaustive);
    bool exact;
    double approximate;
    exhaustive->space = space;
    exhaustive->strings = space_strings(space, &exact, &approximate);
    return exhaustive;
}

static enum search_answer exhaustive_next(void *state, struct proposal *proposal)
{
    const struct exhaustive *exhaustive = state;
    if (proposal->number >= exhaustive->strings)
        return SEARCH_DONE;
    space_unrank(exhaustive->space, proposal->number, proposal->tokens);
    return SEARCH_PROPOSED;
}

const struct search_algorithm search_exhaustive = {
    .name = "exhaustive",
    .new = exhaustive_new,
    .destroy = free,
    .next = exhaustive_next,
};
