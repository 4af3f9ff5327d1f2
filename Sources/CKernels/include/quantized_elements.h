// Element-wise work on 8-bit tensors: quantising, dequantising, functions of two operands.
//
// A uint8 element q stands for scale · (q − zero). A real number v becomes
//
//   q = clamp(round(v') + zero, 0, 255)     v' = v / scale (quantise), v · inverse (binary)
//
// `round` goes to nearest, ties to even; NaN becomes 0. Every step is one float32 operation, never
// fused, in one order: all kernels give the same bits.
//
// Operands are rows: row r starts r · row elements after the first. Arrays by channel (`channels`
// is 1: entry i belongs to column i; 0: the first entry to all) are readable up to 16 entries
// behind the last column, and need no alignment. Nothing else is read or written outside the rows.
#ifndef APUS_QUANTIZED_ELEMENTS_H
#define APUS_QUANTIZED_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "elementwise.h"
#include "functions.h"
#include "quantized.h"

// How 8-bit elements stand for real numbers.
struct apus_quantized_scale {
  const float *scale;    // in `apus_quantized_result`s of a binary function: 1 / scale
  const int32_t *zero;   // 0 … 255
  uint32_t channels;     // 0 or 1
};

struct apus_quantized_operand {
  const void *data;
  ptrdiff_t row;
  uint32_t type;  // enum apus_quantized_type
  uint32_t step;  // 0: the row's first element again and again (then without channels); 1
  struct apus_quantized_scale scale;  // uint8 only
};

struct apus_quantized_result {
  void *data;
  ptrdiff_t row;
  uint32_t type;
  struct apus_quantized_scale scale;  // uint8 only
};

// y[r][i] = quantised x[r][i], or x = dequantised y.
struct apus_quantize {
  const void *x;
  void *y;
  ptrdiff_t x_row, y_row;
  size_t rows, count;
  struct apus_quantized_scale scale;
};

// float32 planes and 8-bit pixels: reals[c · plane + p] and bytes[p · pixel + c], for c < channels
// and p < pixels; quantising reads the planes, dequantising the pixels.
struct apus_quantize_planes {
  float *reals;
  uint8_t *bytes;
  ptrdiff_t plane, pixel;
  size_t channels, pixels;
  struct apus_quantized_scale scale;
};

// y[r][i] = f(a[r][i] function b[r][i]); y may be an operand whose elements lie at the same places
// and have the same size.
//
// `linear`: a sum of bytes with one scale each and no function, in the bytes less 128:
// y = clamp(round((a − 128) · ratio_a + ((b − 128) · ratio_b + base)) + 128, 0, 255).
struct apus_quantized_binary {
  struct apus_quantized_operand a, b;
  struct apus_quantized_result y;
  size_t rows, count;
  uint32_t function;  // enum apus_binary_function
  struct apus_activation activation;  // one that apus_function_is_vector admits
  uint32_t linear;
  float ratio_a, ratio_b, base;
};

struct apus_quantized_elements_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*quantize)(const struct apus_quantize *);
  void (*dequantize)(const struct apus_quantize *);
  void (*quantize_planes)(const struct apus_quantize_planes *);
  void (*dequantize_planes)(const struct apus_quantize_planes *);
  void (*binary)(const struct apus_quantized_binary *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_quantized_elements_kernel *apus_quantized_elements_kernels(size_t *count);

#endif
