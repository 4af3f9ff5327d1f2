// The table of transposition kernels.
#include "cpu.h"
#include "transpose.h"

#define KERNEL(function, name, isa, size) void function(const struct apus_transpose *);
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa, size) {name, isa, size, function},
static const struct apus_transpose_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_transpose_kernel *apus_transpose_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
