// The table of 8-bit depthwise convolution kernels.
#include "cpu.h"
#include "depthwise8.h"

#define KERNEL(function, name, isa) void function(const struct apus_depthwise8 *);
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa) {name, isa, function},
static const struct apus_depthwise8_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_depthwise8_kernel *apus_depthwise8_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
