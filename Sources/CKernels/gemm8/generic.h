// The 8-bit matrix product on vectors: tiles of up to GEMM8_MAX_ROWS rows by up to GEMM8_MAX_PANELS
// panels, held in registers over the whole K. The loop over rows is in here too, so that one tile's
// stores overlap the next one's loads; where the rows of a tile lie in one line of the grid, they
// are addressed by their stride, which costs nothing per tile.
//
// Included by x86_<isa>.c, which defines
//   GEMM8(name)          the name's suffix
//   GEMM8_MAX_PANELS     panels per tile
//   GEMM8_ROW_LIMIT      rows per tile at most; GEMM8_MAX_ROWS(n): of n panels
//   GEMM8_TILES          TILE(rows, panels) for all tiles
//   GEMM8_MULTIPLY(...)  acc[rows][vectors] += A × B for four elements of K, see x86_avx512vnni.c
//   GEMM8_STORE(...)     the direct store of a tile
//   GEMM8_CURVE(...)     its curve store; its ramp store, where the last argument is 1
//   GEMM8_FINISH(block)  the function that stores a tile otherwise: finish_tile, or a faster one
//   GEMM8_FAST(block)    whether GEMM8_FAST_FINISH(...) stores strided tiles instead
//   MATH                 the names of math_<isa>.h
//   SUMS, LOAD_SUMS, ADD_SUMS, SPLAT_SUMS, NEAREST   vectors of int32

#define VECTOR MATH(v)
#define INLINE static inline __attribute__((always_inline))

enum {
  LANES = sizeof(VECTOR) / sizeof(float),
  PER_PANEL = 16 / LANES,
};

typedef uint8_t lane_bytes __attribute__((vector_size(LANES)));

// The rows of one tile.
struct rows {
  const uint8_t *a[GEMM8_ROW_LIMIT];    // strided: a[0] only
  ptrdiff_t y[GEMM8_ROW_LIMIT];         // element offsets; strided: y[0] only
  ptrdiff_t residual[GEMM8_ROW_LIMIT];
  size_t row;                           // of the grid
  // Weights to fetch into the L2 cache meanwhile, FETCHED bytes for every 16 elements of K; where
  // there are none, the step is 0.
  const int8_t *fetch;
  ptrdiff_t fetch_step;
};

enum { FETCHED = 128 };

// What the tiles of one block share: all rows by some panels.
struct block;
typedef void (*finish_function)(
    const struct block *, const struct rows *, const int32_t *sums, size_t rows, size_t panels,
    int strided);
struct block {
  const struct apus_gemm8 *g;
  const int8_t *b;
  size_t column;
  size_t columns;  // of the block; a multiple of 16 but for the last one
  int clamped;     // some bound is not that of the type
  // Direct: the zero points as 16 bits, in the order of GEMM8_STORE; curve: what is added and
  // multiplied, in the order of GEMM8_CURVE.
  _Alignas(64) int16_t zero[64];
  _Alignas(64) int16_t ratio[64];
  _Alignas(64) int16_t residual_ratio[64];
  _Alignas(64) int16_t reach[64];
  _Alignas(64) int16_t lift[64];
  _Alignas(64) int16_t near[64];
  // Of the fast finish: the bounds of y.
  uint8_t low[64];
  uint8_t high[64];
  finish_function finish;  // where the store is not direct
  int fast;                // a strided tile takes the fast finish, of which there may be some
  size_t next;             // bytes of weights behind its own that the next block reads
  size_t fetched;          // of them
};

