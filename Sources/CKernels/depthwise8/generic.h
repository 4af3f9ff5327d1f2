// 8-bit depthwise convolution on vectors of channels.
//
// The bytes of a column of four image rows are interleaved, channel by channel, by unpacking them
// twice; one product of bytes then adds four taps to a channel's sum. In this order vector q of 4
// holds channels 16 l + 4 q + i in its lanes l of 16 bytes, and packing sums to bytes undoes it, so
// nothing is ever permuted. For the usual windows a line of output is swept from left to right:
// each column is interleaved once and added to every output pixel that sees it, whose sums stand in
// a ring of registers.
//
// Included once per width of vectors, after these have been defined:
//   NAME(name)               suffixes a name
//   OP(name)                 the intrinsics of this width, LANES their lanes of 16 bytes
//   HELD                     the widest window whose weights stay in registers
//   LOAD(p)                  a vector
//   COMBINE(a, b, c, d)      the first LANES of four __m128i as one vector
//   DOT(sum, x, w)           adds the four products of unsigned and signed bytes per 32 bits
//   STORE(p, v, n)           the first n bytes
//   CURVE_COLUMNS            what CURVE takes of a vector of columns
//   CURVE_HELD, HOLD(curve)  the type and value of a curve in registers, as far as they suffice
//   CURVE(held, columns, t, ramp)  t -> g of quantized.h for two vectors of 16 bits, in place
//   BYTES, FLOATS            the vector types
//   MATH(name)               functions of vectors of floats

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
// Keeps the compiler from holding in registers what a pointer leads to: sums and weights need them.
#define NOT_HELD(pointer) __asm__("" : "+r"(pointer))

// The most output pixels of a line that see one column.
#define RING 7
// Pixels of a line whose scaled sums are kept before they are stored, and what sweeps write behind.
#define KEPT 32
#define MARGIN 4
#define LINE_KEPT (2 * (KEPT + MARGIN))
// A kind of store besides those of quantized.h: the general one where it only scales and bounds.
#define SCALED 4

// What the store of a block of channels multiplies and adds, in the order of the sums.
struct NAME(columns) {
  FLOATS multiplier[4];
  BYTES offset[4];
  BYTES zero[2];  // of 16 bits, in pairs of vectors
  BYTES residual_ratio[2];
  struct CURVE_COLUMNS curve[2];
  BYTES low, high;
  FLOATS inverse[4];
  FLOATS residual_scale[4];
  BYTES residual_zero[4];
};

// A block of channels on one line of output.
struct NAME(line) {
  const struct apus_depthwise8 *d;
  const struct NAME(columns) * columns;
  ptrdiff_t oy;
  ptrdiff_t c;  // the first channel
  ptrdiff_t n;  // channels, at most the vectors' width
  const int8_t *weights;
  const uint8_t *padding;
  // Where a uint8 y stands, and what its pixels are.
  uint8_t *y;
  ptrdiff_t y_pixel;
  ptrdiff_t y_width;
  // The line itself: sweeps work on a copy, whose members no store to y can change.
  const struct NAME(line) * whole;
  // Scaled sums of pixels, two vectors of 16 bits for each.
  BYTES *kept;
  // 5×5: weights of the fifth row, see sweep.h.
  const BYTES (*across)[4][4];
};

#include "store.h"

// Interleaves `count` (1 to 4) rows of a column.
INLINE void NAME(interleave)(const uint8_t *const *rows, const int count, BYTES *x) {
  const BYTES none = OP(set1_epi8)(0);
  const BYTES a = LOAD(rows[0]);
  const BYTES b = count > 1 ? LOAD(rows[1]) : none;
  const BYTES c = count > 2 ? LOAD(rows[2]) : none;
  const BYTES d = count > 3 ? LOAD(rows[3]) : none;
  const BYTES ab[2] = {OP(unpacklo_epi8)(a, b), OP(unpackhi_epi8)(a, b)};
  const BYTES cd[2] = {count > 2 ? OP(unpacklo_epi8)(c, d) : none,
                       count > 2 ? OP(unpackhi_epi8)(c, d) : none};
  UNROLL for (int h = 0; h < 2; h++) {
    x[2 * h] = OP(unpacklo_epi16)(ab[h], cd[h]);
    x[2 * h + 1] = OP(unpackhi_epi16)(ab[h], cd[h]);
  }
}

