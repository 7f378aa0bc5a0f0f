#include "common/buf.h"

#include "common/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

static void buf_reserve(struct buf *buf, size_t more)
{
    size_t need = buf->size + more + 1;
    assert(need > buf->size);
    if (need <= buf->capacity)
        return;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    buf->data = xrealloc(buf->data, capacity, 1);
    buf->capacity = capacity;
}

void buf_put(struct buf *buf, const void *data, size_t size)
{
    buf_reserve(buf, size);
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    buf_reserve(buf, (size_t)length);
    vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, again);
    va_end(again);
    buf->size += (size_t)length;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? (const char *)buf->data : "";
}

static void write_le(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static void put_le(struct buf *buf, uint64_t value, size_t bytes)
{
    uint8_t out[8];
    write_le(out, value, bytes);
    buf_put(buf, out, bytes);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    put_le(buf, value, 4);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    put_le(buf, value, 8);
}

void buf_put_f64(struct buf *buf, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    buf_put_u64(buf, bits);
}

void buf_put_f64s(struct buf *buf, const double *values, size_t count)
{
    buf_reserve(buf, count * sizeof *values);
    for (size_t i = 0; i < count; i++, buf->size += sizeof(uint64_t)) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        write_le(buf->data + buf->size, bits, sizeof bits);
    }
    buf->data[buf->size] = '\0';
}

struct cursor cursor_of(const void *data, size_t size)
{
    return (struct cursor){.data = data, .size = size};
}

bool cursor_take(struct cursor *cursor, void *ret, size_t size)
{
    if (cursor->failed || size > cursor->size - cursor->at) {
        cursor->failed = true;
        if (size)
            memset(ret, 0, size);
        return false;
    }
    if (size)
        memcpy(ret, cursor->data + cursor->at, size);
    cursor->at += size;
    return true;
}

static uint64_t take_le(struct cursor *cursor, size_t bytes)
{
    uint8_t in[8] = {0};
    cursor_take(cursor, in, bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

uint32_t cursor_take_u32(struct cursor *cursor)
{
    return (uint32_t)take_le(cursor, 4);
}

uint64_t cursor_take_u64(struct cursor *cursor)
{
    return take_le(cursor, 8);
}

double cursor_take_f64(struct cursor *cursor)
{
    uint64_t bits = take_le(cursor, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void cursor_take_f64s(struct cursor *cursor, double *ret_values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret_values[i] = cursor_take_f64(cursor);
}

bool cursor_done(const struct cursor *cursor)
{
    return !cursor->failed && cursor->at == cursor->size;
}
