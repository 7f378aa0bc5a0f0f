/* monitor: what people are told of a search while it runs and when it is over. Pure: rows of the view
 * `progress` in, text out.
 */
#ifndef CLI_MONITOR_H
#define CLI_MONITOR_H

#include "common/buf.h"
#include "common/experiment.h"
#include "coordinator/store_read.h"

struct monitor {
    bool rl;
    bool only_references; /* nothing is proposed: what counts is trainings */
    double trials;    /* that there will be in the search; 0: not known */
    double finals;    /* and in the finals */
    double longer;    /* so many times as long as one of the search is one of the finals */
    double proposals; /* that there will be, where that is what ends it; 0: not known */
    bool begun;
    int64_t first_closed, first_ms; /* at the first look, for the speed */
};

/* `references`: how many the experiment has. */
void monitor_start(struct monitor *monitor, const struct experiment *experiment, int references);

/* 0 … 1 of the work; NaN where it is not known. */
double monitor_fraction(const struct monitor *monitor, const struct progress_row *row);
/* One line, what matters most first, since a terminal may cut it: "12/60 candidates, best 84.32 %, 310 trials/h,
 * 2 workers; best: max(x,sin(x))". now_ms: of any one clock. */
void monitor_detail(struct monitor *monitor, const struct progress_row *row, int64_t now_ms,
                    struct buf *ret_text);

/* "1 h 10 min", "48 s". */
void monitor_duration(double seconds, struct buf *ret_text);
/* "Finished: …", a few lines. */
void monitor_finished(const struct monitor *monitor, const struct progress_row *row, struct buf *ret_text);

#endif
