// The table of the imaging kernels.
#include "cpu.h"
#include "imaging.h"

#define FUNCTION(name) apus_imaging_##name##_avx512vbmi
#include "declare.h"
#undef FUNCTION
#define FUNCTION(name) apus_imaging_##name##_avx2
#include "declare.h"
#undef FUNCTION
#define FUNCTION(name) apus_imaging_##name##_reference
#include "declare.h"
#undef FUNCTION

#define KERNEL(suffix, name, isa, flag)                                                       \
  {name,                                                                                      \
   isa,                                                                                       \
   flag,                                                                                      \
   apus_imaging_columns_##suffix,                                                             \
   apus_imaging_rows_##suffix,                                                                \
   apus_imaging_yuv_row_##suffix,                                                             \
   apus_imaging_gray_row_##suffix,                                                            \
   apus_imaging_area_row_##suffix,                                                            \
   apus_imaging_accumulate_row_##suffix,                                                      \
   apus_imaging_round_row_##suffix},
static const struct apus_imaging_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_imaging_kernel *apus_imaging_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
