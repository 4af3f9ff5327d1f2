// The matrix product on vectors: tiles of up to GEMM_MAX_ROWS rows by up to GEMM_MAX_PANELS
// panels, held in registers over the whole K; the loop over rows is in here too, so that one
// tile's stores overlap the next one's loads.
//
// Included by x86_<isa>.c, once per kernel, which defines
//   GEMM(name)          the name's suffix
//   GEMM_INPUT          the C type of an element of A and B
//   GEMM_STEP           elements of K per multiply-add of a B vector: 1, or 2 (bfloat16 pairs)
//   GEMM_MAX_PANELS     panels per tile, at most 4
//   GEMM_MAX_ROWS(n)    rows per tile of n panels
//   GEMM_TILES          the cases of the tile switch: TILE(rows, panels) for all of them
//   GEMM_STORE(y, x)    stores a whole vector as GEMM_INPUT
//   GEMM_MULTIPLY(...)  acc[rows][vectors] += A × B for one step, see x86_avx512.c
// and, per ISA, MATH (the names of math_<isa>.h) and STORE_BFLOAT16, STORE_SOME.

#define VECTOR MATH(v)
#define INLINE static inline __attribute__((always_inline))

enum {
  GEMM(lanes) = sizeof(VECTOR) / sizeof(float),
  GEMM(per_panel) = 16 / GEMM(lanes),
};

// The rows of one tile.
struct GEMM(rows) {
  const GEMM_INPUT *a[GEMM_ROW_LIMIT];
  ptrdiff_t y[GEMM_ROW_LIMIT];         // element offsets
  ptrdiff_t residual[GEMM_ROW_LIMIT];  // element offsets
};

// How a call's sums become results, where that takes no more than a clamp.
struct GEMM(finish) {
  int simple;  // no residual, no scale, no function but a clamp, y of the type of A and B
  float low, high;
};

INLINE void GEMM(store)(const struct apus_gemm *g, ptrdiff_t at, VECTOR x, size_t count) {
  if (g->y_type == APUS_FLOAT32) {
    float *y = (float *)g->y + at;
    if (count >= GEMM(lanes)) {
      __builtin_memcpy(y, &x, sizeof x);
    } else {
      STORE_SOME(y, x, count);
    }
  } else {
    STORE_BFLOAT16((uint16_t *)g->y + at, x, count);
  }
}

INLINE VECTOR GEMM(residual)(const struct apus_gemm *g, ptrdiff_t at, size_t count) {
  if (count > GEMM(lanes)) count = GEMM(lanes);
  return g->residual_type == APUS_FLOAT32
             ? LOAD_SOME((const float *)g->residual + at, count)
             : LOAD_BFLOAT16((const uint16_t *)g->residual + at, count);
}

// Finishes a tile whose sums lie in `sums` [rows][panels * 16].
static __attribute__((noinline)) void GEMM(finish_tile)(
    const struct apus_gemm *g, const struct GEMM(rows) * at, const float *sums, size_t rows,
    size_t panels, size_t column) {
  const struct apus_activation activation = g->activation;
  const int scaled = g->scale != 1.0f;
  const VECTOR scale = MATH(splat)(g->scale);
  size_t columns = g->columns - column < panels * 16 ? g->columns - column : panels * 16;
  for (size_t i = 0; i < rows; i++) {
    for (size_t n = 0; n < columns; n += GEMM(lanes)) {
      VECTOR x;
      __builtin_memcpy(&x, sums + i * panels * 16 + n, sizeof x);
      if (scaled) {
        x = x * scale;
        if (g->bias) {
          VECTOR bias;
          __builtin_memcpy(&bias, g->bias + column + n, sizeof bias);
          x = x + bias;
        }
      }
      VECTOR other = MATH(splat)(0.0f);
      if (g->residual) {
        other = GEMM(residual)(g, at->residual[i] + (ptrdiff_t)(column + n), columns - n);
        if (!g->residual_last) x = x + other;
      }
      x = MATH(apply)(x, &activation);
      if (g->residual && g->residual_last) x = x + other;
      GEMM(store)(g, at->y[i] + (ptrdiff_t)(column + n), x, columns - n);
    }
  }
}

