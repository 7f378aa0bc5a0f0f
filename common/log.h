/* log: lines on stderr for the programs. Libraries never log: they return a problem, and the program decides.
 *
 * A line is  "2026-11-24 08:15:02 info  actsearchd: text".  The level is the program's, set once at start.
 * The levels are not called LOG_…: those are macros of syslog.h, with other values, wherever a header includes it (czmq.h does).
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* `program` is borrowed and goes in front of each text. */
void log_start(const char *program, enum log_level level);
/* error, warning, info or debug; false for anything else. */
bool log_level_parse(const char *name, enum log_level *ret_level);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LEVEL_DEBUG, __VA_ARGS__)

#endif
