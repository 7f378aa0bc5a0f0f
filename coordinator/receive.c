/* What the core does with each message. */
#include "coordinator/core_state.h"

#include "common/hash.h"
#include "common/numerics.h"
#include "common/text.h"
#include "coordinator/judge.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void other_trainer(const char *of_worker, const char *of_experiment, char *ret_reason, size_t size)
{
    const bool built_in = strcmp(of_experiment, BUILT_IN_TRAINER) == 0;
    snprintf(ret_reason, size,
             "this worker trains with '%.100s', the experiment with '%.100s', and their results cannot be "
             "compared: start the worker %s%.100s",
             of_worker, of_experiment, built_in ? "without --trainer" : "with --trainer CMD --trainer-name ",
             built_in ? "" : of_experiment);
}

/* Why this worker cannot take part, in `ret_reason`; false where it can. */
static bool refusal(const struct core *core, const char *key, const struct msg_hello *hello, char *ret_reason,
                    size_t size)
{
    const struct experiment_row *experiment = &core->kept.experiment;
    if (hello->version != PROTO_VERSION)
        snprintf(ret_reason, size,
                 "this worker speaks protocol version %" PRId64 ", the coordinator version %d: "
                 "install the same release of actsearch on both",
                 hello->version, PROTO_VERSION);
    else if (hello->numerics != experiment->numerics)
        snprintf(ret_reason, size,
                 "this worker computes with numerics %" PRId64 ", the experiment with numerics %" PRId64
                 ": their results would differ in bits; install the same release of actsearch on both",
                 hello->numerics, experiment->numerics);
    else if (experiment->trainer[0] != '\0' && strcmp(hello->trainer, experiment->trainer) != 0)
        other_trainer(hello->trainer, experiment->trainer, ret_reason, size);
    else if (workers_unwelcome(&core->workers, hello->host, key))
        snprintf(
            ret_reason, size,
            "host %.100s has computed other bits than other hosts, and gets no more work: test its memory "
            "and compare its build; docs/reliability.md says how it gets in again",
            hello->host);
    else
        return false;
    return true;
}

/* A worker that is started again and again would fill the disk with its refusals. */
static void note_refusal(struct core *core, const char *host, int64_t pid, const char *reason)
{
    enum { REFUSALS_A_MINUTE = 10, MINUTE_MS = 60 * 1000 };
    if (core->now_ms - core->refusals_since_ms >= MINUTE_MS) {
        core->refusals_since_ms = core->now_ms;
        core->refusals_noted = 0;
    }
    if (core->refusals_noted++ < REFUSALS_A_MINUTE)
        core_note(core, "refusal", "worker on %s, process %" PRId64 ": %s", host, pid, reason);
}

/* The name under which a worker with a key is known: of both, so that another key cannot take it. Nothing
 * needs to be stored for it, and it is the same after a restart and on a new connection. */
static void name_under_key(const char *key, const char *name, char ret_name[33])
{
    char *both = xasprintf("%s %s", key, name);
    struct hash hash = hash_of(both, strlen(both));
    char hex[HASH_HEX];
    hash_hex(&hash, hex);
    memcpy(ret_name, hex, 32);
    ret_name[32] = '\0';
    free(both);
}

static void refuse(struct core *core, uint64_t peer, const struct msg_hello *hello, const char *reason)
{
    note_refusal(core, hello->host, hello->pid, reason);
    core_send_bye(core, peer, false, reason);
}

/* Too many of its kind are there, or known. */
static bool crowded(struct core *core, uint32_t group, const struct msg_hello *hello, char *ret_reason,
                    size_t size)
{
    const int64_t worker = workers_find(&core->workers, hello->worker);
    if (workers_group_connected(&core->workers, group) >= KEY_MAX_WORKERS &&
        (worker == 0 || workers_peer(&core->workers, worker) == 0))
        snprintf(ret_reason, size,
                 "%d workers with the key of this one are connected, and more are not allowed: give it a key "
                 "of its own",
                 KEY_MAX_WORKERS);
    else if (worker == 0 && core->kept.workers.count >= MAX_WORKERS_KNOWN)
        snprintf(ret_reason, size, "%d workers have joined this search, and more are not allowed",
                 MAX_WORKERS_KNOWN);
    else if (worker == 0 && !workers_may_join(&core->workers, group, core->now_ms))
        snprintf(
            ret_reason, size,
            "too many workers with the key of this one, or without one, have joined for the first time: %d "
            "may at once, and one a second after that; start it again later, or give it a key of its own",
            KEY_NEW_WORKERS);
    else
        return false;
    return true;
}

