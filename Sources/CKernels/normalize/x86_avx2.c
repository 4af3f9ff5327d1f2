// The normalize kernels, AVX2.
#if defined(__x86_64__)
#include "normalize.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "../math/lanes_avx2.h"
#define BYTES "../math/bytes_avx2.h"
#include "generic.h"
#pragma clang attribute pop
#endif
