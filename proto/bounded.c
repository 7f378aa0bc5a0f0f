#include "proto/bounded.h"

#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>

enum kind { KIND_NUMBER, KIND_BOOL, KIND_TEXT, KIND_BYTES, KIND_ARRAY, KIND_MAP, KIND_OTHER };

/* What a msgpack value says of itself before its contents. */
struct head {
    enum kind kind;
    uint64_t count; /* bytes of a text or of bytes, elements of an array, entries of a map */
    size_t size;    /* bytes up to what `count` counts; the whole value where nothing is counted */
};

struct walk {
    const uint8_t *bytes;
    size_t size;
    size_t at;
    struct problem *problem;
};

/* The formats from 0xc0 to 0xdf: one row each, in order. */
static const struct {
    const char *name;
    enum kind kind;
    uint8_t count_bytes; /* big-endian, after the first byte */
    uint8_t fixed_bytes; /* after those: of a number */
} formats[32] = {
    {"nil", KIND_OTHER, 0, 0},        {"the unused byte 0xc1", KIND_OTHER, 0, 0},
    {"false", KIND_BOOL, 0, 0},       {"true", KIND_BOOL, 0, 0},
    {"bin 8", KIND_BYTES, 1, 0},      {"bin 16", KIND_BYTES, 2, 0},
    {"bin 32", KIND_BYTES, 4, 0},     {"ext 8", KIND_OTHER, 1, 0},
    {"ext 16", KIND_OTHER, 2, 0},     {"ext 32", KIND_OTHER, 4, 0},
    {"float 32", KIND_NUMBER, 0, 4},  {"float 64", KIND_NUMBER, 0, 8},
    {"uint 8", KIND_NUMBER, 0, 1},    {"uint 16", KIND_NUMBER, 0, 2},
    {"uint 32", KIND_NUMBER, 0, 4},   {"uint 64", KIND_NUMBER, 0, 8},
    {"int 8", KIND_NUMBER, 0, 1},     {"int 16", KIND_NUMBER, 0, 2},
    {"int 32", KIND_NUMBER, 0, 4},    {"int 64", KIND_NUMBER, 0, 8},
    {"fixext 1", KIND_OTHER, 0, 2},   {"fixext 2", KIND_OTHER, 0, 3},
    {"fixext 4", KIND_OTHER, 0, 5},   {"fixext 8", KIND_OTHER, 0, 9},
    {"fixext 16", KIND_OTHER, 0, 17}, {"str 8", KIND_TEXT, 1, 0},
    {"str 16", KIND_TEXT, 2, 0},      {"str 32", KIND_TEXT, 4, 0},
    {"array 16", KIND_ARRAY, 2, 0},   {"array 32", KIND_ARRAY, 4, 0},
    {"map 16", KIND_MAP, 2, 0},       {"map 32", KIND_MAP, 4, 0},
};

static const char *format_name(uint8_t first)
{
    if (first < 0x80 || first >= 0xe0)
        return "an integer";
    return first < 0x90   ? "a map"
           : first < 0xa0 ? "an array"
           : first < 0xc0 ? "a string"
                          : formats[first - 0xc0].name;
}

static int cut_off(const struct walk *walk)
{
    return problem_set(walk->problem, ERR_INPUT, "byte %zu: the message is cut off here", walk->size);
}

/* Reads the head of the value at walk->at; does not move. */
static int head_read(const struct walk *walk, struct head *ret_head)
{
    if (walk->at >= walk->size)
        return cut_off(walk);
    uint8_t first = walk->bytes[walk->at];
    struct head head = {.kind = KIND_NUMBER, .size = 1};
    if (first >= 0x80 && first < 0x90) {
        head.kind = KIND_MAP;
        head.count = first & 0x0f;
    } else if (first >= 0x90 && first < 0xa0) {
        head.kind = KIND_ARRAY;
        head.count = first & 0x0f;
    } else if (first >= 0xa0 && first < 0xc0) {
        head.kind = KIND_TEXT;
        head.count = first & 0x1f;
    } else if (first >= 0xc0 && first < 0xe0) {
        head.kind = formats[first - 0xc0].kind;
        head.size += (size_t)formats[first - 0xc0].count_bytes + formats[first - 0xc0].fixed_bytes;
        if (head.size > walk->size - walk->at)
            return cut_off(walk);
        for (int i = 1; i <= formats[first - 0xc0].count_bytes; i++)
            head.count = head.count << 8 | walk->bytes[walk->at + (size_t)i];
    }
    *ret_head = head;
    return 0;
}

