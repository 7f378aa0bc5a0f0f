#include "common/child.h"

#include "common/ini.h"

#include <stddef.h>
#include <string.h>

#define ROW(name, kind, text)                                                                                \
    .section = "", .key = #name, .type = kind, .meaning = text, SETTING_FIELD(struct child, name)
static const struct setting settings[] = {
#define CHILD_INT(key, initial, lowest, highest, text)                                                       \
    {ROW(key, SETTING_INT, text), .allowed.whole = {lowest, highest}},
#define CHILD_REAL(key, initial, lowest, highest, text)                                                      \
    {ROW(key, SETTING_REAL, text), .allowed.real = {lowest, highest}},
#define CHILD_BOOL(key, initial, text) {ROW(key, SETTING_BOOL, text)},
#define CHILD_NAME(key, initial, text) {ROW(key, SETTING_NAME, text)},
#define CHILD_CHOICE(key, enumeration, initial, choices, text)                                               \
    {ROW(key, SETTING_CHOICE, text), .allowed.names = choices},
#include "common/child.def"
};
enum { SETTINGS = sizeof settings / sizeof *settings };

struct child child_defaults(void)
{
    return (struct child){
#define CHILD_INT(key, initial, low, high, meaning)      .key = initial,
#define CHILD_REAL(key, initial, low, high, meaning)     .key = initial,
#define CHILD_BOOL(key, initial, meaning)                .key = initial,
#define CHILD_NAME(key, initial, meaning)                .key = initial,
#define CHILD_CHOICE(key, type, initial, names, meaning) .key = initial,
#include "common/child.def"
    };
}

int child_set(struct child *child, const char *key, const char *value, struct problem *problem)
{
    const struct setting *setting = setting_find(settings, SETTINGS, "", key);
    if (!setting) {
        const char *nearest = setting_nearest(settings, SETTINGS, "", key);
        if (nearest)
            return problem_set(problem, ERR_NOT_FOUND, "there is no child.%.48s; did you mean child.%s?", key,
                               nearest);
        struct buf keys = {0};
        for (int i = 0; i < SETTINGS; i++)
            buf_printf(&keys, "%s%s", i ? ", " : "", settings[i].key);
        problem_set(problem, ERR_NOT_FOUND, "there is no child.%.48s; there are %s", key, buf_text(&keys));
        buf_release(&keys);
        return ERR_NOT_FOUND;
    }
    int err = setting_set(setting, child, value, problem);
    if (err)
        problem_prefix(problem, "child.%s", key);
    return err;
}

int child_check(const struct child *child, struct problem *problem)
{
    if (child->warmup > child->steps)
        return problem_set(problem, ERR_INPUT, "child.warmup: expected at most child.steps, %lld, not %lld",
                           (long long)child->steps, (long long)child->warmup);
    if (child->beta_lr < 0 && child->beta_lr != -1)
        return problem_set(problem, ERR_INPUT,
                           "child.beta_lr: expected 0 or more, or -1 for the same as child.lr, not %g",
                           child->beta_lr);
    return 0;
}

struct child child_of_steps(const struct child *child, int64_t steps)
{
    struct child other = *child;
    other.warmup = child->warmup * steps / child->steps; /* both are at most 10^8 */
    other.steps = steps;
    return other;
}

void child_print(const struct child *child, struct buf *ret_text)
{
    for (int i = 0; i < SETTINGS; i++) {
        buf_printf(ret_text, "%s = ", settings[i].key);
        setting_print(&settings[i], child, ret_text);
        buf_put(ret_text, "\n", 1);
    }
}

struct child_reading {
    struct child child;
    bool seen[SETTINGS];
};

static int take_key(void *context, const char *section, const char *key, const char *value, int line,
                    struct problem *problem)
{
    struct child_reading *reading = context;
    if (*section)
        return problem_at(problem, ERR_INPUT, line, 0, "expected no section, not [%s]", section);
    int err = child_set(&reading->child, key, value, problem);
    if (err)
        return err;
    bool *seen = &reading->seen[setting_find(settings, SETTINGS, "", key) - settings];
    if (*seen)
        return problem_at(problem, ERR_INPUT, line, 0, "%s stands there twice", key);
    *seen = true;
    return 0;
}

int child_parse(const char *text, struct child *ret_child, struct problem *problem)
{
    struct child_reading reading = {.child = child_defaults()};
    int err = ini_read(text, take_key, &reading, problem);
    if (!err)
        err = child_check(&reading.child, problem);
    if (!err)
        *ret_child = reading.child;
    return err;
}
