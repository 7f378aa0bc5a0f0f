/* data_fixture: small data sets in the published formats, in a folder of their own, and what an import of
 * them says. */
#ifndef TESTS_DATA_FIXTURE_H
#define TESTS_DATA_FIXTURE_H

#include "worker/nn/data_file.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

/* Of the IDX files: 12 and 6 images of 5 rows of 4, three classes. Of the CIFAR files: 4 records each. */
enum { TRAIN = 12, TEST = 6, HEIGHT = 5, WIDTH = 4, IDX_CLASSES = 3, RECORDS = 4, CIFAR_PIXELS = 3072 };

struct fixture {
    char root[32], dir[128], cache[128];
    struct problem problem;
};

static inline int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat, (void)flag, (void)walk;
    return remove(path);
}

static inline int fixture_start(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    strcpy(f->root, "/tmp/actsearch-data-XXXXXX");
    if (!mkdtemp(f->root))
        return -1;
    snprintf(f->dir, sizeof f->dir, "%s/files", f->root);
    snprintf(f->cache, sizeof f->cache, "%s/a/cache", f->root); /* two folders to be made */
    *state = f;
    return mkdir(f->dir, 0700);
}

static inline int fixture_end(void **state)
{
    struct fixture *f = *state;
    const int failed = nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return failed;
}

static inline char *in_dir(const struct fixture *f, const char *name)
{
    return xasprintf("%s/%s", f->dir, name);
}

static inline void file_put(const struct fixture *f, const char *name, const struct buf *bytes)
{
    char *path = in_dir(f, name);
    const size_t length = strlen(name);
    /* "wbT" writes without compression. */
    gzFile file = gzopen(path, length > 3 && strcmp(name + length - 3, ".gz") == 0 ? "wb" : "wbT");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes->data, (unsigned)bytes->size), (int)bytes->size);
    assert_int_equal(gzclose(file), Z_OK);
    free(path);
}

/* ---- IDX --------------------------------------------------------------------------------------------------
 */

static inline void put_big_endian(struct buf *buf, uint32_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    buf_put(buf, bytes, sizeof bytes);
}

static inline uint8_t idx_pixel(uint32_t image, uint32_t pixel)
{
    return (uint8_t)(image * 20 + pixel);
}

static inline uint8_t idx_label(uint32_t image)
{
    return (uint8_t)(image % IDX_CLASSES);
}

static inline struct buf idx_images_bytes(uint32_t count, uint32_t height, uint32_t width)
{
    struct buf bytes = {0};
    put_big_endian(&bytes, 0x0803);
    put_big_endian(&bytes, count);
    put_big_endian(&bytes, height);
    put_big_endian(&bytes, width);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < height * width; k++)
            buf_put(&bytes, &(uint8_t){idx_pixel(i, k)}, 1);
    return bytes;
}

static inline struct buf idx_labels_bytes(uint32_t count)
{
    struct buf bytes = {0};
    put_big_endian(&bytes, 0x0801);
    put_big_endian(&bytes, count);
    for (uint32_t i = 0; i < count; i++)
        buf_put(&bytes, &(uint8_t){idx_label(i)}, 1);
    return bytes;
}

/* The four files; ending: "" or ".gz". */
static inline void idx_put(const struct fixture *f, const char *ending)
{
    struct buf bytes[] = {idx_images_bytes(TRAIN, HEIGHT, WIDTH), idx_labels_bytes(TRAIN),
                          idx_images_bytes(TEST, HEIGHT, WIDTH), idx_labels_bytes(TEST)};
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    for (int i = 0; i < 4; i++) {
        char *name = xasprintf("%s%s", names[i], ending);
        file_put(f, name, &bytes[i]);
        free(name);
        buf_release(&bytes[i]);
    }
}

/* ---- CIFAR ------------------------------------------------------------------------------------------------
 */

/* Record i of a file that is number `file`: its labels, and pixels that tell file and record. */
static inline void cifar_put(const struct fixture *f, const char *name, int file, bool coarse)
{
    struct buf bytes = {0};
    for (int i = 0; i < RECORDS; i++) {
        if (coarse)
            buf_put(&bytes, &(uint8_t){(uint8_t)(19 - i)}, 1);
        buf_put(&bytes, &(uint8_t){(uint8_t)(coarse ? 99 - i : i + file)}, 1);
        for (int k = 0; k < CIFAR_PIXELS; k++)
            buf_put(&bytes, &(uint8_t){(uint8_t)(file * 50 + i * 10 + k / 1024)}, 1);
    }
    file_put(f, name, &bytes);
    buf_release(&bytes);
}

static inline void cifar10_put(const struct fixture *f)
{
    for (int i = 1; i <= 5; i++) {
        char *name = xasprintf("data_batch_%d.bin", i);
        cifar_put(f, name, i, false);
        free(name);
    }
    cifar_put(f, "test_batch.bin", 0, false);
}

static inline void cifar100_put(const struct fixture *f)
{
    cifar_put(f, "train.bin", 1, true);
    cifar_put(f, "test.bin", 0, true);
}

/* ---- changing files, and asking ---------------------------------------------------------------------------
 */

static inline void byte_set(const char *path, off_t at, uint8_t value)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && pwrite(fd, &value, 1, at) == 1);
    close(fd);
}

static inline void dir_byte_set(const struct fixture *f, const char *name, off_t at, uint8_t value)
{
    char *path = in_dir(f, name);
    byte_set(path, at, value);
    free(path);
}

static inline void dir_resize(const struct fixture *f, const char *name, off_t by)
{
    char *path = in_dir(f, name);
    struct stat stat_before;
    assert_int_equal(stat(path, &stat_before), 0);
    assert_int_equal(truncate(path, stat_before.st_size + by), 0);
    free(path);
}

static inline void dir_remove(const struct fixture *f, const char *name)
{
    char *path = in_dir(f, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static inline bool says(const struct fixture *f, const char *part)
{
    if (strstr(f->problem.text, part))
        return true;
    print_error("'%s' does not say '%s'\n", f->problem.text, part);
    return false;
}

/* The import fails with that error, names the file and says the rest; nothing is left of it in the cache. */
static inline void import_refused(struct fixture *f, const char *name, int err, const char *file,
                                  const char *part)
{
    assert_int_equal(data_import(f->cache, name, f->dir, NULL, &f->problem), err);
    assert_true(says(f, file) && says(f, part));
    char **names;
    int count;
    assert_int_equal(data_names(f->cache, &names, &count, &f->problem), 0);
    assert_int_equal(count, 0);
    free(names);
}

static inline void imported(struct fixture *f, const char *name, struct hash *ret_hash)
{
    if (data_import(f->cache, name, f->dir, ret_hash, &f->problem))
        fail_msg("%s", f->problem.text);
}

static inline struct data *opened(struct fixture *f, const char *name)
{
    struct data *data = NULL;
    if (data_open(f->cache, name, &data, &f->problem))
        fail_msg("%s", f->problem.text);
    return data;
}

static inline char *cache_path(const struct fixture *f, const char *file)
{
    return xasprintf("%s/%s", f->cache, file);
}

#endif
