// The table of the element-wise kernels of 8-bit tensors.
#include "cpu.h"
#include "quantized_elements.h"

#define KERNEL(suffix, name, isa)                                                   \
  void apus_quantize_rows_##suffix(const struct apus_quantize *);                   \
  void apus_dequantize_rows_##suffix(const struct apus_quantize *);                 \
  void apus_quantize_planes_##suffix(const struct apus_quantize_planes *);          \
  void apus_dequantize_planes_##suffix(const struct apus_quantize_planes *);        \
  void apus_quantized_binary_##suffix(const struct apus_quantized_binary *);
#include "kernels.inc"
#undef KERNEL

static const struct apus_quantized_elements_kernel kernels[] = {
#define KERNEL(suffix, name, isa)                                                   \
  {name, isa, apus_quantize_rows_##suffix, apus_dequantize_rows_##suffix,           \
   apus_quantize_planes_##suffix, apus_dequantize_planes_##suffix,                  \
   apus_quantized_binary_##suffix},
#include "kernels.inc"
#undef KERNEL
};

const struct apus_quantized_elements_kernel *apus_quantized_elements_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
