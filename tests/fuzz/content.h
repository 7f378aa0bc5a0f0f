/* content: a fuzz input as the content of a file that needs no disk. */
#ifndef TESTS_FUZZ_CONTENT_H
#define TESTS_FUZZ_CONTENT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Returns a descriptor at offset 0; the caller closes it. */
static inline int content_fd(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("content", MFD_CLOEXEC);
    assert(fd >= 0);
    for (size_t done = 0; done < size;) {
        const ssize_t count = write(fd, data + done, size - done);
        assert(count > 0);
        done += (size_t)count;
    }
    assert(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

#endif
