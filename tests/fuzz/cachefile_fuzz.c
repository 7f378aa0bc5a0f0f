/* The unpacked file of a data set. What is mapped can be read from end to end, and its labels are in range.
 */
#include "tests/fuzz/content.h"
#include "worker/nn/data_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem problem;
    struct data *mapped = NULL;
    const int fd = content_fd(data, size);
    if (data_map(fd, "file", &mapped, &problem) == 0) {
        const size_t record = (size_t)mapped->channels * (size_t)mapped->height * (size_t)mapped->width;
        const struct data_part *const parts[] = {&mapped->train, &mapped->test};
        const uint8_t *end = (const uint8_t *)mapped->map + DATA_HEADER;
        for (int i = 0; i < 2; i++) {
            assert(parts[i]->images == end && parts[i]->labels == end + parts[i]->count * record);
            end = parts[i]->labels + parts[i]->count;
            for (uint32_t k = 0; k < parts[i]->count; k++)
                assert(parts[i]->labels[k] < mapped->classes);
        }
        assert(end == (const uint8_t *)mapped->map + size && mapped->train.count > 0);
    }
    data_close(&mapped);
    close(fd);
    return 0;
}
