#include "common/text.h"

#include "common/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much of a wrong value a message repeats. */
#define SHOWN "'%.80s'"

int text_int(const char *text, int64_t low, int64_t high, int64_t *ret_value, struct problem *problem)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    const bool wrong = end == text || *end || isspace((unsigned char)*text) || errno == ERANGE ||
                       value < low || value > high;
    if (wrong && high == INT64_MAX)
        return problem_set(problem, ERR_INPUT, "expected a whole number, %" PRId64 " or more, not " SHOWN,
                           low, text);
    if (wrong)
        return problem_set(problem, ERR_INPUT,
                           "expected a whole number from %" PRId64 " to %" PRId64 ", not " SHOWN, low, high,
                           text);
    *ret_value = value;
    return 0;
}

int text_u64(const char *text, uint64_t *ret_value, struct problem *problem)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno == ERANGE)
        return problem_set(problem, ERR_INPUT, "expected a whole number from 0 to %" PRIu64 ", not " SHOWN,
                           UINT64_MAX, text);
    *ret_value = value;
    return 0;
}

int text_real(const char *text, double low, double high, double *ret_value, struct problem *problem)
{
    char *end = NULL;
    double value = strtod(text, &end);
    bool decimal =
        strspn(text, "0123456789+-.eE") == strlen(text); /* no hexadecimal, no inf, no nan, no space */
    if (end == text || *end || !decimal || !isfinite(value) || value < low || value > high) {
        if (isinf(low) || isinf(high))
            return problem_set(problem, ERR_INPUT, "expected a number, not " SHOWN, text);
        char low_text[REAL_TEXT], high_text[REAL_TEXT];
        real_text(low, low_text);
        real_text(high, high_text);
        return problem_set(problem, ERR_INPUT, "expected a number from %s to %s, not " SHOWN, low_text,
                           high_text, text);
    }
    *ret_value = value;
    return 0;
}

int text_bool(const char *text, bool *ret_value, struct problem *problem)
{
    static const struct {
        const char *name;
        bool value;
    } names[] = {{"true", true},   {"yes", true}, {"on", true},   {"1", true},
                 {"false", false}, {"no", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i].name) == 0) {
            *ret_value = names[i].value;
            return 0;
        }
    return problem_set(problem, ERR_INPUT, "expected true or false, not " SHOWN, text);
}

/* The names of "a|b|c", each as a string of its own; the caller frees names[0], which holds them all. */
enum { CHOICES_MAX = 16 };
static int split_names(const char *names, char *ret_names[CHOICES_MAX])
{
    char *rest = xstrdup(names);
    int count = 0;
    for (char *name; (name = strsep(&rest, "|")) && count < CHOICES_MAX;)
        ret_names[count++] = name;
    return count;
}

int text_choice(const char *text, const char *names, int *ret_value, struct problem *problem)
{
    char *name[CHOICES_MAX];
    int count = split_names(names, name), found = -1;
    for (int i = 0; i < count; i++)
        if (strcmp(name[i], text) == 0)
            found = i;
    if (found < 0) {
        struct buf allowed = {0};
        for (int i = 0; i < count; i++)
            buf_printf(&allowed, "%s%s", i == 0 ? "" : i == count - 1 ? " or " : ", ", name[i]);
        const char *nearest = nearest_name(text, (const char *const *)name, (size_t)count, sizeof *name);
        problem_set(problem, ERR_INPUT, "expected %s, not " SHOWN "%s%s%s", buf_text(&allowed), text,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
        buf_release(&allowed);
    } else {
        *ret_value = found;
    }
    free(name[0]);
    return found < 0 ? ERR_INPUT : 0;
}

void text_put_choice(struct buf *buf, const char *names, int index)
{
    char *name[CHOICES_MAX];
    int count = split_names(names, name);
    if (index >= 0 && index < count)
        buf_printf(buf, "%s", name[index]);
    free(name[0]);
}

static const struct {
    const char *unit;
    int64_t ms;
} duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum { DURATION_UNITS = sizeof duration_units / sizeof *duration_units };

int text_duration(const char *text, int64_t low_ms, int64_t high_ms, int64_t *ret_ms, struct problem *problem)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (isdigit((unsigned char)*text) && errno == 0)
        for (int i = 0; i < DURATION_UNITS; i++) {
            int64_t ms;
            if (strcmp(end, duration_units[i].unit) == 0 &&
                !__builtin_mul_overflow((int64_t)value, duration_units[i].ms, &ms) && ms >= low_ms &&
                ms <= high_ms) {
                *ret_ms = ms;
                return 0;
            }
        }
    struct buf low = {0}, high = {0};
    text_put_duration(&low, low_ms);
    text_put_duration(&high, high_ms);
    problem_set(problem, ERR_INPUT, "expected a duration from %s to %s, such as 500ms, 30s or 2m, not " SHOWN,
                buf_text(&low), buf_text(&high), text);
    buf_release(&low);
    buf_release(&high);
    return ERR_INPUT;
}

