// The elementwise kernels, AVX-512 with its rounding to bfloat16.
#if defined(__x86_64__)
#include "elementwise.h"

#pragma clang attribute push(                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma"))), \
    apply_to = function)
#include "../math/lanes_avx512bf16.h"
#include "../math/fast_avx512.h"
#define FAST_APPLY(x, f) apus_fast_apply_avx512(x, f)
#include "generic.h"
#pragma clang attribute pop
#endif
