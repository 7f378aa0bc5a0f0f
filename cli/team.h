/* team: the coordinator and the workers of one machine, as children of this process.
 *
 * The coordinator is started first, the workers once its socket is there. One that is killed, or ends without
 * having said why, is started again (cli/restart.h). A coordinator or worker that ends with exit status 1 or
 * 2 has refused: it is not started again, and neither is one that dies over and over; the team then has
 * failed. A coordinator that ends with exit status 3 was stopped by a person. Prints nothing.
 *
 * All times are those of one monotonic clock, in ms.
 */
#ifndef CLI_TEAM_H
#define CLI_TEAM_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct team;

struct team_settings {
    char *const *coordinator_argv; /* whole, NULL-terminated; borrowed, as all of these */
    char *const *worker_argv;
    const char *socket_path; /* is there once the coordinator listens */
    int workers;
    int output_fd;                                /* gets all that they print */
    void (*say)(void *context, const char *text); /* one line for people: what died, what is started again */
    void *context;
};

struct team *team_new(const struct team_settings *settings);
/* Kills what still runs. */
void team_destroy(struct team **team);

enum team_state { TEAM_RUNS, TEAM_FINISHED, TEAM_STOPPED, TEAM_FAILED };

/* Starts what is to be started, notices what has ended. TEAM_FINISHED: the coordinator ended with exit status
 * 0. TEAM_STOPPED: it ended because a person ordered it. TEAM_FAILED: *problem says who, and how. */
enum team_state team_tend(struct team *team, int64_t now_ms, struct problem *problem);

/* Ends all in order: the workers hand back what they train, then the coordinator stores it and leaves. To be
 * called again and again until it returns true: nobody is left. hurry: workers are killed at once and the
 * coordinator is asked at once. After TEAM_PATIENCE_MS (a fifth of it in a hurry) whoever is left is killed.
 */
enum { TEAM_PATIENCE_MS = 10000 };
bool team_stop(struct team *team, int64_t now_ms, bool hurry);

#endif
