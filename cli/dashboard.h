/* dashboard: one look at a search, as lines of text: what `actsearch top` shows.
 *
 * Reads the database; knows no terminal and no clock. Whatever the database holds, no line is wider than
 * asked for, and none has a control character but those of colours.
 */
#ifndef CLI_DASHBOARD_H
#define CLI_DASHBOARD_H

#include "cli/monitor.h"
#include "coordinator/store_read.h"
#include "proto/control.h"

struct dashboard {
    struct monitor monitor;
    char *name; /* of the experiment */
    bool begun;
    double first_fraction; /* at the first look, for the time left */
    int64_t first_ms;
};

/* ERR_CORRUPT where the stored experiment cannot be read. */
int dashboard_start(struct dashboard *dashboard, struct store_reader *reader, struct problem *problem);
void dashboard_release(struct dashboard *dashboard);

struct dashboard_view {
    int columns;
    int rows; /* at most so many lines; the ranked list gets what the rest leaves */
    bool colours;
    int64_t now_ms;                /* Unix time */
    enum control_life coordinator; /* the database itself does not know that one was killed */
};
int dashboard_draw(struct dashboard *dashboard, struct store_reader *reader,
                   const struct dashboard_view *view, struct buf *ret_text, struct problem *problem);

#endif
