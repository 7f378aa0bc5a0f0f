/* restart: whether and when a process that died is started again. Pure.
 *
 * The pause doubles with each death that came soon after a start; a process that ran for a while begins anew.
 * After RESTART_TRIES quick deaths in a row there is no further start.
 */
#ifndef CLI_RESTART_H
#define CLI_RESTART_H

#include <stdbool.h>
#include <stdint.h>

enum { RESTART_TRIES = 4, RESTART_PAUSE_MS = 500, RESTART_LONG_MS = 30000 };

struct restart {
    int quick_deaths;
    int64_t started_ms;
    int64_t next_ms; /* the next start, once it died */
};

void restart_started(struct restart *restart, int64_t now_ms);
/* It died. False: it is given up; true: it is to be started at next_ms. */
bool restart_died(struct restart *restart, int64_t now_ms);

#endif
