#include "worker/nn/data_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "ACTSDATA";

/* The fields of the header after magic and version, in their order, and their bounds. */
#define HEADER_FIELDS(ROW)                                                                                   \
    ROW(channels, 1, DATA_MAX_CHANNELS)                                                                      \
    ROW(height, 1, DATA_MAX_SIDE)                                                                            \
    ROW(width, 1, DATA_MAX_SIDE)                                                                             \
    ROW(classes, 1, DATA_MAX_CLASSES)                                                                        \
    ROW(train_count, 1, DATA_MAX_RECORDS)                                                                    \
    ROW(test_count, 0, DATA_MAX_RECORDS)

struct header {
#define FIELD_ROW(name, low, high) uint32_t name;
    HEADER_FIELDS(FIELD_ROW)
#undef FIELD_ROW
};

static size_t record_bytes(const struct header *header)
{
    return (size_t)header->channels * header->height * header->width;
}

static uint64_t file_bytes(const struct header *header)
{
    return DATA_HEADER + ((uint64_t)header->train_count + header->test_count) * (record_bytes(header) + 1);
}

static int damaged(struct problem *problem, const char *path, const char *what)
{
    return problem_set(
        problem, ERR_CORRUPT,
        "%s: damaged: %s; remove this file and add the data set again: actsearch data add NAME DIR "
        "(fashion-mnist of the Debian package is added again by itself)",
        path, what);
}

static int header_read(const uint8_t *bytes, size_t size, const char *path, struct header *ret_header,
                       struct problem *problem)
{
    struct cursor cursor = cursor_of(bytes, size < DATA_HEADER ? size : DATA_HEADER);
    char begins[sizeof magic] = {0};
    cursor_take(&cursor, begins, sizeof begins);
    const uint32_t version = cursor_take_u32(&cursor);
    struct header header = {0};
#define FIELD_ROW(name, low, high) header.name = cursor_take_u32(&cursor);
    HEADER_FIELDS(FIELD_ROW)
#undef FIELD_ROW
    if (size < DATA_HEADER || memcmp(begins, magic, sizeof magic) != 0)
        return damaged(problem, path, "no header of a data set at offset 0");
    if (version != DATA_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "%s: a data file of version %" PRIu32
                           ", this program reads version %d; remove it and "
                           "add the data set again",
                           path, version, DATA_VERSION);
#define FIELD_ROW(name, low, high)                                                                           \
    if ((int64_t)header.name < (low) || header.name > (high))                                                \
        return damaged(problem, path, #name " in the header is out of range");
    HEADER_FIELDS(FIELD_ROW)
#undef FIELD_ROW
    if (file_bytes(&header) != size) {
        char text[128];
        snprintf(text, sizeof text, "it has %zu bytes, its header says %" PRIu64, size, file_bytes(&header));
        return damaged(problem, path, text);
    }
    *ret_header = header;
    return 0;
}

/* A label past the classes would lead the trainer out of its arrays. */
static int labels_check(const struct data *data, const struct data_part *part, const char *path,
                        struct problem *problem)
{
    for (uint32_t i = 0; i < part->count; i++)
        if (part->labels[i] >= data->classes) {
            char text[128];
            snprintf(text, sizeof text, "label %d at offset %td is out of range, there are %d classes",
                     part->labels[i], part->labels + i - (const uint8_t *)data->map, data->classes);
            return damaged(problem, path, text);
        }
    return 0;
}

int data_map(int fd, const char *path, struct data **ret_data, struct problem *problem)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return problem_set(problem, ERR_IO, "%s: not a regular file", path);
    if (stat.st_size < DATA_HEADER)
        return damaged(problem, path, "shorter than a header");
    const size_t size = (size_t)stat.st_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return problem_set(problem, ERR_IO, "%s: mmap: %s", path, strerror(errno));
    struct header header = {0};
    int err = header_read(map, size, path, &header, problem);
    if (err) {
        munmap(map, size);
        return err;
    }
    struct data *data = xcalloc(1, sizeof *data);
    data->channels = (int)header.channels;
    data->height = (int)header.height;
    data->width = (int)header.width;
    data->classes = (int)header.classes;
    data->map = map;
    data->map_bytes = size;
    const uint8_t *at = (const uint8_t *)map + DATA_HEADER;
    struct data_part *const parts[] = {&data->train, &data->test};
    const uint32_t counts[] = {header.train_count, header.test_count};
    for (int i = 0; i < 2; i++) {
        parts[i]->count = counts[i];
        parts[i]->images = at;
        at += counts[i] * record_bytes(&header);
        parts[i]->labels = at;
        at += counts[i];
    }
    err = labels_check(data, &data->train, path, problem);
    if (!err)
        err = labels_check(data, &data->test, path, problem);
    if (err)
        data_close(&data);
    else
        *ret_data = data;
    return err;
}

void data_close(struct data **data)
{
    if (!*data)
        return;
    munmap((void *)(uintptr_t)(*data)->map, (*data)->map_bytes);
    free((*data)->sums);
    free(*data);
    *data = NULL;
}

static int write_all(int fd, const char *path, const struct buf *buf, struct problem *problem)
{
    for (size_t done = 0; done < buf->size;) {
        const ssize_t count = write(fd, buf->data + done, buf->size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return problem_set(problem, ERR_IO, "%s: write: %s", path, strerror(errno));
        done += (size_t)count;
    }
    return 0;
}

int data_write(int fd, const char *path, const struct import *import, struct problem *problem)
{
    const struct header header = {(uint32_t)import->channels,
                                  (uint32_t)import->height,
                                  (uint32_t)import->width,
                                  (uint32_t)import->classes,
                                  (uint32_t)import->train.labels.size,
                                  (uint32_t)import->test.labels.size};
    struct buf first = {0};
    buf_put(&first, magic, sizeof magic);
    buf_put_u32(&first, DATA_VERSION);
#define FIELD_ROW(name, low, high) buf_put_u32(&first, header.name);
    HEADER_FIELDS(FIELD_ROW)
#undef FIELD_ROW
    static const uint8_t zeros[DATA_HEADER];
    assert(first.size <= DATA_HEADER);
    buf_put(&first, zeros, DATA_HEADER - first.size);
    const struct buf *const pieces[] = {&first, &import->train.images, &import->train.labels,
                                        &import->test.images, &import->test.labels};
    int err = 0;
    for (size_t i = 0; !err && i < sizeof pieces / sizeof *pieces; i++)
        err = write_all(fd, path, pieces[i], problem);
    buf_release(&first);
    return err;
}
