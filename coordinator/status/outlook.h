/* outlook: what is known of a search beside its rows: its experiment, how fast it goes, and when it will be done.
 *
 * The speed is that of the last OUTLOOK_LOOKS looks, which are OUTLOOK_EVERY_MS apart or more: about ten minutes.
 * A pause is no part of it: while it lasts nothing is known, and then it is judged anew.
 */
#ifndef COORDINATOR_STATUS_OUTLOOK_H
#define COORDINATOR_STATUS_OUTLOOK_H

#include "common/json.h"
#include "coordinator/estimate.h"

enum { OUTLOOK_LOOKS = 120, OUTLOOK_EVERY_MS = 5000 };

struct outlook {
    struct experiment *experiment; /* owned; NULL before outlook_open */
    struct estimate estimate;
    int looks; /* so far, the last OUTLOOK_LOOKS of them are kept in a ring */
    struct {
        int64_t at_ms, closed;
        double fraction;
    } look[OUTLOOK_LOOKS];
};

/* Reads the stored experiment. ERR_CORRUPT where there is none. */
int outlook_open(struct outlook *outlook, struct store_reader *reader, struct problem *problem);
void outlook_release(struct outlook *outlook);

/* now_ms: of any one clock. */
void outlook_look(struct outlook *outlook, const struct progress_row *row, int64_t now_ms);

/* NaN where it is not known (yet). */
double outlook_trials_per_hour(const struct outlook *outlook);
double outlook_seconds_left(const struct outlook *outlook);

#endif
