#include "common/retrain.h"

#include <stdlib.h>
#include <string.h>

void shell_word(struct buf *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    if (*word && word[strspn(word, plain)] == '\0') {
        buf_printf(text, " %s", word);
        return;
    }
    buf_printf(text, " '");
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            buf_printf(text, "'\\''");
        else
            buf_put(text, c, 1);
    buf_printf(text, "'");
}

/* Keys that are options of their own, or that say nothing about one training. */
static bool has_other_place(const char *line)
{
    static const char *const keys[] = {"data ", "model ", "steps ", "seeds "};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(line, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

void retrain_command(const struct child *child, const char *activation, int64_t steps, const char *seed,
                     struct buf *ret_text)
{
    buf_printf(ret_text, "actsearch train --model %s --data %s --activation", child->model, child->data);
    shell_word(ret_text, activation);
    buf_printf(ret_text, " --steps %lld --seed %s", (long long)(steps ? steps : child->steps), seed);
    const struct child defaults = child_defaults();
    struct buf lines = {0}, default_lines = {0};
    const struct child trained = child_of_steps(child, steps ? steps : child->steps);
    child_print(&trained, &lines);
    child_print(&defaults, &default_lines);
    /* Both texts have the same keys in the same order. */
    char *rest = (char *)lines.data, *default_rest = (char *)default_lines.data;
    for (char *line, *other;
         (line = strsep(&rest, "\n")) && (other = strsep(&default_rest, "\n")) && *line;) {
        if (strcmp(line, other) == 0 || has_other_place(line))
            continue;
        const char *equals = strstr(line, " = ");
        char *setting = xasprintf("child.%.*s=%s", (int)(equals - line), line, equals + 3);
        buf_printf(ret_text, " --set");
        shell_word(ret_text, setting);
        free(setting);
    }
    buf_release(&lines);
    buf_release(&default_lines);
}
