#include "coordinator/core_state.h"

#include "common/text.h"
#include "coordinator/consistent.h"
#include "coordinator/finals.h"
#include "coordinator/judge.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROPOSALS_PER_TURN = 256 }; /* so that a long run of duplicates does not hold up the messages */

/* ---- small tools ---- */

void core_set_now(struct core *core, int64_t now_ms)
{
    if (now_ms > core->now_ms)
        core->now_ms = now_ms;
}

struct core_send *core_send_to(struct core *core, uint64_t peer, enum msg_type type, int64_t attempt)
{
    if (core->send_count == core->send_capacity) {
        core->send_capacity = core->send_capacity == 0 ? 64 : core->send_capacity * 2;
        core->sends = xrealloc(core->sends, core->send_capacity, sizeof *core->sends);
    }
    struct core_send *item = &core->sends[core->send_count++];
    *item = (struct core_send){.peer = peer, .type = type, .attempt = attempt, .reason = ""};
    return item;
}

void core_send_bye(struct core *core, uint64_t peer, bool finished, const char *reason)
{
    struct core_send *item = core_send_to(core, peer, MSG_BYE, 0);
    item->finished = finished;
    item->reason = rows_keep(&core->changes, reason);
}

void core_note(struct core *core, const char *kind, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text_disarm(text); /* what workers have said is in it */
    struct event_row *event = rows_event(&core->changes);
    *event = (struct event_row){.at_ms = core->now_ms, .kind = kind, .text = rows_keep(&core->changes, text)};
}

const char *core_activation(const struct core *core, int64_t trial)
{
    return ledger_candidate(&core->ledger, ledger_trial(&core->ledger, trial)->candidate)->activation;
}

const char *core_host(const struct core *core, int64_t worker)
{
    return workers_row(&core->workers, worker)->host;
}

const char *core_first_host(const struct core *core, int64_t trial)
{
    const int64_t attempt = ledger_trial(&core->ledger, trial)->closed_by;
    return core_host(core, ledger_attempt(&core->ledger, attempt)->worker);
}

/* ---- the ends of a trial and of an attempt ---- */

void core_close_trial(struct core *core, int64_t trial, const struct trial_row *outcome)
{
    bool rewarded = ledger_close(&core->ledger, trial, outcome);
    propose_closed(&core->propose, trial, rewarded);
    if (outcome->closed_by != 0)
        judge_closed(core, trial);
}

/* Its lease has ended. */
static void lose_audit(struct core *core, int64_t trial, int64_t worker, bool counts, const char *reason)
{
    if (!audit_lost(&core->audit, trial, judge_hosts(core, trial), counts))
        core_note(core, "failure",
                  "trial %" PRId64
                  " (%.400s) is not audited: too many attempts were lost; the last, on %s: %s",
                  trial, core_activation(core, trial), core_host(core, worker), reason);
}

void core_lose_lease(struct core *core, int64_t attempt, enum attempt_state state, const char *reason)
{
    const struct lease *lease = lease_find(&core->leases, attempt);
    int64_t trial = lease->trial, worker = lease->worker;
    bool counts = state == ATTEMPT_LAPSED || state == ATTEMPT_FAILED;
    lease_end(&core->leases, attempt);
    ledger_end_attempt(&core->ledger, attempt, state, reason, core->now_ms);
    if (counts)
        workers_count_lost(&core->workers, worker, 1);
    if (!trial_is_open(ledger_trial(&core->ledger, trial))) {
        lose_audit(core, trial, worker, counts, reason);
        return;
    }
    int64_t lost = ledger_trial(&core->ledger, trial)->lost + counts;
    if (!counts || lost < core->experiment->queue.attempts) {
        ledger_ready(&core->ledger, trial, counts);
        queue_put(&core->queue, trial);
        return;
    }
    struct trial_row outcome = {.state = TRIAL_FAILED,
                                .lost = lost,
                                .closed_ms = core->now_ms,
                                .validation_loss = NAN,
                                .train_loss = NAN,
                                .seconds = NAN,
                                .images_per_second = NAN,
                                .cost_ns = NAN};
    core_note(core, "failure",
              "trial %" PRId64 " (%.400s) is given up after %" PRId64 " lost attempts; the last, on %s: %s",
              trial, core_activation(core, trial), lost, core_host(core, worker), reason);
    core_close_trial(core, trial, &outcome);
}

