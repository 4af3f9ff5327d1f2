// Winograd's minimal filtering for 3×3 convolutions with stride 1 or 2: the transforms around the
// matrix products (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015).
//
// The output is cut into tiles of t × t pixels, t = 4, or 2 with stride 1; a tile depends on n × n
// pixels of the input, n = 3 + (t - 1) stride. With p = n² positions, t² results take p instead of
// 9 t² multiplications:
//
//   V = Bᵀ d B            for every tile and input channel          (apus_winograd_input)
//   U = G g Gᵀ            for every input and output channel, once  (apus_winograd_weights)
//   M[i] = V[i] U[u(i)]   for every position i: a matrix product [tiles, C] × [C, N] of gemm.h
//   y = f(Aᵀ M A + ...)   for every tile and output channel         (apus_winograd_output)
//
// With stride 1 position i has its own U, u(i) = i, and the interpolation points are 0, ±1, ±2 and
// infinity for t = 4, and 0, ±1 and infinity for t = 2.
//
// With stride 2 a filter of 3 taps is one of 2 taps over the even samples plus one of 1 tap over
// the odd samples. The former takes t + 1 products for t results (points 0, ±1, 2 and infinity),
// the latter t, all with the same weight. So of the 9 positions along an axis 0 ..< 5 have a U of
// their own, and 5 ..< 9 share number 5: position (r, c) multiplies U[min(r, 5)][min(c, 5)].
//
// Tiles of one image are numbered line by line, `tile_columns` in a line. Tiles that reach beyond
// the output are computed whole and stored in part; pixels outside the input count as zero.
//
// Alignment: none needed; 64 bytes for V, U and M is fastest. Sizes, steps and strides are in
// elements. The kernels of an ISA use fused multiply-adds where it has them, so bits differ from
// one to the next; they do not depend on how tiles are divided among calls.
#ifndef APUS_WINOGRAD_H
#define APUS_WINOGRAD_H

#include <stddef.h>
#include <stdint.h>

#include "functions.h"

// From an image [height][width][channels] to V [p][tiles][channels]. Nothing is read past x; V is
// written in whole vectors: zeros follow the channels of a tile up to a multiple of 16.
struct apus_winograd_input {
  uint32_t tile;    // 4; 2 with stride 1
  uint32_t stride;  // 1 or 2
  const void *x;    // pixel (0, 0)
  uint32_t x_type;  // enum apus_float
  ptrdiff_t x_pixel;
  ptrdiff_t height;
  ptrdiff_t width;
  ptrdiff_t channels;
  ptrdiff_t pad_top;
  ptrdiff_t pad_left;

  ptrdiff_t tile_columns;
  ptrdiff_t first;  // tiles first ..< first + count
  ptrdiff_t count;

  void *v;          // position 0 of the first tile
  uint32_t v_type;  // float32; bfloat16 only for tiles of 2
  ptrdiff_t v_tile;
  ptrdiff_t v_position;
};

// From M [p][tiles][columns] to lines of y [..][y_width][columns]. M is read in whole vectors, so
// its rows go up to a multiple of 16 columns, and `bias` likewise (up to 15 floats behind the last
// column); nothing else is read past its end. Y is written exactly.
struct apus_winograd_output {
  uint32_t tile;
  uint32_t stride;
  const float *m;  // position 0 of the first tile
  ptrdiff_t m_tile;
  ptrdiff_t m_position;
  const float *bias;  // null: zeros
  ptrdiff_t columns;

  ptrdiff_t tile_columns;
  ptrdiff_t first;
  ptrdiff_t count;

  void *y;  // pixel (0, 0) of the image
  uint32_t y_type;
  ptrdiff_t y_pixel;
  ptrdiff_t y_height;
  ptrdiff_t y_width;

  // Null: none; pixels lie as those of y. Added before the function, or after it
  // (`residual_last`).
  const void *residual;
  uint32_t residual_type;
  uint32_t residual_last;
  ptrdiff_t residual_pixel;

  struct apus_activation activation;
};

// From the packed weights of a direct convolution (gemm.h, one run per kernel row of 3 C elements)
// to U [(t + 2)²][panels][K][16], for bfloat16 [(t + 2)²][panels][K/2][16][2] with K rounded up to
// a pair.
struct apus_winograd_weights {
  uint32_t tile;
  uint32_t stride;
  const void *source;
  uint32_t source_type;
  size_t run_length;  // elements of a packed run: 3 C, or one more
  size_t channels;    // C
  size_t panels;
  void *target;
  uint32_t target_type;  // bfloat16 only from bfloat16, for tiles of 2
};

struct apus_winograd_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*input)(const struct apus_winograd_input *);
  void (*output)(const struct apus_winograd_output *);
  void (*weights)(const struct apus_winograd_weights *);
};

// The kernels of this build, best first; `count` is set to their number.
const struct apus_winograd_kernel *apus_winograd_kernels(size_t *count);

#endif
