// The table of Winograd kernels.
#include "winograd.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa)                                       \
  void apus_winograd_input_##suffix(const struct apus_winograd_input *);   \
  void apus_winograd_output_##suffix(const struct apus_winograd_output *); \
  void apus_winograd_weights_##suffix(const struct apus_winograd_weights *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_winograd_kernel kernels[] = {
#define KERNEL(suffix, name, isa)                                         \
  {name, isa, apus_winograd_input_##suffix, apus_winograd_output_##suffix, \
   apus_winograd_weights_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_winograd_kernel *apus_winograd_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
