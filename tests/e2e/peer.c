/* peer: the other side of a conversation, for bad_input.sh, keys.sh and preempt.sh.
 *
 * peer worker ENDPOINT VERSION [KEY]
 *     says HELLO with that protocol version and prints what is answered
 *
 * peer coordinator ENDPOINT REASON
 *     binds, answers the first HELLO with BYE (not finished) for that reason
 *
 * peer trial ENDPOINT ACTIVATION STEPS
 *     binds, has one trial trained on Fashion-MNIST, leases it again when it is handed back, and prints a
 *     line for all that it hears of it
 *
 * peer thief ENDPOINT KEY OTHER
 *     the worker of KEY gets a lease; OTHER's says that it is that worker, and reports for it; prints what
 *     each is answered
 *
 * Exit status 0 when the conversation took place, 1 otherwise (nobody answered in time, or the other end
 * hung up).
 */
#include "common/child.h"
#include "common/err.h"
#include "common/numerics.h"
#include "proto/link.h"
#include "proto/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_MS = 20000 };

static const char DATA_HASH[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next message; false where none comes, or a worker's link is not let in. */
static bool receive(struct link *link, bool worker, uint64_t *ret_peer, struct msg *ret_msg)
{
    struct problem problem = {0};
    for (int64_t end_ms = now_ms() + PATIENCE_MS; now_ms() < end_ms;) {
        struct link_message message;
        enum link_receipt receipt = link_receive(link, &message);
        if (receipt != LINK_NOTHING) {
            *ret_peer = message.peer;
            return receipt == LINK_MESSAGE && msg_decode(message.data, message.size, ret_msg, &problem) == 0;
        }
        enum link_news news = worker ? link_news(link) : LINK_NO_NEWS;
        if (news != LINK_NO_NEWS && news != LINK_OPEN)
            return false;
        if (link_wait(link, NULL, 0, 100, &problem) != 0)
            return false;
    }
    return false;
}

static void say(struct link *link, uint64_t peer, const struct msg *msg)
{
    struct buf bytes = {0};
    msg_encode(msg, &bytes);
    link_send(link, peer, bytes.data, bytes.size);
    buf_release(&bytes);
}

/* NULL with a word on stderr where the file cannot be used; "" for none. */
static struct link *connect_with(const char *endpoint, const char *file, struct key *key)
{
    struct link *link = NULL;
    struct problem problem = {0};
    struct link_settings settings = {.endpoint = endpoint, .queued = 100, .linger_ms = 0};
    int err = 0;
    if (file[0] != '\0') {
        err = key_read(file, KEY_WORKER, key, &problem);
        settings.key = key;
    }
    if (!err)
        err = link_connect(&settings, &link, &problem);
    if (err)
        fprintf(stderr, "peer: %s\n", problem.text);
    return link;
}

static struct msg hello(int64_t version)
{
    return (struct msg){.type = MSG_HELLO,
                        .hello_ = {.version = version,
                                   .numerics = NUMERICS,
                                   .worker = "0123456789abcdef0123456789abcdef",
                                   .host = "elsewhere",
                                   .pid = 1,
                                   .slots = 1,
                                   .trainer = "actsearch",
                                   .kernels = "portable",
                                   .cpu = "none"}};
}

static int speak_as_worker(const char *endpoint, const char *version, const char *file)
{
    static struct msg msg;
    struct key key = {0};
    uint64_t peer;
    msg = hello(atoll(version));
    struct link *link = connect_with(endpoint, file, &key);
    bool answered = false;
    if (link) {
        say(link, 0, &msg);
        answered = receive(link, true, &peer, &msg);
    }
    if (answered)
        printf("%s: %s\n", msg_type_name(msg.type), msg.type == MSG_BYE ? msg.bye_.reason : "");
    link_destroy(&link);
    key_wipe(&key);
    return answered ? 0 : 1;
}

static int speak_as_coordinator(const char *endpoint, const char *reason)
{
    static struct msg msg;
    struct problem problem = {0};
    struct link *link = NULL;
    struct link_settings settings = {.endpoint = endpoint, .queued = 100, .linger_ms = PATIENCE_MS};
    uint64_t peer = 0;
    bool asked = link_bind(&settings, &link, &problem) == 0 && receive(link, false, &peer, &msg) &&
                 msg.type == MSG_HELLO;
    if (asked) {
        msg = (struct msg){.type = MSG_BYE};
        snprintf(msg.bye_.reason, sizeof msg.bye_.reason, "%s", reason);
        say(link, peer, &msg);
    }
    link_destroy(&link);
    return asked ? 0 : 1;
}

/* What is answered to one message about the trial. True where that was the RESULT. */
static bool answer_about_trial(struct link *link, uint64_t peer, const struct msg *msg,
                               const struct msg_lease *trial, int64_t *attempt, bool *out)
{
    struct msg reply = {.type = MSG_ACK};
    bool ended = false;
    switch (msg->type) {
    case MSG_HELLO:
        reply = (struct msg){.type = MSG_WELCOME,
                             .welcome_ = {.version = PROTO_VERSION,
                                          .experiment = "one",
                                          .data = "fashion-mnist",
                                          .heartbeat_ms = 100,
                                          .lease_ms = 10000}};
        break;
    case MSG_REQUEST:
        if (msg->request_.free == 0 || *out)
            return false;
        *out = true;
        reply.type = MSG_LEASE;
        reply.lease_ = *trial;
        reply.lease_.attempt = ++*attempt;
        printf("leased\n");
        break;
    case MSG_PROGRESS:
        printf("progress %lld\n", (long long)msg->progress_.step);
        return false;
    case MSG_RETURN:
        printf("returned\n");
        *out = false;
        reply.ack_.attempt = msg->return_.attempt;
        break;
    case MSG_RESULT:
        printf("result %lld steps, %lld correct, loss %a %a\n", (long long)msg->result_.step,
               (long long)msg->result_.correct, msg->result_.validation_loss, msg->result_.train_loss);
        reply.ack_.attempt = msg->result_.attempt;
        ended = true;
        break;
    case MSG_FAILURE:
        printf("failure %s\n", msg->failure_.reason);
        *out = false;
        reply.ack_.attempt = msg->failure_.attempt;
        break;
    default:
        return false;
    }
    say(link, peer, &reply);
    return ended;
}

static struct msg_lease trial_of(const char *activation, const char *steps)
{
    struct child child = child_defaults();
    struct buf text = {0};
    struct msg_lease trial = {.trial = 1, .seed = 1};
    snprintf(child.data, sizeof child.data, "fashion-mnist");
    snprintf(child.model, sizeof child.model, "mlp");
    child.steps = atoll(steps);
    child_print(&child, &text);
    snprintf(trial.child, sizeof trial.child, "%s", buf_text(&text));
    snprintf(trial.activation, sizeof trial.activation, "%s", activation);
    buf_release(&text);
    return trial;
}

static int have_trained(const char *endpoint, const char *activation, const char *steps)
{
    static struct msg msg;
    struct problem problem = {0};
    struct link *link = NULL;
    struct link_settings settings = {.endpoint = endpoint, .queued = 100, .linger_ms = PATIENCE_MS};
    const struct msg_lease trial = trial_of(activation, steps);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool out = false, ended = false, heard = link_bind(&settings, &link, &problem) == 0;
    for (int64_t attempt = 0; heard && !ended;) {
        uint64_t peer;
        heard = receive(link, false, &peer, &msg);
        ended = heard && answer_about_trial(link, peer, &msg, &trial, &attempt, &out);
        if (ended) {
            msg = (struct msg){.type = MSG_BYE, .bye_ = {.finished = true}};
            say(link, peer, &msg);
        }
    }
    link_destroy(&link);
    return ended ? 0 : 1;
}

/* Says it, and waits for a message of that type; what else comes before is passed over. */
static bool ask(struct link *link, struct msg *msg, enum msg_type type)
{
    uint64_t peer;
    say(link, 0, msg);
    for (int i = 0; i < 10 && receive(link, true, &peer, msg); i++)
        if (msg->type == type)
            return true;
    return false;
}

static struct msg result_of(int64_t attempt, int64_t trial)
{
    struct msg msg = {.type = MSG_RESULT,
                      .result_ = {.attempt = attempt,
                                  .trial = trial,
                                  .step = 10,
                                  .correct = 4000,
                                  .validation_count = 5000,
                                  .validation_loss = 0.5,
                                  .train_loss = 0.5}};
    snprintf(msg.result_.data_hash, sizeof msg.result_.data_hash, "%s", DATA_HASH);
    return msg;
}

static int steal(const char *endpoint, const char *file, const char *other_file)
{
    static struct msg msg;
    struct key key = {0}, other_key = {0};
    struct link *link = connect_with(endpoint, file, &key),
                *other = connect_with(endpoint, other_file, &other_key);
    int64_t attempt = 0, trial = 0;
    uint64_t peer;
    bool good = link && other;
    if (good) {
        msg = hello(PROTO_VERSION);
        good = ask(link, &msg, MSG_WELCOME);
    }
    if (good) {
        msg = (struct msg){.type = MSG_REQUEST, .request_ = {.free = 1}};
        snprintf(msg.request_.data_hash, sizeof msg.request_.data_hash, "%s", DATA_HASH);
        good = ask(link, &msg, MSG_LEASE);
        attempt = msg.lease_.attempt;
        trial = msg.lease_.trial;
    }
    if (good) {
        msg = hello(PROTO_VERSION);
        good = ask(other, &msg, MSG_WELCOME);
    }
    if (good) {
        msg = result_of(attempt, trial);
        say(other, 0, &msg);
        good = receive(other, true, &peer, &msg);
    }
    if (good)
        printf("thief: %s\n", msg_type_name(msg.type));
    if (good) {
        msg = result_of(attempt, trial);
        say(link, 0, &msg);
        good = receive(link, true, &peer, &msg);
    }
    if (good)
        printf("owner: %s\n", msg_type_name(msg.type));
    link_destroy(&link);
    link_destroy(&other);
    key_wipe(&key);
    key_wipe(&other_key);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "worker") == 0)
        return speak_as_worker(argv[2], argv[3], argc == 5 ? argv[4] : "");
    if (argc == 4 && strcmp(argv[1], "coordinator") == 0)
        return speak_as_coordinator(argv[2], argv[3]);
    if (argc == 5 && strcmp(argv[1], "trial") == 0)
        return have_trained(argv[2], argv[3], argv[4]);
    if (argc == 5 && strcmp(argv[1], "thief") == 0)
        return steal(argv[2], argv[3], argv[4]);
    fputs("usage: peer worker ENDPOINT VERSION [KEY] | coordinator ENDPOINT REASON |\n"
          "       peer trial ENDPOINT ACTIVATION STEPS | thief ENDPOINT KEY OTHER\n",
          stderr);
    return 2;
}
