/* monitor: what people are told of a search while it runs and when it is over. Pure: rows of the view
 * `progress` in, text out.
 */
#ifndef CLI_MONITOR_H
#define CLI_MONITOR_H

#include "common/buf.h"
#include "coordinator/estimate.h"

struct monitor {
    bool rl;
    bool only_references; /* nothing is proposed: what counts is trainings */
    struct estimate estimate;
    bool begun;
    int64_t first_closed, first_ms; /* at the first look, for the speed */
};

/* `references`: how many the experiment has. */
void monitor_start(struct monitor *monitor, const struct experiment *experiment, int references);

/* One line, what matters most first, since a terminal may cut it: "12/60 candidates, best 84.32 %, 310 trials/h,
 * 2 workers; best: max(x,sin(x))". now_ms: of any one clock. */
void monitor_detail(struct monitor *monitor, const struct progress_row *row, int64_t now_ms,
                    struct buf *ret_text);

/* "1 h 10 min", "48 s". */
void monitor_duration(double seconds, struct buf *ret_text);
/* "Finished: …", a few lines. */
void monitor_finished(const struct monitor *monitor, const struct progress_row *row, struct buf *ret_text);

#endif