// Adds a column's taps `kx` of kernel rows 4 g and following.
INLINE void NAME(add)(
    BYTES *sums, const BYTES *x, const int8_t *weights, ptrdiff_t kw, ptrdiff_t g, ptrdiff_t kx) {
  const int8_t *w = weights + (g * kw + kx) * 256;
  UNROLL for (int q = 0; q < 4; q++) sums[q] = DOT(sums[q], x[q], LOAD(w + 64 * q));
}

// Any window, a pixel at a time.
static void NAME(line_any)(const struct NAME(line) * line, uint32_t kind) {
  const struct apus_depthwise8 *d = line->d;
  const ptrdiff_t kh = d->kernel_height, kw = d->kernel_width;
  const uint8_t *padding = line->padding;
  const ptrdiff_t top = line->oy * d->stride_y - d->pad_top;
  for (ptrdiff_t ox = 0; ox < d->y_width; ox++) {
    BYTES sums[4];
    UNROLL for (int q = 0; q < 4; q++) sums[q] = line->columns->offset[q];
    for (ptrdiff_t kx = 0; kx < kw; kx++) {
      const ptrdiff_t ix = ox * d->stride_x + kx * d->dilation_x - d->pad_left;
      const int inside = ix >= 0 && ix < d->width;
      for (ptrdiff_t ky = 0; ky < kh; ky += 4) {
        const uint8_t *rows[4];
        for (ptrdiff_t r = 0; r < 4; r++) {
          const ptrdiff_t iy = top + (ky + r) * d->dilation_y;
          const int there = inside && ky + r < kh && iy >= 0 && iy < d->height;
          rows[r] = there ? d->x + (iy * d->width + ix) * d->x_pixel + line->c : padding;
        }
        BYTES x[4];
        NAME(interleave)(rows, 4, x);
        NAME(add)(sums, x, line->weights, kw, ky / 4, kx);
      }
    }
    if (kind == APUS_STORE_DIRECT) NAME(put)(line, APUS_STORE_DIRECT, ox, sums);
    else if (kind == SCALED) NAME(put)(line, SCALED, ox, sums);
    else if (kind == APUS_STORE_CURVE) NAME(put)(line, APUS_STORE_CURVE, ox, sums);
    else NAME(put)(line, APUS_STORE_GENERAL, ox, sums);
  }
}

// The rows of a sweep: where they stand, and how far it is to their next column. Rows outside the
// image stand still on the padding.
struct NAME(rows) {
  const uint8_t *at[8];
  ptrdiff_t step[8];
};

// Adds a column and advances the rows; unless `checked`, all columns are inside. u counts columns
// modulo the ring; a pixel's sums start with its first column.
INLINE void NAME(sweep_column)(
    const struct NAME(line) * line, struct NAME(rows) * rows, BYTES (*ring)[4],
    const BYTES (*held)[4], const int kh, const int kw, const int stride, const int slots,
    const int u, const int inside) {
  UNROLL for (int g = 0; 4 * g < kh; g++) {
    const int count = kh - 4 * g < 4 ? kh - 4 * g : 4;
    const uint8_t *from[4];
    UNROLL for (int r = 0; r < count; r++) {
      from[r] = inside ? rows->at[4 * g + r] : line->padding;
      if (inside) rows->at[4 * g + r] += rows->step[4 * g + r];
    }
    BYTES x[4];
    NAME(interleave)(from, count, x);
    UNROLL for (int kx = 0; kx < kw; kx++) {
      if ((u + kw * stride - kx) % stride != 0) continue;
      BYTES *sums = ring[(u + slots * stride * kw - kx) / stride % slots];
      if (g == 0 && kx == 0) {
        const struct NAME(columns) *columns = line->columns;
        NOT_HELD(columns);
        UNROLL for (int q = 0; q < 4; q++) sums[q] = columns->offset[q];
      }
      if (held) {
        UNROLL for (int q = 0; q < 4; q++) sums[q] = DOT(sums[q], x[q], held[kx][q]);
      } else {
        NAME(add)(sums, x, line->weights, kw, g, kx);
      }
    }
  }
}

