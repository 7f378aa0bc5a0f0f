/* actsearch data: the data sets in the cache: add one, list them, check them. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/table.h"
#include "common/json.h"
#include "worker/nn/data.h"
#include "worker/nn/data_published.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *words[3]; /* the action, and what it takes */
    int count;
    const char *cache;
    bool json;
};

static int data_add(const struct arguments *arguments, const char *dir);
static int data_show(const struct arguments *arguments, const char *dir);
static int data_check(const struct arguments *arguments, const char *dir);

static const struct action {
    const char *name;
    int low, high; /* how many words follow */
    const char *expected;
    int (*run)(const struct arguments *arguments, const char *dir);
} actions[] = {
    {"add", 1, 2, "NAME and DIR", data_add},
    {"list", 0, 0, "nothing", data_show},
    {"verify", 0, 1, "at most a NAME", data_check},
};
enum { ACTIONS = sizeof actions / sizeof *actions };

static const struct action *action_find(const char *name)
{
    for (int i = 0; i < ACTIONS; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static const struct argp_option options[] = {
    OPTION_ROW_CACHE,
    OPTION_ROW_JSON,
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    const struct action *action = arguments->count ? action_find(arguments->words[0]) : NULL;
    switch (key) {
    case OPTION_CACHE:
        arguments->cache = value;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->count == 0 && !action_find(value))
            argp_error(state, "expected add, list or verify, not '%s'", value);
        if (action && arguments->count > action->high)
            argp_error(state, "%s takes %s; '%s' is too much", action->name, action->expected, value);
        arguments->words[arguments->count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (!action)
            argp_error(state, "expected add, list or verify");
        else if (arguments->count - 1 < action->low)
            argp_error(state, "%s takes %s", action->name, action->expected);
        else if (action->run == data_add && arguments->count == 2 &&
                 !published_system_dir(arguments->words[1]))
            argp_error(state, "add takes NAME and DIR: no package on this machine has '%s'",
                       arguments->words[1]);
        else if (arguments->json && action->run != data_show)
            argp_error(state, "--json goes with list");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "add NAME [DIR]\nlist\nverify [NAME]",
    .doc = "add unpacks the files in DIR into the cache as data set NAME: IDX (train-images-idx3-ubyte, "
           "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; plain or .gz), "
           "CIFAR-10 (data_batch_1.bin to data_batch_5.bin, test_batch.bin) or CIFAR-100 (train.bin, "
           "test.bin). Without DIR: the files of a Debian package (fashion-mnist).\n"
           "list says what is there. verify reads everything again and compares with the hashes.\v"
           "The names fashion-mnist, mnist, cifar-10 and cifar-100 are for the published data of that "
           "name; give your own data another one. fashion-mnist is added by itself where Debian's package "
           "dataset-fashion-mnist is installed.",
};

static int data_add(const struct arguments *arguments, const char *dir)
{
    struct problem problem;
    struct hash hash;
    char hex[HASH_HEX];
    const char *name = arguments->words[1];
    const char *from = arguments->count > 2 ? arguments->words[2] : published_system_dir(name);
    if (data_import(dir, name, from, &hash, &problem))
        return print_problem("actsearch data", NULL, &problem);
    hash_hex(&hash, hex);
    printf("%s  %s\n", hex, name);
    return STATUS_DONE;
}

static void list_json(const struct data_entry *entries, int count)
{
    struct json json = {0};
    json_array(&json, NULL);
    for (const struct data_entry *entry = entries; entry < entries + count; entry++) {
        json_object(&json, NULL);
        json_text(&json, "name", entry->name);
        json_text(&json, "hash", entry->hash_hex);
        json_int(&json, "train", entry->train_count);
        json_int(&json, "test", entry->test_count);
        json_int(&json, "channels", entry->channels);
        json_int(&json, "height", entry->height);
        json_int(&json, "width", entry->width);
        json_int(&json, "classes", entry->classes);
        json_int(&json, "bytes", (int64_t)entry->bytes);
        json_end(&json);
    }
    json_end(&json);
    puts(buf_text(&json.out));
    buf_release(&json.out);
}

static void list_table(const struct data_entry *entries, int count)
{
    struct table *table = table_new("lrrlrrl");
    table_row(table);
    static const char *const titles[] = {"name", "train", "test", "image", "classes", "MB", "hash"};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        table_cell(table, "%s", titles[i]);
    for (const struct data_entry *entry = entries; entry < entries + count; entry++) {
        table_row(table);
        table_cell(table, "%s", entry->name);
        table_cell(table, "%u", entry->train_count);
        table_cell(table, "%u", entry->test_count);
        table_cell(table, "%d x %d x %d", entry->channels, entry->height, entry->width);
        table_cell(table, "%d", entry->classes);
        table_cell(table, "%.0f", (double)entry->bytes / 1e6);
        table_cell(table, "%.16s", entry->hash_hex);
    }
    table_print(table, stdout);
    table_destroy(&table);
}

static int data_show(const struct arguments *arguments, const char *dir)
{
    struct problem problem;
    struct data_entry *entries;
    int count;
    if (data_list(dir, &entries, &count, &problem))
        return print_problem("actsearch data", NULL, &problem);
    if (arguments->json)
        list_json(entries, count);
    else if (count == 0)
        printf("There is no data set in %s yet.\n", dir);
    else
        list_table(entries, count);
    data_list_release(&entries, count);
    return STATUS_DONE;
}

static int check_one(const char *dir, const char *name)
{
    struct problem problem;
    if (data_verify(dir, name, &problem))
        return print_problem("actsearch data", NULL, &problem);
    printf("%s: whole\n", name);
    return STATUS_DONE;
}

static int data_check(const struct arguments *arguments, const char *dir)
{
    if (arguments->count > 1)
        return check_one(dir, arguments->words[1]);
    struct problem problem;
    char **names;
    int count, status = STATUS_DONE;
    if (data_names(dir, &names, &count, &problem))
        return print_problem("actsearch data", NULL, &problem);
    for (int i = 0; i < count; i++) {
        if (check_one(dir, names[i]) != STATUS_DONE)
            status = STATUS_FAILED;
        free(names[i]);
    }
    free(names);
    return status;
}

int cli_data(int argc, char **argv)
{
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    char *dir = data_cache_dir(arguments.cache);
    int status = action_find(arguments.words[0])->run(&arguments, dir);
    free(dir);
    return status;
}
