/* The sums beside a data set. Whatever the bytes, those of an image are added to them in bounds; and what a
 * data set prints it takes back. */
#include "common/buf.h"
#include "worker/nn/data_sums.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { CHANNELS = 3, COUNT = 2 * DATA_SUMS_RECORDS + 1 };
    static uint8_t images[COUNT * CHANNELS];
    memcpy(images, bytes, size < sizeof images ? size : sizeof images);
    struct data data = {
        .channels = CHANNELS, .height = 1, .width = 1, .classes = 1, .train = {images, NULL, COUNT}};
    uint64_t sum, squares;
    data_sums_take(&data, bytes, size);
    for (int channel = 0; channel < CHANNELS; channel++)
        data_sums(&data, COUNT, channel, &sum, &squares);
    free(data.sums);
    data.sums = NULL;
    data_sums(&data, COUNT - 1, 0, &sum, &squares);
    struct buf printed = {0};
    data_sums_print(&data, &printed);
    data_sums_take(&data, printed.data, printed.size);
    uint64_t again, again_squares;
    data_sums(&data, COUNT - 1, 0, &again, &again_squares);
    assert(data.sums && again == sum && again_squares == squares);
    free(data.sums);
    buf_release(&printed);
    return 0;
}