INLINE void NAME(sweep)(
    const struct NAME(line) * whole, const int kind, const int kh, const int kw,
    const int stride) {
  const struct apus_depthwise8 *d = whole->d;
  const struct NAME(line) copy = *whole, *line = &copy;
  // The weights, where there are registers for them.
  BYTES weights[HELD][4];
  const BYTES(*held)[4] = kh <= 4 && kw <= HELD ? weights : NULL;
  UNROLL for (int kx = 0; kx < HELD; kx++) {
    if (!held) break;
    UNROLL for (int q = 0; q < 4; q++) weights[kx][q] = LOAD(line->weights + 256 * kx + 64 * q);
  }
  struct NAME(rows) rows;
  const ptrdiff_t top = line->oy * d->stride_y - d->pad_top, left = -d->pad_left;
  const ptrdiff_t first = left > 0 ? left : 0;  // the first column inside
  UNROLL for (int r = 0; r < kh; r++) {
    const ptrdiff_t iy = top + r;
    const int there = iy >= 0 && iy < d->height;
    rows.at[r] = there ? d->x + (iy * d->width + first) * d->x_pixel + line->c : line->padding;
    rows.step[r] = there ? d->x_pixel : 0;
  }
  const int slots = (kw + stride - 1) / stride, period = slots * stride;
  BYTES ring[RING][4];
  UNROLL for (int i = 0; i < slots; i++) {
    UNROLL for (int q = 0; q < 4; q++) ring[i][q] = OP(set1_epi8)(0);
  }
  const ptrdiff_t columns = (line->y_width - 1) * stride + kw, width = d->width;
  for (ptrdiff_t j = 0; j < columns; j += period) {
    const int whole = left + j >= 0 && left + j + period <= width && j >= kw - 1 &&
                      j + period <= columns;
    if (whole) {
      UNROLL for (int u = 0; u < period; u++) {
        NAME(sweep_column)(line, &rows, ring, held, kh, kw, stride, slots, u, 1);
        // The pixel that has seen its last column.
        if ((u + kw * stride - (kw - 1)) % stride != 0) continue;
        const int slot = (u + slots * stride * kw - (kw - 1)) / stride % slots;
        NAME(put)(line, kind, (j + u - (kw - 1)) / stride, ring[slot]);
      }
    } else {
      UNROLL for (int u = 0; u < period; u++) {
        const ptrdiff_t ix = left + j + u;
        if (ix >= 0 && ix < width) {
          NAME(sweep_column)(line, &rows, ring, held, kh, kw, stride, slots, u, 1);
        } else {
          NAME(sweep_column)(line, &rows, ring, held, kh, kw, stride, slots, u, 0);
        }
        if ((u + kw * stride - (kw - 1)) % stride != 0) continue;
        const int slot = (u + slots * stride * kw - (kw - 1)) / stride % slots;
        const ptrdiff_t o = j + u - (kw - 1);
        if (o >= 0 && o / stride < line->y_width) {
          NAME(put)(line, kind, o / stride, ring[slot]);
        }
      }
    }
  }
}

#define GENERAL_LINE(name, k, stride)                                                     \
  static __attribute__((noinline)) void NAME(name)(                                       \
      const struct NAME(line) * line, __attribute__((unused)) uint32_t kind) {            \
    NAME(sweep)(line, APUS_STORE_GENERAL, k, k, stride);                                  \
  }
