#include "common/json.h"

#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_string(struct buf *out, const char *text)
{
    const char *good = text + text_utf8_prefix(text, strlen(text)); /* up to here */
    buf_put(out, "\"", 1);
    for (const char *c = text; *c; c++) {
        if (c == good) { /* a byte of a host name or path that is no UTF-8; no reader of JSON would take it */
            buf_printf(out, "\\ufffd");
            good = c + 1 + text_utf8_prefix(c + 1, strlen(c + 1));
        } else if (*c == '"' || *c == '\\')
            buf_printf(out, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)*c);
        else
            buf_put(out, c, 1);
    }
    buf_put(out, "\"", 1);
}

static void start_value(struct json *json, const char *key)
{
    if (json->depth > 0 && json->more[json->depth])
        buf_put(&json->out, ",", 1);
    json->more[json->depth] = true;
    if (key) {
        put_string(&json->out, key);
        buf_put(&json->out, ":", 1);
    }
}

static void open_nest(struct json *json, const char *key, char open, char close)
{
    start_value(json, key);
    buf_put(&json->out, &open, 1);
    assert(json->depth < JSON_MAX_DEPTH);
    json->depth++;
    json->bracket[json->depth] = close;
    json->more[json->depth] = false;
}

void json_object(struct json *json, const char *key)
{
    open_nest(json, key, '{', '}');
}

void json_array(struct json *json, const char *key)
{
    open_nest(json, key, '[', ']');
}

void json_end(struct json *json)
{
    assert(json->depth > 0);
    buf_put(&json->out, &json->bracket[json->depth], 1);
    json->depth--;
}

void json_text(struct json *json, const char *key, const char *value)
{
    start_value(json, key);
    if (value)
        put_string(&json->out, value);
    else
        buf_put(&json->out, "null", 4);
}

void json_int(struct json *json, const char *key, int64_t value)
{
    start_value(json, key);
    buf_printf(&json->out, "%" PRId64, value);
}

void json_real(struct json *json, const char *key, double value)
{
    char text[REAL_TEXT];
    start_value(json, key);
    real_text(value, text);
    buf_printf(&json->out, "%s", isfinite(value) ? text : "null");
}

void json_bool(struct json *json, const char *key, bool value)
{
    start_value(json, key);
    buf_printf(&json->out, "%s", value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    json_text(json, key, NULL);
}

void json_raw(struct json *json, const char *key, const char *value)
{
    start_value(json, key);
    buf_printf(&json->out, "%s", value);
}

void real_text(double value, char ret_text[REAL_TEXT])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(ret_text, REAL_TEXT, "%.*g", digits, value);
        if (strtod(ret_text, NULL) == value)
            return;
    }
}
