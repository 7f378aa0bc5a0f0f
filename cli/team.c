#include "cli/team.h"

#include "cli/process.h"
#include "cli/restart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A worker that left of itself is started again after this, if the coordinator still runs then. */
enum { LEFT_PAUSE_MS = 5000 };

struct member {
    struct process process;
    struct restart restart;
    char name[32];    /* "the coordinator", "worker 3" */
    bool wanted;      /* runs, or is to be started at restart.next_ms */
    int64_t asked_ms; /* when it was asked to leave; −1: not yet */
};

struct team {
    struct team_settings settings;
    struct member coordinator;
    struct member *workers;
    bool hurry;
};

static struct member member_named(const char *name, int number)
{
    struct member member = {.wanted = true, .asked_ms = -1};
    if (number)
        snprintf(member.name, sizeof member.name, "%s %d", name, number);
    else
        snprintf(member.name, sizeof member.name, "%s", name);
    return member;
}

struct team *team_new(const struct team_settings *settings)
{
    struct team *team = xcalloc(1, sizeof *team);
    team->settings = *settings;
    team->coordinator = member_named("the coordinator", 0);
    team->workers = xcalloc((size_t)settings->workers, sizeof *team->workers);
    for (int i = 0; i < settings->workers; i++)
        team->workers[i] = member_named("worker", i + 1);
    return team;
}

void team_destroy(struct team **team)
{
    if (!*team)
        return;
    for (int i = 0; i < (*team)->settings.workers; i++)
        process_kill(&(*team)->workers[i].process);
    process_kill(&(*team)->coordinator.process);
    free((*team)->workers);
    free(*team);
    *team = NULL;
}

/* It ended by itself and has said why: another start would say the same. */
static bool has_refused(const struct process *process)
{
    return WIFEXITED(process->wait_status) &&
           (WEXITSTATUS(process->wait_status) == 1 || WEXITSTATUS(process->wait_status) == 2);
}

static bool has_finished(const struct process *process)
{
    return WIFEXITED(process->wait_status) && WEXITSTATUS(process->wait_status) == 0;
}

/* 'actsearch stop' ended it. */
static bool was_ordered(const struct process *process)
{
    enum { STATUS_ORDERED = 3 }; /* coordinator/main.c */
    return WIFEXITED(process->wait_status) && WEXITSTATUS(process->wait_status) == STATUS_ORDERED;
}

static enum team_state member_died(struct team *team, struct member *member, int64_t now_ms,
                                   struct problem *problem)
{
    char how[64];
    process_end_text(&member->process, how);
    member->wanted = false;
    if (has_refused(&member->process)) {
        problem_set(problem, ERR_STOPPED, "%s ended: %s", member->name, how);
        return TEAM_FAILED;
    }
    if (!restart_died(&member->restart, now_ms)) {
        problem_set(problem, ERR_STOPPED, "%s ended %d times in a row, the last time: %s", member->name,
                    RESTART_TRIES, how);
        return TEAM_FAILED;
    }
    member->wanted = true;
    char *text = xasprintf("%s ended: %s; it is started again", member->name, how);
    team->settings.say(team->settings.context, text);
    free(text);
    return TEAM_RUNS;
}

/* Starts it where its time has come. */
static enum team_state member_start(const struct team *team, struct member *member, char *const *argv,
                                    int64_t now_ms, struct problem *problem)
{
    if (!member->wanted || process_runs(&member->process) || now_ms < member->restart.next_ms)
        return TEAM_RUNS;
    if (process_start(&member->process, argv, team->settings.output_fd, problem) != 0)
        return TEAM_FAILED;
    restart_started(&member->restart, now_ms);
    return TEAM_RUNS;
}

static enum team_state tend_coordinator(struct team *team, int64_t now_ms, struct problem *problem)
{
    struct member *coordinator = &team->coordinator;
    if (process_runs(&coordinator->process) && !process_poll(&coordinator->process)) {
        coordinator->wanted = false;
        if (has_finished(&coordinator->process))
            return TEAM_FINISHED;
        if (was_ordered(&coordinator->process))
            return TEAM_STOPPED;
        return member_died(team, coordinator, now_ms, problem);
    }
    return member_start(team, coordinator, team->settings.coordinator_argv, now_ms, problem);
}

static enum team_state tend_worker(struct team *team, struct member *worker, int64_t now_ms,
                                   struct problem *problem)
{
    if (process_runs(&worker->process) && !process_poll(&worker->process)) {
        if (!has_finished(&worker->process))
            return member_died(team, worker, now_ms, problem);
        /* It was told that all is done, and the coordinator will end in a moment; or else somebody asked it
         * to leave. */
        worker->restart.next_ms = now_ms + LEFT_PAUSE_MS;
    }
    if (access(team->settings.socket_path, F_OK) != 0)
        return TEAM_RUNS;
    return member_start(team, worker, team->settings.worker_argv, now_ms, problem);
}

enum team_state team_tend(struct team *team, int64_t now_ms, struct problem *problem)
{
    enum team_state state = tend_coordinator(team, now_ms, problem);
    for (int i = 0; i < team->settings.workers && state == TEAM_RUNS; i++)
        state = tend_worker(team, &team->workers[i], now_ms, problem);
    return state;
}

/* Asks it to leave, once, and kills it when it takes too long. True: it is gone. */
static bool member_stop(struct member *member, int64_t now_ms, int64_t patience_ms)
{
    member->wanted = false;
    if (!process_poll(&member->process))
        return true;
    if (member->asked_ms < 0) {
        member->asked_ms = now_ms;
        process_signal(&member->process, SIGTERM);
    } else if (now_ms - member->asked_ms >= patience_ms) {
        process_kill(&member->process);
        return true;
    }
    return false;
}

bool team_stop(struct team *team, int64_t now_ms, bool hurry)
{
    team->hurry |= hurry;
    bool workers_gone = true;
    for (int i = 0; i < team->settings.workers; i++)
        workers_gone &= member_stop(&team->workers[i], now_ms, team->hurry ? 0 : TEAM_PATIENCE_MS);
    if (!workers_gone && !team->hurry)
        return false;
    bool gone =
        member_stop(&team->coordinator, now_ms, team->hurry ? TEAM_PATIENCE_MS / 5 : TEAM_PATIENCE_MS);
    return gone && workers_gone;
}
