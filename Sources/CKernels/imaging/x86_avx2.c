// The image path, AVX2.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include "imaging.h"

#define FUNCTION(name) apus_imaging_##name##_avx2
#include "generic.h"

#pragma clang attribute pop
#endif
