// The table of the pool kernels.
#include "pool.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa)                                 \
  void apus_pool_row_##suffix(const struct apus_pool *);          \
  void apus_pool_maximum_bytes_##suffix(const struct apus_pool *); \
  void apus_pool_average_bytes_##suffix(const struct apus_pool_bytes *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_pool_kernel kernels[] = {
#define KERNEL(suffix, name, isa)                                        \
  {name, isa, apus_pool_row_##suffix, apus_pool_maximum_bytes_##suffix, \
   apus_pool_average_bytes_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_pool_kernel *apus_pool_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
