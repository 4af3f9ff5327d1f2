// The softmax kernels, AVX-512.
#if defined(__x86_64__)
#include "softmax.h"

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"))), apply_to = function)
#include "x86_avx512.h"
#include "generic.h"
#pragma clang attribute pop
#endif
