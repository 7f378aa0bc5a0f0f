#include "worker/daemon.h"

#include "common/data_cache.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/numerics.h"
#include "common/simd.h"
#include "proto/endpoint.h"
#include "proto/link.h"
#include "worker/agent.h"
#include "worker/answers.h"
#include "worker/checkpoints.h"
#include "worker/command.h"
#include "worker/dataset.h"
#include "worker/host.h"
#include "worker/nn/checkpoint.h"
#include "worker/slot.h"
#include "worker/trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGES_PER_TURN = 1000,
    MESSAGES_QUEUED = 4 * AGENT_MAX_SLOTS, /* by the socket, in each direction */
    EVENTS_PER_TURN = 64,
    LINGER_MS = 1000, /* how long the last messages may take to leave */
    SLEEP_MAX_MS = 60 * 1000,
    BAD_LOG_MS = 60 * 1000,
    REFUSED_LOG_MS = 60 * 1000,
    REPORTED_KEPT = 64,
};

/* A slot, and what is told about it. */
struct place {
    struct slot slot;
    const struct msg_lease *lease; /* borrowed from the agent while a trainer runs */
    struct hash identity;          /* of its training: the name of its checkpoint */
    bool resumed;                  /* there is such a checkpoint */
    bool stopped;                  /* its outcome is of no interest */
    bool first_step_logged;
};

/* An attempt whose outcome is told, but perhaps not yet known to the coordinator: its checkpoint is kept
 * until then. */
struct reported {
    int64_t attempt; /* 0: none */
    struct hash identity;
};