/* `key` is "" for a worker without one. */
static void on_hello(struct core *core, uint64_t peer, const char *key, struct msg_hello *hello)
{
    text_disarm(hello->worker); /* people will read all of it */
    text_disarm(hello->host);   /* and it is one line (audit.h) */
    text_disarm(hello->trainer);
    text_disarm(hello->kernels);
    text_disarm(hello->cpu);
    uint32_t group = key[0] != '\0' ? workers_group(&core->workers, key) : 0;
    char reason[480];
    if (core_finished(core)) {
        if (workers_find(&core->workers, hello->worker) != 0)
            workers_hello(&core->workers, peer, key, hello, core->now_ms);
        core_send_bye(core, peer, true, core->kept.experiment.finished_because);
        return;
    }
    if (refusal(core, key, hello, reason, sizeof reason) ||
        crowded(core, group, hello, reason, sizeof reason)) {
        refuse(core, peer, hello, reason);
        return;
    }
    size_t known = core->kept.workers.count;
    int64_t worker = workers_hello(&core->workers, peer, key, hello, core->now_ms);
    lease_group(&core->leases, worker, group);
    if (core->kept.workers.count > known)
        core_note(core, "worker", "worker on %s joined: %" PRId64 " slots, %s kernels, %s%s%.8s", hello->host,
                  hello->slots, hello->kernels, hello->cpu, group != 0 ? ", key " : "", key);
    core_send_to(core, peer, MSG_WELCOME, 0);
}

/* An attempt that was believed lost, of a trial that is ready, is leased to its worker again: it holds it
 * after all, or held it until now. */
static void claim_back(struct core *core, int64_t worker, const struct attempt_row *row)
{
    const bool lost = row->state == ATTEMPT_LAPSED || row->state == ATTEMPT_UNCLAIMED;
    if (!lost || ledger_trial(&core->ledger, row->trial)->state != TRIAL_READY)
        return;
    if (row->state == ATTEMPT_LAPSED)
        workers_count_lost(&core->workers, worker, -1);
    queue_remove(&core->queue, row->trial);
    lease_adopt(&core->leases, row->id, row->trial, worker, core->now_ms);
    lease_renew(&core->leases, row->id, core->now_ms);
    ledger_readopt(&core->ledger, row->id);
}

/* It says that it is alive, but nothing moves. */
static void lose_stalled(struct core *core, uint64_t peer, int64_t worker, const struct lease *lease)
{
    const int64_t attempt = lease->attempt;
    char reason[128];
    snprintf(reason, sizeof reason, "held for %.0f s without a further step (queue.stall)",
             (double)core->experiment->queue.stall_ms / 1000);
    core_note(core, "lapse", "trial %" PRId64 " (%.400s) on %s: %s; it is queued again", lease->trial,
              core_activation(core, lease->trial), core_host(core, worker), reason);
    core_lose_lease(core, attempt, ATTEMPT_FAILED, reason);
    workers_count_failure(&core->workers, worker, core->experiment->queue.heartbeat_ms, core->now_ms);
    core_send_to(core, peer, MSG_CANCEL, attempt);
}

/* The worker says that it holds this attempt. */
static void on_held(struct core *core, uint64_t peer, int64_t worker, int64_t attempt)
{
    const struct attempt_row *row = ledger_attempt(&core->ledger, attempt);
    if (!row || row->worker != worker) {
        core_send_to(core, peer, MSG_CANCEL, attempt);
        return;
    }
    const struct trial_row *trial = ledger_trial(&core->ledger, row->trial);
    const struct lease *lease = lease_find(&core->leases, attempt);
    if (lease && core->now_ms - lease->moved_ms >= core->experiment->queue.stall_ms) {
        lose_stalled(core, peer, worker, lease);
    } else if (lease) {
        lease_renew(&core->leases, attempt, core->now_ms);
    } else if (row->state == ATTEMPT_TAKEN || row->state == ATTEMPT_FAILED ||
               row->state == ATTEMPT_RETURNED) {
        core_send_to(core, peer, MSG_ACK, attempt); /* it has reported already, the answer was lost */
    } else if (!trial_is_open(trial)) {
        core_send_to(core, peer, MSG_CANCEL, attempt);
    } else {
        claim_back(core, worker, row);
    }
    /* Else another worker has it as well: whoever reports first is taken. */
}

