// How the vector kernels turn the sums of a tile into results: a part of generic.h, which includes
// it once per kernel.

INLINE VECTOR GEMM(load_any)(const void *base, ptrdiff_t at, uint32_t type, size_t count) {
  if (type == APUS_BFLOAT16) return LOAD_BFLOAT16((const uint16_t *)base + at, count);
  const float *x = (const float *)base + at;
  return count >= LANES ? GEMM(load)(x) : LOAD_SOME(x, count);
}

INLINE void GEMM(store_any)(void *base, ptrdiff_t at, uint32_t type, VECTOR x, size_t count) {
  if (type == APUS_BFLOAT16) {
    STORE_BFLOAT16((uint16_t *)base + at, x, count);
  } else if (count >= LANES) {
    __builtin_memcpy((float *)base + at, &x, sizeof x);
  } else {
    STORE_SOME((float *)base + at, x, count);
  }
}

// What is added to a sum, and when.
enum GEMM(residual) { GEMM(none), GEMM(before), GEMM(after) };

// Finishes a tile whose sums, scaled and with the bias, lie in `sums` [rows][panels * 16]. The
// arguments after `strided` are constants where this is inlined, but for the function of the
// general store.
INLINE void GEMM(finish_tile)(
    const struct GEMM(block) * block, const struct GEMM(rows) * at, const float *sums, size_t rows,
    size_t panels, int strided, const struct apus_activation f, const uint32_t y_type,
    const enum GEMM(residual) residual) {
  const struct apus_gemm *g = block->g;
  const size_t columns = block->columns;
  char *const y = g->y;
  const ptrdiff_t size = y_type == APUS_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
#define RESULT(x, j, count)                                                                    \
  do {                                                                                         \
    VECTOR other = MATH(splat)(0.0f);                                                          \
    if (residual != GEMM(none)) {                                                              \
      other = GEMM(load_any)(g->residual, from + (ptrdiff_t)(j), g->residual_type, count);     \
    }                                                                                          \
    x = GEMM(load)(sums + (j));                                                                \
    if (residual == GEMM(before)) x = x + other;                                               \
    x = y_type == APUS_BFLOAT16 ? GEMM_APPLY_ROUGH(x, &f) : GEMM_APPLY(x, &f);                 \
    if (residual == GEMM(after)) x = x + other;                                                \
  } while (0)
  for (size_t i = 0; i < rows; i++, sums += panels * 16) {
    const size_t k = strided ? 0 : i;
    const ptrdiff_t step = strided ? (ptrdiff_t)i : 0;
    const ptrdiff_t from = at->residual[k] + step * g->residual_pixel + (ptrdiff_t)block->column;
    char *to = y + size * (at->y[k] + step * g->y_pixel + (ptrdiff_t)block->column);
    (void)from;
    size_t j = 0;
#ifdef GEMM_STORE_TWO
    if (y_type == APUS_BFLOAT16) {
      for (; j + 2 * LANES <= columns; j += 2 * LANES) {
        VECTOR x, z;
        RESULT(x, j, LANES);
        RESULT(z, j + LANES, LANES);
        GEMM_STORE_TWO((uint16_t *)to + j, x, z);
      }
    }
#endif
    for (; j + LANES <= columns; j += LANES) {
      VECTOR x;
      RESULT(x, j, LANES);
      GEMM(store_any)(to, (ptrdiff_t)j, y_type, x, LANES);
    }
    if (j < columns) {
      VECTOR x;
      RESULT(x, j, columns - j);
      GEMM(store_any)(to, (ptrdiff_t)j, y_type, x, columns - j);
    }
  }
#undef RESULT
}

#define FINISH(name, constant)                                                              \
  static __attribute__((noinline)) void GEMM(name)(                                         \
      const struct GEMM(block) * block, const struct GEMM(rows) * at, const float *sums,    \
      size_t rows, size_t panels, int strided) {                                            \
    const struct apus_gemm *g = block->g;                                                   \
    const struct apus_activation f = {constant, g->activation.alpha, g->activation.beta};   \
    if (g->y_type == APUS_BFLOAT16) {                                                       \
      FINISH_TYPE(APUS_BFLOAT16);                                                           \
    } else {                                                                                \
      FINISH_TYPE(APUS_FLOAT32);                                                            \
    }                                                                                       \
  }