struct daemon {
    const struct daemon_settings *settings;
    char *cache_dir;
    struct key key; /* where there is one */
    struct link *link;
    int signals;
    struct agent *agent;
    struct dataset *dataset;
    bool data_told; /* what has become of the data set */
    struct slot_setup setup;
    struct place *places;
    char data_hash[HASH_HEX];  /* of the data set that is open */
    struct trial_table *table; /* NULL: every trial is trained */
    struct reported reported[REPORTED_KEPT];
    unsigned reported_next; /* the oldest, which gives way: its checkpoint is left to its age */
    struct msg message;     /* the one at hand: too large for the stack of a deep call */
    struct buf bytes;
    int64_t bad, bad_logged_ms;
    bool greeting_logged, silence_logged;
    int64_t refused_logged_ms; /* 0: not since the link was open */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- start ---- */

int daemon_default_slots(void)
{
    int cpus = host_cpus();
    return cpus < AGENT_MAX_SLOTS ? cpus : AGENT_MAX_SLOTS;
}

int daemon_check(const struct daemon_settings *settings, struct problem *problem)
{
    const char *endpoint = settings->endpoint;
    int err = endpoint_check(endpoint, problem);
    if (err)
        return err;
    const char *port = strrchr(endpoint, ':') + 1;
    if (strncmp(endpoint, "tcp://", 6) == 0 && (strcmp(port, "*") == 0 || strspn(port, "0") == strlen(port)))
        return problem_set(problem, ERR_INPUT,
                           "%s: expected the port at which the coordinator listens, not '%s'", endpoint,
                           port);
    if (settings->key_file || settings->insecure || endpoint_is_local(endpoint))
        return 0;
    return problem_set(
        problem, ERR_INPUT,
        "%s is on another machine, and nothing on the way is encrypted or proves who is there: give --key "
        "FILE, a key that the coordinator knows, or say --insecure where you trust the whole network",
        endpoint);
}

static int open_link(struct daemon *daemon, struct problem *problem)
{
    const char *file = daemon->settings->key_file;
    int err = file ? key_read(file, KEY_WORKER, &daemon->key, problem) : 0;
    if (err == ERR_NOT_FOUND) {
        size_t used = strlen(problem->text);
        snprintf(problem->text + used, sizeof problem->text - used,
                 "; 'actsearch keygen DIR' on the coordinator's host makes keys, DIR/worker.key among them");
    }
    struct link_settings link = {.endpoint = daemon->settings->endpoint,
                                 .key = file ? &daemon->key : NULL,
                                 .queued = MESSAGES_QUEUED,
                                 .linger_ms = LINGER_MS};
    return err ? err : link_connect(&link, &daemon->link, problem);
}

static const char *trainer_name(const struct daemon_settings *settings)
{
    if (settings->trainer)
        return settings->trainer;
    return settings->command ? DAEMON_OWN_TRAINER : BUILT_IN_TRAINER;
}

static struct msg_hello hello_of(const struct daemon_settings *settings)
{
    struct msg_hello hello = {
        .version = PROTO_VERSION, .numerics = NUMERICS, .pid = getpid(), .slots = settings->slots};
    uint8_t name[16];
    random_bytes(name, sizeof name);
    for (size_t i = 0; i < sizeof name; i++)
        snprintf(hello.worker + 2 * i, 3, "%02x", name[i]);
    char text[256];
    host_name(text, sizeof text);
    msg_put_text(hello.host, sizeof hello.host, text);
    host_cpu_model(text, sizeof text);
    msg_put_text(hello.cpu, sizeof hello.cpu, text);
    msg_put_text(hello.trainer, sizeof hello.trainer, trainer_name(settings));
    msg_put_text(hello.kernels, sizeof hello.kernels, simd_path_name(simd_path()));
    return hello;
}

int daemon_new(const struct daemon_settings *settings, struct daemon **ret_daemon, struct problem *problem)
{
    int err = daemon_check(settings, problem);
    if (err)
        return err;
    struct daemon *daemon = xcalloc(1, sizeof *daemon);
    daemon->settings = settings;
    daemon->cache_dir = data_cache_dir(settings->cache_dir);
    daemon->places = xcalloc((size_t)settings->slots, sizeof *daemon->places);
    daemon->signals = -1;
    daemon->setup =
        (struct slot_setup){.program = "/proc/self/exe", /* the same build, even if the file was replaced */
                            .command = settings->command,
                            .cache_dir = daemon->cache_dir,
                            .memory_bytes = host_memory_for(settings->slots),
                            .stall_ms = settings->stall_ms,
                            .epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct msg_hello hello = hello_of(settings);
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    daemon->agent = agent_new(&hello, rng_seed(seed, "agent", 0), now_ms());
    if (settings->give_up_ms > 0)
        agent_give_up_after(daemon->agent, settings->give_up_ms);
    daemon->dataset = dataset_new(daemon->cache_dir, rng_seed(seed, "dataset", 0));
    if (daemon->setup.epoll < 0)
        err = problem_set(problem, ERR_IO, "epoll: %s", strerror(errno));
    if (!err && settings->table)
        err = answers_open(settings->table, &daemon->table, problem);
    if (!err)
        err = host_allow_descriptors(4 * settings->slots + 64, problem);
    if (!err)
        err = link_take_signals(&daemon->signals, problem);
    if (!err)
        err = open_link(daemon, problem);
    if (err) {
        daemon_destroy(&daemon);
        return err;
    }
    checkpoints_tidy(daemon->cache_dir, (int64_t)time(NULL));
    log_debug("worker %.8s on %s: %d slots, %s kernels, cache %s", hello.worker, hello.host, settings->slots,
              hello.kernels, daemon->cache_dir);
    *ret_daemon = daemon;
    return 0;
}

void daemon_destroy(struct daemon **daemon)
{
    if (!*daemon)
        return;
    link_destroy(&(*daemon)->link);
    key_wipe(&(*daemon)->key);
    if ((*daemon)->signals >= 0)
        close((*daemon)->signals);
    if ((*daemon)->setup.epoll >= 0)
        close((*daemon)->setup.epoll);
    agent_destroy(&(*daemon)->agent);
    dataset_destroy(&(*daemon)->dataset);
    trial_table_destroy(&(*daemon)->table);
    buf_release(&(*daemon)->bytes);
    free((*daemon)->places);
    free((*daemon)->cache_dir);
    free(*daemon);
    *daemon = NULL;
}

/* ---- messages ---- */

static void count_bad(struct daemon *daemon, const char *why)
{
    daemon->bad++;
    if (daemon->bad > 1 && now_ms() - daemon->bad_logged_ms < BAD_LOG_MS)
        return;
    daemon->bad_logged_ms = now_ms();
    log_warning("bad message from %s: %s (%" PRId64 " so far)", daemon->settings->endpoint, why, daemon->bad);
}

/* The first greeting, and the first after a long silence, is worth a line. */
static void log_received(struct daemon *daemon, const struct msg *msg)
{
    if (msg->type == MSG_WELCOME && (!daemon->greeting_logged || daemon->silence_logged)) {
        log_info("connected to %s: experiment '%s', %d slots here", daemon->settings->endpoint,
                 msg->welcome_.experiment, daemon->settings->slots);
        daemon->greeting_logged = true;
    }
    daemon->silence_logged = false;
}

/* The coordinator has the outcome of that attempt, or does not want it. */
static void drop_checkpoint_of(struct daemon *daemon, int64_t attempt)
{
    for (int i = 0; i < REPORTED_KEPT; i++)
        if (daemon->reported[i].attempt == attempt && attempt != 0) {
            checkpoints_drop(daemon->cache_dir, &daemon->reported[i].identity);
            daemon->reported[i].attempt = 0;
        }
}

/* Gives one message to the agent. False where none is there. */
static bool receive_one(struct daemon *daemon)
{
    struct link_message message;
    enum link_receipt receipt = link_receive(daemon->link, &message);
    if (receipt == LINK_NOTHING)
        return false;
    struct problem problem = {0};
    if (receipt == LINK_BAD) {
        count_bad(daemon, message.data);
    } else if (msg_decode(message.data, message.size, &daemon->message, &problem) != 0) {
        count_bad(daemon, problem.text);
    } else {
        log_received(daemon, &daemon->message);
        if (daemon->message.type == MSG_ACK)
            drop_checkpoint_of(daemon, daemon->message.ack_.attempt);
        else if (daemon->message.type == MSG_STALE)
            drop_checkpoint_of(daemon, daemon->message.stale_.attempt);
        else if (daemon->message.type == MSG_WELCOME)
            dataset_greeted(daemon->dataset);
        else if (daemon->message.type == MSG_CHUNK)
            dataset_receive(daemon->dataset, &daemon->message.chunk_, now_ms());
        agent_receive(daemon->agent, &daemon->message, now_ms());
    }
    return true;
}

static void send_message(struct daemon *daemon, const struct msg *msg)
{
    buf_clear(&daemon->bytes);
    msg_encode(msg, &daemon->bytes);
    if (!link_send(daemon->link, 0, daemon->bytes.data, daemon->bytes.size))
        log_debug("%s not sent: the link takes no more", msg_type_name(msg->type));
}

/* ---- the link ---- */

/* Why the coordinator does not take us, once a minute: a worker may wait for days for a key to be allowed. */
static void log_refused(struct daemon *daemon, enum link_news news)
{
    const char *why =
        news == LINK_REFUSED          ? "not accepted: is the key in the coordinator's allow-list?"
        : !daemon->settings->key_file ? "it hung up: does it ask for a key (--key FILE)?"
        : news == LINK_MISMATCH
            ? "it uses no keys: was it started with --keys?"
            : "it hung up: is it the coordinator of the key file, and was it started with --keys?";
    if (daemon->refused_logged_ms != 0 && now_ms() - daemon->refused_logged_ms < REFUSED_LOG_MS)
        return;
    daemon->refused_logged_ms = now_ms();
    log_warning("%s: %s Trying again", daemon->settings->endpoint, why);
}

static void read_news(struct daemon *daemon)
{
    enum link_news news = link_news(daemon->link);
    if (news == LINK_OPEN)
        daemon->refused_logged_ms = 0;
    if (news == LINK_NO_NEWS || news == LINK_OPEN)
        return;
    log_refused(daemon, news);
    if (news != LINK_BROKEN)
        agent_refused(daemon->agent, now_ms());
}

static int reconnect(struct daemon *daemon, struct problem *problem)
{
    if (!daemon->silence_logged && daemon->refused_logged_ms == 0)
        log_warning("nothing heard from %s for a while: trying again with new connections",
                    daemon->settings->endpoint);
    daemon->silence_logged = true;
    return link_renew(daemon->link, problem);
}

/* ---- trainers ---- */

static void log_outcome(const struct place *place, const struct msg *outcome)
{
    const struct msg_lease *lease = place->lease;
    const struct msg_result *result = &outcome->result_;
    char words[320];
    slot_words(&place->slot, words, sizeof words);
    if (words[0] && outcome->type != MSG_FAILURE)
        log_warning("trial %" PRId64 "  %s  says: %s", lease->trial, lease->activation, words);
    if (outcome->type == MSG_RETURN)
        log_info("trial %" PRId64 "  %s  stopped after step %" PRId64, lease->trial, lease->activation,
                 place->slot.step);
    else if (place->stopped)
        log_debug("trial %" PRId64 "  %s  stopped", lease->trial, lease->activation);
    else if (outcome->type == MSG_FAILURE)
        log_warning("trial %" PRId64 "  %s  failed: %s", lease->trial, lease->activation,
                    outcome->failure_.reason);
    else if (result->diverged)
        log_info("trial %" PRId64 "  %s  diverged at step %" PRId64 ", %.1f s", lease->trial,
                 lease->activation, result->step, result->seconds);
    else
        log_info("trial %" PRId64 "  %s  %.2f %% after %" PRId64 " steps, %.1f s", lease->trial,
                 lease->activation, 100.0 * (double)result->correct / (double)result->validation_count,
                 result->step, result->seconds);
}

/* True where no trainer is needed: the outcome is in the table, or the table says that no trial of this
 * experiment can be done here. */
static bool answer(struct daemon *daemon, int index, const struct msg_lease *lease)
{
    struct problem problem = {0};
    const int found =
        daemon->table ? answers_find(daemon->table, lease, daemon->data_hash, &daemon->message, &problem) : 0;
    if (found == 0)
        return false;
    if (found > 0) {
        log_debug("trial %" PRId64 "  %s  is in the table", lease->trial, lease->activation);
        agent_ended(daemon->agent, index, &daemon->message, now_ms());
        return true;
    }
    char *reason = xasprintf("%s: %s", daemon->settings->table, problem.text);
    daemon->message = (struct msg){.type = MSG_RETURN};
    agent_ended(daemon->agent, index, &daemon->message, now_ms());
    agent_unfit(daemon->agent, reason, now_ms());
    free(reason);
    return true;
}

static void start_trainer(struct daemon *daemon, int index, const struct msg_lease *lease)
{
    struct place *place = &daemon->places[index];
    struct problem problem = {0};
    place->lease = lease;
    place->stopped = place->first_step_logged = false;
    place->identity =
        checkpoint_identity(lease->activation, lease->child, (uint64_t)lease->seed, daemon->data_hash);
    int checkpoint = checkpoints_open(daemon->cache_dir, &place->identity);
    place->resumed = checkpoint >= 0;
    int err =
        slot_start(&place->slot, (uint32_t)index, &daemon->setup, lease, checkpoint, now_ms(), &problem);
    if (checkpoint >= 0)
        close(checkpoint);
    if (!err)
        return;
    daemon->message = (struct msg){.type = MSG_FAILURE};
    msg_put_text(daemon->message.failure_.reason, sizeof daemon->message.failure_.reason, problem.text);
    log_outcome(place, &daemon->message);
    agent_ended(daemon->agent, index, &daemon->message, now_ms());
}

/* The trainer was asked to stop, by us or by whoever stops this machine. */
static void keep_checkpoint(struct daemon *daemon, struct place *place)
{
    struct problem problem;
    const size_t size = slot_saved(&place->slot);
    if (daemon->settings->command)
        return; /* what it keeps, it keeps itself */
    if (size == 0)
        log_warning("trial %" PRId64 "  left no checkpoint", place->lease->trial);
    else if (checkpoints_put(daemon->cache_dir, &place->identity, place->slot.job, TRIAL_CHECKPOINT_AT, size,
                             &problem) != 0)
        log_warning("trial %" PRId64 "  will start anew: %s", place->lease->trial, problem.text);
    slot_release(&place->slot);
    checkpoints_tidy(daemon->cache_dir, (int64_t)time(NULL));
}

static void trainer_ended(struct daemon *daemon, int index, struct place *place)
{
    log_outcome(place, &daemon->message);
    if (daemon->message.type == MSG_RETURN)
        keep_checkpoint(daemon, place);
    else if (place->resumed && !place->stopped)
        daemon->reported[daemon->reported_next++ % REPORTED_KEPT] =
            (struct reported){place->lease->attempt, place->identity};
    agent_ended(daemon->agent, index, &daemon->message, now_ms());
}

static void read_trainer(struct daemon *daemon, int index)
{
    struct place *place = &daemon->places[index];
    struct slot *slot = &place->slot;
    enum slot_news news = slot_read(slot, &daemon->setup, now_ms(), &daemon->message);
    if (slot->first_step_ms >= 0 && !place->first_step_logged) {
        place->first_step_logged = true;
        log_debug("trial %" PRId64 "  %s  first step after %" PRId64 " ms", slot->trial,
                  place->lease->activation, slot->first_step_ms);
    }
    if (news == SLOT_MOVED)
        agent_progress(daemon->agent, index, slot->step, slot->train_loss);
    if (news == SLOT_ENDED)
        trainer_ended(daemon, index, place);
}

static void read_trainers(struct daemon *daemon)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(daemon->setup.epoll, events, EVENTS_PER_TURN, 0);
    for (int i = 0; i < count; i++)
        read_trainer(daemon, (int)events[i].data.u32);
    for (int i = 0; i < daemon->settings->slots; i++)
        if (now_ms() >= slot_next_ms(&daemon->places[i].slot, &daemon->setup))
            read_trainer(daemon, i);
}

/* ---- the data set ---- */

/* Tells the agent, once, what has become of the data set that it asked for. */
static void tell_data(struct daemon *daemon, enum dataset_state state)
{
    const char *name = dataset_name(daemon->dataset), *hash = dataset_hash(daemon->dataset);
    if (daemon->data_told || (state != DATASET_OPEN && state != DATASET_FAILED))
        return;
    daemon->data_told = true;
    if (state == DATASET_OPEN) {
        log_debug("data set '%s': %.16s", name, hash);
        snprintf(daemon->data_hash, sizeof daemon->data_hash, "%s", hash);
        agent_data(daemon->agent, name, hash, NULL, now_ms());
    } else {
        agent_data(daemon->agent, name, NULL, dataset_reason(daemon->dataset), now_ms());
    }
}

/* The data of the user's own trainer are its own business. */
static void want_data(struct daemon *daemon, const struct agent_action *action)
{
    if (!daemon->settings->command) {
        dataset_want(daemon->dataset, action->data, action->data_hash, action->data_bytes);
        daemon->data_told = false;
        return;
    }
    char *name = xstrdup(action->data); /* the agent's own, which it may let go */
    const struct hash hash = command_data_hash(name);
    hash_hex(&hash, daemon->data_hash);
    agent_data(daemon->agent, name, daemon->data_hash, NULL, now_ms());
    free(name);
}

static void tend_data(struct daemon *daemon)
{
    if (agent_left(daemon->agent) != AGENT_STAYS)
        return;
    tell_data(daemon, dataset_turn(daemon->dataset, now_ms()));
    daemon->message.type = MSG_FETCH;
    while (agent_greeted(daemon->agent) && dataset_next(daemon->dataset, now_ms(), &daemon->message.fetch_))
        send_message(daemon, &daemon->message);
}

/* ---- the turn ---- */

static int act(struct daemon *daemon, struct problem *problem)
{
    struct agent_action action;
    int err = 0;
    while (!err && agent_next(daemon->agent, now_ms(), &action, &daemon->message))
        switch (action.type) {
        case AGENT_SEND:
            send_message(daemon, &daemon->message);
            break;
        case AGENT_START:
            if (!answer(daemon, action.slot, action.lease))
                start_trainer(daemon, action.slot, action.lease);
            break;
        case AGENT_HALT:
            daemon->places[action.slot].stopped = true;
            slot_halt(&daemon->places[action.slot].slot);
            break;
        case AGENT_STOP:
            daemon->places[action.slot].stopped = true;
            slot_stop(&daemon->places[action.slot].slot);
            break;
        case AGENT_DATA:
            want_data(daemon, &action);
            break;
        case AGENT_RECONNECT:
            err = reconnect(daemon, problem);
            break;
        }
    return err;
}

static int sleep_until_needed(struct daemon *daemon, struct problem *problem)
{
    int64_t until_ms = agent_next_ms(daemon->agent);
    const int64_t data_ms = dataset_next_ms(daemon->dataset, agent_greeted(daemon->agent));
    if (agent_left(daemon->agent) == AGENT_STAYS && data_ms < until_ms)
        until_ms = data_ms;
    for (int i = 0; i < daemon->settings->slots; i++) {
        int64_t other_ms = slot_next_ms(&daemon->places[i].slot, &daemon->setup);
        until_ms = other_ms < until_ms ? other_ms : until_ms;
    }
    int64_t sleep_ms = until_ms - now_ms();
    sleep_ms = sleep_ms < 0 ? 0 : sleep_ms > SLEEP_MAX_MS ? SLEEP_MAX_MS : sleep_ms;
    const int fds[] = {daemon->signals, daemon->setup.epoll};
    int err = link_wait(daemon->link, fds, 2, sleep_ms, problem);
    for (int signal; !err && (signal = link_signal(daemon->signals)) != 0;) {
        log_info("signal %d: saving and handing back %d trials", signal, agent_busy(daemon->agent));
        agent_stop(daemon->agent, now_ms());
    }
    return err;
}

/* The way out after an error of the socket: no trainer is left behind. */
static void end_trainers(struct daemon *daemon)
{
    for (int i = 0; i < daemon->settings->slots; i++)
        slot_end(&daemon->places[i].slot);
}

int daemon_run(struct daemon *daemon, struct problem *problem)
{
    int err = 0;
    while (!err) {
        for (int i = 0; i < MESSAGES_PER_TURN && receive_one(daemon); i++)
            continue;
        read_news(daemon);
        read_trainers(daemon);
        tend_data(daemon);
        err = act(daemon, problem);
        if (!err && agent_left(daemon->agent) != AGENT_STAYS && agent_busy(daemon->agent) == 0)
            break;
        if (!err)
            err = sleep_until_needed(daemon, problem);
    }
    end_trainers(daemon);
    if (err)
        return err;
    if (agent_left(daemon->agent) == AGENT_REFUSED)
        return problem_set(problem, ERR_CONFLICT, "%s", agent_reason(daemon->agent));
    log_info("leaves: %s", agent_reason(daemon->agent));
    return 0;
}
