/* data_file: the unpacked file NAME.data; the hash beside it is common/data_cache.h. Internal to data*.c, and
 * for the tests and fuzz targets.
 *
 * NAME.data, little-endian: magic "ACTSDATA"; u32 version, channels, height, width, classes, training
 * records, test records; zeros up to DATA_HEADER bytes; then train images, train labels, test images, test
 * labels.
 */
#ifndef WORKER_NN_DATA_FILE_H
#define WORKER_NN_DATA_FILE_H

#include "worker/nn/data.h"
#include "worker/nn/data_import.h"

enum { DATA_HEADER = 64, DATA_VERSION = 1 };

/* Maps `fd` (borrowed), checks header, size and labels; the hash stays zero. `path` is for the problem. */
int data_map(int fd, const char *path, struct data **ret_data, struct problem *problem);

/* Writes the unpacked file to `fd`. */
int data_write(int fd, const char *path, const struct import *import, struct problem *problem);

#endif
