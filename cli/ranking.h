/* ranking: the ranked list, as people read it (rank, run) and as programs do (--json, --csv, --stable).
 *
 * `stable` leaves out what is a measurement (seconds, cost_ns): the rest is the same bit for bit however the
 * search was run.
 */
#ifndef CLI_RANKING_H
#define CLI_RANKING_H

#include "common/err.h"
#include "coordinator/store_read.h"

#include <stdbool.h>
#include <stdio.h>

enum ranking_format { RANKING_TABLE, RANKING_TEXT, RANKING_JSON, RANKING_CSV };

struct ranking_options {
    int64_t limit; /* rows; 0: all. The table shows the references beyond it too */
    bool pareto;   /* only functions that none with a higher accuracy_mean is cheaper than (cost_ns) */
    bool stable;
    enum ranking_format format; /* RANKING_TEXT: columns between tabs */
};

/* Whether no row seen so far is both better and cheaper. Rows come in the order of the ranking; one whose
 * cost is not known is not kept. Start from {0}. */
struct pareto {
    bool any;
    int64_t steps; /* of the row seen last */
    double accuracy;
    double cost_of_better; /* the least cost among rows that are better than the row seen last */
    double cost_of_equal;  /* the least cost among rows that are neither better nor worse */
};
bool pareto_keeps(struct pareto *pareto, const struct ranking_row *row);

int ranking_print(struct store_reader *reader, const struct ranking_options *options, FILE *out,
                  struct problem *problem);

#endif
