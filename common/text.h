/* text: values as people write them (numbers, choices, durations, lists), read with a bound and a problem
 * that says what is allowed.
 *
 * All of them take the whole text: "12x" is no number. Results stay untouched on failure; a failure is
 * ERR_INPUT.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A whole number, low … high. */
int text_int(const char *text, int64_t low, int64_t high, int64_t *ret_value, struct problem *problem);
/* A whole number, 0 … 2^64−1. */
int text_u64(const char *text, uint64_t *ret_value, struct problem *problem);
/* A finite number, low … high. */
int text_real(const char *text, double low, double high, double *ret_value, struct problem *problem);
/* true, yes, on, 1 or false, no, off, 0. */
int text_bool(const char *text, bool *ret_value, struct problem *problem);
/* One of the names in "a|b|c": its place from 0. */
int text_choice(const char *text, const char *names, int *ret_value, struct problem *problem);
/* "500ms", "30s", "2m", "1h": milliseconds, low … high. A bare number is refused, since its unit could only
 * be guessed. */
int text_duration(const char *text, int64_t low_ms, int64_t high_ms, int64_t *ret_ms,
                  struct problem *problem);
/* A duration in the largest unit that divides it: "30s". */
void text_put_duration(struct buf *buf, int64_t ms);

/* Whether it can be a name: 1 to size − 1 letters, digits, '.', '_' or '-', and neither '.' nor '-' in front.
 */
int text_name(const char *text, size_t size, struct problem *problem);

/* A list: items between commas outside of parentheses and double quotes, trimmed, quotes around a whole item
 * taken off. */
struct text_list {
    char **items;
    int count;
};
int text_list_parse(const char *text, int limit, struct text_list *ret_list, struct problem *problem);
void text_list_release(struct text_list *list);
/* The list as text that text_list_parse reads back: items between ", ", quoted where they must be. */
void text_list_put(const struct text_list *list, struct buf *buf);

/* How many bytes from the start are whole characters of UTF-8 without NUL; `size` where all are. */
size_t text_utf8_prefix(const char *text, size_t size);

/* Name number `index` of "a|b|c". */
void text_put_choice(struct buf *buf, const char *names, int index);

/* Makes each control character a '?': whoever reads it on a terminal must get no command to that. */
void text_disarm(char *text);

#endif
