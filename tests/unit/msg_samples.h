/* msg_samples: one plausible message of each type. docs/protocol.md shows some of them byte by byte, and the
 * fuzz target of proto/msg.h starts from all of them. */
#ifndef TESTS_UNIT_MSG_SAMPLES_H
#define TESTS_UNIT_MSG_SAMPLES_H

#include "common/child.h"
#include "proto/msg.h"

#include <math.h>
#include <string.h>

static inline void sample_msg(enum msg_type type, struct msg *ret_msg)
{
    static const char data_hash[] = "5f1c2a90b3d4e687786e4d3b09a2c1f55f1c2a90b3d4e687786e4d3b09a2c1f5";
    const int64_t attempt = (INT64_C(2) << 32) + 7, trial = 42; /* the seventh lease since the second start */
    struct child settings;
    struct buf child = {0};
    memset(ret_msg, 0, sizeof *ret_msg);
    ret_msg->type = type;
    switch (type) {
    case MSG_HELLO:
        ret_msg->hello_ = (struct msg_hello){.version = PROTO_VERSION,
                                             .numerics = 1,
                                             .worker = "9f86d081884c7d659a2feaa0c55ad015",
                                             .host = "node-17",
                                             .pid = 4711,
                                             .slots = 16,
                                             .trainer = "actsearch",
                                             .kernels = "avx2",
                                             .cpu = "AMD EPYC 7B13"};
        break;
    case MSG_WELCOME:
        ret_msg->welcome_ = (struct msg_welcome){.version = PROTO_VERSION,
                                                 .experiment = "demo",
                                                 .data = "fashion-mnist",
                                                 .data_bytes = 54950064,
                                                 .heartbeat_ms = 5000,
                                                 .lease_ms = 30000};
        memcpy(ret_msg->welcome_.data_hash, data_hash, sizeof data_hash);
        break;
    case MSG_FETCH:
        ret_msg->fetch_ = (struct msg_fetch){.offset = 131072, .pieces = 4, .receipt = 1442695040888963};
        memcpy(ret_msg->fetch_.data_hash, data_hash, sizeof data_hash);
        break;
    case MSG_CHUNK:
        ret_msg->chunk_ = (struct msg_chunk){
            .offset = 65536, .receipt = 1442695040888963, .bytes = {0, 0, 13, 200, 255, 7}, .bytes_count = 6};
        memcpy(ret_msg->chunk_.data_hash, data_hash, sizeof data_hash);
        break;
    case MSG_REQUEST:
        ret_msg->request_ = (struct msg_request){.free = 15, .holding = {attempt}, .holding_count = 1};
        memcpy(ret_msg->request_.data_hash, data_hash, sizeof data_hash);
        break;
    case MSG_LEASE:
        ret_msg->lease_ = (struct msg_lease){
            .attempt = attempt, .trial = trial, .activation = "x*sigmoid(b0*x)", .seed = 5577006791947779};
        settings = child_defaults();
        child_print(&settings, &child);
        memcpy(ret_msg->lease_.child, child.data, child.size);
        buf_release(&child);
        break;
    case MSG_PROGRESS:
        ret_msg->progress_ = (struct msg_progress){.attempt = attempt, .step = 60, .train_loss = 0.875};
        break;
    case MSG_RESULT:
        ret_msg->result_ = (struct msg_result){.attempt = attempt,
                                               .trial = trial,
                                               .step = 100,
                                               .correct = 4093,
                                               .validation_count = 5000,
                                               .validation_loss = 0.5,
                                               .train_loss = 0.53125,
                                               .parameters = 16970,
                                               .betas = 96,
                                               .seconds = 2.5,
                                               .images_per_second = 5120,
                                               .cost_ns = 1.75,
                                               .peak_memory_bytes = 67108864,
                                               .curve_step = {1, 50, 100},
                                               .curve_step_count = 3,
                                               .curve_loss = {2.3125, 0.75, 0.53125},
                                               .curve_loss_count = 3};
        memcpy(ret_msg->result_.data_hash, data_hash, sizeof data_hash);
        break;
    case MSG_FAILURE:
        ret_msg->failure_ = (struct msg_failure){
            .attempt = attempt, .trial = trial, .reason = "the trainer was ended by signal 9 (Killed)"};
        break;
    case MSG_RETURN:
        ret_msg->return_ = (struct msg_return){.attempt = attempt, .trial = trial};
        break;
    case MSG_ACK:
        ret_msg->ack_ = (struct msg_ack){.attempt = attempt};
        break;
    case MSG_STALE:
        ret_msg->stale_ = (struct msg_stale){.attempt = attempt};
        break;
    case MSG_CANCEL:
        ret_msg->cancel_ = (struct msg_cancel){.attempt = attempt};
        break;
    case MSG_BYE:
        ret_msg->bye_ = (struct msg_bye){.finished = true, .reason = "all functions of the space are done"};
        break;
    case MSG_LEAVE:
    case MSG_WHO:
    case MSG_TYPES:
        break;
    }
}

#endif
