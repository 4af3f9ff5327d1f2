// The table of the look-up kernels.
#include "cpu.h"
#include "lookup.h"

#define KERNEL(function, name, isa, flag) void function(const struct apus_look_up *);
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa, flag) {name, isa, flag, function},
static const struct apus_look_up_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_look_up_kernel *apus_look_up_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
