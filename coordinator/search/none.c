/* none: proposes nothing. The references are all that is trained, as in a study of functions that are known
 * already (docs/study.md). */
#include "coordinator/search/algorithm.h"

#include <stdlib.h>

static void *none_new(const struct experiment *experiment, const struct space *space)
{
    (void)experiment;
    (void)space;
    return NULL;
}

static enum search_answer none_next(void *state, struct proposal *proposal)
{
    (void)state;
    (void)proposal;
    return SEARCH_DONE;
}

const struct search_algorithm search_none = {
    .name = "none",
    .new = none_new,
    .destroy = free,
    .next = none_next,
};
