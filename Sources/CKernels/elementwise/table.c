// The table of the elementwise kernels.
#include "elementwise.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa) \
  void apus_unary_##suffix(const struct apus_unary *); \
  void apus_binary_##suffix(const struct apus_binary *); \
  void apus_scale_shift_##suffix(const struct apus_scale_shift *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_elementwise_kernel kernels[] = {
#define KERNEL(suffix, name, isa) \
  {name, isa, apus_unary_##suffix, apus_binary_##suffix, apus_scale_shift_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_elementwise_kernel *apus_elementwise_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
