#include "worker/nn/data_import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHANNELS = 3, SIDE = 32, PIXELS = CHANNELS * SIDE * SIDE, MAX_LABELS = 2, MAX_TRAIN_FILES = 5 };

/* A layout: its labels in the order in which a record has them (the last one counts), and its files. */
static const struct layout {
    const char *folder; /* that the published archive makes */
    int label_bytes;
    int classes[MAX_LABELS];
    const char *label_names[MAX_LABELS];
    int train_files;
    const char *train[MAX_TRAIN_FILES];
    const char *test;
    const char *expected;
} layouts[CIFAR_LAYOUTS] = {
    [CIFAR_10] = {"cifar-10-batches-bin",
                  1,
                  {10},
                  {"label"},
                  5,
                  {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                   "data_batch_5.bin"},
                  "test_batch.bin",
                  "data_batch_1.bin to data_batch_5.bin and test_batch.bin"},
    [CIFAR_100] = {"cifar-100-binary",
                   2,
                   {20, 100},
                   {"coarse label", "fine label"},
                   1,
                   {"train.bin"},
                   "test.bin",
                   "train.bin and test.bin"},
};

static bool exists(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static bool has_any(const char *dir, const struct layout *layout)
{
    bool any = exists(dir, layout->test);
    for (int i = 0; i < layout->train_files; i++)
        any = any || exists(dir, layout->train[i]);
    return any;
}

/* The folder with files of that layout: `dir`, or the archive's own folder in it, or NULL. malloc'd. */
static char *find(const char *dir, const struct layout *layout)
{
    if (has_any(dir, layout))
        return xstrdup(dir);
    char *inner = xasprintf("%s/%s", dir, layout->folder);
    if (has_any(inner, layout))
        return inner;
    free(inner);
    return NULL;
}

bool cifar_present(const char *dir)
{
    bool present = false;
    for (int i = 0; i < CIFAR_LAYOUTS && !present; i++) {
        char *found = find(dir, &layouts[i]);
        present = found != NULL;
        free(found);
    }
    return present;
}

/* One record, already in memory; `start` is its offset in the file. */
static int take_record(const struct source *source, const struct layout *layout, const uint8_t *record,
                       uint64_t start, struct import_part *part, struct problem *problem)
{
    for (int i = 0; i < layout->label_bytes; i++)
        if (record[i] >= layout->classes[i])
            return problem_set(problem, ERR_INPUT,
                               "%s: %s %d at offset %" PRIu64 " is out of range: expected 0 to %d",
                               source_name(source), layout->label_names[i], record[i], start + (uint64_t)i,
                               layout->classes[i] - 1);
    if (part->images.size + PIXELS > DATA_MAX_BYTES)
        return problem_set(problem, ERR_LIMIT,
                           "%s: too long: more than %d bytes of images at offset %" PRIu64,
                           source_name(source), DATA_MAX_BYTES, start);
    buf_put(&part->labels, record + layout->label_bytes - 1, 1);
    buf_put(&part->images, record + layout->label_bytes, PIXELS);
    return 0;
}

int cifar_read(struct source *source, enum cifar_layout which, struct import_part *part,
               struct problem *problem)
{
    const struct layout *layout = &layouts[which];
    const size_t bytes = (size_t)layout->label_bytes + PIXELS;
    struct buf record = {0};
    int err;
    size_t got;
    do {
        const uint64_t start = source_offset(source);
        buf_clear(&record);
        got = 0;
        err = source_read(source, bytes, &record, &got, problem);
        if (!err && got == bytes)
            err = take_record(source, layout, record.data, start, part, problem);
        else if (!err && (got > 0 || start == 0))
            err = problem_set(problem, ERR_INPUT,
                              "%s: cut short at offset %" PRIu64
                              ": a record has %zu bytes, this one, from offset %" PRIu64 ", has %zu",
                              source_name(source), start + got, bytes, start, got);
    } while (!err && got == bytes);
    buf_release(&record);
    return err;
}

static int read_file(const char *dir, const char *name, enum cifar_layout which, struct import_part *part,
                     struct problem *problem)
{
    if (!exists(dir, name))
        return problem_set(problem, ERR_NOT_FOUND, "%s: no %s; expected %s", dir, name,
                           layouts[which].expected);
    char *path = xasprintf("%s/%s", dir, name);
    struct source *source = NULL;
    int err = source_open(path, &source, problem);
    if (!err)
        err = cifar_read(source, which, part, problem);
    source_close(&source);
    free(path);
    return err;
}

int cifar_import(const char *dir, struct import *import, struct problem *problem)
{
    enum cifar_layout which = CIFAR_10;
    char *found = find(dir, &layouts[which]);
    char *other = find(dir, &layouts[CIFAR_100]);
    int err = 0;
    if (found && other)
        err = problem_set(problem, ERR_INPUT, "%s: files of CIFAR-10 and of CIFAR-100; expected one of them",
                          dir);
    if (!found) {
        which = CIFAR_100;
        found = other;
        other = NULL;
    }
    const struct layout *layout = &layouts[which];
    import->channels = CHANNELS;
    import->height = import->width = SIDE;
    import->classes = layout->classes[layout->label_bytes - 1];
    for (int i = 0; !err && i < layout->train_files; i++)
        err = read_file(found, layout->train[i], which, &import->train, problem);
    if (!err)
        err = read_file(found, layout->test, which, &import->test, problem);
    free(found);
    free(other);
    return err;
}
