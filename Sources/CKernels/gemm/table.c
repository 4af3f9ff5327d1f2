// The table of matrix product kernels.
#include "cpu.h"
#include "gemm.h"

#define KERNEL(function, name, isa, input, fused) void function(const struct apus_gemm *);
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa, input, fused) {name, isa, input, fused, function},
static const struct apus_gemm_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_gemm_kernel *apus_gemm_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
