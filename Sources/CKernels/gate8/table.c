// The table of the kernels that multiply bytes by gates.
#include "cpu.h"
#include "gate8.h"

#define KERNEL(suffix, name, isa) void apus_gate8_##suffix(const struct apus_gate8 *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_gate8_kernel kernels[] = {
#define KERNEL(suffix, name, isa) {name, isa, apus_gate8_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_gate8_kernel *apus_gate8_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