INLINE VECTOR load_floats(const float *p) {
  VECTOR x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

INLINE MATH(i) load_ints(const int32_t *p) {
  MATH(i) x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

// `count` elements of the residual as real numbers.
INLINE VECTOR load_residual(
    const struct apus_quantized_store *s, ptrdiff_t at, size_t n, size_t count) {
  if (s->residual_type == APUS_REAL) {
    VECTOR x = MATH(splat)(0.0f);
    const float *from = (const float *)s->residual + at;
    if (count >= LANES) return load_floats(from);
    for (size_t i = 0; i < count; i++) x[i] = from[i];
    return x;
  }
  const uint8_t *from = (const uint8_t *)s->residual + at;
  lane_bytes q = {0};
  if (count >= LANES) {
    __builtin_memcpy(&q, from, sizeof q);
  } else {
    for (size_t i = 0; i < count; i++) q[i] = from[i];
  }
  MATH(i) wide = __builtin_convertvector(q, MATH(i)) - load_ints(s->residual_zero + n);
  return __builtin_convertvector(wide, VECTOR) * load_floats(s->residual_scale + n);
}

// The general store: finishes a tile whose sums lie in `sums` [rows][panels * 16]. Unused where
// an ISA has a faster one for all that is asked for.
static __attribute__((noinline, unused)) void GEMM8(finish_tile)(
    const struct block *block, const struct rows *at, const int32_t *sums, size_t rows,
    size_t panels, int strided) {
  const struct apus_gemm8 *g = block->g;
  const struct apus_quantized_store *s = &g->store;
  const struct apus_activation activation = s->activation;
  const VECTOR limit = MATH(splat)(1048576.0f);
  const int first = s->residual != NULL && !s->residual_last;
  const int last = s->residual != NULL && s->residual_last;
  for (size_t i = 0; i < rows; i++) {
    const size_t k = strided ? 0 : i;
    const ptrdiff_t step = strided ? (ptrdiff_t)i : 0;
    const ptrdiff_t to = at->y[k] + step * g->y_pixel;
    const ptrdiff_t from = at->residual[k] + step * g->residual_pixel;
    for (size_t j = 0; j < block->columns; j += LANES) {
      const size_t n = block->column + j, count = block->columns - j;
      MATH(i) sum = load_ints(sums + i * panels * 16 + j);
      VECTOR v = __builtin_convertvector(sum, VECTOR) * load_floats(s->multiplier + n);
      VECTOR other = MATH(splat)(0.0f);
      if (s->residual) other = load_residual(s, from + (ptrdiff_t)n, n, count);
      if (first) v = v + other;
      v = MATH(apply)(v, &activation);
      if (last) v = v + other;
      if (s->y_type == APUS_REAL) {
        float *y = (float *)s->y + to + (ptrdiff_t)n;
        if (count >= LANES) {
          __builtin_memcpy(y, &v, sizeof v);
        } else {
          for (size_t l = 0; l < count; l++) y[l] = v[l];
        }
        continue;
      }
      v = v * load_floats(s->inverse + n);
      // A NaN becomes the lower limit.
      v = MATH(min)(MATH(max)(v, -limit), limit);
      MATH(i) q = (MATH(i))NEAREST(v) + load_ints(s->zero + n);
      q = q & ~(q < 0);
      q = (q & ~(q > 255)) | (255 & (q > 255));
      const lane_bytes bytes = __builtin_convertvector(q, lane_bytes);
      uint8_t *y = (uint8_t *)s->y + to + (ptrdiff_t)n;
      if (count >= LANES) {
        __builtin_memcpy(y, &bytes, sizeof bytes);
      } else {
        for (size_t l = 0; l < count; l++) y[l] = bytes[l];
      }
    }
  }
}

// One tile. `rows`, `panels` and `strided` are constants where this is inlined.
INLINE void GEMM8(tile)(
    const struct block *block, const struct rows *at, const int rows, const int panels,
    const int strided) {
  const struct apus_gemm8 *g = block->g;
  const int vectors = panels * PER_PANEL;
  const size_t panel_step = g->panel_step;
  (void)panel_step;
  SUMS acc[GEMM8_ROW_LIMIT][GEMM8_MAX_PANELS * PER_PANEL];
  UNROLL for (int j = 0; j < vectors; j++) {
    const SUMS start = LOAD_SUMS(g->store.offset + block->column + j * LANES);
    UNROLL for (int i = 0; i < rows; i++) acc[i][j] = start;
  }
  if (g->row_offset) {
    UNROLL for (int i = 0; i < rows; i++) {
      const SUMS start = SPLAT_SUMS(g->row_offset[at->row + (size_t)i]);
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = ADD_SUMS(acc[i][j], start);
    }
  }

  const int8_t *b = block->b;
  const ptrdiff_t step = g->a_pixel;
  const int8_t *fetch = at->fetch;
  const ptrdiff_t fetch_step = at->fetch_step;
#define FETCH                                                        \
  do {                                                               \
    __builtin_prefetch(fetch, 0, 2), __builtin_prefetch(fetch + 64, 0, 2); \
    fetch += fetch_step;                                             \
  } while (0)
  for (size_t r = 0; r < g->run_count; r++) {
    const ptrdiff_t run = g->runs[r];
    size_t k = 0;
    if (strided) {
      // Every third row has a pointer; the others are reached from it by the stride.
      const uint8_t *a[(GEMM8_ROW_LIMIT + 2) / 3];
      UNROLL for (int i = 0; i < (rows + 2) / 3; i++) a[i] = at->a[0] + run + 3 * i * step;
#define ROW(i) (a[(i) / 3] + (i) % 3 * step)
      for (; k + 16 <= g->run_length; k += 16) {
        UNROLL for (int q = 0; q < 4; q++) {
          GEMM8_MULTIPLY(acc, ROW, 4 * q, b + 64 * q, panel_step, rows, panels);
        }
        b += 256;
        FETCH;
        UNROLL for (int i = 0; i < (rows + 2) / 3; i++) {
          a[i] += 16;
          // Keeps the compiler from giving every row a pointer of its own.
          __asm__("" : "+r"(a[i]));
        }
      }
      for (; k < g->run_length; k += 4) {
        GEMM8_MULTIPLY(acc, ROW, 0, b, panel_step, rows, panels);
        b += 64;
        UNROLL for (int i = 0; i < (rows + 2) / 3; i++) {
          a[i] += 4;
          __asm__("" : "+r"(a[i]));
        }
      }
#undef ROW
    } else {
      const uint8_t *const *a = at->a;
#define ROW(i) (a[i] + run)
      for (; k + 16 <= g->run_length; k += 16, b += 256) {
        UNROLL for (int q = 0; q < 4; q++) {
          GEMM8_MULTIPLY(
              acc, ROW, (ptrdiff_t)k + 4 * q, b + 64 * q, panel_step, rows, panels);
        }
        FETCH;
      }
      for (; k < g->run_length; k += 4, b += 64) {
        GEMM8_MULTIPLY(acc, ROW, (ptrdiff_t)k, b, panel_step, rows, panels);
      }
#undef ROW
    }
  }

#undef FETCH

  if (g->store.kind == APUS_STORE_DIRECT) {
    GEMM8_STORE(block, at, acc, rows, panels, strided);
  } else if (g->store.kind == APUS_STORE_CURVE) {
    GEMM8_CURVE(block, at, acc, rows, panels, strided, 0);
  } else if (g->store.kind == APUS_STORE_RAMP) {
    GEMM8_CURVE(block, at, acc, rows, panels, strided, 1);
  } else if (strided && block->fast) {
    GEMM8_FAST_FINISH(block, at, acc, rows, panels);
  } else {
    _Alignas(64) int32_t sums[GEMM8_ROW_LIMIT * 16 * GEMM8_MAX_PANELS];
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) {
        __builtin_memcpy(sums + (i * vectors + j) * LANES, &acc[i][j], sizeof acc[i][j]);
      }
    }
    block->finish(block, at, sums, (size_t)rows, (size_t)panels, strided);
  }
}