/* The head of a string, array or map whose contents cannot fit: each element takes `least` bytes at least. */
static int check_room(const struct walk *walk, const struct head *head, const char *what, uint64_t least)
{
    if (head->count * least <= walk->size - walk->at - head->size)
        return 0;
    return problem_set(walk->problem, ERR_INPUT, "byte %zu: %s of %" PRIu64 ", but only %zu bytes are left",
                       walk->at, what, head->count, walk->size - walk->at - head->size);
}

static int walk_text(struct walk *walk, const struct head *head)
{
    int err = check_room(walk, head, "a string", 1);
    if (err)
        return err;
    size_t start = walk->at + head->size, size = (size_t)head->count;
    const char *text = (const char *)walk->bytes + start;
    size_t valid = text_utf8_prefix(text, size);
    if (valid < size)
        return problem_set(walk->problem, ERR_INPUT, "byte %zu: %s in a string", start + valid,
                           text[valid] == '\0' ? "a NUL" : "bytes that are no UTF-8");
    walk->at = start + size;
    return 0;
}

static int walk_array(struct walk *walk, const struct head *head)
{
    int err = check_room(walk, head, "an array", 1);
    if (err)
        return err;
    walk->at += head->size;
    for (uint64_t i = 0; i < head->count; i++) {
        struct head element;
        err = head_read(walk, &element);
        if (err)
            return err;
        if (element.kind != KIND_NUMBER)
            return problem_set(walk->problem, ERR_INPUT, "byte %zu: %s in an array, expected a number",
                               walk->at, format_name(walk->bytes[walk->at]));
        walk->at += element.size;
    }
    return 0;
}

static int walk_value(struct walk *walk)
{
    struct head head;
    int err = head_read(walk, &head);
    if (err)
        return err;
    switch (head.kind) {
    case KIND_NUMBER:
    case KIND_BOOL:
        walk->at += head.size;
        return 0;
    case KIND_TEXT:
        return walk_text(walk, &head);
    case KIND_BYTES:
        err = check_room(walk, &head, "bytes", 1);
        walk->at += err ? 0 : head.size + (size_t)head.count;
        return err;
    case KIND_ARRAY:
        return walk_array(walk, &head);
    default:
        return problem_set(walk->problem, ERR_INPUT, "byte %zu: %s is no value of a message", walk->at,
                           format_name(walk->bytes[walk->at]));
    }
}

static int walk_key(struct walk *walk)
{
    struct head head;
    int err = head_read(walk, &head);
    if (err)
        return err;
    if (head.kind != KIND_TEXT)
        return problem_set(walk->problem, ERR_INPUT, "byte %zu: %s as a key, expected a string", walk->at,
                           format_name(walk->bytes[walk->at]));
    return walk_text(walk, &head);
}

int bounded_check(const uint8_t *bytes, size_t size, struct bounded_map *ret_map, struct problem *problem)
{
    struct walk walk = {.bytes = bytes, .size = size, .problem = problem};
    struct head head;
    int err = head_read(&walk, &head);
    if (err)
        return err;
    if (head.kind != KIND_MAP)
        return problem_set(problem, ERR_INPUT, "byte 0: %s, expected a map", format_name(bytes[0]));
    if (head.count > BOUNDED_MAX_ENTRIES)
        return problem_set(problem, ERR_LIMIT, "byte 0: a map of %" PRIu64 " entries, at most %d are allowed",
                           head.count, BOUNDED_MAX_ENTRIES);
    err = check_room(&walk, &head, "a map", 2);
    if (err)
        return err;
    struct bounded_map map = {.count = (int)head.count};
    walk.at = head.size;
    for (int i = 0; i < map.count; i++) {
        map.entries[i].key_at = (uint32_t)walk.at;
        err = walk_key(&walk);
        if (err)
            return err;
        map.entries[i].value_at = (uint32_t)walk.at;
        err = walk_value(&walk);
        if (err)
            return err;
    }
    if (walk.at < size)
        return problem_set(problem, ERR_INPUT, "byte %zu: something follows the end of the message", walk.at);
    *ret_map = map;
    return 0;
}

size_t bounded_element_at(const uint8_t *bytes, size_t size, size_t array_at, size_t index)
{
    struct problem problem;
    struct walk walk = {.bytes = bytes, .size = size, .at = array_at, .problem = &problem};
    struct head head;
    int err = head_read(&walk, &head);
    assert(err == 0 && head.kind == KIND_ARRAY && index < head.count);
    walk.at += head.size;
    for (size_t i = 0; i < index; i++) {
        err = head_read(&walk, &head);
        assert(err == 0 && head.kind == KIND_NUMBER);
        walk.at += head.size;
    }
    return walk.at;
}
