/* IDX files of images and of labels, plain and gzip. What is taken has the size that its header says. */
#include "tests/fuzz/content.h"
#include "worker/nn/data_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem problem;
    struct source *source;
    struct idx_images images = {0};
    int err = source_of_fd(content_fd(data, size), "images", &source, &problem);
    assert(err == 0);
    if (idx_read_images(source, &images, &problem) == 0)
        assert(images.count > 0 &&
               images.pixels.size == (size_t)images.count * (size_t)images.height * (size_t)images.width);
    source_close(&source);
    buf_release(&images.pixels);

    struct buf labels = {0};
    err = source_of_fd(content_fd(data, size), "labels", &source, &problem);
    assert(err == 0);
    if (idx_read_labels(source, &labels, &problem) == 0)
        assert(labels.size > 0);
    source_close(&source);
    buf_release(&labels);
    return 0;
}
