/* docs/protocol.md is what the program does: its tables are those of messages.def, and its bytes are read and
 * written as they stand there. Where they differ, the right text is printed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/msg_random.h"
#include "tests/unit/msg_samples.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define DOCUMENT "docs/protocol.md"
#define CORPUS   "tests/fuzz/corpus/msg"

static char *file_text(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = xcalloc(1 << 20, 1);
    *ret_size = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

/* ---- the tables ---- */

static void put_range(struct buf *out, int64_t low, int64_t high)
{
    if (high == INT64_MAX)
        buf_printf(out, "%" PRId64 " or more", low);
    else
        buf_printf(out, "%" PRId64 " to %" PRId64, low, high);
}

static void put_title(struct buf *out, const char *name, char direction, const char *meaning)
{
    const char *way = direction == 'W'   ? "worker to coordinator"
                      : direction == 'C' ? "coordinator to worker"
                                         : "both ways";
    buf_printf(out, "### %s (%s)\n\n%c%s.\n\n", name, way, toupper((unsigned char)meaning[0]), meaning + 1);
}

static void put_row(struct buf *out, bool *first, const char *key, const char *type)
{
    if (*first)
        buf_printf(out, "| field | type | allowed | meaning |\n|---|---|---|---|\n");
    *first = false;
    buf_printf(out, "| `%s` | %s | ", key, type);
}

