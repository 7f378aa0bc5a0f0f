#include "common/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *err_text(int err)
{
    static const char *const texts[] = {[ERR_OK] = "success",
#define ERR_ROW(name, text) [ERR_POSITIVE_##name] = text,
                                        ERR_TABLE(ERR_ROW)
#undef ERR_ROW
    };
    assert(err <= 0 && (size_t)-err < sizeof texts / sizeof *texts);
    return texts[-err];
}

__attribute__((format(printf, 5, 0))) static int problem_fill(struct problem *problem, int err, int line,
                                                              int column, const char *format, va_list args)
{
    assert(err < 0);
    problem->line = line;
    problem->column = column;
    vsnprintf(problem->text, sizeof problem->text, format, args);
    return err;
}

int problem_set(struct problem *problem, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_fill(problem, err, 0, 0, format, args);
    va_end(args);
    return err;
}

int problem_at(struct problem *problem, int err, int line, int column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem_fill(problem, err, line, column, format, args);
    va_end(args);
    return err;
}

void problem_prefix(struct problem *problem, const char *format, ...)
{
    char prefix[sizeof problem->text], text[sizeof problem->text];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(text, problem->text, sizeof text);
    size_t used = strlen(prefix);
    size_t room = sizeof problem->text - 1;
    if (used > room - 2)
        used = room - 2;
    memcpy(problem->text, prefix, used);
    memcpy(problem->text + used, ": ", 2);
    size_t rest = strnlen(text, room - used - 2);
    memcpy(problem->text + used + 2, text, rest);
    problem->text[used + 2 + rest] = '\0';
}

enum { NAME_MAX_LENGTH = 64 };

/* Levenshtein distance, two rows at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1];
    size_t la = strlen(a), lb = strlen(b);
    if (la > NAME_MAX_LENGTH || lb > NAME_MAX_LENGTH)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < best ? change : best;
        }
    }
    return row[lb];
}

const char *nearest_name(const char *name, const char *const *names, size_t count, size_t stride)
{
    const char *best = NULL;
    const size_t length = strlen(name);
    /* A slip or two, one more in longer names, and never more than half of it: "foo" does not mean "log". */
    size_t best_distance = (length / 3 + 1 < length / 2 ? length / 3 + 1 : length / 2) + 1;
    for (size_t i = 0; i < count; i++) {
        const char *candidate = *(const char *const *)((const char *)names + i * stride);
        size_t distance = edit_distance(name, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

void out_of_memory(void)
{
    fputs("out of memory\n", stderr);
    abort();
}

static void *or_abort(void *memory)
{
    if (!memory)
        out_of_memory();
    return memory;
}

void *xcalloc(size_t count, size_t size)
{
    return or_abort(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        or_abort(NULL);
    return or_abort(realloc(old, bytes ? bytes : 1));
}

char *xstrdup(const char *text)
{
    return or_abort(strdup(text));
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return or_abort(length < 0 ? NULL : text);
}
