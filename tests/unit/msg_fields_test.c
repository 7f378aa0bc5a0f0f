/* Each field of each message, one at a time: left out, said twice, of another type, below and above its
 * bounds, too long. The bytes are put together here, from the table, without msg.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/msg_random.h"

#include <inttypes.h>
#include <stdio.h>

/* What is done to one field; the others have the lowest value that is allowed. */
enum twist {
    LEAVE_OUT,
    SAY_TWICE,
    OTHER_TYPE,
    BELOW,
    ABOVE,
    TOO_LONG,
    OTHER_ELEMENT, /* the third of a list is of another type */
    BELOW_ELEMENT, /* … or out of bounds */
    TWISTS,
};

/* The bytes of a message in which the field `key` is twisted, and what msg_decode has to say. */
struct twisted {
    const char *key;
    enum twist twist;
    struct buf bytes;
    int fields;   /* in the map, "type" among them */
    bool applies; /* such a field can be twisted so */
    int err;
    char text[256];
};

static void put_byte(struct twisted *twisted, int byte)
{
    buf_put(&twisted->bytes, &(uint8_t){(uint8_t)byte}, 1);
}

/* Big-endian, `size` bytes. */
static void put_number(struct twisted *twisted, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--)
        put_byte(twisted, (int)(value >> 8 * i & 0xff));
}

static void put_text(struct twisted *twisted, const char *text)
{
    put_byte(twisted, 0xdb);
    put_number(twisted, strlen(text), 4);
    buf_put(&twisted->bytes, text, strlen(text));
}

static void put_int(struct twisted *twisted, int64_t value)
{
    put_byte(twisted, 0xd3);
    put_number(twisted, (uint64_t)value, 8);
}

static void put_real(struct twisted *twisted)
{
    put_byte(twisted, 0xcb);
    put_number(twisted, 0, 8);
}

static void put_list(struct twisted *twisted, int count)
{
    put_byte(twisted, 0xdd);
    put_number(twisted, (uint64_t)count, 4);
}

