/* err: error codes, and the sentence that goes with one.
 *
 * A function that can fail returns 0 or a negative ERR_…; results come through `ret_…` arguments, which stay untouched on
 * failure. A function that reads something from outside also takes a `struct problem *` (never NULL) and says there what was
 * wrong, where, and what was expected. Libraries never print. An impossible state is an assert; running out of memory aborts.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stddef.h>

#define ERR_TABLE(ROW)                                                                                       \
    ROW(INPUT, "bad input")                                                                                  \
    ROW(LIMIT, "a limit is exceeded")                                                                        \
    ROW(NOT_FOUND, "not found")                                                                              \
    ROW(IO, "input or output failed")                                                                        \
    ROW(CORRUPT, "the data is damaged")                                                                      \
    ROW(VERSION, "the version does not fit")                                                                 \
    ROW(CONFLICT, "in conflict with what is there")                                                          \
    ROW(BUSY, "in use by another process")                                                                   \
    ROW(STOPPED, "stopped on request")                                                                       \
    ROW(FULL, "no room is left on the disk")                                                                 \
    ROW(USAGE, "a wrong command line")

enum err {
    ERR_OK = 0,
#define ERR_ROW(name, text) ERR_POSITIVE_##name,
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

enum {
#define ERR_ROW(name, text) ERR_##name = -(int)ERR_POSITIVE_##name,
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

/* The text of a code, for example "bad input". */
const char *err_text(int err);

/* What was wrong with an input. `line` and `column` count from 1; 0 where they mean nothing. */
struct problem {
    int line;
    int column;
    char text[480];
};

/* Fills *problem and returns `err`, so that a caller writes  return problem_set(problem, ERR_INPUT, "…", …);  */
int problem_set(struct problem *problem, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int problem_at(struct problem *problem, int err, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Puts "prefix: " in front of the text, for a caller that knows more ("experiments/a.ini"). */
void problem_prefix(struct problem *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of `count` names (stride bytes apart, each a `const char *`), the nearest to `name` by edit distance, or NULL where none
 * is near enough to be meant. For "unknown model 'cn': did you mean 'cnn'?". */
const char *nearest_name(const char *name, const char *const *names, size_t count, size_t stride);

/* The program's last words where memory is at an end: says so on stderr and aborts. */
_Noreturn void out_of_memory(void);

/* Memory: these abort when there is none. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
