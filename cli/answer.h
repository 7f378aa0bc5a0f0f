/* answer: the rows of one query to a results database, kept as texts.
 *
 * Owns its texts. A value that is not there (NULL in the database) is NULL. The queries that use it bound
 * their rows.
 */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "coordinator/store_read.h"

struct answer {
    int columns, rows;
    char **names;
    char **values; /* rows × columns */
};

/* parameters: texts for ?1, ?2, …; NULL-terminated, may be NULL. */
int answer_query(struct store_reader *reader, const char *sql, const char *const *parameters,
                 struct answer *ret_answer, struct problem *problem);
void answer_release(struct answer *answer);

/* The column must be one of the query's. NULL where the value is NULL. */
const char *answer_text(const struct answer *answer, int row, const char *column);
int64_t answer_int(const struct answer *answer, int row, const char *column); /* 0 for NULL */
double answer_real(const struct answer *answer, int row, const char *column); /* NaN for NULL */

#endif
