/* candidate: the function of a results database that a person means, in whatever way it is spelt. */
#ifndef CLI_CANDIDATE_H
#define CLI_CANDIDATE_H

#include "common/expr/expr.h"
#include "coordinator/store_read.h"

/* By its canonical string, else by its fingerprint. *ret_id: the candidate's id, malloc'd; *ret_expr: the
 * function as the database has it. `path` and `text` are for the problem: ERR_NOT_FOUND where it was never
 * proposed, or is rejected, with the reason. */
int candidate_find(struct store_reader *reader, const char *path, const char *text, const struct expr *expr,
                   char **ret_id, struct expr **ret_expr, struct problem *problem);

#endif
