/* survey: what becomes of each string of a search space: a function that is worth a trial, another spelling
 * of one, or a rejection. Pure.
 *
 * The same verdicts as the coordinator's (coordinator/admit.h) over a space without references: a string of a
 * function that is not usable is a rejection each time it comes.
 */
#ifndef CLI_SURVEY_H
#define CLI_SURVEY_H

#include "common/functions.h"
#include "common/space.h"

enum survey_status { SURVEY_USABLE, SURVEY_DUPLICATE, SURVEY_REJECTED };

struct survey {
    const struct space *space; /* borrowed */
    struct functions *functions;
    int64_t strings; /* = usable + duplicates + Σ rejected */
    int64_t usable;
    int64_t duplicates;
    int64_t rejected[VERDICTS]; /* by reason; [VERDICT_USABLE] stays 0 */
    int64_t
        too_large; /* those of rejected[VERDICT_TOO_LARGE] that have no text, each a function of its own */
};

struct survey_item {
    enum survey_status status;
    enum verdict verdict;
    const char *activation; /* the canonical string, "" where it is too large to be one; lives as long as the
                               survey */
    const char *of;         /* a duplicate: the canonical string that came first; else NULL */
};

void survey_start(struct survey *survey, const struct space *space);
void survey_release(struct survey *survey);

/* The canonical string that is printed for a duplicate is malloc'd into *ret_own_text, which the caller frees
 * (NULL otherwise). */
struct survey_item survey_add(struct survey *survey, const uint16_t *tokens, char **ret_own_text);

/* Functions met so far that are not the same, usable or not. */
int64_t survey_distinct(const struct survey *survey);

/* "usable", "duplicate of max(x,0)", "rejected: constant". malloc'd. */
char *survey_status_text(const struct survey_item *item);

#endif