void text_put_duration(struct buf *buf, int64_t ms)
{
    int unit = 0;
    while (ms == 0 ? unit < DURATION_UNITS - 1 : ms % duration_units[unit].ms != 0)
        unit++;
    buf_printf(buf, "%" PRId64 "%s", ms / duration_units[unit].ms, duration_units[unit].unit);
}

/* The end of the item that begins at `text`: a comma outside of parentheses and quotes, or the end. NULL
 * where one is left open. */
static const char *item_end(const char *text)
{
    int depth = 0;
    bool quoted = false;
    for (; *text; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (!quoted && *text == '(')
            depth++;
        else if (!quoted && *text == ')' && depth > 0)
            depth--;
        else if (*text == ',' && !quoted && depth == 0)
            return text;
    }
    return quoted || depth ? NULL : text;
}

/* The item between begin and end, trimmed, white space of any kind made one space, quotes around all of it
 * taken off. */
static char *item_copy(const char *begin, const char *end)
{
    struct buf item = {0};
    for (const char *c = begin; c < end; c++) {
        bool space = isspace((unsigned char)*c);
        if (space && (item.size == 0 || item.data[item.size - 1] == ' '))
            continue;
        buf_put(&item, space ? " " : c, 1);
    }
    while (item.size > 0 && item.data[item.size - 1] == ' ')
        item.size--;
    const char *text = item.size ? (const char *)item.data : "";
    size_t size = item.size;
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"' && !memchr(text + 1, '"', size - 2)) {
        text++;
        size -= 2;
        while (size > 0 && *text == ' ')
            text++, size--;
        while (size > 0 && text[size - 1] == ' ')
            size--;
    }
    char *copy = strndup(text, size);
    buf_release(&item);
    return copy ? copy : xstrdup("");
}

int text_name(const char *text, size_t size, struct problem *problem)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(text);
    if (length == 0 || length >= size || strspn(text, letters) != length || text[0] == '.' || text[0] == '-')
        return problem_set(problem, ERR_INPUT,
                           "expected a name of at most %zu letters, digits, '.', '_' or '-', not " SHOWN,
                           size - 1, text);
    return 0;
}

int text_list_parse(const char *text, int limit, struct text_list *ret_list, struct problem *problem)
{
    struct text_list list = {0};
    for (const char *at = text;; at++) {
        const char *end = item_end(at);
        int err = 0;
        if (!end)
            err = problem_set(problem, ERR_INPUT, "a parenthesis or quote is not closed in " SHOWN, at);
        else if (list.count == limit)
            err = problem_set(problem, ERR_INPUT, "more than %d items", limit);
        if (err) {
            text_list_release(&list);
            return err;
        }
        list.items = xrealloc(list.items, (size_t)list.count + 1, sizeof *list.items);
        list.items[list.count++] = item_copy(at, end);
        if (!*list.items[list.count - 1]) {
            err = problem_set(problem, ERR_INPUT,
                              list.count == 1 && !*end ? "the list is empty" : "item %d of the list is empty",
                              list.count);
            text_list_release(&list);
            return err;
        }
        at = end;
        if (!*at)
            break;
    }
    *ret_list = list;
    return 0;
}

void text_list_release(struct text_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

void text_list_put(const struct text_list *list, struct buf *buf)
{
    for (int i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        const char *end = item_end(item);
        const char *quote = end && !*end ? "" : "\"";
        buf_printf(buf, "%s%s%s%s", i ? ", " : "", quote, item, quote);
    }
}

/* Bytes of the character at `text`; 0 where it is none: cut off, overlong, a surrogate, beyond U+10FFFF, or
 * NUL. */
static size_t character_size(const unsigned char *text, size_t size)
{
    static const uint32_t lowest[] = {0, 1, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    size_t bytes = first < 0x80   ? 1
                   : first < 0xc0 ? 0
                   : first < 0xe0 ? 2
                   : first < 0xf0 ? 3
                   : first < 0xf8 ? 4
                                  : 0;
    if (bytes == 0 || bytes > size)
        return 0;
    uint32_t code = bytes == 1 ? first : first & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < lowest[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return bytes;
}

size_t text_utf8_prefix(const char *text, size_t size)
{
    size_t at = 0, bytes;
    while (at < size && (bytes = character_size((const unsigned char *)text + at, size - at)) > 0)
        at += bytes;
    return at;
}

void text_disarm(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (*at < ' ' || *at == 0x7F)
            *at = '?';
        else if (*at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0) /* those of C1, U+0080 to U+009F */
            at[0] = at[1] = '?';
    }
}
