// The elementwise kernels, AVX2.
#if defined(__x86_64__)
#include "elementwise.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "../math/lanes_avx2.h"
#include "../math/fast_avx2.h"
#define FAST_APPLY(x, f) apus_fast_apply_avx2(x, f)
#include "generic.h"
#pragma clang attribute pop
#endif
