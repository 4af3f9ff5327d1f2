// The table of the normalize kernels.
#include "normalize.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa) \
  void apus_normalize_rows_##suffix(struct apus_normalize *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_normalize_kernel kernels[] = {
#define KERNEL(suffix, name, isa) {name, isa, apus_normalize_rows_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_normalize_kernel *apus_normalize_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
