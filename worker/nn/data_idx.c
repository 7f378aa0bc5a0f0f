#include "worker/nn/data_import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAGIC_LABELS = 0x0801, MAGIC_IMAGES = 0x0803 }; /* unsigned bytes; 1 and 3 dimensions */

static const char *const stems[] = {"train-images", "train-labels", "t10k-images", "t10k-labels"};
enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

static int dimensions(int file)
{
    return file == TRAIN_IMAGES || file == TEST_IMAGES ? 3 : 1;
}

/* The path of that file under any of its usual names, or NULL. malloc'd. */
static char *find(const char *dir, int file)
{
    static const char *const joints[] = {"-", "."}, *const endings[] = {"", ".gz"};
    for (int i = 0; i < 4; i++) {
        char *path = xasprintf("%s/%s%sidx%d-ubyte%s", dir, stems[file], joints[i % 2], dimensions(file),
                               endings[i / 2]);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

bool idx_present(const char *dir)
{
    bool present = false;
    for (int file = 0; file < FILES && !present; file++) {
        char *path = find(dir, file);
        present = path != NULL;
        free(path);
    }
    return present;
}

/* The header: the magic number and `count` sizes. */
static int read_header(struct source *source, uint32_t magic, const char *what, uint32_t *ret_sizes,
                       int count, struct problem *problem)
{
    struct buf header = {0};
    int err = source_take(source, 4 * (size_t)(1 + count), &header, "the header", problem);
    uint32_t words[4] = {0};
    for (int i = 0; !err && i <= count; i++)
        for (int k = 0; k < 4; k++)
            words[i] = words[i] << 8 | header.data[4 * i + k];
    buf_release(&header);
    if (err)
        return err;
    if (words[0] != magic)
        return problem_set(problem, ERR_INPUT,
                           "%s: wrong magic 0x%08" PRIx32 " at offset 0; IDX %s begin with 0x%08" PRIx32,
                           source_name(source), words[0], what, magic);
    if (words[1] == 0 || words[1] > DATA_MAX_RECORDS)
        return problem_set(problem, ERR_LIMIT, "%s: %" PRIu32 " records at offset 4; expected 1 to %d",
                           source_name(source), words[1], DATA_MAX_RECORDS);
    memcpy(ret_sizes, words + 1, (size_t)count * sizeof *ret_sizes);
    return 0;
}

int idx_read_images(struct source *source, struct idx_images *images, struct problem *problem)
{
    uint32_t sizes[3];
    int err = read_header(source, MAGIC_IMAGES, "images", sizes, 3, problem);
    if (err)
        return err;
    for (int i = 1; i < 3; i++)
        if (sizes[i] == 0 || sizes[i] > DATA_MAX_SIDE)
            return problem_set(problem, ERR_LIMIT,
                               "%s: images of %" PRIu32 " x %" PRIu32
                               " at offset %d; expected sides of 1 to %d",
                               source_name(source), sizes[1], sizes[2], 4 + 4 * i, DATA_MAX_SIDE);
    const uint64_t bytes = (uint64_t)sizes[0] * sizes[1] * sizes[2];
    if (bytes > DATA_MAX_BYTES)
        return problem_set(problem, ERR_LIMIT, "%s: %" PRIu64 " bytes of images; at most %d are taken",
                           source_name(source), bytes, DATA_MAX_BYTES);
    images->count = sizes[0];
    images->height = (int)sizes[1];
    images->width = (int)sizes[2];
    err = source_take(source, (size_t)bytes, &images->pixels, "the images", problem);
    return err ? err : source_end(source, problem);
}

int idx_read_labels(struct source *source, struct buf *labels, struct problem *problem)
{
    uint32_t count;
    int err = read_header(source, MAGIC_LABELS, "labels", &count, 1, problem);
    if (!err)
        err = source_take(source, count, labels, "the labels", problem);
    return err ? err : source_end(source, problem);
}

/* Images and labels of one part. The first part read sets the shape. */
static int read_part(char *const *paths, struct import *import, struct import_part *part,
                     struct problem *problem)
{
    struct source *source = NULL;
    struct idx_images images = {0};
    int err = source_open(paths[0], &source, problem);
    if (!err)
        err = idx_read_images(source, &images, problem);
    source_close(&source);
    part->images = images.pixels;
    if (err)
        return err;
    if (import->channels && (images.height != import->height || images.width != import->width))
        return problem_set(problem, ERR_INPUT,
                           "%s: images of %d x %d at offset 8, but those for training are %d x %d", paths[0],
                           images.height, images.width, import->height, import->width);
    import->channels = 1;
    import->height = images.height;
    import->width = images.width;

    err = source_open(paths[1], &source, problem);
    if (!err)
        err = idx_read_labels(source, &part->labels, problem);
    source_close(&source);
    if (!err && part->labels.size != images.count)
        err = problem_set(problem, ERR_INPUT,
                          "%s: %zu labels (offset 4), but %" PRIu32 " images in %s: the counts differ",
                          paths[1], part->labels.size, images.count, paths[0]);
    return err;
}

/* One more than the highest label. A few labels far above all others are damage, and would make classes that
 * no image has. */
static int count_classes(const char *path, const struct buf *labels, int *ret_classes,
                         struct problem *problem)
{
    enum { FEW = 100 }; /* one in so many */
    size_t count[DATA_MAX_CLASSES] = {0}, above = labels->size;
    int classes = 0;
    for (size_t i = 0; i < labels->size; i++) {
        count[labels->data[i]]++;
        if (labels->data[i] >= classes)
            classes = labels->data[i] + 1;
    }
    for (int label = 0; label < classes; label++) {
        above -= count[label];
        if (count[label] > 0 || (above + count[label]) * FEW > labels->size || above == labels->size)
            continue;
        size_t at = 0;
        while (labels->data[at] < label)
            at++;
        return problem_set(
            problem, ERR_INPUT,
            "%s: label %d at offset %zu, but no image has label %d: a damaged file? Labels count "
            "up from 0",
            path, labels->data[at], 8 + at, label);
    }
    *ret_classes = classes;
    return 0;
}

static int read_all(char *const *paths, struct import *import, struct problem *problem)
{
    int err = read_part(paths + TRAIN_IMAGES, import, &import->train, problem);
    if (!err)
        err = read_part(paths + TEST_IMAGES, import, &import->test, problem);
    if (!err)
        err = count_classes(paths[TRAIN_LABELS], &import->train.labels, &import->classes, problem);
    for (size_t i = 0; !err && i < import->test.labels.size; i++)
        if (import->test.labels.data[i] >= import->classes)
            err = problem_set(problem, ERR_INPUT,
                              "%s: label %d at offset %zu is out of range: the training labels are 0 to %d",
                              paths[TEST_LABELS], import->test.labels.data[i], 8 + i, import->classes - 1);
    return err;
}

int idx_import(const char *dir, struct import *import, struct problem *problem)
{
    char *paths[FILES];
    int err = 0;
    for (int file = 0; file < FILES; file++) {
        paths[file] = find(dir, file);
        if (!paths[file] && !err)
            err = problem_set(
                problem, ERR_NOT_FOUND,
                "%s: no %s-idx%d-ubyte (nor with .gz); expected the four files train-images-idx3-ubyte, "
                "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte",
                dir, stems[file], dimensions(file));
    }
    if (!err)
        err = read_all(paths, import, problem);
    for (int file = 0; file < FILES; file++)
        free(paths[file]);
    return err;
}
