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
    bool stable;
    enum ranking_format format; /* RANKING_TEXT: columns between tabs */
};

int ranking_print(struct store_reader *reader, const struct ranking_options *options, FILE *out,
                  struct problem *problem);

/* "relu" for "max(x,0)": the name under which people know the function, NULL where there is none. Canonical
 * strings. */
const char *known_name(const char *activation);

#endif