/* The refusal that is expected of what is put next. */
static void expect(struct twisted *twisted, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void expect(struct twisted *twisted, int err, const char *format, ...)
{
    int used = snprintf(twisted->text, sizeof twisted->text, "byte %zu: ", twisted->bytes.size);
    va_list args;
    va_start(args, format);
    vsnprintf(twisted->text + used, sizeof twisted->text - (size_t)used, format, args);
    va_end(args);
    twisted->err = err;
    twisted->applies = true;
}

/* Puts the key, and says whether this twist is for its value. */
static bool begin(struct twisted *twisted, const char *message, const char *key, enum twist twist)
{
    bool picked = strcmp(twisted->key, key) == 0;
    if (picked && twisted->twist == LEAVE_OUT && twist == LEAVE_OUT) {
        twisted->applies = true;
        twisted->err = ERR_INPUT;
        snprintf(twisted->text, sizeof twisted->text, "byte 0: '%s' is missing in %s", key, message);
    }
    return picked && twisted->twist == twist;
}

static void put_key(struct twisted *twisted, const char *key)
{
    put_text(twisted, key);
    twisted->fields++;
}

static void put_int_field(struct twisted *twisted, const char *message, const char *key, int64_t low,
                          int64_t high)
{
    if (begin(twisted, message, key, LEAVE_OUT))
        return;
    put_key(twisted, key);
    if (begin(twisted, message, key, OTHER_TYPE)) {
        expect(twisted, ERR_INPUT, "'%s' must be an integer", key);
        put_real(twisted);
    } else if (begin(twisted, message, key, BELOW) ||
               (begin(twisted, message, key, ABOVE) && high < INT64_MAX)) {
        expect(twisted, ERR_INPUT, "'%s' must be from %" PRId64 " to %" PRId64, key, low, high);
        put_int(twisted, twisted->twist == BELOW ? low - 1 : high + 1);
    } else {
        put_int(twisted, low);
    }
    if (begin(twisted, message, key, SAY_TWICE)) {
        expect(twisted, ERR_INPUT, "'%s' a second time", key);
        put_key(twisted, key);
        put_int(twisted, low);
    }
}

static void put_real_field(struct twisted *twisted, const char *message, const char *key)
{
    if (begin(twisted, message, key, LEAVE_OUT))
        return;
    put_key(twisted, key);
    if (begin(twisted, message, key, OTHER_TYPE)) {
        expect(twisted, ERR_INPUT, "'%s' must be a float", key);
        put_int(twisted, 0);
    } else {
        put_real(twisted);
    }
}

static void put_bool_field(struct twisted *twisted, const char *message, const char *key)
{
    if (begin(twisted, message, key, LEAVE_OUT))
        return;
    put_key(twisted, key);
    if (begin(twisted, message, key, OTHER_TYPE)) {
        expect(twisted, ERR_INPUT, "'%s' must be a boolean", key);
        put_int(twisted, 1);
    } else {
        put_byte(twisted, 0xc3);
    }
}

static void put_text_field(struct twisted *twisted, const char *message, const char *key, int max_bytes)
{
    if (begin(twisted, message, key, LEAVE_OUT))
        return;
    put_key(twisted, key);
    if (begin(twisted, message, key, OTHER_TYPE)) {
        expect(twisted, ERR_INPUT, "'%s' must be a string", key);
        put_int(twisted, 0);
    } else if (begin(twisted, message, key, TOO_LONG)) {
        char *text = xcalloc((size_t)max_bytes + 2, 1);
        memset(text, 'a', (size_t)max_bytes + 1);
        expect(twisted, ERR_LIMIT, "'%s' has %d bytes, at most %d are allowed", key, max_bytes + 1,
               max_bytes);
        put_text(twisted, text);
        free(text);
    } else {
        put_text(twisted, "");
    }
}

static void put_bytes_field(struct twisted *twisted, const char *message, const char *key, int max_count)
{
    if (begin(twisted, message, key, LEAVE_OUT))
        return;
    put_key(twisted, key);
    if (begin(twisted, message, key, OTHER_TYPE)) {
        expect(twisted, ERR_INPUT, "'%s' must be bytes", key);
        put_text(twisted, "text");
        return;
    }
    int count = 3;
    if (begin(twisted, message, key, TOO_LONG)) {
        count = max_count + 1;
        expect(twisted, ERR_LIMIT, "'%s' has %d bytes, at most %d are allowed", key, count, max_count);
    }
    put_byte(twisted, 0xc6);
    put_number(twisted, (uint64_t)count, 4);
    for (int i = 0; i < count; i++)
        put_byte(twisted, 0xff); /* no text */
}

static void put_list_field(struct twisted *twisted, const char *message, const char *key, int max_count,
                           bool ints, int64_t low, int64_t high)
{
    if (begin(twisted, message, key, LEAVE_OUT))
        return;
    put_key(twisted, key);
    const char *what = ints ? "an array of integers" : "an array of floats";
    if (begin(twisted, message, key, OTHER_TYPE)) {
        expect(twisted, ERR_INPUT, "'%s' must be %s", key, what);
        put_int(twisted, 0);
        return;
    }
    int count = 3;
    if (begin(twisted, message, key, TOO_LONG)) {
        count = max_count + 1;
        expect(twisted, ERR_LIMIT, "'%s' has %d elements, at most %d are allowed", key, count, max_count);
    }
    put_list(twisted, count);
    for (int i = 0; i < count; i++) {
        bool third = i == 2;
        if (third && begin(twisted, message, key, OTHER_ELEMENT)) {
            expect(twisted, ERR_INPUT, "'%s' must be %s", key, what);
            ints ? put_real(twisted) : put_int(twisted, 0);
        } else if (third && ints && begin(twisted, message, key, BELOW_ELEMENT)) {
            expect(twisted, ERR_INPUT, "'%s' must be from %" PRId64 " to %" PRId64, key, low, high);
            put_int(twisted, low - 1);
        } else {
            ints ? put_int(twisted, high) : put_real(twisted);
        }
    }
}

static void put_message(struct twisted *twisted, enum msg_type type)
{
    put_byte(twisted, 0xde);
    put_number(twisted, 0, 2); /* the number of fields, known later */
    put_key(twisted, "type");
    switch (type) {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning)                                                        \
    case MSG_##NAME:                                                                                         \
        put_text(twisted, #Name);
#define FIELD_INT(message, key, low, high, meaning)   put_int_field(twisted, #message, #key, low, high);
#define FIELD_REAL(message, key, meaning)             put_real_field(twisted, #message, #key);
#define FIELD_BOOL(message, key, meaning)             put_bool_field(twisted, #message, #key);
#define FIELD_TEXT(message, key, max_bytes, meaning)  put_text_field(twisted, #message, #key, max_bytes);
#define FIELD_BYTES(message, key, max_count, meaning) put_bytes_field(twisted, #message, #key, max_count);
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    put_list_field(twisted, #message, #key, max_count, true, low, high);
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    put_list_field(twisted, #message, #key, max_count, false, 0, 0);
#define MESSAGE_END(NAME, Name) break;
#include "proto/messages.def"
    case MSG_TYPES:
        break;
    }
    twisted->bytes.data[2] = (uint8_t)twisted->fields;
}

static struct msg received;

static int decoded(const struct twisted *twisted, struct problem *ret_problem)
{
    return msg_decode(twisted->bytes.data, twisted->bytes.size, &received, ret_problem);
}

static enum msg_type type_of(const char *name)
{
    int type = 0;
    while (strcmp(msg_type_name((enum msg_type)type), name) != 0)
        type++;
    return (enum msg_type)type;
}

/* Twists the field in each way, and returns how many ways there were. */
static int twist_field(enum msg_type type, const char *key)
{
    int applied = 0;
    for (int twist = 0; twist < TWISTS; twist++) {
        struct twisted twisted = {.key = key, .twist = (enum twist)twist};
        struct problem problem = {0};
        put_message(&twisted, type);
        if (twisted.applies) {
            assert_int_equal(decoded(&twisted, &problem), twisted.err);
            assert_string_equal(problem.text, twisted.text);
            applied++;
        } else if (decoded(&twisted, &problem) != 0) {
            fail_msg("%s, nothing twisted: %s", msg_type_name(type), problem.text);
        }
        buf_release(&twisted.bytes);
    }
    return applied;
}

static void each_field_is_held_to_its_type_and_bounds(void **state)
{
    (void)state;
    /* How many twists there are for each type of field; an integer without a higher bound cannot be above it.
     */
#define MESSAGE_BEGIN(NAME, Name, direction, meaning)
#define FIELD_INT(message, key, low, high, meaning)                                                          \
    assert_int_equal(twist_field(type_of(#message), #key), (high) == INT64_MAX ? 4 : 5);
#define FIELD_REAL(message, key, meaning) assert_int_equal(twist_field(type_of(#message), #key), 2);
#define FIELD_BOOL(message, key, meaning) assert_int_equal(twist_field(type_of(#message), #key), 2);
#define FIELD_TEXT(message, key, max_bytes, meaning)                                                         \
    assert_int_equal(twist_field(type_of(#message), #key), 3);
#define FIELD_BYTES(message, key, max_count, meaning)                                                        \
    assert_int_equal(twist_field(type_of(#message), #key), 3);
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    assert_int_equal(twist_field(type_of(#message), #key), 5);
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    assert_int_equal(twist_field(type_of(#message), #key), 4);
#include "proto/messages.def"
}

static void a_message_is_read_as_the_table_says_without_the_encoders_help(void **state)
{
    (void)state;
    for (int type = 0; type < MSG_TYPES; type++) {
        struct twisted twisted = {.key = ""};
        struct problem problem = {0};
        put_message(&twisted, (enum msg_type)type);
        assert_int_equal(decoded(&twisted, &problem), 0);
        assert_int_equal(received.type, type);
        buf_release(&twisted.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_is_held_to_its_type_and_bounds),
        cmocka_unit_test(a_message_is_read_as_the_table_says_without_the_encoders_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
