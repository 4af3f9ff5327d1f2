// The lanes of AVX-512 with its own rounding to bfloat16, for files named by that ISA. Include it
// inside the file's `#pragma clang attribute push` of that target.
#ifndef APUS_LANES_AVX512BF16_H
#define APUS_LANES_AVX512BF16_H

#define NARROW(x) (__m256i)_mm512_cvtneps_pbh(x)
#include "lanes_avx512.h"
#undef ISA_NAME
#define ISA_NAME(name) name##_avx512bf16

#endif
