/* policy: what a search has learnt of each token, over time, out of a results database. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/answer.h"

/* Rows by version and token; where there are more than `most` versions, so many evenly spaced ones, the last among them.
 * Columns: version, proposals, average (of rewards), mean_entropy (of the tokens with a choice), at (0, 1, …), unit, token,
 * choices, choice (the likeliest), probability, entropy. ERR_NOT_FOUND: nothing is learnt yet. */
int policy_history(struct store_reader *reader, int most, struct answer *ret_history,
                   struct problem *problem);

/* Of the first version: rows 0 … tokens − 1 of the history; each later version has as many. */
int policy_tokens(const struct answer *history);

/* What the search has learnt, as `actsearch show DB` prints it. */
int policy_print(struct store_reader *reader, struct problem *problem);
int policy_print_json(struct store_reader *reader, struct problem *problem);

#endif
