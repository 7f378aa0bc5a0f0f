/* msg: bytes of the messages. Everything here reads the tables that messages.def becomes below; there is no
 * code for any one message. */
#include "proto/msg.h"

#include "common/text.h"
#include "proto/bounded.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <msgpack.h>
#include <stddef.h>
#include <string.h>

enum kind { INT, REAL, BOOL, TEXT, BYTES, INTS, REALS };

struct field {
    const char *key; /* NULL ends the fields of a message */
    enum kind kind;
    size_t at;       /* offset of the value in struct msg */
    size_t count_at; /* offset of the count, of BYTES, INTS and REALS */
    int64_t low;
    int64_t high;
    int64_t limit; /* bytes of a TEXT, elements of BYTES, INTS and REALS */
};

#define AT(message, key)                              offsetof(struct msg, message##_.key)
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) static const struct field Name##_fields[] = {
#define FIELD_INT(message, key, low, high, meaning)   {#key, INT, AT(message, key), 0, low, high, 0},
#define FIELD_REAL(message, key, meaning)             {#key, REAL, AT(message, key), 0, 0, 0, 0},
#define FIELD_BOOL(message, key, meaning)             {#key, BOOL, AT(message, key), 0, 0, 0, 0},
#define FIELD_TEXT(message, key, max_bytes, meaning)  {#key, TEXT, AT(message, key), 0, 0, 0, max_bytes},
#define FIELD_BYTES(message, key, max_count, meaning)                                                        \
    {#key, BYTES, AT(message, key), AT(message, key##_count), 0, 0, max_count},
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    {#key, INTS, AT(message, key), AT(message, key##_count), low, high, max_count},
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    {#key, REALS, AT(message, key), AT(message, key##_count), 0, 0, max_count},
#define MESSAGE_END(NAME, Name)                                                                              \
    {                                                                                                        \
        NULL, INT, 0, 0, 0, 0, 0                                                                             \
    }                                                                                                        \
    }                                                                                                        \
    ;
#include "proto/messages.def"

static const struct {
    const char *name;
    const struct field *fields;
} messages[MSG_TYPES] = {
#define MESSAGE_BEGIN(NAME, Name, direction, meaning) {#Name, Name##_fields},
#include "proto/messages.def"
};

const char *msg_type_name(enum msg_type type)
{
    assert((unsigned)type < MSG_TYPES);
    return messages[type].name;
}

void msg_put_text(char *field, size_t field_size, const char *text)
{
    enum { CHARACTER_MAX = 4 };
    size_t size = strlen(text), used = 0;
    while (size > 0 && used + 1 < field_size) {
        size_t room = field_size - 1 - used;
        size_t good = text_utf8_prefix(text, size < room ? size : room);
        memcpy(field + used, text, good);
        used += good;
        text += good;
        size -= good;
        if (text_utf8_prefix(text, size < CHARACTER_MAX ? size : CHARACTER_MAX) > 0)
            break; /* a character that does not fit */
        if (size > 0 && used + 1 < field_size) {
            field[used++] = '?';
            text++;
            size--;
        }
    }
    field[used] = '\0';
}

/* ---- encode ---- */

static int append(void *bytes, const char *data, size_t size)
{
    buf_put(bytes, data, size);
    return 0;
}

static int64_t count_of(const struct msg *msg, const struct field *field)
{
    int count = *(const int *)((const char *)msg + field->count_at);
    assert(count >= 0 && count <= field->limit);
    return count;
}

static void encode_text(msgpack_packer *packer, const char *text, size_t size)
{
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, text, size);
}

static void encode_int(msgpack_packer *packer, const struct field *field, int64_t value)
{
    assert(value >= field->low && value <= field->high);
    msgpack_pack_int64(packer, value);
}

static void encode_field(msgpack_packer *packer, const struct msg *msg, const struct field *field)
{
    const void *value = (const char *)msg + field->at;
    encode_text(packer, field->key, strlen(field->key));
    switch (field->kind) {
    case INT:
        encode_int(packer, field, *(const int64_t *)value);
        break;
    case REAL:
        msgpack_pack_double(packer, *(const double *)value);
        break;
    case BOOL:
        *(const bool *)value ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        break;
    case TEXT: {
        const char *end = memchr(value, '\0', (size_t)field->limit + 1);
        assert(end);
        size_t size = (size_t)(end - (const char *)value);
        assert(text_utf8_prefix(value, size) == size);
        encode_text(packer, value, size);
        break;
    }
    case BYTES: {
        size_t count = (size_t)count_of(msg, field);
        msgpack_pack_bin(packer, count);
        msgpack_pack_bin_body(packer, value, count);
        break;
    }
    case INTS: {
        int64_t count = count_of(msg, field);
        msgpack_pack_array(packer, (size_t)count);
        for (int64_t i = 0; i < count; i++)
            encode_int(packer, field, ((const int64_t *)value)[i]);
        break;
    }
    case REALS: {
        int64_t count = count_of(msg, field);
        msgpack_pack_array(packer, (size_t)count);
        for (int64_t i = 0; i < count; i++)
            msgpack_pack_double(packer, ((const double *)value)[i]);
        break;
    }
    }
}

void msg_encode(const struct msg *msg, struct buf *ret_bytes)
{
    const char *name = msg_type_name(msg->type);
    const struct field *fields = messages[msg->type].fields;
    size_t count = 0, start = ret_bytes->size;
    while (fields[count].key)
        count++;
    assert(count < BOUNDED_MAX_ENTRIES);
    msgpack_packer packer;
    msgpack_packer_init(&packer, ret_bytes, append);
    msgpack_pack_map(&packer, count + 1);
    encode_text(&packer, "type", strlen("type"));
    encode_text(&packer, name, strlen(name));
    for (size_t i = 0; i < count; i++)
        encode_field(&packer, msg, &fields[i]);
    assert(ret_bytes->size - start <= MSG_MAX_BYTES);
}

/* ---- decode ---- */

/* The bytes, and the same as msgpack-c sees them: entry i of both stands for the same key and value. */
struct decoder {
    const uint8_t *bytes;
    size_t size;
    struct bounded_map map;
    const msgpack_object_kv *entries;
    struct problem *problem;
};

static bool is_text(const msgpack_object *object, const char *text)
{
    return object->type == MSGPACK_OBJECT_STR && object->via.str.size == strlen(text) &&
           memcmp(object->via.str.ptr, text, object->via.str.size) == 0;
}

static bool is_int(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER || object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

static bool is_real(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_FLOAT32 || object->type == MSGPACK_OBJECT_FLOAT64;
}

static bool is_within(const msgpack_object *object, const struct field *field)
{
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 > INT64_MAX)
        return false;
    return object->via.i64 >= field->low && object->via.i64 <= field->high;
}

static int wrong_type(const struct decoder *decoder, size_t at, const struct field *field)
{
    static const char *const expected[] = {
        [INT] = "an integer",
        [REAL] = "a float",
        [BOOL] = "a boolean",
        [TEXT] = "a string",
        [BYTES] = "bytes",
        [INTS] = "an array of integers",
        [REALS] = "an array of floats",
    };
    return problem_set(decoder->problem, ERR_INPUT, "byte %zu: '%s' must be %s", at, field->key,
                       expected[field->kind]);
}

static int check_int(const struct decoder *decoder, size_t at, const struct field *field,
                     const msgpack_object *value)
{
    if (!is_int(value))
        return wrong_type(decoder, at, field);
    if (!is_within(value, field))
        return problem_set(decoder->problem, ERR_INPUT, "byte %zu: '%s' must be from %" PRId64 " to %" PRId64,
                           at, field->key, field->low, field->high);
    return 0;
}

static int check_array(const struct decoder *decoder, size_t at, const struct field *field,
                       const msgpack_object *value)
{
    if (value->type != MSGPACK_OBJECT_ARRAY)
        return wrong_type(decoder, at, field);
    const msgpack_object_array *array = &value->via.array;
    if (array->size > field->limit)
        return problem_set(decoder->problem, ERR_LIMIT,
                           "byte %zu: '%s' has %" PRIu32 " elements, at most %" PRId64 " are allowed", at,
                           field->key, array->size, field->limit);
    for (uint32_t i = 0; i < array->size; i++) {
        const msgpack_object *element = &array->ptr[i];
        if (field->kind == INTS ? is_int(element) && is_within(element, field) : is_real(element))
            continue;
        size_t element_at = bounded_element_at(decoder->bytes, decoder->size, at, i);
        return field->kind == INTS ? check_int(decoder, element_at, field, element)
                                   : wrong_type(decoder, element_at, field);
    }
    return 0;
}

static int too_long(const struct decoder *decoder, size_t at, const struct field *field, uint32_t size)
{
    return problem_set(decoder->problem, ERR_LIMIT,
                       "byte %zu: '%s' has %" PRIu32 " bytes, at most %" PRId64 " are allowed", at,
                       field->key, size, field->limit);
}

static int check_value(const struct decoder *decoder, size_t at, const struct field *field,
                       const msgpack_object *value)
{
    switch (field->kind) {
    case INT:
        return check_int(decoder, at, field, value);
    case REAL:
        return is_real(value) ? 0 : wrong_type(decoder, at, field);
    case BOOL:
        return value->type == MSGPACK_OBJECT_BOOLEAN ? 0 : wrong_type(decoder, at, field);
    case TEXT:
        if (value->type != MSGPACK_OBJECT_STR)
            return wrong_type(decoder, at, field);
        if (value->via.str.size > field->limit)
            return too_long(decoder, at, field, value->via.str.size);
        return 0;
    case BYTES:
        if (value->type != MSGPACK_OBJECT_BIN)
            return wrong_type(decoder, at, field);
        if (value->via.bin.size > field->limit)
            return too_long(decoder, at, field, value->via.bin.size);
        return 0;
    default:
        return check_array(decoder, at, field, value);
    }
}

/* The message's type, or a negative error. */
static int find_type(const struct decoder *decoder)
{
    for (int i = 0; i < decoder->map.count; i++) {
        if (!is_text(&decoder->entries[i].key, "type"))
            continue;
        for (int type = 0; type < MSG_TYPES; type++)
            if (is_text(&decoder->entries[i].val, messages[type].name))
                return type;
        return problem_set(decoder->problem, ERR_INPUT,
                           "byte %" PRIu32 ": 'type' is no message that is known here",
                           decoder->map.entries[i].value_at);
    }
    return problem_set(decoder->problem, ERR_INPUT, "byte 0: 'type' is missing");
}

/* A key that no field has. It is repeated only where it looks like one: the text may end up on a terminal. */
static int unknown_key(const struct decoder *decoder, size_t at, const char *message,
                       const msgpack_object_str *key)
{
    enum { SHOWN_MAX = 40 };
    bool plain = key->size > 0 && key->size <= SHOWN_MAX;
    for (uint32_t i = 0; plain && i < key->size; i++)
        plain = isalnum((unsigned char)key->ptr[i]) || key->ptr[i] == '_';
    if (!plain)
        return problem_set(decoder->problem, ERR_INPUT, "byte %zu: %s has no such field", at, message);
    return problem_set(decoder->problem, ERR_INPUT, "byte %zu: %s has no field '%.*s'", at, message,
                       (int)key->size, key->ptr);
}

/* Checks all entries, and says which of them has each field's value: ret_entry[field]. */
static int check_entries(const struct decoder *decoder, enum msg_type type,
                         int ret_entry[BOUNDED_MAX_ENTRIES])
{
    const struct field *fields = messages[type].fields;
    bool typed = false;
    for (int f = 0; fields[f].key; f++)
        ret_entry[f] = -1;
    for (int i = 0; i < decoder->map.count; i++) {
        const msgpack_object_kv *entry = &decoder->entries[i];
        size_t key_at = decoder->map.entries[i].key_at, value_at = decoder->map.entries[i].value_at;
        int f = 0;
        while (fields[f].key && !is_text(&entry->key, fields[f].key))
            f++;
        bool is_type = is_text(&entry->key, "type");
        if (!fields[f].key && !is_type)
            return unknown_key(decoder, key_at, messages[type].name, &entry->key.via.str);
        if (is_type ? typed : ret_entry[f] >= 0)
            return problem_set(decoder->problem, ERR_INPUT, "byte %zu: '%s' a second time", key_at,
                               is_type ? "type" : fields[f].key);
        if (is_type) {
            typed = true;
            continue;
        }
        ret_entry[f] = i;
        int err = check_value(decoder, value_at, &fields[f], &entry->val);
        if (err)
            return err;
    }
    for (int f = 0; fields[f].key; f++)
        if (ret_entry[f] < 0)
            return problem_set(decoder->problem, ERR_INPUT, "byte 0: '%s' is missing in %s", fields[f].key,
                               messages[type].name);
    return 0;
}

/* A value that was checked. */
static void store(struct msg *msg, const struct field *field, const msgpack_object *value)
{
    void *to = (char *)msg + field->at;
    const msgpack_object_array *array = &value->via.array;
    switch (field->kind) {
    case INT:
        *(int64_t *)to = value->via.i64;
        break;
    case REAL:
        *(double *)to = value->via.f64;
        break;
    case BOOL:
        *(bool *)to = value->via.boolean;
        break;
    case TEXT:
        memcpy(to, value->via.str.ptr, value->via.str.size);
        ((char *)to)[value->via.str.size] = '\0';
        break;
    case BYTES:
        memcpy(to, value->via.bin.ptr, value->via.bin.size);
        *(int *)((char *)msg + field->count_at) = (int)value->via.bin.size;
        break;
    case INTS:
        for (uint32_t i = 0; i < array->size; i++)
            ((int64_t *)to)[i] = array->ptr[i].via.i64;
        *(int *)((char *)msg + field->count_at) = (int)array->size;
        break;
    case REALS:
        for (uint32_t i = 0; i < array->size; i++)
            ((double *)to)[i] = array->ptr[i].via.f64;
        *(int *)((char *)msg + field->count_at) = (int)array->size;
        break;
    }
}

/* The bounded check has passed; `root` is what msgpack-c makes of the same bytes. */
static int decode_root(struct decoder *decoder, const msgpack_object *root, struct msg *ret_msg)
{
    assert(root->type == MSGPACK_OBJECT_MAP && root->via.map.size == (uint32_t)decoder->map.count);
    decoder->entries = root->via.map.ptr;
    int type = find_type(decoder);
    if (type < 0)
        return type;
    int entry_of[BOUNDED_MAX_ENTRIES];
    int err = check_entries(decoder, (enum msg_type)type, entry_of);
    if (err)
        return err;
    ret_msg->type = (enum msg_type)type;
    for (int f = 0; messages[type].fields[f].key; f++)
        store(ret_msg, &messages[type].fields[f], &decoder->entries[entry_of[f]].val);
    return 0;
}

int msg_decode(const void *bytes, size_t size, struct msg *ret_msg, struct problem *problem)
{
    if (size > MSG_MAX_BYTES)
        return problem_set(problem, ERR_LIMIT, "a message of %zu bytes, at most %d are allowed", size,
                           MSG_MAX_BYTES);
    struct decoder decoder = {.bytes = bytes, .size = size, .problem = problem};
    int err = bounded_check(bytes, size, &decoder.map, problem);
    if (err)
        return err;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t end = 0;
    msgpack_unpack_return done = msgpack_unpack_next(&unpacked, bytes, size, &end);
    assert(done == MSGPACK_UNPACK_SUCCESS && end == size);
    err = decode_root(&decoder, &unpacked.data, ret_msg);
    msgpack_unpacked_destroy(&unpacked);
    return err;
}
