#include "cli/monitor.h"

#include <math.h>
#include <string.h>

void monitor_start(struct monitor *monitor, const struct experiment *experiment, int references)
{
    *monitor = (struct monitor){.rl = experiment->search.algorithm == ALGORITHM_RL};
    monitor->only_references = experiment->search.algorithm == ALGORITHM_NONE;
    estimate_start(&monitor->estimate, experiment, references);
}

static bool is_paused(const struct progress_row *row)
{
    return strcmp(row->phase, "paused") == 0;
}

/* ", 1 worker", ", 2 workers" */
static void put_count(int64_t count, const char *noun, struct buf *ret_text)
{
    buf_printf(ret_text, ", %lld %s%s", (long long)count, noun, count == 1 ? "" : "s");
}

void monitor_detail(struct monitor *monitor, const struct progress_row *row, int64_t now_ms,
                    struct buf *ret_text)
{
    const int64_t closed = estimate_closed(row);
    if (!monitor->begun) {
        monitor->begun = true;
        monitor->first_closed = closed;
        monitor->first_ms = now_ms;
    }
    if (is_paused(row))
        buf_printf(ret_text, "paused (actsearch resume): ");
    if (estimate_in_finals(row))
        buf_printf(ret_text, "finals: ");
    buf_printf(ret_text, "%lld", (long long)(monitor->only_references ? closed : row->candidates));
    if (monitor->only_references)
        buf_printf(ret_text, "/%lld", (long long)row->trials);
    else if (row->target_candidates > 0)
        buf_printf(ret_text, "/%lld", (long long)row->target_candidates);
    buf_printf(ret_text, monitor->only_references ? " trainings" : " candidates");
    if (row->best_activation[0])
        buf_printf(ret_text, ", best %.2f %%", 100 * row->best_accuracy);
    if (row->failed)
        buf_printf(ret_text, ", %lld failed", (long long)row->failed);
    const double hours = (double)(now_ms - monitor->first_ms) / 3600000;
    if (closed > monitor->first_closed && hours > 0)
        buf_printf(ret_text, ", %.0f trials/h", (double)(closed - monitor->first_closed) / hours);
    put_count(row->workers, "worker", ret_text);
    if (monitor->rl)
        put_count(row->policy_version, "update", ret_text);
    if (row->best_activation[0])
        buf_printf(ret_text, "; best: %s", row->best_activation);
}

void monitor_duration(double seconds, struct buf *ret_text)
{
    const long long whole = (long long)(seconds + 0.5);
    if (whole < 60)
        buf_printf(ret_text, "%lld s", whole);
    else if (whole < 3600)
        buf_printf(ret_text, "%lld min %02lld s", whole / 60, whole % 60);
    else
        buf_printf(ret_text, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
}

/* " (constant 3, not finite 7)" */
static void put_reasons(const struct progress_row *row, struct buf *ret_text)
{
    const char *before = " (";
    for (int v = 0; v < VERDICTS; v++) {
        if (row->rejected_by[v] == 0)
            continue;
        buf_printf(ret_text, "%s%s %lld", before, verdict_text((enum verdict)v),
                   (long long)row->rejected_by[v]);
        before = ", ";
    }
    if (row->rejected)
        buf_printf(ret_text, ")");
}

void monitor_finished(const struct monitor *monitor, const struct progress_row *row, struct buf *ret_text)
{
    buf_printf(ret_text, "Finished: %s, ", row->finished_because);
    monitor_duration(row->elapsed_seconds, ret_text);
    buf_printf(ret_text,
               " after its start.\nProposals: %lld, of which candidates %lld, duplicates %lld, rejected %lld",
               (long long)row->proposals, (long long)row->candidates, (long long)row->duplicates,
               (long long)row->rejected);
    put_reasons(row, ret_text);
    buf_printf(ret_text, ".\nTrials: %lld, of which done %lld, diverged %lld, failed %lld.\n",
               (long long)row->trials, (long long)row->done, (long long)row->diverged,
               (long long)row->failed);
    if (row->finals > 0)
        buf_printf(ret_text, "Of these in the finals: %lld.\n", (long long)row->finals);
    if (monitor->rl)
        buf_printf(ret_text, "PPO updates: %lld.\n", (long long)row->policy_version);
}