#define LINE(name, k, stride)                                                             \
  static __attribute__((noinline)) void NAME(name)(                                       \
      const struct NAME(line) * line, uint32_t kind) {                                    \
    if (kind == APUS_STORE_DIRECT) NAME(sweep)(line, APUS_STORE_DIRECT, k, k, stride);    \
    else if (kind == SCALED) NAME(sweep)(line, SCALED, k, k, stride);                     \
    else if (kind == APUS_STORE_CURVE) NAME(sweep)(line, APUS_STORE_CURVE, k, k, stride); \
    else NAME(sweep)(line, APUS_STORE_GENERAL, k, k, stride);                             \
  }
GENERAL_LINE(line_3_1, 3, 1)
GENERAL_LINE(line_3_2, 3, 2)
GENERAL_LINE(line_5_1, 5, 1)
GENERAL_LINE(line_5_2, 5, 2)
LINE(line_7_1, 7, 1)
LINE(line_7_2, 7, 2)
#undef GENERAL_LINE
#undef LINE

// The function of the call's lines where `strips` does not compute them.
static void (*NAME(line_function)(const struct apus_depthwise8 *d))(
    const struct NAME(line) *, uint32_t) {
  if (d->kernel_height != d->kernel_width || d->stride_y != d->stride_x) return NAME(line_any);
  if (d->dilation_y != 1 || d->dilation_x != 1) return NAME(line_any);
  if (d->stride_x < 1 || d->stride_x > 2) return NAME(line_any);
  const int two = d->stride_x == 2;
  switch (d->kernel_width) {
    case 3: return two ? NAME(line_3_2) : NAME(line_3_1);
    case 5: return two ? NAME(line_5_2) : NAME(line_5_1);
    case 7: return two ? NAME(line_7_2) : NAME(line_7_1);
    default: return NAME(line_any);
  }
}

#include "sweep.h"

// All lines of `n` channels (at most a vector's bytes) from channel c on.
static void NAME(block)(const struct apus_depthwise8 *d, ptrdiff_t c, ptrdiff_t n) {
  void (*const run)(const struct NAME(line) *, uint32_t) = NAME(line_function)(d);
  struct NAME(columns) columns;
  NAME(read_columns)(&columns, d, c, n);
  uint32_t kind = d->store.kind == APUS_STORE_RAMP ? APUS_STORE_CURVE : d->store.kind;
  if (NAME(scales)(&columns, d)) kind = SCALED;
  const ptrdiff_t groups = (d->kernel_height + 3) / 4;
  BYTES kept[2 * LINE_KEPT], across[2][4][4];
  struct NAME(line) line = {
      .kept = kept, .across = across, .d = d, .columns = &columns, .c = c, .n = n,
      .padding = d->padding + c, .y_pixel = d->y_pixel, .y_width = d->y_width, .whole = &line};
  line.weights = d->weights + c / 64 * groups * d->kernel_width * 256 + c % 64;
  const ptrdiff_t end = d->first_line + d->line_count;
  const int strips =
      run != NAME(line_any) && d->kernel_width < 7 && kind != APUS_STORE_GENERAL;
  if (strips && d->kernel_width == 5) NAME(cross)(across, line.weights, d->stride_x);
  const int pairs = strips && d->kernel_width == 3 && d->stride_x == 1;
  for (line.oy = d->first_line; line.oy < end;) {
    const int lines = pairs && end - line.oy > 1 ? 2 : 1;
    line.y = (uint8_t *)d->store.y + line.oy * d->y_width * d->y_pixel + c;
    if (strips) NAME(strips)(&line, kind, lines);
    else run(&line, kind);
    line.oy += lines;
  }
}

#undef INLINE
#undef UNROLL
#undef NOT_HELD
#undef RING
#undef KEPT
#undef MARGIN
#undef LINE_KEPT
#undef SCALED
