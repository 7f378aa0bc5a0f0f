/* What passes between daemon and trainer, however it is cut, and whatever stands in it. */
#include "worker/pipe.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct msg progress_of(int64_t step)
{
    return (struct msg){.type = MSG_PROGRESS, .progress_ = {.attempt = 7, .step = step, .train_loss = 2.5}};
}

/* Three messages as bytes. */
static struct buf three(void)
{
    struct buf bytes = {0};
    struct msg msg = progress_of(1);
    pipe_put(&msg, &bytes);
    msg = (struct msg){.type = MSG_FAILURE, .failure_ = {.attempt = 7, .trial = 3}};
    snprintf(msg.failure_.reason, sizeof msg.failure_.reason, "it was not to be");
    pipe_put(&msg, &bytes);
    msg = progress_of(3);
    pipe_put(&msg, &bytes);
    return bytes;
}

static void messages_come_out_as_they_went_in_however_they_are_cut(void **state)
{
    (void)state;
    static struct msg msg;
    struct buf bytes = three();
    struct problem problem;
    for (size_t piece = 1; piece <= bytes.size; piece++) {
        struct pipe_in in = {0};
        int count = 0;
        for (size_t at = 0; at < bytes.size; at += piece) {
            pipe_in_put(&in, bytes.data + at, piece < bytes.size - at ? piece : bytes.size - at);
            while (pipe_in_take(&in, &msg, &problem) > 0) {
                assert_int_equal(msg.type, count == 1 ? MSG_FAILURE : MSG_PROGRESS);
                if (count != 1)
                    assert_int_equal(msg.progress_.step, count + 1);
                count++;
            }
        }
        assert_int_equal(count, 3);
        pipe_in_release(&in);
    }
    buf_release(&bytes);
}

static void a_part_of_a_message_is_waited_for(void **state)
{
    (void)state;
    static struct msg msg;
    struct buf bytes = three();
    struct problem problem;
    struct pipe_in in = {0};
    pipe_in_put(&in, bytes.data, 3);
    assert_int_equal(pipe_in_take(&in, &msg, &problem), 0);
    pipe_in_put(&in, bytes.data + 3, 10);
    assert_int_equal(pipe_in_take(&in, &msg, &problem), 0);
    pipe_in_release(&in);
    buf_release(&bytes);
}

static void a_length_that_no_message_has_is_refused_before_its_bytes_come(void **state)
{
    (void)state;
    static struct msg msg;
    struct problem problem = {0};
    struct pipe_in in = {0};
    const uint8_t length[4] = {1, 0, 1, 0}; /* 65,537 */
    pipe_in_put(&in, length, sizeof length);
    assert_int_equal(pipe_in_take(&in, &msg, &problem), ERR_LIMIT);
    assert_non_null(strstr(problem.text, "65537"));
    pipe_in_release(&in);
}

static void nothing_is_taken_behind_a_bad_message(void **state)
{
    (void)state;
    static struct msg msg;
    struct problem problem;
    struct pipe_in in = {0};
    struct buf good = three();
    const uint8_t bad[] = {3, 0, 0, 0, 'b', 'a', 'd'};
    pipe_in_put(&in, bad, sizeof bad);
    pipe_in_put(&in, good.data, good.size);
    assert_true(pipe_in_take(&in, &msg, &problem) < 0);
    pipe_in_put(&in, good.data, good.size);
    assert_true(pipe_in_take(&in, &msg, &problem) < 0);
    assert_int_equal(in.bytes.capacity, 0); /* and nothing is kept of it */
    pipe_in_release(&in);
    buf_release(&good);
}

static void what_is_kept_stays_small_however_long_the_stream(void **state)
{
    (void)state;
    static struct msg msg;
    struct problem problem;
    struct pipe_in in = {0};
    struct buf bytes = three();
    for (int i = 0; i < 10000; i++) {
        pipe_in_put(&in, bytes.data, bytes.size);
        while (pipe_in_take(&in, &msg, &problem) > 0)
            continue;
    }
    assert_true(in.bytes.capacity < 4096);
    pipe_in_release(&in);
    buf_release(&bytes);
}

static void a_message_written_to_a_descriptor_is_read_from_the_other_end(void **state)
{
    (void)state;
    static struct msg msg;
    struct problem problem;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct msg sent = progress_of(42);
    assert_int_equal(pipe_write(ends[1], &sent, &problem), 0);
    assert_int_equal(pipe_read(ends[0], &msg, &problem), 0);
    assert_int_equal(msg.progress_.step, 42);
    assert_int_equal(write(ends[1], "\x10\0\0\0half", 8), 8);
    close(ends[1]);
    assert_int_equal(pipe_read(ends[0], &msg, &problem), ERR_INPUT); /* it ends in the middle */
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_as_they_went_in_however_they_are_cut),
        cmocka_unit_test(a_part_of_a_message_is_waited_for),
        cmocka_unit_test(a_length_that_no_message_has_is_refused_before_its_bytes_come),
        cmocka_unit_test(nothing_is_taken_behind_a_bad_message),
        cmocka_unit_test(what_is_kept_stays_small_however_long_the_stream),
        cmocka_unit_test(a_message_written_to_a_descriptor_is_read_from_the_other_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
