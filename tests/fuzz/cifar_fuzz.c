/* CIFAR binary files of both layouts. What is taken has labels in their range and an image for each. */
#include "tests/fuzz/content.h"
#include "worker/nn/data_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int classes[CIFAR_LAYOUTS] = {[CIFAR_10] = 10, [CIFAR_100] = 100};
    for (int layout = 0; layout < CIFAR_LAYOUTS; layout++) {
        struct problem problem;
        struct source *source;
        struct import import = {0};
        const int err = source_of_fd(content_fd(data, size), "records", &source, &problem);
        assert(err == 0);
        if (cifar_read(source, (enum cifar_layout)layout, &import.train, &problem) == 0) {
            assert(import.train.labels.size > 0);
            assert(import.train.images.size == import.train.labels.size * 3072);
            for (size_t i = 0; i < import.train.labels.size; i++)
                assert(import.train.labels.data[i] < classes[layout]);
        }
        source_close(&source);
        import_release(&import);
    }
    return 0;
}
