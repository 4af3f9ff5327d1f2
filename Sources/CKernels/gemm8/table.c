// The table of 8-bit matrix product kernels.
#include "cpu.h"
#include "gemm8.h"

#define KERNEL(function, name, isa) void function(const struct apus_gemm8 *);
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa) {name, isa, function},
static const struct apus_gemm8_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_gemm8_kernel *apus_gemm8_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