/* The training goes on; no step beyond its last one counts. */
static void on_progress(struct core *core, uint64_t peer, int64_t worker, const struct msg_progress *progress)
{
    const struct lease *lease = lease_find(&core->leases, progress->attempt);
    if (lease && lease->worker == worker &&
        progress->step <= ledger_trial(&core->ledger, lease->trial)->steps)
        lease_move(&core->leases, progress->attempt, progress->step, core->now_ms);
    on_held(core, peer, worker, progress->attempt);
}

/* Pins data set and trainer where nothing is pinned yet. False where they are not those of the experiment:
 * the worker is told. */
static bool pin(struct core *core, uint64_t peer, int64_t worker, const char *data_hash)
{
    struct experiment_row *experiment = &core->kept.experiment;
    const struct worker_row *row = workers_row(&core->workers, worker);
    if (experiment->data_hash[0] == '\0') {
        experiment->data_hash = rows_keep(&core->kept, data_hash);
        core->changes.experiment_changed = true;
    }
    if (experiment->trainer[0] == '\0') {
        experiment->trainer = rows_keep(&core->kept, row->trainer);
        core->changes.experiment_changed = true;
    }
    char reason[480];
    if (strcmp(row->trainer, experiment->trainer) != 0)
        other_trainer(row->trainer, experiment->trainer, reason, sizeof reason);
    else if (strcmp(data_hash, experiment->data_hash) != 0)
        snprintf(reason, sizeof reason,
                 "the data set '%s' of this worker has content hash %.64s, the experiment's has %.64s: "
                 "they are not the same images",
                 core->experiment->child.data, data_hash, experiment->data_hash);
    else
        return true;
    note_refusal(core, row->host, row->pid, reason);
    core_send_bye(core, peer, false, reason);
    core_leave(core, worker, "the worker left");
    return false;
}

static void on_request(struct core *core, uint64_t peer, int64_t worker, const struct msg_request *request)
{
    if (core_finished(core)) {
        core_send_bye(core, peer, true, core->kept.experiment.finished_because);
        return;
    }
    if (request->data_hash[0] != '\0' && !pin(core, peer, worker, request->data_hash))
        return;
    for (int i = 0; i < request->holding_count; i++)
        on_held(core, peer, worker, request->holding[i]);
    int64_t room = workers_row(&core->workers, worker)->slots - lease_held(&core->leases, worker);
    int64_t wanting = request->free < room ? request->free : room;
    if (request->data_hash[0] == '\0' || wanting < 0)
        wanting = 0;
    workers_want(&core->workers, worker, wanting, core->now_ms);
    if (core->stopping)
        core_send_to(core, peer, MSG_LEAVE, 0);
}

/* The outcome that a RESULT reports; NULL in *ret_reason, or why it cannot be one. */
static struct trial_row outcome_of(const struct core *core, const struct msg_result *result,
                                   const char **ret_reason)
{
    bool diverged = result->diverged || !isfinite(result->validation_loss);
    *ret_reason = NULL;
    if (strcmp(result->data_hash, core->kept.experiment.data_hash) != 0)
        *ret_reason = "trained on another data set than the experiment's";
    else if (result->correct > result->validation_count)
        *ret_reason = "more images classified correctly than there are";
    else if (result->curve_step_count != result->curve_loss_count)
        *ret_reason = "a learning curve with more steps than losses, or fewer";
    return (struct trial_row){.state = diverged ? TRIAL_DIVERGED : TRIAL_DONE,
                              .closed_by = result->attempt,
                              .closed_ms = core->now_ms,
                              .step = result->step,
                              .correct = diverged ? 0 : result->correct,
                              .validation_count = result->validation_count,
                              .validation_loss = diverged ? NAN : result->validation_loss,
                              .train_loss = result->train_loss,
                              .parameters = result->parameters,
                              .betas = result->betas,
                              .seconds = result->seconds,
                              .images_per_second = result->images_per_second,
                              .cost_ns = result->cost_ns,
                              .peak_memory_bytes = result->peak_memory_bytes};
}