typedef void (*tile_function)(const struct block *, const struct rows *);

#define TILE(r, p)                                                                          \
  static __attribute__((noinline)) void GEMM8(gather_##r##x##p)(                            \
      const struct block *block, const struct rows *at) {                                   \
    GEMM8(tile)(block, at, r, p, 0);                                                        \
  }                                                                                         \
  static __attribute__((noinline)) void GEMM8(stride_##r##x##p)(                            \
      const struct block *block, const struct rows *at) {                                   \
    GEMM8(tile)(block, at, r, p, 1);                                                        \
  }
GEMM8_TILES
#undef TILE

#define TILE(r, p) [p - 1][r - 1] = {GEMM8(gather_##r##x##p), GEMM8(stride_##r##x##p)},
static const tile_function GEMM8(tile_table)[GEMM8_MAX_PANELS][GEMM8_ROW_LIMIT][2] = {GEMM8_TILES};
#undef TILE

// Where a strided tile of real numbers goes, fetched so that its stores need not wait.
static void GEMM8(fetch_target)(const struct block *block, const struct rows *at, size_t rows) {
  const float *to = (const float *)block->g->store.y + at->y[0] + (ptrdiff_t)block->column;
  for (size_t i = 0; i < rows; i++, to += block->g->y_pixel) {
    for (size_t k = 0; k < block->columns; k += 16) __builtin_prefetch(to + k, 1);
  }
}

