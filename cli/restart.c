#include "cli/restart.h"

void restart_started(struct restart *restart, int64_t now_ms)
{
    restart->started_ms = now_ms;
}

bool restart_died(struct restart *restart, int64_t now_ms)
{
    if (now_ms - restart->started_ms >= RESTART_LONG_MS)
        restart->quick_deaths = 0;
    restart->quick_deaths++;
    restart->next_ms = now_ms + ((int64_t)RESTART_PAUSE_MS << (restart->quick_deaths - 1));
    return restart->quick_deaths < RESTART_TRIES;
}