void core_leave(struct core *core, int64_t worker, const char *reason)
{
    const struct lease *lease;
    while ((lease = lease_of_worker(&core->leases, worker)))
        core_lose_lease(core, lease->attempt, ATTEMPT_RETURNED, reason);
    workers_disconnect(&core->workers, worker);
}

/* ---- time, proposals, leases
 * ------------------------------------------------------------------------------- */

static void expire(struct core *core)
{
    const struct lease *lease;
    while ((lease = lease_lapsed(&core->leases, core->now_ms))) {
        bool unclaimed = attempt_epoch(lease->attempt) != core->leases.epoch && !lease->heard;
        int64_t attempt = lease->attempt;
        if (!unclaimed)
            core_note(core, "lapse",
                      "nothing heard of trial %" PRId64 " (%.400s) on %s for %.0f s: it is queued again",
                      lease->trial, core_activation(core, lease->trial), core_host(core, lease->worker),
                      (double)core->leases.length_ms / 1000);
        core_lose_lease(core, attempt, unclaimed ? ATTEMPT_UNCLAIMED : ATTEMPT_LAPSED,
                        unclaimed ? "not claimed after the coordinator was started again"
                                  : "the worker fell silent");
    }
    int64_t worker, heard_ms = 0;
    while ((worker = workers_most_silent(&core->workers, &heard_ms)) != 0 &&
           heard_ms + core->experiment->queue.lease_ms <= core->now_ms)
        workers_disconnect(&core->workers, worker);
}

/* Nobody has asked it to pause or to stop. */
static bool may_lease(const struct core *core)
{
    return !core->kept.experiment.paused && !core->stopping && !core_finished(core);
}

/* Leases ready trials to those in the line, one at a time in turn. */
static void serve(struct core *core)
{
    int64_t worker;
    while (core->queue.count > 0 && (worker = workers_next(&core->workers)) != 0) {
        uint32_t group = workers_group_of(&core->workers, worker);
        if (lease_held(&core->leases, worker) >= workers_row(&core->workers, worker)->slots ||
            lease_group_held(&core->leases, group) >= KEY_MAX_LEASES) {
            /* It claimed an old attempt, or has fewer slots now, after it asked; or those of its key have
             * enough. */
            workers_want(&core->workers, worker, 0, core->now_ms);
            continue;
        }
        int64_t trial = queue_take(&core->queue);
        int64_t attempt = lease_grant(&core->leases, trial, worker, core->now_ms);
        ledger_lease(&core->ledger, attempt, trial, worker, core->now_ms);
        core_send_to(core, workers_peer(&core->workers, worker), MSG_LEASE, attempt);
    }
}

/* Nothing is open, and the search will propose nothing more. */
static bool search_is_done(const struct core *core)
{
    const struct counters_row *counters = &core->kept.counters;
    return core->propose.over && counters->ready + counters->leased == 0 && !core_finished(core);
}

/* Where the finals have trials that are not there yet, the experiment goes on with them. */
static void begin_finals(struct core *core)
{
    if (!search_is_done(core))
        return;
    int64_t added = finals_begin(core->experiment, &core->ledger, &core->queue);
    if (added > 0)
        core_note(core, "finals", "%s: the best are trained again, %" PRId64 " trials", core->propose.over,
                  added);
}

/* Second trainings, for workers that would be idle; a turn gives out at most what they want now. */
static void serve_audits(struct core *core)
{
    for (int64_t tries = core->workers.wanting; tries > 0 && core->audit.waiting > 0; tries--) {
        int64_t worker = workers_next(&core->workers);
        if (worker == 0)
            return;
        int64_t room = workers_row(&core->workers, worker)->slots - lease_held(&core->leases, worker);
        int64_t trial = room > 0 ? audit_take(&core->audit, core_host(core, worker)) : 0;
        if (trial == 0) { /* it still wants what it wanted, to the end of the line with it */
            workers_want(&core->workers, worker, room > 0 ? core->workers.items[worker].wanting + 1 : 0,
                         core->now_ms);
            continue;
        }
        int64_t attempt = lease_grant(&core->leases, trial, worker, core->now_ms);
        ledger_audit(&core->ledger, attempt, trial, worker, core->now_ms);
        core_send_to(core, workers_peer(&core->workers, worker), MSG_LEASE, attempt);
    }
}

