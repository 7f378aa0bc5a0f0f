/* settings: a table of named values in a struct (key, type, default, bounds, meaning), and what can be done
 * with any such table: set one from text, print one, describe one. The experiment file and the [child]
 * settings are such tables.
 */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_BYTES = 64 };

enum setting_type {
    SETTING_INT,      /* int or int64_t */
    SETTING_REAL,     /* double */
    SETTING_BOOL,     /* bool */
    SETTING_NAME,     /* char[NAME_BYTES]: letters, digits, '.', '_', '-' */
    SETTING_CHOICE,   /* an enum or bool that counts from 0 */
    SETTING_LIST,     /* char *, owned: a list as text_list_put writes it; may be empty where low is 0 */
    SETTING_DURATION, /* int64_t, milliseconds */
};

struct setting {
    const char *section;
    const char *key;
    enum setting_type type;
    size_t offset; /* of the field in its struct */
    size_t size;   /* of the field */
    union {
        struct {
            int64_t low, high;
        } whole; /* INT, DURATION; LIST: number of items */
        struct {
            double low, high;
        } real;
        const char *names; /* CHOICE: "a|b|c" */
    } allowed;
    const char *meaning;
};

/* Where the field lies, for a row of a table. */
#define SETTING_FIELD(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)

/* Sets the field of `base` from text. ERR_INPUT with what is allowed; the field is untouched then. */
int setting_set(const struct setting *setting, void *base, const char *text, struct problem *problem);
/* The field's value as setting_set reads it back exactly. */
void setting_print(const struct setting *setting, const void *base, struct buf *ret_text);
/* What is allowed, for people: "1 to 8", "cosine, step or constant". */
void setting_print_allowed(const struct setting *setting, struct buf *ret_text);

/* NULL where there is none. */
const struct setting *setting_find(const struct setting *settings, int count, const char *section,
                                   const char *key);
/* The nearest key of that section, or NULL. */
const char *setting_nearest(const struct setting *settings, int count, const char *section, const char *key);

#endif
