/* data_import: what the readers of the published formats hand to data_import(). Internal to data*.c, and for
 * the tests and fuzz targets of the readers.
 *
 * Readers own nothing after they return; a failed one leaves what it had read in the struct, which
 * import_release frees either way.
 */
#ifndef WORKER_NN_DATA_IMPORT_H
#define WORKER_NN_DATA_IMPORT_H

#include "common/buf.h"
#include "common/source.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DATA_MAX_SIDE = 1024,       /* pixels of a row or a column */
    DATA_MAX_CHANNELS = 64,     /* as the trainer takes them */
    DATA_MAX_CLASSES = 256,     /* a label is a byte */
    DATA_MAX_RECORDS = 5000000, /* of one part */
    DATA_MAX_BYTES = 1 << 30,   /* of the images of one part */
};

/* One part, training or test. labels.size is the number of records. */
struct import_part {
    struct buf images; /* records × channels × height × width */
    struct buf labels;
};

struct import {
    int channels, height, width;
    int classes;
    struct import_part train, test;
};
void import_release(struct import *import);

/* IDX (yann.lecun.com's MNIST): a big-endian header (magic, counts, sides) and bytes.
 * Whether `dir` has any of the four files, and all of them as one data set; classes: the highest label of the
 * training part, and one. */
bool idx_present(const char *dir);
int idx_import(const char *dir, struct import *import, struct problem *problem);

struct idx_images {
    uint32_t count;
    int height, width;
    struct buf pixels;
};
int idx_read_images(struct source *source, struct idx_images *images, struct problem *problem);
int idx_read_labels(struct source *source, struct buf *labels, struct problem *problem);

/* CIFAR binary files: records of labels and 3 planes of 32 × 32 bytes, no header.
 * CIFAR-10: 1 label; data_batch_1 … 5.bin, test_batch.bin. CIFAR-100: coarse and fine label, the fine one is
 * taken; train.bin, test.bin. They may lie in the folder that the published archive makes. */
enum cifar_layout { CIFAR_10, CIFAR_100, CIFAR_LAYOUTS };
bool cifar_present(const char *dir);
int cifar_import(const char *dir, struct import *import, struct problem *problem);
/* Appends all records of the file. */
int cifar_read(struct source *source, enum cifar_layout layout, struct import_part *part,
               struct problem *problem);

#endif