#define FINISH_TYPE(type)                                                                   \
  if (!g->residual) {                                                                       \
    GEMM(finish_tile)(block, at, sums, rows, panels, strided, f, type, GEMM(none));         \
  } else if (g->residual_last) {                                                            \
    GEMM(finish_tile)(block, at, sums, rows, panels, strided, f, type, GEMM(after));        \
  } else {                                                                                  \
    GEMM(finish_tile)(block, at, sums, rows, panels, strided, f, type, GEMM(before));       \
  }
FINISH(finish_any, g->activation.function)
FINISH(finish_sigmoid, APUS_SIGMOID)
FINISH(finish_swish, APUS_SWISH)
FINISH(finish_hard_swish, APUS_HARD_SWISH)
FINISH(finish_gelu, APUS_GELU)
FINISH(finish_gelu_tanh, APUS_GELU_TANH)
#undef FINISH
#undef FINISH_TYPE

// The columns from vector j of a block on.
#define COUNT(j) (columns > (size_t)(j) * LANES ? columns - (size_t)(j) * LANES : 0)

// Adds a residual of y's type. The arguments after `acc` are constants where this is inlined.
INLINE void GEMM(add_residual)(
    const struct GEMM(block) * block, const struct GEMM(rows) * at,
    VECTOR (*acc)[GEMM_MAX_PANELS * GEMM(per_panel)], const int rows, const int panels,
    const int strided) {
  const struct apus_gemm *g = block->g;
  const int vectors = panels * GEMM(per_panel);
  const size_t columns = block->columns;
  const int whole = columns == (size_t)panels * 16;
  const uint32_t type = GEMM(is_float32) ? APUS_FLOAT32 : APUS_BFLOAT16;
  UNROLL for (int i = 0; i < rows; i++) {
    const GEMM_INPUT *r = (const GEMM_INPUT *)g->residual + block->column +
        (strided ? at->residual[0] + i * g->residual_pixel : at->residual[i]);
    UNROLL for (int j = 0; j < vectors; j++) {
      const size_t count = j < vectors - GEMM(per_panel) || whole ? LANES : COUNT(j);
      acc[i][j] = acc[i][j] + GEMM(load_any)(r, j * LANES, type, count);
    }
  }
}

// Stores a tile from registers. The arguments after `acc` are constants where this is inlined.
INLINE void GEMM(store_tile)(
    const struct GEMM(block) * block, const struct GEMM(rows) * at,
    VECTOR (*acc)[GEMM_MAX_PANELS * GEMM(per_panel)], const int rows, const int panels,
    const int strided) {
  const struct apus_gemm *g = block->g;
  const int vectors = panels * GEMM(per_panel);
  const size_t columns = block->columns;
  const int whole = columns == (size_t)panels * 16;
  // The vectors that are whole in any block.
  const int full = vectors - GEMM(per_panel);
  if (block->lower) {
    const VECTOR low = MATH(splat)(block->low);
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = GREATER(low, acc[i][j]);
    }
  }
  if (block->upper) {
    const VECTOR high = MATH(splat)(block->high);
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = LESSER(high, acc[i][j]);
    }
  }
  const ptrdiff_t size = g->y_type == APUS_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
  UNROLL for (int i = 0; i < rows; i++) {
    char *base = (char *)g->y + size * ((ptrdiff_t)block->column +
        (strided ? at->y[0] + i * g->y_pixel : at->y[i]));
    if (!GEMM(is_float32) && g->y_type == APUS_FLOAT32) {
      float *y = (float *)base;
      UNROLL for (int j = 0; j < vectors; j++) {
        const size_t count = j < full || whole ? LANES : COUNT(j);
        GEMM(store_any)(y, j * LANES, APUS_FLOAT32, acc[i][j], count);
      }
      continue;
    }
    GEMM_INPUT *y = (GEMM_INPUT *)base;
    UNROLL for (int j = 0; j < vectors; j++) {
#ifdef GEMM_STORE_TWO
      if (j + 1 < vectors && j % 2 == 0 && (j + 1 < full || whole)) {
        GEMM_STORE_TWO(y + j * LANES, acc[i][j], acc[i][j + 1]);
        continue;
      }
      if (j % 2 == 1 && (j < full || whole)) continue;
#endif
      if (j < full || whole) {
        GEMM_STORE(y + j * LANES, acc[i][j]);
      } else {
        GEMM(store_any)(
            y, j * LANES, GEMM(is_float32) ? APUS_FLOAT32 : APUS_BFLOAT16, acc[i][j], COUNT(j));
      }
    }
  }
}
#undef COUNT
