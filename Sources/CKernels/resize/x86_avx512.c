// Interpolation, AVX-512.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)

#include "resize.h"

#define FUNCTION(name) apus_resize_##name##_avx512
#include "generic.h"

#pragma clang attribute pop
#endif
