// The table of the reduce kernels.
#include "reduce.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa) \
  void apus_reduce_rows_##suffix(const struct apus_reduce *); \
  void apus_reduce_columns_##suffix(const struct apus_reduce *); \
  void apus_arg_reduce_rows_##suffix(const struct apus_arg_reduce *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_reduce_kernel kernels[] = {
#define KERNEL(suffix, name, isa) \
  {name, isa, apus_reduce_rows_##suffix, apus_reduce_columns_##suffix, \
   apus_arg_reduce_rows_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_reduce_kernel *apus_reduce_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