/* Whether an audit is under way, or waits for the end of a pause, or for somebody who can do it: who is there and has
 * done something before, for as long as it takes; who was there a moment ago, or is there and has done nothing yet, for one
 * lease: the end must not depend on a peer that only says HELLO. */
static bool audits_go_on(struct core *core)
{
    if (core->audit.waiting == 0 || core->audit.under_way > 0) {
        core->alone_since_ms = 0;
        return core->audit.under_way > 0;
    }
    if (!may_lease(core)) {
        core->alone_since_ms = 0;
        return true;
    }
    bool hope = false;
    for (size_t i = 0; i < core->kept.workers.count; i++) {
        const struct worker_row *row = &core->kept.workers.items[i];
        if (row->shut_out_ms != 0 || !audit_has_for(&core->audit, row->host))
            continue;
        const bool proven = workers_proven(&core->workers, row->id);
        if (row->connected && proven) {
            core->alone_since_ms = 0;
            return true;
        }
        hope = hope || row->connected || proven;
    }
    if (hope && core->alone_since_ms == 0)
        core->alone_since_ms = core->now_ms;
    return hope && core->now_ms < core->alone_since_ms + core->leases.length_ms;
}

static void finish_if_done(struct core *core)
{
    const struct counters_row *counters = &core->kept.counters;
    if (!search_is_done(core)) {
        core->alone_since_ms = 0;
        return;
    }
    if (audits_go_on(core))
        return;
    if (core->audit.waiting > 0)
        core_note(core, "finish", "%" PRId64 " trials were not audited: no other host is there",
                  core->audit.waiting);
    if (disputes_open(&core->disputes) > 0)
        core_note(core, "difference",
                  "%" PRId64 " trials are in dispute, and no two hosts agree: what came first stands",
                  disputes_open(&core->disputes));
    assert(core->queue.count == 0 && core->leases.open == 0);
    core->kept.experiment.finished_because = core->propose.over;
    core->kept.experiment.finished_ms = core->now_ms;
    core->kept.experiment.paused = false; /* if it is made larger it goes on at once */
    core->changes.experiment_changed = true;
    core_note(core, "finish", "%s: %" PRId64 " candidates, %" PRId64 " proposals", core->propose.over,
              counters->candidates, counters->proposals);
    core->farewell_until_ms = core->now_ms + FAREWELL_MS;
    if (core->now_ms < core->started_ms + FAREWELL_MS)
        workers_miss_awaited(&core->workers);
    for (size_t i = 0; i < core->kept.workers.count; i++) {
        uint64_t peer = workers_peer(&core->workers, (int64_t)i + 1);
        if (peer != 0)
            core_send_bye(core, peer, true, core->propose.over);
    }
}

void core_advance(struct core *core, int64_t now_ms)
{
    core_set_now(core, now_ms);
    if (core_finished(core)) {
        core->more_to_do = false;
        if (core->now_ms >= core->farewell_until_ms)
            workers_forget_missed(&core->workers);
        return;
    }
    expire(core);
    const bool leasing = may_lease(core);
    const bool more = propose_fill(&core->propose, leasing ? (size_t)core->workers.wanting : 0,
                                   leasing ? PROPOSALS_PER_TURN : 0);
    core->more_to_do = more && leasing;
    begin_finals(core);
    if (leasing) {
        serve(core);
        serve_audits(core);
    }
    finish_if_done(core);
    assert((size_t)core->kept.counters.ready == core->queue.count);
    assert((size_t)(core->kept.counters.leased + core->audit.under_way) == core->leases.open);
}

int64_t core_next_ms(const struct core *core)
{
    if (core->more_to_do)
        return core->now_ms;
    if (core_finished(core))
        return core->farewell_until_ms;
    int64_t next_ms = lease_next_ms(&core->leases), heard_ms = 0;
    if (workers_most_silent(&core->workers, &heard_ms) != 0 &&
        heard_ms + core->experiment->queue.lease_ms < next_ms)
        next_ms = heard_ms + core->experiment->queue.lease_ms;
    if (core->alone_since_ms != 0 && core->alone_since_ms + core->leases.length_ms < next_ms)
        next_ms = core->alone_since_ms + core->leases.length_ms;
    return next_ms;
}

