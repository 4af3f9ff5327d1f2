// The table of resize kernels.
#include "cpu.h"
#include "resize.h"

#define KERNEL(suffix, name, isa)                   \
  apus_blend_tensor_rows apus_resize_rows_##suffix; \
  apus_blend_pixels apus_resize_pixels_##suffix;    \
  apus_pick_pixels apus_resize_pick_##suffix;
#include "kernels.inc"
#undef KERNEL

#define KERNEL(suffix, name, isa)                                     \
  {name, isa, apus_resize_rows_##suffix, apus_resize_pixels_##suffix, \
   apus_resize_pick_##suffix},
static const struct apus_resize_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_resize_kernel *apus_resize_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
