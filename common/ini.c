#include "common/ini.h"

#include "common/buf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* inih cuts longer names off without a word. */
enum { WORD_MAX = 48 };

struct reading {
    const char *rest;                  /* of the text */
    int line;                          /* the one that inih has now */
    const char *line_begin, *line_end; /* trimmed */
    ini_visit *visit;
    void *context;
    struct problem *problem;
    int err;
    /* The key that waits for its continuation lines. */
    char section[WORD_MAX + 1], key[WORD_MAX + 1];
    struct buf value;
    int key_line; /* 0: none waits */
};

/* Gives the key that waits to the visitor. */
static void flush_key(struct reading *reading)
{
    if (reading->key_line == 0 || reading->err)
        return;
    struct problem problem = {0};
    int line = reading->key_line;
    reading->key_line = 0;
    reading->err = reading->visit(reading->context, reading->section, reading->key, buf_text(&reading->value),
                                  line, &problem);
    if (!reading->err)
        return;
    if (problem.line == 0)
        problem.line = line;
    *reading->problem = problem;
}

static int shown(const struct reading *reading)
{
    ptrdiff_t length = reading->line_end - reading->line_begin;
    return length < 60 ? (int)length : 60;
}

/* fgets for inih, from memory, which also keeps count of the lines and refuses those that inih would cut. */
static char *next_line(char *line, int size, void *stream)
{
    struct reading *reading = stream;
    if (reading->err || !*reading->rest)
        return NULL;
    const char *begin = reading->rest;
    const char *end = strchrnul(begin, '\n');
    size_t length = (size_t)(end - begin);
    reading->line++;
    reading->rest = *end ? end + 1 : end;
    reading->line_begin = begin;
    reading->line_end = end;
    while (reading->line_begin < end && isspace((unsigned char)*reading->line_begin))
        reading->line_begin++;
    while (reading->line_end > reading->line_begin && isspace((unsigned char)reading->line_end[-1]))
        reading->line_end--;
    if (length >= INI_LINE_MAX || length + 2 > (size_t)size) {
        flush_key(reading);
        if (!reading->err)
            reading->err = problem_at(
                reading->problem, ERR_LIMIT, reading->line, 0,
                "the line has %zu bytes, more than %d; a list may go on in lines that begin with a space",
                length, (size < INI_LINE_MAX ? size : INI_LINE_MAX) - 2);
        return NULL;
    }
    memcpy(line, begin, length);
    memcpy(line + length, "\n", 2);
    return line;
}

/* inih's handler: nonzero is success. */
static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;
    if (reading->err)
        return 1;
    size_t line_length = (size_t)(reading->line_end - reading->line_begin);
    /* A continuation line comes with the name of the key above and the whole line as its value. */
    bool continues = reading->key_line && strlen(value) == line_length &&
                     memcmp(value, reading->line_begin, line_length) == 0;
    if (!continues) {
        flush_key(reading);
        if (reading->err)
            return 1;
        if (strlen(section) > WORD_MAX || strlen(key) > WORD_MAX) {
            reading->err = problem_at(reading->problem, ERR_LIMIT, reading->line, 0,
                                      "the name of a section or key has more than %d bytes", WORD_MAX);
            return 1;
        }
        memcpy(reading->section, section, strlen(section) + 1);
        memcpy(reading->key, key, strlen(key) + 1);
        buf_clear(&reading->value);
        reading->key_line = reading->line;
    }
    buf_printf(&reading->value, "%s%s", continues ? "\n" : "", value);
    if (reading->value.size > INI_VALUE_MAX)
        reading->err = problem_at(reading->problem, ERR_LIMIT, reading->key_line, 0,
                                  "the value has more than %d bytes", INI_VALUE_MAX);
    return 1;
}

int ini_read(const char *text, ini_visit *visit, void *context, struct problem *problem)
{
    if (strlen(text) > INI_TEXT_MAX)
        return problem_set(problem, ERR_LIMIT, "the text has more than %d bytes", INI_TEXT_MAX);
    /* Debian's inih takes its limits from variables; always the same values. */
    ini_use_stack = false;
    ini_initial_alloc = ini_max_line = INI_LINE_MAX;
    ini_allow_inline_comments = false;
    ini_stop_on_first_error = true;

    struct reading reading = {.rest = text, .visit = visit, .context = context, .problem = problem};
    int bad_line = ini_parse_stream(next_line, &reading, take_pair, &reading);
    flush_key(&reading); /* a key above the bad line has its say first */
    if (!reading.err && bad_line != 0)
        reading.err =
            problem_at(problem, ERR_INPUT, reading.line, 0, "expected [section] or key = value, not '%.*s'",
                       shown(&reading), reading.line_begin);
    buf_release(&reading.value);
    return reading.err;
}

int ini_file(const char *path, char **ret_text, struct problem *problem)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return problem_set(problem, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%.200s: cannot be opened: %s",
                           path, strerror(errno));
    char *text = xcalloc(INI_TEXT_MAX + 2, 1);
    size_t size = fread(text, 1, INI_TEXT_MAX + 1, file);
    int err = 0;
    if (ferror(file))
        err = problem_set(problem, ERR_IO, "%.200s: cannot be read: %s", path, strerror(errno));
    else if (size > INI_TEXT_MAX)
        err = problem_set(problem, ERR_LIMIT, "%.200s: has more than %d bytes: no file of settings", path,
                          INI_TEXT_MAX);
    else if (memchr(text, '\0', size))
        err = problem_set(problem, ERR_INPUT, "%.200s: has a zero byte: no text", path);
    fclose(file);
    if (err)
        free(text);
    else
        *ret_text = text;
    return err;
}