/* ---- what comes out
 * ---------------------------------------------------------------------------------------- */

const struct rows *core_rows(struct core *core)
{
    struct rows *changes = &core->changes;
    workers_write(&core->workers, changes);
    propose_write(&core->propose, core->now_ms);
    if (core->kept.counters.workers != core->workers.connected) {
        core->kept.counters.workers = core->workers.connected;
        changes->counters_changed = true;
    }
    changes->experiment = core->kept.experiment;
    changes->counters = core->kept.counters;
    return changes;
}

struct core_send *core_sends(struct core *core, size_t *ret_count)
{
    *ret_count = core->send_count;
    return core->sends;
}

bool core_knows(const struct core *core, uint64_t peer)
{
    return workers_at(&core->workers, peer) != 0;
}

const char *core_data_hash(const struct core *core)
{
    return core->kept.experiment.data_hash;
}

void core_offer(struct core *core, const char *data_hash, int64_t data_bytes)
{
    snprintf(core->offered, sizeof core->offered, "%s", data_hash);
    core->offered_bytes = data_bytes;
}

/* Whoever fetched another one than the experiment's would be refused with it. */
static bool is_offered(const struct core *core)
{
    const char *begun = core_data_hash(core);
    return core->offered[0] != '\0' && (begun[0] == '\0' || strcmp(begun, core->offered) == 0);
}

void core_message(const struct core *core, const struct core_send *send, struct msg *ret_msg)
{
    ret_msg->type = send->type;
    switch (send->type) {
    case MSG_WELCOME:
        ret_msg->welcome_ = (struct msg_welcome){.version = PROTO_VERSION,
                                                 .heartbeat_ms = core->experiment->queue.heartbeat_ms,
                                                 .lease_ms = core->experiment->queue.lease_ms};
        msg_put_text(ret_msg->welcome_.experiment, sizeof ret_msg->welcome_.experiment,
                     core->experiment->name);
        msg_put_text(ret_msg->welcome_.data, sizeof ret_msg->welcome_.data, core->experiment->child.data);
        if (is_offered(core)) {
            memcpy(ret_msg->welcome_.data_hash, core->offered, sizeof core->offered);
            ret_msg->welcome_.data_bytes = core->offered_bytes;
        }
        break;
    case MSG_LEASE: {
        struct msg_lease *lease = &ret_msg->lease_;
        const struct trial_row *trial =
            ledger_trial(&core->ledger, ledger_attempt(&core->ledger, send->attempt)->trial);
        *lease = (struct msg_lease){.attempt = send->attempt, .trial = trial->id, .seed = trial->seed};
        msg_put_text(lease->activation, sizeof lease->activation, core_activation(core, trial->id));
        struct child child = child_of_steps(&core->experiment->child, trial->steps);
        struct buf text = {0};
        child_print(&child, &text);
        msg_put_text(lease->child, sizeof lease->child, buf_text(&text));
        buf_release(&text);
        break;
    }
    case MSG_ACK:
        ret_msg->ack_ = (struct msg_ack){.attempt = send->attempt};
        break;
    case MSG_STALE:
        ret_msg->stale_ = (struct msg_stale){.attempt = send->attempt};
        break;
    case MSG_CANCEL:
        ret_msg->cancel_ = (struct msg_cancel){.attempt = send->attempt};
        break;
    case MSG_LEAVE:
        ret_msg->leave_ = (struct msg_leave){0};
        break;
    case MSG_WHO:
        ret_msg->who_ = (struct msg_who){0};
        break;
    case MSG_BYE:
        ret_msg->bye_ = (struct msg_bye){.finished = send->finished};
        msg_put_text(ret_msg->bye_.reason, sizeof ret_msg->bye_.reason, send->reason);
        break;
    default:
        assert(!"a message of the coordinator");
    }
}

