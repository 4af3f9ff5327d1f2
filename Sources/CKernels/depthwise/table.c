// The table of depthwise convolution kernels.
#include "cpu.h"
#include "depthwise.h"

#define KERNEL(function, name, isa, fused) void function(const struct apus_depthwise *);
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa, fused) {name, isa, fused, function},
static const struct apus_depthwise_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_depthwise_kernel *apus_depthwise_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
