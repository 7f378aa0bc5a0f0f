/* json: writes JSON text. One writer, values in the order of the calls; commas and nesting are kept here. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/buf.h"

enum { JSON_MAX_DEPTH = 16 };

struct json {
    struct buf out;
    int depth;
    char bracket[JSON_MAX_DEPTH + 1]; /* what closes the object or array at each depth */
    bool more[JSON_MAX_DEPTH + 1];    /* something was written at that depth */
};

/* `key` is NULL inside arrays and at the top. */
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_end(struct json *json);                                      /* of the innermost object or array */
void json_text(struct json *json, const char *key, const char *value); /* NULL becomes null */
void json_int(struct json *json, const char *key, int64_t value);
void json_real(struct json *json, const char *key,
               double value); /* reads back exactly; null where not finite */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* `value` is JSON already. */
void json_raw(struct json *json, const char *key, const char *value);

/* The shortest of %.15g, %.16g, %.17g that reads back as `value`, with the C locale's point. */
enum { REAL_TEXT = 32 };
void real_text(double value, char ret_text[REAL_TEXT]);

#endif
