// The table of the softmax kernels.
#include "softmax.h"

#include "cpu.h"

#define KERNEL(suffix, name, isa) \
  void apus_softmax_rows_##suffix(const struct apus_softmax *); \
  void apus_softmax_columns_##suffix(const struct apus_softmax *); \
  void apus_expectation_##suffix(const struct apus_expectation *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_softmax_kernel kernels[] = {
#define KERNEL(suffix, name, isa) \
  {name, isa, apus_softmax_rows_##suffix, apus_softmax_columns_##suffix, \
   apus_expectation_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_softmax_kernel *apus_softmax_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
