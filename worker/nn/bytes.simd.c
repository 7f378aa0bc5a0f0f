/* Sums of bytes: whole numbers, so exact in any order. */
#include "worker/nn/kernels.h"

enum { CHUNK = 4096 }; /* bytes whose squares still fit 32 bits together */

void SIMD_NAME(kernel_byte_sums)(const uint8_t *bytes, size_t size, uint64_t *sum, uint64_t *squares)
{
    for (size_t from = 0, count; from < size; from += count) {
        uint32_t chunk_sum = 0, chunk_squares = 0;
        count = size - from < CHUNK ? size - from : CHUNK;
        for (size_t i = 0; i < count; i++) {
            const uint32_t byte = bytes[from + i];
            chunk_sum += byte;
            chunk_squares += byte * byte;
        }
        *sum += chunk_sum;
        *squares += chunk_squares;
    }
}
