// The normalize kernels, AVX-512 with its rounding to bfloat16.
#if defined(__x86_64__)
#include "normalize.h"

#pragma clang attribute push(                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma"))), \
    apply_to = function)
#include "../math/lanes_avx512bf16.h"
#include "x86_avx512.h"
#include "generic.h"
#pragma clang attribute pop
#endif