static void write_curve(struct core *core, const struct msg_result *result)
{
    if (result->curve_step_count == 0)
        return;
    struct curve_row *curve = rows_curve(&core->changes);
    curve->trial = result->trial;
    curve->count = result->curve_step_count;
    memcpy(curve->step, result->curve_step, (size_t)curve->count * sizeof *curve->step);
    memcpy(curve->loss, result->curve_loss, (size_t)curve->count * sizeof *curve->loss);
}

/* The first report of an open trial: it is closed, and whoever else works on it is told to stop. */
static void take_result(struct core *core, int64_t worker, const struct msg_result *result,
                        struct trial_row outcome)
{
    const struct lease *lease = lease_of_trial(&core->leases, result->trial);
    if (lease) {
        int64_t open = lease->attempt, holder = lease->worker;
        lease_end(&core->leases, open);
        if (open != result->attempt) {
            ledger_end_attempt(&core->ledger, open, ATTEMPT_CANCELLED,
                               "an earlier attempt reported after all", core->now_ms);
            if (workers_peer(&core->workers, holder) != 0)
                core_send_to(core, workers_peer(&core->workers, holder), MSG_CANCEL, open);
        }
    } else {
        queue_remove(&core->queue, result->trial);
    }
    outcome.lost = ledger_trial(&core->ledger, result->trial)->lost;
    ledger_end_attempt(&core->ledger, result->attempt, ATTEMPT_TAKEN, "", core->now_ms);
    write_curve(core, result);
    workers_count_result(&core->workers, worker);
    core_close_trial(core, result->trial, &outcome);
}

/* It was believed lost, and its trial is another's by now or closed: a late REQUEST must not bring it back.
 * The loss was counted already. */
static void end_lost(struct core *core, const struct attempt_row *row, enum attempt_state state,
                     const char *reason)
{
    if (row->state == ATTEMPT_LAPSED || row->state == ATTEMPT_UNCLAIMED)
        ledger_end_attempt(&core->ledger, row->id, state, reason, core->now_ms);
}

/* The attempt that a report is about, if it was really leased to this worker for that trial. */
static const struct attempt_row *reported(const struct core *core, int64_t worker, int64_t attempt,
                                          int64_t trial)
{
    const struct attempt_row *row = ledger_attempt(&core->ledger, attempt);
    return row && row->worker == worker && row->trial == trial ? row : NULL;
}

static void on_failure(struct core *core, uint64_t peer, int64_t worker, const struct msg_failure *failure)
{
    const struct attempt_row *row = reported(core, worker, failure->attempt, failure->trial);
    if (!row) {
        core_send_to(core, peer, MSG_STALE, failure->attempt);
        return;
    }
    char reason[sizeof failure->reason];
    memcpy(reason, failure->reason, sizeof reason);
    text_disarm(reason);
    claim_back(core, worker, row);
    if (lease_find(&core->leases, failure->attempt)) {
        core_lose_lease(core, failure->attempt, ATTEMPT_FAILED, reason);
        workers_count_failure(&core->workers, worker, core->experiment->queue.heartbeat_ms, core->now_ms);
    } else {
        end_lost(core, row, ATTEMPT_FAILED, reason);
    }
    core_send_to(core, peer, MSG_ACK, failure->attempt);
}

/* Its report of a closed trial was heard before. */
static bool was_judged(const struct attempt_row *row)
{
    return row->state == ATTEMPT_AGREED || row->state == ATTEMPT_DIFFERED || row->state == ATTEMPT_WITHDRAWN;
}

