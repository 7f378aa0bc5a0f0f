/* buf: bytes that grow. Used for saved states, text that is put together, and messages.
 *
 * Invariant: data[0 … size) is what was written; data[size] is a NUL that is not counted, so that text can be read as a string
 * (data is NULL while nothing was ever written: use buf_text).
 * The put_/take_ pairs write little-endian and are the one format of all saved states.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buf_clear(struct buf *buf);   /* keeps the memory */
void buf_release(struct buf *buf); /* gives the memory back; the buf is as {0} again */
void buf_put(struct buf *buf, const void *data, size_t size);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *buf_text(const struct buf *buf);

void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
void buf_put_f64(struct buf *buf, double value);
void buf_put_f64s(struct buf *buf, const double *values, size_t count);

/* A reader over bytes that it does not own. A take_ past the end returns 0 and sets `failed`, so that a caller takes all it
 * expects and asks once at the end. */
struct cursor {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

struct cursor cursor_of(const void *data, size_t size);
bool cursor_take(struct cursor *cursor, void *ret, size_t size);
uint32_t cursor_take_u32(struct cursor *cursor);
uint64_t cursor_take_u64(struct cursor *cursor);
double cursor_take_f64(struct cursor *cursor);
void cursor_take_f64s(struct cursor *cursor, double *ret_values, size_t count);
/* True when nothing failed and nothing is left. */
bool cursor_done(const struct cursor *cursor);

#endif