void core_clear(struct core *core, int64_t now_ms)
{
    core_set_now(core, now_ms);
    rows_clear(&core->changes);
    for (size_t i = 0; i < core->send_count; i++) {
        const struct core_send *item = &core->sends[i];
        const bool told = item->type == MSG_BYE && item->finished;
        if (!item->unsent && !told)
            continue;
        core->more_to_do = true;
        if (item->type == MSG_LEASE && lease_find(&core->leases, item->attempt))
            core_lose_lease(core, item->attempt, ATTEMPT_RETURNED, "could not be sent");
        int64_t worker = workers_at(&core->workers, item->peer);
        if (worker != 0)
            (told && item->unsent ? workers_miss : workers_disconnect)(&core->workers, worker);
    }
    core->send_count = 0;
}

void core_stood_still(struct core *core, int64_t now_ms)
{
    int64_t before_ms = core->now_ms;
    core_set_now(core, now_ms);
    lease_extend(&core->leases, core->now_ms - before_ms);
    workers_excuse(&core->workers, core->now_ms - before_ms);
}

const char *core_finished(const struct core *core)
{
    return core->kept.experiment.finished_because[0] != '\0' ? core->kept.experiment.finished_because : NULL;
}

bool core_is_over(const struct core *core)
{
    return core_finished(core) && core->workers.connected == 0 && core->workers.changed_count == 0;
}

const struct counters_row *core_counters(const struct core *core)
{
    return &core->kept.counters;
}

/* ---- start
 * ------------------------------------------------------------------------------------------------- */

/* What was leased stays leased for a while, so that the workers can claim it. */
static void restore_leases(struct core *core)
{
    for (size_t i = 0; i < core->kept.attempts.count; i++) {
        const struct attempt_row *attempt = &core->kept.attempts.items[i];
        if (attempt->state == ATTEMPT_LEASED)
            lease_adopt(&core->leases, attempt->id, attempt->trial, attempt->worker, core->now_ms);
    }
}

static void pin_experiment(struct core *core)
{
    struct experiment_row *row = &core->kept.experiment;
    row->text = core->experiment_text; /* what may grow may have grown */
    row->target_candidates = core->experiment->search.candidates;
    row->epoch++;
    if (row->started_ms == 0)
        row->started_ms = core->now_ms;
    row->finished_because = "";
    row->finished_ms = 0;
    core->changes.experiment_changed = true;
    core->changes.counters_changed = true;
}

int core_new(const struct experiment *experiment, const struct space *space, struct rows *restored,
             int64_t now_ms, struct core **ret_core, struct problem *problem)
{
    int err = rows_consistent(restored, problem);
    if (!err && restored->experiment.epoch >= INT32_MAX)
        err = problem_set(problem, ERR_LIMIT, "this database was started too often");
    if (err) {
        rows_release(restored);
        return err;
    }
    struct core *core = xcalloc(1, sizeof *core);
    core->experiment = experiment;
    core->experiment_text = experiment_text(experiment);
    core->now_ms = core->started_ms = now_ms;
    core->farewell_until_ms = now_ms + FAREWELL_MS;
    core->kept = *restored;
    *restored = (struct rows){0};
    const bool over = core_finished(core) && strcmp(core->kept.experiment.text, core->experiment_text) == 0;
    workers_start(&core->workers, &core->kept, over);
    ledger_start(&core->ledger, &core->kept, &core->changes);
    err = propose_start(&core->propose, experiment, space, &core->ledger, &core->queue, &core->kept,
                        &core->changes, problem);
    if (err) {
        core_destroy(&core);
        return err;
    }
    if (!over)
        pin_experiment(core);
    core->leases = leases_start(core->kept.experiment.epoch, experiment->queue.lease_ms);
    restore_leases(core);
    core->audit.share = experiment->queue.audit;
    core->audit.losses_max = experiment->queue.attempts;
    judge_restore(core);
    if (!over)
        core_note(core, "start", "coordinator started, epoch %" PRId64, core->kept.experiment.epoch);
    *ret_core = core;
    return 0;
}

void core_destroy(struct core **core)
{
    if (!*core)
        return;
    propose_release(&(*core)->propose);
    ledger_release(&(*core)->ledger);
    workers_release(&(*core)->workers);
    audit_release(&(*core)->audit);
    judge_release(*core);
    leases_release(&(*core)->leases);
    queue_release(&(*core)->queue);
    rows_release(&(*core)->kept);
    rows_release(&(*core)->changes);
    free((*core)->experiment_text);
    free((*core)->sends);
    free(*core);
    *core = NULL;
}
