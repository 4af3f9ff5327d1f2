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

// The general store: finishes a tile whose sums, scaled and with the bias, lie in `sums`
// [rows][panels * 16].
static __attribute__((noinline)) void GEMM(finish_tile)(
    const struct GEMM(block) * block, const struct GEMM(rows) * at, const float *sums, size_t rows,
    size_t panels, int strided) {
  const struct apus_gemm *g = block->g;
  const struct apus_activation activation = g->activation;
  const uint32_t y_type = g->y_type, residual_type = g->residual_type;
  const int first = g->residual != NULL && !g->residual_last;
  const int last = g->residual != NULL && g->residual_last;
  for (size_t i = 0; i < rows; i++) {
    const size_t k = strided ? 0 : i;
    const ptrdiff_t step = strided ? (ptrdiff_t)i : 0;
    const ptrdiff_t to = at->y[k] + step * g->y_pixel + (ptrdiff_t)block->column;
    const ptrdiff_t from = at->residual[k] + step * g->residual_pixel + (ptrdiff_t)block->column;
    for (size_t j = 0; j < block->columns; j += LANES) {
      const size_t count = block->columns - j;
      VECTOR x = GEMM(load)(sums + i * panels * 16 + j), other = MATH(splat)(0.0f);
      if (first || last) {
        other = GEMM(load_any)(g->residual, from + (ptrdiff_t)j, residual_type, count);
      }
      if (first) x = x + other;
      if (y_type == APUS_BFLOAT16) {
        x = GEMM_APPLY_ROUGH(x, &activation);
      } else {
        x = GEMM_APPLY(x, &activation);
      }
      if (last) x = x + other;
      GEMM(store_any)(g->y, to + (ptrdiff_t)j, y_type, x, count);
    }
  }
}

// Applies a function to the sums of a tile, which lie together.
#define APPLY(name, constant)                                                            \
  static __attribute__((noinline)) void GEMM(name)(                                      \
      float *sums, size_t count, const struct apus_gemm *g) {                            \
    const struct apus_activation f = {constant, g->activation.alpha, g->activation.beta}; \
    if (g->y_type == APUS_BFLOAT16) {                                                    \
      for (size_t i = 0; i < count; i += LANES) {                                        \
        const VECTOR x = GEMM_APPLY_ROUGH(GEMM(load)(sums + i), &f);                     \
        __builtin_memcpy(sums + i, &x, sizeof x);                                        \
      }                                                                                  \
    } else {                                                                             \
      for (size_t i = 0; i < count; i += LANES) {                                        \
        const VECTOR x = GEMM_APPLY(GEMM(load)(sums + i), &f);                           \
        __builtin_memcpy(sums + i, &x, sizeof x);                                        \
      }                                                                                  \
    }                                                                                    \
  }
APPLY(apply_any, g->activation.function)
APPLY(apply_sigmoid, APUS_SIGMOID)
APPLY(apply_swish, APUS_SWISH)
APPLY(apply_hard_swish, APUS_HARD_SWISH)
APPLY(apply_gelu, APUS_GELU)
APPLY(apply_gelu_tanh, APUS_GELU_TANH)
#undef APPLY

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
