// The softmax kernels, AVX2.
#if defined(__x86_64__)
#include "softmax.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "../math/lanes_avx2.h"
#define BYTES "../math/bytes_avx2.h"
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#include "generic.h"
#pragma clang attribute pop
#endif
