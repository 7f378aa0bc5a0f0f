#include "common/log.h"

#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static struct {
    const char *program;
    enum log_level level;
} logger = {"actsearch", LEVEL_INFO};

void log_start(const char *program, enum log_level level)
{
    logger.program = program;
    logger.level = level;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > logger.level)
        return;
    char text[1024], stamp[32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_disarm(text); /* what others have said is in it */
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(stderr, "%s %-7s %s: %s\n", stamp, level_names[level], logger.program, text);
}
