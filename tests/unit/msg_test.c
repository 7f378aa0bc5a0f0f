/* Bytes of the messages: what is written is read back, and all else is refused with what is wrong and where.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/msg_random.h"

#include <stdio.h>

/* Two messages are too large for a stack frame. */
static struct msg sent, received, untouched;

static void a_message_of_every_type_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    struct rng rng = rng_seed(1, "messages", 0);
    struct buf bytes = {0};
    for (int round = 0; round < 200; round++)
        for (int type = 0; type < MSG_TYPES; type++) {
            struct problem problem;
            random_msg(&rng, (enum msg_type)type, &sent);
            buf_clear(&bytes);
            msg_encode(&sent, &bytes);
            if (msg_decode(bytes.data, bytes.size, &received, &problem) != 0)
                fail_msg("%s: %s", msg_type_name(sent.type), problem.text);
            assert_true(same_msg(&sent, &received));
        }
    buf_release(&bytes);
}

static void every_text_and_list_at_its_longest_fits_into_one_message(void **state)
{
    (void)state;
    struct buf bytes = {0};
    for (int type = 0; type < MSG_TYPES; type++) {
        memset(&sent, 0, sizeof sent);
        sent.type = (enum msg_type)type;
        switch (sent.type) {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) case MSG_##NAME: {
#define FIELD_INT(message, key, low, high, meaning)   sent.message##_.key = high;
#define FIELD_TEXT(message, key, max_bytes, meaning)  memset(sent.message##_.key, 'a', max_bytes);
#define FIELD_BYTES(message, key, max_count, meaning) sent.message##_.key##_count = max_count;
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    sent.message##_.key##_count = max_count;                                                                 \
    for (int i = 0; i < max_count; i++)                                                                      \
        sent.message##_.key[i] = high;
#define FIELD_REALS(message, key, max_count, meaning) sent.message##_.key##_count = max_count;
#define MESSAGE_END(NAME, Name)                                                                              \
    break;                                                                                                   \
    }
#include "proto/messages.def"
        case MSG_TYPES:
            break;
        }
        struct problem problem;
        buf_clear(&bytes);
        msg_encode(&sent, &bytes);
        assert_in_range(bytes.size, 1, MSG_MAX_BYTES);
        assert_int_equal(msg_decode(bytes.data, bytes.size, &received, &problem), 0);
        assert_true(same_msg(&sent, &received));
    }
    buf_release(&bytes);
}

static void a_message_is_appended_to_what_is_in_the_buffer(void **state)
{
    (void)state;
    struct buf bytes = {0};
    sent = (struct msg){.type = MSG_WHO};
    buf_put(&bytes, "before", 6);
    msg_encode(&sent, &bytes);
    assert_memory_equal(bytes.data, "before\x81\xa4type\xa3who", 6 + 10);
    assert_int_equal(bytes.size, 6 + 10);
    buf_release(&bytes);
}

/* Decodes an exact copy, so that a sanitizer sees a read past its end, and holds that a refusal leaves the
 * message alone. */
static int decoded(const void *bytes, size_t size, struct problem *ret_problem)
{
    uint8_t *exact = xcalloc(size ? size : 1, 1);
    memcpy(exact, bytes, size);
    memset(&received, 0xa5, sizeof received);
    memset(ret_problem, 0, sizeof *ret_problem);
    int err = msg_decode(exact, size, &received, ret_problem);
    free(exact);
    if (err) {
        memset(&untouched, 0xa5, sizeof untouched);
        assert_memory_equal(&received, &untouched, sizeof received);
        assert_true(ret_problem->text[0] != '\0');
    }
    return err;
}

static void a_message_cut_off_at_any_byte_is_refused(void **state)
{
    (void)state;
    struct rng rng = rng_seed(2, "messages", 0);
    struct buf bytes = {0};
    for (int round = 0; round < 3; round++)
        for (int type = 0; type < MSG_TYPES; type++) {
            struct problem problem;
            random_msg(&rng, (enum msg_type)type, &sent);
            if (sent.type == MSG_REQUEST && sent.request_.holding_count > 100)
                sent.request_.holding_count = 100;
            buf_clear(&bytes);
            msg_encode(&sent, &bytes);
            for (size_t size = 0; size < bytes.size; size++)
                assert_int_equal(decoded(bytes.data, size, &problem), ERR_INPUT);
            assert_int_equal(decoded(bytes.data, bytes.size, &problem), 0);
        }
    buf_release(&bytes);
}

