/* msg_fuzz: what comes from the network. Decoding neither crashes nor allocates for what a header only
 * claims; what decodes is within bounds (msg_encode asserts them), and its bytes decode to the same message.
 */
#include "tests/unit/msg_random.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* The address sanitizer ends the program where one piece of memory is larger: msgpack-c takes 24 bytes for
 * each element, of which a message has 65,536 at most. (clang's own driver needs more:
 * ASAN_OPTIONS=max_allocation_size_mb=512.) */
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=2:allocator_may_return_null=0";
}

static struct msg first, second;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem problem = {0};
    if (msg_decode(data, size, &first, &problem) != 0) {
        assert(problem.text[0] != '\0');
        return 0;
    }
    struct buf bytes = {0};
    msg_encode(&first, &bytes);
    int err = msg_decode(bytes.data, bytes.size, &second, &problem);
    assert(err == 0 && same_msg(&first, &second));
    buf_release(&bytes);
    return 0;
}
