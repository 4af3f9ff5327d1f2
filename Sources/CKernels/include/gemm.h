// Matrix product with gathered rows: the kernel behind convolutions and matrix multiplications.
//
//   y[m][n] = f(scale · Σk a[m][k] b[k][n] + bias[n] + residual[m][n])
//
// The rows of A, Y and the residual form a grid of `width` rows per line: row m is pixel m % width
// of line m / width. The K elements of a row are `run_count` runs of `run_length` consecutive
// elements each; run r starts runs[r] elements after the row's first. So a row of a 1×1 convolution
// or of a matrix is one run; a k×k convolution reads its input in place, one run per kernel row
// (or per tap).
//
// B is packed: panels of 16 columns, float32 [N/16][K][16], bfloat16 [N/16][K/2][16][2], K =
// run_count · run_length; columns past N are zeros. With bfloat16 run_length is even; where the
// true run is odd, B holds zeros for the last element and A must have any finite value there.
//
// Alignment: none needed; 64 bytes for panels and rows is fastest. Reads past the operands: whole
// panels of `bias` (up to 15 floats behind the last column), nothing else. Y is written exactly.
//
// Kernels that are not fused give the same bits on every ISA: each product is rounded, and the K
// products of a result are added one after the other. The fused ones skip the first rounding.
//
// bfloat16: inputs are products of the exact values, summed in float32 (AVX-512-BF16 sums pairs
// and flushes subnormals); results are rounded to nearest even.
#ifndef APUS_GEMM_H
#define APUS_GEMM_H

#include <stddef.h>
#include <stdint.h>

#include "functions.h"

// The type of stored elements.
enum apus_float { APUS_FLOAT32 = 0, APUS_BFLOAT16 = 1 };

struct apus_gemm {
  // The grid: rows first ..< first + count are computed.
  size_t width;
  size_t first;
  size_t count;

  const void *a;
  ptrdiff_t a_pixel;  // elements from one row of a line to the next
  ptrdiff_t a_line;   // elements from one line to the next
  const ptrdiff_t *runs;
  size_t run_count;
  size_t run_length;

  const void *b;       // the panel of the first column
  size_t panel_step;   // elements from one panel to the next; at least 16 K
  size_t columns;      // N
  const float *bias;   // of the first column; null: zeros
  float scale;

  void *y;  // row 0, first column
  ptrdiff_t y_pixel;
  ptrdiff_t y_line;
  uint32_t y_type;

  // Null: none. Added before the function, or after it (`residual_last`).
  const void *residual;
  ptrdiff_t residual_pixel;
  ptrdiff_t residual_line;
  uint32_t residual_type;
  uint32_t residual_last;

  struct apus_activation activation;
};

struct apus_gemm_kernel {
  const char *name;
  uint32_t isa;    // enum apus_isa
  uint32_t input;  // enum apus_float: the type of A and B
  uint32_t fused;  // 1: multiplies and adds with one rounding
  void (*run)(const struct apus_gemm *);
};

// The kernels of this build, best first within an input type; `count` is set to their number.
const struct apus_gemm_kernel *apus_gemm_kernels(size_t *count);

// One panel of a factor that is only known at run time.
struct apus_gemm_pack {
  const void *source;    // element (0, first column)
  uint32_t source_type;  // enum apus_float
  uint32_t target_type;  // enum apus_float; float32 only from float32
  ptrdiff_t depth_step;   // elements from k to k + 1
  ptrdiff_t column_step;  // elements from n to n + 1
  size_t depth;    // K
  size_t columns;  // 0 ... 16
  void *target;    // 16 K elements, K rounded up to a pair for bfloat16
};

// Packs one panel; columns past the last become zeros.
void apus_gemm_pack_panel(const struct apus_gemm_pack *);

// Rows of float32 rounded to bfloat16: dst[i] = bf16(src[i]), i < count.
void apus_round_bfloat16_portable(const float *src, uint16_t *dst, size_t count);
// The same, for machines with AVX2.
void apus_round_bfloat16_avx2(const float *src, uint16_t *dst, size_t count);
// The same for machines with AVX-512-BF16, but subnormals become zeros.
void apus_round_bfloat16_avx512bf16(const float *src, uint16_t *dst, size_t count);

#endif