/* The section of one message, as it is to stand in the document. */
static void put_section(struct buf *out, enum msg_type wanted)
{
    enum msg_type type = MSG_TYPES;
    bool first = true;
#define W 'W'
#define C 'C'
#define B 'B'
#define MESSAGE_BEGIN(NAME, Name, direction, meaning)                                                        \
    type = MSG_##NAME;                                                                                       \
    if (type == wanted)                                                                                      \
        put_title(out, #NAME, direction, meaning);
#define ROW(key, kind, allowed, meaning)                                                                     \
    if (type == wanted) {                                                                                    \
        put_row(out, &first, #key, kind);                                                                    \
        allowed;                                                                                             \
        buf_printf(out, " | %s |\n", meaning);                                                               \
    }
#define FIELD_INT(message, key, low, high, meaning) ROW(key, "integer", put_range(out, low, high), meaning)
#define FIELD_REAL(message, key, meaning)           ROW(key, "float", buf_printf(out, "any"), meaning)
#define FIELD_BOOL(message, key, meaning)           ROW(key, "boolean", buf_printf(out, "true, false"), meaning)
#define FIELD_TEXT(message, key, max_bytes, meaning)                                                         \
    ROW(key, "string", buf_printf(out, "at most %d bytes", max_bytes), meaning)
#define FIELD_BYTES(message, key, max_count, meaning)                                                        \
    ROW(key, "bytes", buf_printf(out, "at most %d", max_count), meaning)
#define FIELD_INTS(message, key, max_count, low, high, meaning)                                              \
    ROW(key, "array of integers",                                                                            \
        (buf_printf(out, "at most %d, each ", max_count), put_range(out, low, high)), meaning)
#define FIELD_REALS(message, key, max_count, meaning)                                                        \
    ROW(key, "array of floats", buf_printf(out, "at most %d", max_count), meaning)
#include "proto/messages.def"
#undef W
#undef C
#undef B
    if (first)
        buf_printf(out, "No fields.\n");
}

static void show_expected(const char *text)
{
    printf("%s: expected\n\n%s\n", DOCUMENT, text);
    fflush(stdout); /* before what cmocka says on stderr */
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void the_document_has_the_table_of_each_message(void **state)
{
    (void)state;
    size_t size = 0;
    char *document = file_text(DOCUMENT, &size);
    assert_non_null(document);
    int wrong = 0, rows = 0;
    for (int type = 0; type < MSG_TYPES; type++) {
        struct buf section = {0};
        put_section(&section, (enum msg_type)type);
        rows += count_of(buf_text(&section), "\n| `");
        if (!strstr(document, buf_text(&section))) {
            show_expected(buf_text(&section));
            wrong++;
        }
        buf_release(&section);
    }
    int document_rows = count_of(document, "\n| `");
    free(document);
    assert_int_equal(wrong, 0);
    assert_int_equal(document_rows, rows); /* none that is gone */
}

/* ---- the bytes ---- */

/* Lines of 16 bytes: offset, hexadecimal, text. */
static void put_dump(struct buf *out, const char *name, const struct buf *bytes)
{
    buf_printf(out, "```hexdump %s\n", name);
    for (size_t line = 0; line < bytes->size; line += 16) {
        buf_printf(out, "%04zx ", line);
        for (size_t i = line; i < line + 16; i++)
            i < bytes->size ? buf_printf(out, " %02x", bytes->data[i]) : buf_printf(out, "   ");
        buf_printf(out, "  |");
        for (size_t i = line; i < line + 16 && i < bytes->size; i++)
            buf_printf(out, "%c", bytes->data[i] >= 0x20 && bytes->data[i] < 0x7f ? bytes->data[i] : '.');
        buf_printf(out, "|\n");
    }
    buf_printf(out, "```\n");
}

/* The bytes of the document's dump of that name; false where it has none. */
static bool read_dump(const char *document, const char *name, struct buf *ret_bytes)
{
    char fence[64];
    snprintf(fence, sizeof fence, "\n```hexdump %s\n", name);
    const char *line = strstr(document, fence);
    if (!line)
        return false;
    for (line += strlen(fence); isxdigit((unsigned char)*line); line = strchr(line, '\n') + 1) {
        unsigned byte;
        int used;
        const char *at = line + 4, *end = strchr(line, '|');
        assert_non_null(end);
        while (at < end && sscanf(at, " %2x%n", &byte, &used) == 1) {
            buf_put(ret_bytes, &(uint8_t){(uint8_t)byte}, 1);
            at += used;
        }
    }
    return true;
}

static struct msg sample, decoded;

/* Whether `bytes` are the sample of that type, read and written. */
static bool is_sample(enum msg_type type, const void *bytes, size_t size)
{
    struct problem problem;
    struct buf again = {0};
    sample_msg(type, &sample);
    bool same = msg_decode(bytes, size, &decoded, &problem) == 0 && same_msg(&decoded, &sample);
    if (same)
        msg_encode(&decoded, &again);
    same = same && again.size == size && memcmp(again.data, bytes, size) == 0;
    buf_release(&again);
    return same;
}

static void the_bytes_in_the_document_are_read_and_written_as_they_stand_there(void **state)
{
    (void)state;
    static const enum msg_type shown[] = {MSG_HELLO, MSG_REQUEST, MSG_LEASE, MSG_RESULT, MSG_ACK};
    size_t size = 0;
    char *document = file_text(DOCUMENT, &size);
    assert_non_null(document);
    int wrong = 0;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const char *name = msg_type_name(shown[i]);
        struct buf bytes = {0}, expected = {0}, dump = {0};
        sample_msg(shown[i], &sample);
        msg_encode(&sample, &expected);
        put_dump(&dump, name, &expected);
        bool there = read_dump(document, name, &bytes);
        if (!there || !is_sample(shown[i], bytes.data, bytes.size) || !strstr(document, buf_text(&dump))) {
            show_expected(buf_text(&dump));
            wrong++;
        }
        buf_release(&bytes);
        buf_release(&expected);
        buf_release(&dump);
    }
    int dumps = count_of(document, "\n```hexdump ");
    free(document);
    assert_int_equal(wrong, 0);
    assert_int_equal(dumps, sizeof shown / sizeof *shown);
}

static void the_fuzz_target_starts_from_a_message_of_every_type(void **state)
{
    (void)state;
    int wrong = 0;
    for (int type = 0; type < MSG_TYPES; type++) {
        char *path = xasprintf("%s/%s", CORPUS, msg_type_name((enum msg_type)type));
        size_t size = 0;
        char *bytes = file_text(path, &size);
        if (!bytes || !is_sample((enum msg_type)type, bytes, size)) {
            struct buf expected = {0};
            sample_msg((enum msg_type)type, &sample);
            msg_encode(&sample, &expected);
            printf("%s: expected what this writes:\necho ", path);
            for (size_t i = 0; i < expected.size; i++)
                printf("%02x", expected.data[i]);
            printf(" | xxd -r -p >%s\n", path);
            buf_release(&expected);
            wrong++;
        }
        free(bytes);
        free(path);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_has_the_table_of_each_message),
        cmocka_unit_test(the_bytes_in_the_document_are_read_and_written_as_they_stand_there),
        cmocka_unit_test(the_fuzz_target_starts_from_a_message_of_every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
