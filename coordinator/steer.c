/* What people ask of a search while it runs: to pause, to go on, to stop. */
#include "coordinator/core_state.h"

#include <inttypes.h>

bool core_pause(struct core *core, bool paused, int64_t now_ms)
{
    core_set_now(core, now_ms);
    struct experiment_row *experiment = &core->kept.experiment;
    if (experiment->paused == paused || core_finished(core))
        return false;
    experiment->paused = paused;
    core->changes.experiment_changed = true;
    if (paused)
        core_note(core, "pause",
                  "paused: nothing is given out; trials in training (%" PRId64 ") go on to their end",
                  core->kept.counters.leased);
    else
        core_note(core, "resume", "goes on after the pause");
    return true;
}

bool core_paused(const struct core *core)
{
    return core->kept.experiment.paused;
}

void core_stop(struct core *core, int64_t now_ms)
{
    core_set_now(core, now_ms);
    if (core->stopping || core_finished(core))
        return;
    core->stopping = true;
    core_note(core, "stop",
              "stopped by 'actsearch stop': the workers (%" PRId64 ") are told to hand back and leave",
              core->workers.connected);
    for (size_t i = 0; i < core->kept.workers.count; i++) {
        uint64_t peer = workers_peer(&core->workers, (int64_t)i + 1);
        if (peer != 0)
            core_send_to(core, peer, MSG_LEAVE, 0);
    }
}

bool core_stopped(const struct core *core)
{
    return core->stopping && core->workers.connected == 0;
}
