#include "common/settings.h"

#include "common/ini.h"
#include "common/json.h"
#include "common/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void store_int(const struct setting *setting, void *field, int64_t value)
{
    assert(setting->size == sizeof(int64_t) || setting->size == sizeof(int) || setting->size == sizeof(bool));
    if (setting->size == sizeof(int64_t))
        memcpy(field, &value, sizeof value);
    else if (setting->size == sizeof(int))
        memcpy(field, &(int){(int)value}, sizeof(int));
    else
        memcpy(field, &(bool){value != 0}, sizeof(bool));
}

static int64_t load_int(const struct setting *setting, const void *field)
{
    int64_t whole = 0;
    int narrow = 0;
    bool bit = false;
    if (setting->size == sizeof whole)
        memcpy(&whole, field, sizeof whole);
    else if (setting->size == sizeof narrow)
        memcpy(&narrow, field, sizeof narrow);
    else
        memcpy(&bit, field, sizeof bit);
    return whole + narrow + bit;
}

static int set_name(char *field, const char *text, struct problem *problem)
{
    int err = text_name(text, NAME_BYTES, problem);
    if (err)
        return err;
    memset(field, 0, NAME_BYTES);
    strcpy(field, text);
    return 0;
}

static int set_list(const struct setting *setting, void *field, const char *text, struct problem *problem)
{
    struct text_list list = {0};
    bool empty = text[strspn(text, " \t\r\n")] == '\0';
    if (!empty || setting->allowed.whole.low > 0) {
        int err = text_list_parse(text, (int)setting->allowed.whole.high, &list, problem);
        if (err)
            return err;
    }
    struct buf normal = {0};
    text_list_put(&list, &normal);
    text_list_release(&list);
    if (normal.size > INI_VALUE_MAX) { /* it could not be read back */
        buf_release(&normal);
        return problem_set(problem, ERR_LIMIT, "the list has more than %d bytes", INI_VALUE_MAX);
    }
    char *old, *text_copy = xstrdup(buf_text(&normal));
    buf_release(&normal);
    memcpy(&old, field, sizeof old);
    free(old);
    memcpy(field, &text_copy, sizeof text_copy);
    return 0;
}

int setting_set(const struct setting *setting, void *base, const char *text, struct problem *problem)
{
    void *field = (char *)base + setting->offset;
    int64_t whole;
    double real;
    bool truth;
    int choice, err = 0;
    switch (setting->type) {
    case SETTING_INT:
        err = text_int(text, setting->allowed.whole.low, setting->allowed.whole.high, &whole, problem);
        if (!err)
            store_int(setting, field, whole);
        return err;
    case SETTING_DURATION:
        err = text_duration(text, setting->allowed.whole.low, setting->allowed.whole.high, &whole, problem);
        if (!err)
            store_int(setting, field, whole);
        return err;
    case SETTING_REAL:
        err = text_real(text, setting->allowed.real.low, setting->allowed.real.high, &real, problem);
        if (!err)
            memcpy(field, &real, sizeof real);
        return err;
    case SETTING_BOOL:
        err = text_bool(text, &truth, problem);
        if (!err)
            memcpy(field, &truth, sizeof truth);
        return err;
    case SETTING_CHOICE:
        err = text_choice(text, setting->allowed.names, &choice, problem);
        if (!err)
            store_int(setting, field, choice);
        return err;
    case SETTING_NAME:
        return set_name(field, text, problem);
    case SETTING_LIST:
        return set_list(setting, field, text, problem);
    }
    assert(!"a setting of no type");
    return ERR_INPUT;
}

void setting_print(const struct setting *setting, const void *base, struct buf *ret_text)
{
    const void *field = (const char *)base + setting->offset;
    char number[REAL_TEXT];
    double real;
    const char *list;
    switch (setting->type) {
    case SETTING_INT:
        buf_printf(ret_text, "%" PRId64, load_int(setting, field));
        break;
    case SETTING_DURATION:
        text_put_duration(ret_text, load_int(setting, field));
        break;
    case SETTING_REAL:
        memcpy(&real, field, sizeof real);
        real_text(real, number);
        buf_printf(ret_text, "%s", number);
        break;
    case SETTING_BOOL:
        buf_printf(ret_text, "%s", load_int(setting, field) ? "true" : "false");
        break;
    case SETTING_CHOICE:
        text_put_choice(ret_text, setting->allowed.names, (int)load_int(setting, field));
        break;
    case SETTING_NAME:
        buf_printf(ret_text, "%s", (const char *)field);
        break;
    case SETTING_LIST:
        memcpy(&list, field, sizeof list);
        buf_printf(ret_text, "%s", list);
        break;
    }
}

void setting_print_allowed(const struct setting *setting, struct buf *ret_text)
{
    char low[REAL_TEXT], high[REAL_TEXT];
    switch (setting->type) {
    case SETTING_INT:
        if (setting->allowed.whole.high == INT64_MAX)
            buf_printf(ret_text, "%" PRId64 " or more", setting->allowed.whole.low);
        else
            buf_printf(ret_text, "%" PRId64 " to %" PRId64, setting->allowed.whole.low,
                       setting->allowed.whole.high);
        break;
    case SETTING_DURATION:
        text_put_duration(ret_text, setting->allowed.whole.low);
        buf_printf(ret_text, " to ");
        text_put_duration(ret_text, setting->allowed.whole.high);
        break;
    case SETTING_REAL:
        real_text(setting->allowed.real.low, low);
        real_text(setting->allowed.real.high, high);
        buf_printf(ret_text, "%s to %s", low, high);
        break;
    case SETTING_BOOL:
        buf_printf(ret_text, "true, false");
        break;
    case SETTING_CHOICE:
        for (const char *c = setting->allowed.names; *c; c++) {
            if (*c == '|')
                buf_put(ret_text, ", ", 2);
            else
                buf_put(ret_text, c, 1);
        }
        break;
    case SETTING_NAME:
        buf_printf(ret_text, "a name");
        break;
    case SETTING_LIST:
        buf_printf(ret_text, "a list, %" PRId64 " to %" PRId64 " items", setting->allowed.whole.low,
                   setting->allowed.whole.high);
        break;
    }
}

const struct setting *setting_find(const struct setting *settings, int count, const char *section,
                                   const char *key)
{
    for (int i = 0; i < count; i++)
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

const char *setting_nearest(const struct setting *settings, int count, const char *section, const char *key)
{
    const char **keys = xcalloc((size_t)count, sizeof *keys);
    size_t found = 0;
    for (int i = 0; i < count; i++)
        if (strcmp(settings[i].section, section) == 0)
            keys[found++] = settings[i].key;
    const char *nearest = nearest_name(key, keys, found, sizeof *keys);
    free(keys);
    return nearest;
}