// One tile: `rows` rows by `panels` panels; both are constants where this is inlined.
INLINE void GEMM(tile)(
    const struct apus_gemm *g, const struct GEMM(rows) * at, const struct GEMM(finish) * finish,
    const GEMM_INPUT *b, size_t panel_stride, size_t column, const int rows, const int panels) {
  const int vectors = panels * GEMM(per_panel);
  (void)panel_stride;
  VECTOR acc[GEMM_ROW_LIMIT][GEMM_MAX_PANELS * GEMM(per_panel)];
  UNROLL for (int j = 0; j < vectors; j++) {
    UNROLL for (int i = 0; i < rows; i++) acc[i][j] = MATH(splat)(0.0f);
  }

  const GEMM_INPUT *a[GEMM_ROW_LIMIT];
  UNROLL for (int i = 0; i < rows; i++) a[i] = at->a[i];
  for (size_t r = 0; r < g->run_count; r++) {
    ptrdiff_t k = g->runs[r];
    const ptrdiff_t end = k + (ptrdiff_t)g->run_length;
    for (; k < end; k += GEMM_STEP, b += GEMM_STEP * 16) {
      GEMM_MULTIPLY(acc, a, k, b, panel_stride, rows, panels);
    }
  }

  // Last, not first: a bias larger than the sum would cost bits in every step.
  if (g->bias && g->scale == 1.0f) {
    UNROLL for (int j = 0; j < vectors; j++) {
      VECTOR bias;
      __builtin_memcpy(&bias, g->bias + column + j * GEMM(lanes), sizeof bias);
      UNROLL for (int i = 0; i < rows; i++) acc[i][j] = acc[i][j] + bias;
    }
  }

  if (finish->simple && column + (size_t)panels * 16 <= g->columns) {
    const VECTOR low = MATH(splat)(finish->low), high = MATH(splat)(finish->high);
    UNROLL for (int i = 0; i < rows; i++) {
      GEMM_INPUT *y = (GEMM_INPUT *)g->y + at->y[i] + column;
      UNROLL for (int j = 0; j < vectors; j++) {
        VECTOR x = MATH(min)(high, MATH(max)(low, acc[i][j]));
        GEMM_STORE(y + j * GEMM(lanes), x);
      }
    }
  } else {
    _Alignas(64) float sums[GEMM_ROW_LIMIT * 16 * GEMM_MAX_PANELS];
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) {
        __builtin_memcpy(sums + (i * vectors + j) * GEMM(lanes), &acc[i][j], sizeof(VECTOR));
      }
    }
    GEMM(finish_tile)(g, at, sums, (size_t)rows, (size_t)panels, column);
  }
}

// All rows by `panels` panels from `column` on.
static void GEMM(block)(
    const struct apus_gemm *g, const struct GEMM(finish) * finish, size_t column, size_t panels) {
  const size_t panel_stride = g->panel_step;
  const GEMM_INPUT *b = (const GEMM_INPUT *)g->b + column / 16 * panel_stride;
  const size_t most = GEMM_MAX_ROWS(panels);
  size_t tiles = (g->count + most - 1) / most;
  size_t left = g->count;
  size_t line = g->first / g->width, pixel = g->first % g->width;
  for (; tiles > 0; tiles--) {
    // Evenly split: never a tile of one row at the end.
    const size_t rows = (left + tiles - 1) / tiles;
    left -= rows;
    struct GEMM(rows) at;
    for (size_t i = 0; i < rows; i++) {
      const ptrdiff_t l = (ptrdiff_t)line, p = (ptrdiff_t)pixel;
      at.a[i] = (const GEMM_INPUT *)g->a + l * g->a_line + p * g->a_pixel;
      at.y[i] = l * g->y_line + p * g->y_pixel;
      at.residual[i] = l * g->residual_line + p * g->residual_pixel;
      if (++pixel == g->width) pixel = 0, line++;
    }
    switch (panels * GEMM_ROW_LIMIT + rows - 1) {
#define TILE(r, p)                                                       \
  case (p) * GEMM_ROW_LIMIT + (r) - 1:                                   \
    GEMM(tile)(g, &at, finish, b, panel_stride, column, (r), (p)); \
    break;
      GEMM_TILES
#undef TILE
      default: break;
    }
  }
}

void GEMM(apus_gemm)(const struct apus_gemm *g) {
  const uint32_t own = sizeof(GEMM_INPUT) == sizeof(float) ? APUS_FLOAT32 : APUS_BFLOAT16;
  struct GEMM(finish) finish = {
      g->residual == NULL && g->scale == 1.0f && g->y_type == own, -__builtin_inff(),
      __builtin_inff()};
  switch (g->activation.function) {
    case APUS_IDENTITY: break;
    case APUS_RELU: finish.low = 0.0f; break;
    case APUS_CLIP:
      finish.low = g->activation.alpha;
      finish.high = g->activation.beta;
      break;
    default: finish.simple = 0; break;
  }
  if (g->count == 0) return;
  const size_t panels = (g->columns + 15) / 16;
  for (size_t first = 0; first < panels;) {
    // Evenly split, too: 5 panels are 3 + 2.
    const size_t groups = (panels - first + GEMM_MAX_PANELS - 1) / GEMM_MAX_PANELS;
    const size_t some = (panels - first + groups - 1) / groups;
    GEMM(block)(g, &finish, first * 16, some);
    first += some;
  }
}

#undef VECTOR
#undef INLINE
