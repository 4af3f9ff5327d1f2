// Transposition in plain loops, for an element type ELEMENT with functions named by NAME. The file
// is included once per type and instruction set.

#define INLINE static inline __attribute__((always_inline))

// A part of the matrix, element by element.
INLINE void NAME(plain)(
    const ELEMENT *restrict src, ptrdiff_t src_stride, ELEMENT *restrict dst,
    ptrdiff_t dst_stride, size_t rows, size_t columns) {
  for (size_t j = 0; j < columns; j++) {
    for (size_t i = 0; i < rows; i++) {
      dst[(ptrdiff_t)j * dst_stride + (ptrdiff_t)i] = src[(ptrdiff_t)i * src_stride + (ptrdiff_t)j];
    }
  }
}

// Few rows that become the channels of pixels, as when a picture of planes becomes one of pixels.
INLINE int NAME(interleave)(
    const ELEMENT *restrict src, ptrdiff_t s, ELEMENT *restrict dst, size_t rows, size_t columns) {
  switch (rows) {
    case 2:
      for (size_t j = 0; j < columns; j++) {
        dst[2 * j] = src[j];
        dst[2 * j + 1] = src[s + (ptrdiff_t)j];
      }
      return 1;
    case 3:
      for (size_t j = 0; j < columns; j++) {
        dst[3 * j] = src[j];
        dst[3 * j + 1] = src[s + (ptrdiff_t)j];
        dst[3 * j + 2] = src[2 * s + (ptrdiff_t)j];
      }
      return 1;
    case 4:
      for (size_t j = 0; j < columns; j++) {
        dst[4 * j] = src[j];
        dst[4 * j + 1] = src[s + (ptrdiff_t)j];
        dst[4 * j + 2] = src[2 * s + (ptrdiff_t)j];
        dst[4 * j + 3] = src[3 * s + (ptrdiff_t)j];
      }
      return 1;
    default:
      return 0;
  }
}

// Pixels of few channels that become planes.
INLINE int NAME(deinterleave)(
    const ELEMENT *restrict src, ELEMENT *restrict dst, ptrdiff_t d, size_t rows, size_t columns) {
  switch (columns) {
    case 2:
      for (size_t i = 0; i < rows; i++) {
        dst[i] = src[2 * i];
        dst[d + (ptrdiff_t)i] = src[2 * i + 1];
      }
      return 1;
    case 3:
      for (size_t i = 0; i < rows; i++) {
        dst[i] = src[3 * i];
        dst[d + (ptrdiff_t)i] = src[3 * i + 1];
        dst[2 * d + (ptrdiff_t)i] = src[3 * i + 2];
      }
      return 1;
    case 4:
      for (size_t i = 0; i < rows; i++) {
        dst[i] = src[4 * i];
        dst[d + (ptrdiff_t)i] = src[4 * i + 1];
        dst[2 * d + (ptrdiff_t)i] = src[4 * i + 2];
        dst[3 * d + (ptrdiff_t)i] = src[4 * i + 3];
      }
      return 1;
    default:
      return 0;
  }
}

// The cases that need no tiles; 0 where there are none.
INLINE int NAME(special)(const struct apus_transpose *t) {
  if (t->rows <= 4 && t->dst_stride == (ptrdiff_t)t->rows) {
    return NAME(interleave)(t->src, t->src_stride, t->dst, t->rows, t->columns);
  }
  if (t->columns <= 4 && t->src_stride == (ptrdiff_t)t->columns) {
    return NAME(deinterleave)(t->src, t->dst, t->dst_stride, t->rows, t->columns);
  }
  return 0;
}

// Whole tiles by `tile`, the rest element by element.
INLINE void NAME(tiled)(
    const struct apus_transpose *t, size_t size,
    void (*tile)(const ELEMENT *, ptrdiff_t, ELEMENT *, ptrdiff_t)) {
  if (NAME(special)(t)) return;
  const ELEMENT *src = t->src;
  ELEMENT *dst = t->dst;
  ptrdiff_t s = t->src_stride, d = t->dst_stride;
  size_t rows = t->rows / size * size;
  size_t columns = t->columns / size * size;
  for (size_t j = 0; j < columns; j += size) {
    for (size_t i = 0; i < rows; i += size) {
      tile(src + (ptrdiff_t)i * s + (ptrdiff_t)j, s, dst + (ptrdiff_t)j * d + (ptrdiff_t)i, d);
    }
    NAME(plain)(
        src + (ptrdiff_t)rows * s + (ptrdiff_t)j, s, dst + (ptrdiff_t)j * d + (ptrdiff_t)rows, d,
        t->rows - rows, size);
  }
  NAME(plain)(
      src + columns, s, dst + (ptrdiff_t)columns * d, d, t->rows, t->columns - columns);
}

#undef INLINE