static void on_result(struct core *core, uint64_t peer, int64_t worker, const struct msg_result *result)
{
    const struct attempt_row *row = reported(core, worker, result->attempt, result->trial);
    if (!row) {
        core_send_to(core, peer, MSG_STALE, result->attempt);
        return;
    }
    const struct trial_row *trial = ledger_trial(&core->ledger, result->trial);
    if (trial->closed_by == result->attempt) {
        core_send_to(core, peer, MSG_ACK, result->attempt);
        return;
    }
    const char *reason;
    struct trial_row outcome = outcome_of(core, result, &reason);
    if (reason) {
        struct msg_failure failure = {.attempt = result->attempt, .trial = result->trial};
        snprintf(failure.reason, sizeof failure.reason, "%s", reason);
        on_failure(core, peer, worker, &failure);
        return;
    }
    if (trial_is_open(trial) && !was_judged(row)) {
        take_result(core, worker, result, outcome);
        core_send_to(core, peer, MSG_ACK, result->attempt);
        return;
    }
    bool taken = false;
    if (lease_find(&core->leases, result->attempt)) {
        lease_end(&core->leases, result->attempt);
        audit_done(&core->audit);
    }
    if (trial->state != TRIAL_FAILED && !was_judged(row) && !core_finished(core))
        taken = judge_report(core, worker, result->attempt, &outcome);
    if (taken)
        take_result(core, worker, result, outcome);
    core_send_to(core, peer, taken ? MSG_ACK : MSG_STALE, result->attempt);
}

static void on_return(struct core *core, uint64_t peer, int64_t worker, const struct msg_return *returned)
{
    const struct attempt_row *row = reported(core, worker, returned->attempt, returned->trial);
    if (!row) {
        core_send_to(core, peer, MSG_STALE, returned->attempt);
        return;
    }
    claim_back(core, worker, row);
    if (lease_find(&core->leases, returned->attempt))
        core_lose_lease(core, returned->attempt, ATTEMPT_RETURNED, "handed back");
    else
        end_lost(core, row, ATTEMPT_RETURNED, "handed back");
    core_send_to(core, peer, MSG_ACK, returned->attempt);
}

void core_hello(struct core *core, uint64_t peer, const char *key, const struct msg_hello *hello,
                int64_t now_ms)
{
    assert(peer != 0);
    core_set_now(core, now_ms);
    struct msg_hello named = *hello;
    name_under_key(key, hello->worker, named.worker);
    on_hello(core, peer, key, &named);
}

void core_revoke(struct core *core, const char *key, int64_t now_ms)
{
    core_set_now(core, now_ms);
    uint32_t group = workers_group(&core->workers, key);
    for (size_t i = 1; i <= core->kept.workers.count; i++) {
        int64_t worker = (int64_t)i;
        if (workers_group_of(&core->workers, worker) != group)
            continue;
        if (workers_peer(&core->workers, worker) != 0)
            core_note(core, "refusal", "worker on %s: its key is not in the allow-list any more",
                      core_host(core, worker));
        core_leave(core, worker, "its key is not allowed any more");
    }
}

void core_receive(struct core *core, uint64_t peer, const struct msg *msg, int64_t now_ms)
{
    assert(peer != 0);
    core_set_now(core, now_ms);
    if (msg->type == MSG_HELLO) {
        struct msg_hello hello = msg->hello_;
        on_hello(core, peer, "", &hello);
        return;
    }
    int64_t worker = workers_at(&core->workers, peer);
    if (worker == 0) {
        if (msg->type != MSG_BYE)
            core_send_to(core, peer, MSG_WHO, 0);
        return;
    }
    workers_heard(&core->workers, worker, core->now_ms);
    switch (msg->type) {
    case MSG_REQUEST:
        on_request(core, peer, worker, &msg->request_);
        break;
    case MSG_PROGRESS:
        on_progress(core, peer, worker, &msg->progress_);
        break;
    case MSG_RESULT:
        on_result(core, peer, worker, &msg->result_);
        break;
    case MSG_FAILURE:
        on_failure(core, peer, worker, &msg->failure_);
        break;
    case MSG_RETURN:
        on_return(core, peer, worker, &msg->return_);
        break;
    case MSG_BYE:
        core_leave(core, worker, "the worker left");
        break;
    default: /* what only a coordinator says; the shell has counted it as a bad message */
        break;
    }
}