// Some rows that follow each other in the grid: within one line, if strided.
static void GEMM8(tiles)(
    struct block *block, size_t row, size_t left, size_t panels, int strided) {
  const struct apus_gemm8 *g = block->g;
  const size_t most = GEMM8_MAX_ROWS(panels);
  size_t line = row / g->width, pixel = row % g->width;
  const size_t fetched = g->run_length / 16 * g->run_count * FETCHED;
  // More than the L2 cache holds.
  const int is_far = strided && g->store.y_type == APUS_REAL &&
                     g->count * (size_t)g->y_pixel * sizeof(float) > 1 << 20;
  for (size_t tiles = (left + most - 1) / most; tiles > 0; tiles--) {
    // Evenly split: never a tile of one row at the end.
    const size_t rows = (left + tiles - 1) / tiles;
    left -= rows;
    struct rows at;
    at.row = row;
    row += rows;
    const int fetches = block->fetched < block->next;
    at.fetch = block->b + (fetches ? panels * g->panel_step + block->fetched : 0);
    at.fetch_step = fetches ? FETCHED : 0;
    block->fetched += fetched;
    for (size_t i = 0; i < (strided ? 1 : rows); i++) {
      const ptrdiff_t l = (ptrdiff_t)line, p = (ptrdiff_t)pixel;
      at.a[i] = g->a + l * g->a_line + p * g->a_pixel;
      at.y[i] = l * g->y_line + p * g->y_pixel;
      at.residual[i] = l * g->residual_line + p * g->residual_pixel;
      pixel += strided ? rows : 1;
      if (pixel >= g->width) pixel = 0, line++;
    }
    if (is_far) GEMM8(fetch_target)(block, &at, rows);
    GEMM8(tile_table)[panels - 1][rows - 1][strided](block, &at);
  }
}

// All rows by `panels` panels from `column` on; the next block has `next_panels`.
static void GEMM8(run_block)(
    const struct apus_gemm8 *g, size_t column, size_t panels, size_t next_panels) {
  struct block block = {0};
  block.g = g;
  block.b = g->b + column / 16 * g->panel_step;
  block.column = column;
  block.next = next_panels * g->panel_step;
  block.columns = g->columns - column < panels * 16 ? g->columns - column : panels * 16;
  if (g->store.kind == APUS_STORE_DIRECT) {
    // Bits that bounds of the type lack.
    uint8_t some = 0;
    for (size_t n = 0; n < block.columns; n++) {
      some |= g->store.low[column + n] | (uint8_t)~g->store.high[column + n];
    }
    block.clamped = some != 0;
  }
  GEMM8(prepare_columns)(&block, panels);
  block.finish = GEMM8_FINISH(&block);
  block.fast = GEMM8_FAST(&block);
  // Narrow lines would leave tiles half empty.
  if (g->width < 2 * GEMM8_MAX_ROWS(panels)) {
    GEMM8(tiles)(&block, g->first, g->count, panels, 0);
    return;
  }
  size_t row = g->first, left = g->count;
  while (left > 0) {
    const size_t rest = g->width - row % g->width;
    const size_t some = left < rest ? left : rest;
    GEMM8(tiles)(&block, row, some, panels, 1);
    row += some;
    left -= some;
  }
}

// The panels of the next block of `left`: as many as possible, but so that 5 are 3 + 2. A block of
// 3 leaves a quarter of what is stored together empty: where storing takes long beside the
// products, 3 are 2 + 1 and 5 are 4 + 1.
static size_t GEMM8(share)(const struct apus_gemm8 *g, size_t left) {
  const int stores_long = g->store.kind >= APUS_STORE_CURVE && g->count >= GEMM8_ROW_LIMIT &&
                          g->run_count * g->run_length <= 512;
  if (GEMM8_MAX_PANELS == 4 && stores_long && (left == 3 || left == 5)) return left - 1;
  if (left == GEMM8_MAX_PANELS + 1) return (left + 1) / 2;
  return left < GEMM8_MAX_PANELS ? left : GEMM8_MAX_PANELS;
}

void GEMM8(apus_gemm8)(const struct apus_gemm8 *g) {
  if (g->count == 0) return;
  const size_t panels = (g->columns + 15) / 16;
  for (size_t first = 0; first < panels;) {
    const size_t some = GEMM8(share)(g, panels - first);
    const size_t rest = panels - first - some;
    GEMM8(run_block)(g, first * 16, some, rest > 0 ? GEMM8(share)(g, rest) : 0);
    first += some;
  }
}

#undef VECTOR
#undef INLINE
