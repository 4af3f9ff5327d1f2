// A row times a matrix in plain loops over whole blocks of BLOCK columns, which stay in registers
// while all rows pass; vectorised for the instruction set of the including file.

static inline __attribute__((always_inline)) void accumulate_block(
    const float *restrict x, const float *restrict m, ptrdiff_t stride, float *restrict y,
    size_t rows, size_t columns) {
  float sum[BLOCK];
  for (size_t j = 0; j < columns; j++) sum[j] = y[j];
  size_t k = 0;
  for (; k + 4 <= rows; k += 4) {
    const float *m0 = m + (ptrdiff_t)k * stride;
    const float *m1 = m0 + stride, *m2 = m1 + stride, *m3 = m2 + stride;
    for (size_t j = 0; j < columns; j++) {
      sum[j] += (x[k] * m0[j] + x[k + 1] * m1[j]) + (x[k + 2] * m2[j] + x[k + 3] * m3[j]);
    }
  }
  for (; k < rows; k++) {
    const float *m0 = m + (ptrdiff_t)k * stride;
    for (size_t j = 0; j < columns; j++) sum[j] += x[k] * m0[j];
  }
  for (size_t j = 0; j < columns; j++) y[j] = sum[j];
}

static inline __attribute__((always_inline)) void accumulate(
    const float *x, const float *m, ptrdiff_t stride, float *y, size_t rows, size_t columns) {
  size_t j = 0;
  for (; j + BLOCK <= columns; j += BLOCK) accumulate_block(x, m + j, stride, y + j, rows, BLOCK);
  accumulate_block(x, m + j, stride, y + j, rows, columns - j);
}
