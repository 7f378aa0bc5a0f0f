#include "coordinator/status/outlook.h"

#include <math.h>
#include <string.h>

struct stored {
    struct experiment *experiment;
    int err;
    struct problem *problem;
};

static bool read_experiment(void *context, int columns, const char *const *names, const char *const *values)
{
    struct stored *stored = context;
    (void)columns, (void)names;
    stored->err = experiment_parse("the stored experiment", values[0] ? values[0] : "", NULL, 0,
                                   &stored->experiment, stored->problem);
    return false;
}

int outlook_open(struct outlook *outlook, struct store_reader *reader, struct problem *problem)
{
    struct stored stored = {.err = ERR_CORRUPT, .problem = problem};
    struct progress_row row;
    problem_set(problem, ERR_CORRUPT, "the database has no experiment");
    int err = store_query(reader, "SELECT text FROM experiment", NULL, 0, read_experiment, &stored, problem);
    if (!err)
        err = stored.err;
    if (!err)
        err = store_progress(reader, &row, problem);
    if (err) {
        experiment_destroy(&stored.experiment);
        return err;
    }
    *outlook = (struct outlook){.experiment = stored.experiment};
    estimate_start(&outlook->estimate, stored.experiment, (int)row.references);
    return 0;
}

void outlook_release(struct outlook *outlook)
{
    experiment_destroy(&outlook->experiment);
}

void outlook_look(struct outlook *outlook, const struct progress_row *row, int64_t now_ms)
{
    if (strcmp(row->phase, "paused") == 0) {
        outlook->looks = 0;
        return;
    }
    const int last = (outlook->looks + OUTLOOK_LOOKS - 1) % OUTLOOK_LOOKS,
              next = outlook->looks % OUTLOOK_LOOKS;
    if (outlook->looks > 0 && now_ms - outlook->look[last].at_ms < OUTLOOK_EVERY_MS)
        return;
    outlook->look[next].at_ms = now_ms;
    outlook->look[next].closed = estimate_closed(row);
    outlook->look[next].fraction = estimate_fraction(&outlook->estimate, row);
    outlook->looks++;
}

/* The oldest and the newest look that are kept; false where there are not two. */
static bool span(const struct outlook *outlook, int *ret_first, int *ret_last)
{
    *ret_first = outlook->looks > OUTLOOK_LOOKS ? outlook->looks % OUTLOOK_LOOKS : 0;
    *ret_last = (outlook->looks + OUTLOOK_LOOKS - 1) % OUTLOOK_LOOKS;
    return outlook->looks > 1;
}

double outlook_trials_per_hour(const struct outlook *outlook)
{
    int first, last;
    if (!span(outlook, &first, &last))
        return NAN;
    const int64_t gained = outlook->look[last].closed - outlook->look[first].closed,
                  ms = outlook->look[last].at_ms - outlook->look[first].at_ms;
    return gained >= 0 && ms > 0 ? (double)gained * 3.6e6 / (double)ms : NAN;
}

double outlook_seconds_left(const struct outlook *outlook)
{
    int first, last;
    if (!span(outlook, &first, &last))
        return NAN;
    const double gained = outlook->look[last].fraction - outlook->look[first].fraction,
                 seconds = (double)(outlook->look[last].at_ms - outlook->look[first].at_ms) / 1000,
                 left = seconds * (1 - outlook->look[last].fraction) / gained;
    return gained > 0 && left < 1e8 ? left : NAN; /* false for NaN */
}
