/* peer: the other side of a conversation, for bad_input.sh.
 *
 *     peer worker ENDPOINT VERSION        says HELLO with that protocol version and prints what is answered
 *     peer coordinator ENDPOINT REASON    binds, answers the first HELLO with BYE (not finished) for that
 * reason Exit status 0 when the conversation took place, 1 otherwise.
 */
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

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "worker") == 0)
        return speak_as_worker(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "coordinator") == 0)
        return speak_as_coordinator(argv[2], argv[3]);
    fputs("usage: peer worker ENDPOINT VERSION | peer coordinator ENDPOINT REASON\n", stderr);
    return 2;
}
