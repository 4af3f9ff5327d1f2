// The products of a recurrent layer, AVX2.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include "recurrent.h"

#define BLOCK 32
#include "generic.h"

void apus_recurrent_avx2(
    const float *x, const float *m, ptrdiff_t stride, float *y, size_t rows, size_t columns) {
  accumulate(x, m, stride, y, rows, columns);
}

#pragma clang attribute pop
#endif
