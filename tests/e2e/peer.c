/* peer: the other side of a conversation, for bad_input.sh and preempt.sh.
 *
 * peer worker ENDPOINT VERSION
 *     says HELLO with that protocol version and prints what is answered
 *
 * peer coordinator ENDPOINT REASON
 *     binds, answers the first HELLO with BYE (not finished) for that reason
 *
 * peer trial ENDPOINT ACTIVATION STEPS
 *     binds, has one trial trained on Fashion-MNIST, leases it again when it is handed back, and prints a
 * line for all that it hears of it
 *
 * Exit status 0 when the conversation took place, 1 otherwise.
 */
#include "common/child.h"
#include "common/err.h"
#include "proto/msg.h"

#include <czmq.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 20000 };

static bool receive(zsock_t *socket, zframe_t **ret_peer, struct msg *ret_msg)
{
    zmsg_t *parts = zmsg_recv(socket);
    if (!parts)
        return false;
    if (ret_peer)
        *ret_peer = zmsg_pop(parts);
    zframe_t *body = zmsg_last(parts);
    struct problem problem;
    bool good = body && msg_decode(zframe_data(body), zframe_size(body), ret_msg, &problem) == 0;
    zmsg_destroy(&parts);
    return good;
}

static void answer(zsock_t *socket, zframe_t *peer, const struct msg *msg)
{
    struct buf bytes = {0};
    msg_encode(msg, &bytes);
    zmsg_t *parts = zmsg_new();
    if (peer)
        zmsg_append(parts, &peer);
    zmsg_addmem(parts, bytes.data, bytes.size);
    zmsg_send(&parts, socket);
    buf_release(&bytes);
}

static int speak_as_worker(const char *endpoint, const char *version)
{
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    zsock_set_rcvtimeo(socket, PATIENCE_MS);
    static struct msg msg;
    msg = (struct msg){.type = MSG_HELLO,
                       .hello_ = {.version = atoll(version),
                                  .worker = "0123456789abcdef0123456789abcdef",
                                  .host = "elsewhere",
                                  .pid = 1,
                                  .slots = 1,
                                  .trainer = "actsearch",
                                  .kernels = "portable",
                                  .cpu = "none"}};
    bool answered = false;
    if (zsock_connect(socket, "%s", endpoint) == 0) {
        answer(socket, NULL, &msg);
        answered = receive(socket, NULL, &msg);
    }
    if (answered)
        printf("%s: %s\n", msg_type_name(msg.type), msg.type == MSG_BYE ? msg.bye_.reason : "");
    zsock_destroy(&socket);
    return answered ? 0 : 1;
}

static int speak_as_coordinator(const char *endpoint, const char *reason)
{
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    zsock_set_rcvtimeo(socket, PATIENCE_MS);
    zsock_set_linger(socket, PATIENCE_MS);
    static struct msg msg;
    zframe_t *peer = NULL;
    bool asked =
        zsock_bind(socket, "%s", endpoint) >= 0 && receive(socket, &peer, &msg) && msg.type == MSG_HELLO;
    if (asked) {
        msg = (struct msg){.type = MSG_BYE};
        snprintf(msg.bye_.reason, sizeof msg.bye_.reason, "%s", reason);
        answer(socket, peer, &msg);
    }
    zsock_destroy(&socket);
    return asked ? 0 : 1;
}

/* What is answered to one message about the trial. True where that was the RESULT. */
static bool answer_about_trial(zsock_t *socket, zframe_t **peer, struct msg *msg,
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
    answer(socket, zframe_dup(*peer), &reply);
    return ended;
}

static int have_trained(const char *endpoint, const char *activation, const char *steps)
{
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    zsock_set_rcvtimeo(socket, 3 * PATIENCE_MS);
    zsock_set_linger(socket, PATIENCE_MS);
    struct child child = child_defaults();
    struct buf text = {0};
    struct msg_lease trial = {.trial = 1, .seed = 1};
    static struct msg msg;
    snprintf(child.data, sizeof child.data, "fashion-mnist");
    snprintf(child.model, sizeof child.model, "mlp");
    child.steps = atoll(steps);
    child_print(&child, &text);
    snprintf(trial.child, sizeof trial.child, "%s", buf_text(&text));
    snprintf(trial.activation, sizeof trial.activation, "%s", activation);
    buf_release(&text);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool out = false, ended = false, heard = zsock_bind(socket, "%s", endpoint) >= 0;
    zframe_t *peer = NULL;
    for (int64_t attempt = 0; heard && !ended; zframe_destroy(&peer)) {
        heard = receive(socket, &peer, &msg);
        ended = heard && answer_about_trial(socket, &peer, &msg, &trial, &attempt, &out);
        if (ended) {
            msg = (struct msg){.type = MSG_BYE, .bye_ = {.finished = true}};
            answer(socket, zframe_dup(peer), &msg);
        }
    }
    zsock_destroy(&socket);
    return ended ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "trial") == 0)
        return have_trained(argv[2], argv[3], argv[4]);
    if (argc == 4 && strcmp(argv[1], "worker") == 0)
        return speak_as_worker(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "coordinator") == 0)
        return speak_as_coordinator(argv[2], argv[3]);
    fputs("usage: peer worker ENDPOINT VERSION | peer coordinator ENDPOINT REASON | peer trial ENDPOINT "
          "ACTIVATION "
          "STEPS\n",
          stderr);
    return 2;
}