#define BYTES(text) text, sizeof text - 1
#define ACK(value)                                                                                           \
    BYTES("\x82\xa4type\xa3"                                                                                 \
          "ack\xa7"                                                                                          \
          "attempt" value) /* the value is byte 18 */
#define BYE(text)                                                                                            \
    BYTES("\x83\xa4type\xa3"                                                                                 \
          "bye\xa8"                                                                                          \
          "finished\xc3\xa6"                                                                                 \
          "reason" text) /* the text is byte 27 */
#define RANGE "must be from 0 to 9223372036854775807"

static void each_refusal_says_what_is_wrong_and_at_which_byte(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int err;
        const char *text;
    } rows[] = {
        {BYTES(""), ERR_INPUT, "byte 0: the message is cut off here"},
        {BYTES("\x80"), ERR_INPUT, "byte 0: 'type' is missing"},
        {BYTES("\x81\xa7"
               "attempt\x05"),
         ERR_INPUT, "byte 0: 'type' is missing"},
        {BYTES("\x81\xa4type\xa4tick"), ERR_INPUT, "byte 6: 'type' is no message that is known here"},
        {BYTES("\x81\xa4type\xa2"
               "ac"),
         ERR_INPUT, "byte 6: 'type' is no message that is known here"},
        {BYTES("\x81\xa4type\xa3"
               "ACK"),
         ERR_INPUT, "byte 6: 'type' is no message that is known here"},
        {BYTES("\x81\xa4type\x08"), ERR_INPUT, "byte 6: 'type' is no message that is known here"},
        {BYTES("\x81\xa4type\xa3"
               "ack"),
         ERR_INPUT, "byte 0: 'attempt' is missing in ack"},
        {ACK("\xff"), ERR_INPUT, "byte 18: 'attempt' " RANGE},
        {ACK("\xd3\x80\0\0\0\0\0\0\0"), ERR_INPUT, "byte 18: 'attempt' " RANGE},
        {ACK("\xcf\x80\0\0\0\0\0\0\0"), ERR_INPUT, "byte 18: 'attempt' " RANGE},
        {ACK("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), ERR_INPUT, "byte 18: 'attempt' " RANGE},
        {ACK("\xcb\x3f\xf0\0\0\0\0\0\0"), ERR_INPUT, "byte 18: 'attempt' must be an integer"},
        {ACK("\xa1"
             "5"),
         ERR_INPUT, "byte 18: 'attempt' must be an integer"},
        {ACK("\x91\x05"), ERR_INPUT, "byte 18: 'attempt' must be an integer"},
        {ACK("\xc3"), ERR_INPUT, "byte 18: 'attempt' must be an integer"},
        {ACK("\x05\x05"), ERR_INPUT, "byte 19: something follows the end of the message"},
        {BYTES("\x83\xa4type\xa3"
               "ack\xa7"
               "attempt\x05\xa7"
               "attempt\x05"),
         ERR_INPUT, "byte 19: 'attempt' a second time"},
        {BYTES("\x83\xa4type\xa3"
               "ack\xa7"
               "attempt\x05\xa4type\xa3"
               "ack"),
         ERR_INPUT, "byte 19: 'type' a second time"},
        {BYTES("\x83\xa4type\xa3"
               "ack\xa7"
               "attempt\x05\xa5trial\x05"),
         ERR_INPUT, "byte 19: ack has no field 'trial'"},
        {BYTES("\x83\xa4type\xa3"
               "ack\xa7"
               "attempt\x05\xa0\x05"),
         ERR_INPUT, "byte 19: ack has no such field"},
        {BYTES("\x83\xa4type\xa3"
               "ack\xa7"
               "attempt\x05\xa4\x1b[2J\x05"),
         ERR_INPUT, "byte 19: ack has no such field"},
        {BYE("\xc3"), ERR_INPUT, "byte 27: 'reason' must be a string"},
        {BYE("\xa3"
             "a\0b"),
         ERR_INPUT, "byte 29: a NUL in a string"},
        {BYE("\xa3"
             "a\xc3\x28"),
         ERR_INPUT, "byte 29: bytes that are no UTF-8 in a string"},
        {BYTES("\x83\xa4type\xa3"
               "bye\xa6"
               "reason\xa0\xa8"
               "finished\x01"),
         ERR_INPUT, "byte 27: 'finished' must be a boolean"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct problem problem;
        assert_int_equal(decoded(rows[i].bytes, rows[i].size, &problem), rows[i].err);
        assert_string_equal(problem.text, rows[i].text);
    }
}

static void the_keys_may_come_in_any_order(void **state)
{
    (void)state;
    struct problem problem;
    assert_int_equal(decoded(BYTES("\x83\xa6"
                                   "reason\xa2ok\xa8"
                                   "finished\xc2\xa4type\xa3"
                                   "bye"),
                             &problem),
                     0);
    assert_int_equal(received.type, MSG_BYE);
    assert_string_equal(received.bye_.reason, "ok");
    assert_false(received.bye_.finished);
}

static void an_integer_may_be_written_in_any_length(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } fives[] = {{ACK("\x05")},
                 {ACK("\xcc\x05")},
                 {ACK("\xcd\0\x05")},
                 {ACK("\xce\0\0\0\x05")},
                 {ACK("\xcf\0\0\0\0\0\0\0\x05")},
                 {ACK("\xd0\x05")},
                 {ACK("\xd1\0\x05")},
                 {ACK("\xd2\0\0\0\x05")},
                 {ACK("\xd3\0\0\0\0\0\0\0\x05")}};
    for (size_t i = 0; i < sizeof fives / sizeof *fives; i++) {
        struct problem problem;
        assert_int_equal(decoded(fives[i].bytes, fives[i].size, &problem), 0);
        assert_int_equal(received.ack_.attempt, 5);
    }
}

static void a_message_too_large_is_refused_unread(void **state)
{
    (void)state;
    struct problem problem;
    uint8_t *zeros = xcalloc(MSG_MAX_BYTES + 1, 1);
    assert_int_equal(decoded(zeros, MSG_MAX_BYTES, &problem), ERR_INPUT);
    assert_int_equal(decoded(zeros, MSG_MAX_BYTES + 1, &problem), ERR_LIMIT);
    assert_string_equal(problem.text, "a message of 65537 bytes, at most 65536 are allowed");
    free(zeros);
}

static void a_hello_of_any_protocol_version_is_read(void **state)
{
    (void)state;
    struct problem problem;
    struct buf bytes = {0};
    sent = (struct msg){.type = MSG_HELLO, .hello_ = {.version = PROTO_VERSION + 7, .slots = 1}};
    msg_encode(&sent, &bytes);
    assert_int_equal(decoded(bytes.data, bytes.size, &problem), 0); /* so that it can be told what is wrong */
    assert_int_equal(received.hello_.version, PROTO_VERSION + 7);
    buf_release(&bytes);
}

static void a_text_from_outside_is_made_to_fit_its_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"exactly", "exactly"},
        {"longer than it", "longer "},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"sixsix\xc3\xa9", "sixsix"}, /* no half characters */
        {"l\xe9on", "l?on"},          /* Latin-1 */
        {"\xff\xff", "??"},
        {"a\xc3", "a?"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff", "???????"},
        {"1234567\xff", "1234567"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char field[8];
        memset(field, 'x', sizeof field);
        msg_put_text(field, sizeof field, rows[i].text);
        assert_string_equal(field, rows[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_every_type_is_read_back_as_it_was_written),
        cmocka_unit_test(every_text_and_list_at_its_longest_fits_into_one_message),
        cmocka_unit_test(a_message_is_appended_to_what_is_in_the_buffer),
        cmocka_unit_test(a_message_cut_off_at_any_byte_is_refused),
        cmocka_unit_test(each_refusal_says_what_is_wrong_and_at_which_byte),
        cmocka_unit_test(the_keys_may_come_in_any_order),
        cmocka_unit_test(an_integer_may_be_written_in_any_length),
        cmocka_unit_test(a_message_too_large_is_refused_unread),
        cmocka_unit_test(a_hello_of_any_protocol_version_is_read),
        cmocka_unit_test(a_text_from_outside_is_made_to_fit_its_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
