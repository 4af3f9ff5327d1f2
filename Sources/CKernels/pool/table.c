// The table of the pool kernels.
#include "pool.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa) \
  void apus_pool_row_##suffix(const struct apus_pool *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_pool_kernel kernels[] = {
#define KERNEL(suffix, name, isa) {name, isa, apus_pool_row_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_pool_kernel *apus_pool_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
