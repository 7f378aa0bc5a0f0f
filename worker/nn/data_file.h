/* data_file: the unpacked file NAME.data and the hash beside it, NAME.hash. Internal to data*.c, and for the
 * tests and fuzz targets.
 *
 * NAME.data, little-endian: magic "ACTSDATA"; u32 version, channels, height, width, classes, training
 * records, test records; zeros up to DATA_HEADER bytes; then train images, train labels, test images, test
 * labels. NAME.hash: one line, "HASH BYTES MTIME_NS": the content hash in hexadecimal, and size and time of
 * change of the file that it was taken of. While both are still those of NAME.data, an opening trusts the
 * hash; else it reads the whole file again. data_verify always does.
 */
#ifndef WORKER_NN_DATA_FILE_H
#define WORKER_NN_DATA_FILE_H

#include "worker/nn/data.h"
#include "worker/nn/data_import.h"

enum { DATA_HEADER = 64, DATA_VERSION = 1 };

/* Whether `name` may name a data set: letters, digits, '.', '_', '-', no '.' or '-' at the start. */
int data_name_check(const char *name, struct problem *problem);

/* Maps `fd` (borrowed), checks header, size and labels; the hash stays zero. `path` is for the problem. */
int data_map(int fd, const char *path, struct data **ret_data, struct problem *problem);

/* Writes the unpacked file to `fd`. */
int data_write(int fd, const char *path, const struct import *import, struct problem *problem);

#endif
