// The matrix product on vectors: tiles of up to GEMM_MAX_ROWS rows by up to GEMM_MAX_PANELS
// panels, held in registers over the whole K. The loop over rows is in here too, so that one tile's
// stores overlap the next one's loads; where the rows of a tile lie in one line of the grid, they
// are addressed by their stride, which costs nothing per tile.
//
// Included by x86_<isa>.c, once per kernel, which defines
//   GEMM(name)          the name's suffix
//   GEMM_INPUT          the C type of an element of A and B
//   GEMM_STEP           elements of K per multiply-add of a B vector: 1, or 2 (bfloat16 pairs)
//   GEMM_MAX_PANELS     panels per tile, at most 4
//   GEMM_ROW_LIMIT      rows per tile at most; GEMM_MAX_ROWS(n): of n panels
//   GEMM_TILES          TILE(rows, panels) for all tiles
//   GEMM_STORE(y, x)    stores a whole vector as GEMM_INPUT
//   GEMM_STORE_TWO      if defined: (y, a, b) stores two vectors that follow each other
//   GEMM_MULTIPLY(...)  acc[rows][vectors] += A × B for one step, see x86_avx512.c
//   GEMM_HALVES         whether GEMM_MULTIPLY is cheaper where half of the last panel is empty
//   GEMM_APPLY(x, f)    the functions of results that stay float32
//   GEMM_APPLY_ROUGH(x, f)  those of results that become bfloat16
// and, per ISA, MATH (the names of math_<isa>.h), LESSER and GREATER (the second operand where one
// is a NaN), STORE_SOME, LOAD_SOME, STORE_BFLOAT16 and LOAD_BFLOAT16.

#define VECTOR MATH(v)
#define INLINE static inline __attribute__((always_inline))

enum {
  GEMM(lanes) = sizeof(VECTOR) / sizeof(float),
  GEMM(per_panel) = 16 / GEMM(lanes),
  GEMM(is_float32) = sizeof(GEMM_INPUT) == sizeof(float),
  // Results of so many bytes come from beyond the L2 cache, those of at most so many from within:
  // their memory is used again before a network's weights have passed.
  GEMM(far) = 1024 * 1024,
  GEMM(near) = 128 * 1024,
  // With so many products to a result, a tile lasts for as long as its own rows take to come.
  GEMM(deep) = 128,
};
#define LANES GEMM(lanes)

// The rows of one tile.
struct GEMM(rows) {
  const GEMM_INPUT *a[GEMM_ROW_LIMIT];  // strided: a[0] only
  ptrdiff_t y[GEMM_ROW_LIMIT];          // element offsets; strided: y[0] only
  ptrdiff_t residual[GEMM_ROW_LIMIT];
  // What to fetch into the L2 cache meanwhile, for every four steps of K: as many bytes as a row of
  // the tile has, and as many `fetch_other` bytes behind. Where there is nothing, all are the same.
  const char *fetch;
  ptrdiff_t fetch_step;
  ptrdiff_t fetch_other;
};

// Stores a tile of sums.
struct GEMM(block);
typedef void (*GEMM(finish))(
    const struct GEMM(block) *, const struct GEMM(rows) *, const float *sums, size_t rows,
    size_t panels, int strided);

// What the tiles of one block share: all rows by some panels.
struct GEMM(block) {
  const struct apus_gemm *g;
  const GEMM_INPUT *b;
  size_t column;
  size_t columns;  // of the block; a multiple of 16 but for the last one
  GEMM(finish) finish;  // null: stored from registers, where the function is at most these bounds
  int lower, upper;
  float low, high;
  int near, far;   // y is small, or large
  size_t next;     // bytes of weights behind its own that the next block reads
  size_t fetched;  // of them
};

INLINE VECTOR GEMM(load)(const float *p) {
  VECTOR x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

#include "store.h"

// Fetches what a tile will write, or read last, while it is summed. The arguments after `step` are
// constants where this is inlined.
INLINE void GEMM(fetch_rows)(
    const struct GEMM(block) * block, const void *base, uint32_t type, const ptrdiff_t *places,
    ptrdiff_t step, const int rows, const int panels, const int strided) {
  const ptrdiff_t size = type == APUS_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
  UNROLL for (int i = 0; i < rows; i++) {
    const char *row = (const char *)base + size * ((ptrdiff_t)block->column +
        (strided ? places[0] + i * step : places[i]));
    UNROLL for (int j = 0; j < (panels * 16 * (int)sizeof(GEMM_INPUT) + 63) / 64; j++) {
      __builtin_prefetch(row + 64 * j);
    }
  }
}

// One tile. The arguments after `at` are constants where this is inlined; `half` says that half of
// the last panel is empty.
INLINE void GEMM(tile)(
    const struct GEMM(block) * block, const struct GEMM(rows) * at, const int rows,
    const int panels, const int strided, const int half) {
  const struct apus_gemm *g = block->g;
  const int vectors = panels * GEMM(per_panel);
  const size_t panel_step = g->panel_step;
  (void)panel_step, (void)half;
  VECTOR acc[GEMM_ROW_LIMIT][GEMM_MAX_PANELS * GEMM(per_panel)];
  UNROLL for (int j = 0; j < vectors; j++) {
    UNROLL for (int i = 0; i < rows; i++) acc[i][j] = MATH(splat)(0.0f);
  }

  if (!block->near && !block->far) {
    GEMM(fetch_rows)(block, g->y, g->y_type, at->y, g->y_pixel, rows, panels, strided);
    if (g->residual && g->run_count * g->run_length >= GEMM(deep)) {
      GEMM(fetch_rows)(
          block, g->residual, g->residual_type, at->residual, g->residual_pixel, rows, panels,
          strided);
    }
  }

  const GEMM_INPUT *b = block->b;
  const ptrdiff_t step = g->a_pixel;
  const size_t run_length = g->run_length;
  const char *fetch = at->fetch;
  const ptrdiff_t fetch_step = at->fetch_step;
  const ptrdiff_t fetch_other = at->fetch_other;
  const int lines = (panels * 16 * (int)sizeof(GEMM_INPUT) + 63) / 64;
#define FETCH                                                                            \
  do {                                                                                   \
    UNROLL for (int j = 0; j < lines; j++) __builtin_prefetch(fetch + 64 * j, 0, 2);     \
    UNROLL for (int j = 0; j < lines; j++) {                                             \
      __builtin_prefetch(fetch + fetch_other + 64 * j, 0, 2);                            \
    }                                                                                    \
    fetch += fetch_step;                                                                 \
  } while (0)
  for (size_t r = 0; r < g->run_count; r++) {
    const ptrdiff_t run = g->runs[r];
    size_t k = 0;
    if (strided) {
      // Every third row has a pointer; the others are reached from it by the stride.
      const GEMM_INPUT *a[(GEMM_ROW_LIMIT + 2) / 3];
      UNROLL for (int i = 0; i < (rows + 2) / 3; i++) a[i] = at->a[0] + run + 3 * i * step;
#define ROW(i) (a[(i) / 3] + (i) % 3 * step)
      for (; k + 4 * GEMM_STEP <= run_length; k += 4 * GEMM_STEP) {
        UNROLL for (int q = 0; q < 4; q++) {
          GEMM_MULTIPLY(
              acc, ROW, q * GEMM_STEP, b + 16 * GEMM_STEP * q, panel_step, rows, panels, half);
        }
        b += 64 * GEMM_STEP;
        FETCH;
        UNROLL for (int i = 0; i < (rows + 2) / 3; i++) {
          a[i] += 4 * GEMM_STEP;
          // Keeps the compiler from giving every row a pointer of its own.
          __asm__("" : "+r"(a[i]));
        }
      }
      for (; k < run_length; k += GEMM_STEP) {
        GEMM_MULTIPLY(acc, ROW, 0, b, panel_step, rows, panels, half);
        b += 16 * GEMM_STEP;
        UNROLL for (int i = 0; i < (rows + 2) / 3; i++) {
          a[i] += GEMM_STEP;
          __asm__("" : "+r"(a[i]));
        }
      }
#undef ROW
    } else {
      const GEMM_INPUT *const *a = at->a;
#define ROW(i) (a[i] + run)
      for (; k + 4 * GEMM_STEP <= run_length; k += 4 * GEMM_STEP, b += 64 * GEMM_STEP) {
        UNROLL for (int q = 0; q < 4; q++) {
          GEMM_MULTIPLY(
              acc, ROW, (ptrdiff_t)k + q * GEMM_STEP, b + 16 * GEMM_STEP * q, panel_step, rows,
              panels, half);
        }
        FETCH;
      }
      for (; k < run_length; k += GEMM_STEP, b += 16 * GEMM_STEP) {
        GEMM_MULTIPLY(acc, ROW, (ptrdiff_t)k, b, panel_step, rows, panels, half);
      }
#undef ROW
    }
  }
#undef FETCH

  if (g->scale != 1.0f) {
    const VECTOR scale = MATH(splat)(g->scale);
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = acc[i][j] * scale;
    }
  }
  // Last, not first: a bias larger than the sum would cost bits in every step.
  if (g->bias) {
    UNROLL for (int j = 0; j < vectors; j++) {
      const VECTOR bias = GEMM(load)(g->bias + block->column + j * LANES);
      UNROLL for (int i = 0; i < rows; i++) acc[i][j] = acc[i][j] + bias;
    }
  }
  if (!block->finish) {
    if (g->residual) GEMM(add_residual)(block, at, acc, rows, panels, strided);
    GEMM(store_tile)(block, at, acc, rows, panels, strided);
    return;
  }
  _Alignas(64) float sums[GEMM_ROW_LIMIT * 16 * GEMM_MAX_PANELS];
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < vectors; j++) {
      __builtin_memcpy(sums + (i * vectors + j) * LANES, &acc[i][j], sizeof acc[i][j]);
    }
  }
  block->finish(block, at, sums, (size_t)rows, (size_t)panels, strided);
}

typedef void (*GEMM(tile_function))(const struct GEMM(block) *, const struct GEMM(rows) *);

#define TILE_OF(name, r, p, strided, half)                                    \
  static __attribute__((noinline)) void GEMM(name##_##r##x##p)(               \
      const struct GEMM(block) * block, const struct GEMM(rows) * at) {       \
    GEMM(tile)(block, at, r, p, strided, half);                               \
  }
#define TILE(r, p) TILE_OF(gather, r, p, 0, 0) TILE_OF(stride, r, p, 1, 0)
GEMM_TILES
#undef TILE
#if GEMM_HALVES
#define TILE(r, p) TILE_OF(half, r, p, 1, 1)
GEMM_TILES
#undef TILE
#define HALF(r, p) GEMM(half_##r##x##p)
#else
#define HALF(r, p) GEMM(stride_##r##x##p)
#endif
#undef TILE_OF

// By panels, rows and: gathered, strided, strided with half a panel.
#define TILE(r, p) \
  [p - 1][r - 1] = {GEMM(gather_##r##x##p), GEMM(stride_##r##x##p), HALF(r, p)},
static const GEMM(tile_function)
    GEMM(tile_table)[GEMM_MAX_PANELS][GEMM_ROW_LIMIT][3] = {GEMM_TILES};
#undef TILE
#undef HALF

// Chooses what a tile fetches: the next block's weights until they are all there, then the rows of
// y and of the residual that the next tile will touch.
INLINE void GEMM(choose_fetch)(
    struct GEMM(block) * block, struct GEMM(rows) * at, size_t rows, size_t panels, int strided) {
  const struct apus_gemm *g = block->g;
  const ptrdiff_t lines = (ptrdiff_t)(panels * 16 * sizeof(GEMM_INPUT) + 63) / 64;
  const char *weights = (const char *)(block->b + panels * g->panel_step);
  at->fetch = (const char *)block->b;
  at->fetch_step = 0;
  at->fetch_other = 0;
  if (block->fetched < block->next) {
    at->fetch = weights + block->fetched;
    at->fetch_step = 64 * lines;
    block->fetched += g->run_length / (4 * GEMM_STEP) * g->run_count * 64 * (size_t)lines;
  } else if (block->far && strided) {
    const ptrdiff_t size = g->y_type == APUS_FLOAT32 ? sizeof(float) : sizeof(uint16_t);
    const ptrdiff_t first = at->y[0] + (ptrdiff_t)rows * g->y_pixel + (ptrdiff_t)block->column;
    at->fetch = (const char *)g->y + first * size;
    at->fetch_step = g->y_pixel * size;
    // Without a residual, half of the rows each.
    at->fetch_other =
        g->residual && g->residual_type == g->y_type && g->residual_pixel == g->y_pixel
            ? (const char *)g->residual - (const char *)g->y
            : (ptrdiff_t)(rows + 1) / 2 * at->fetch_step;
  }
}

// Some rows that follow each other in the grid: within one line, if strided.
static void GEMM(tiles)(
    struct GEMM(block) * block, size_t row, size_t left, size_t panels, int strided) {
  const struct apus_gemm *g = block->g;
  const size_t most = GEMM_MAX_ROWS(panels);
  const int half = panels * 16 - block->columns >= 8;
  size_t line = row / g->width, pixel = row % g->width;
  for (size_t tiles = (left + most - 1) / most; tiles > 0; tiles--) {
    // Evenly split: never a tile of one row at the end.
    const size_t rows = (left + tiles - 1) / tiles;
    left -= rows;
    struct GEMM(rows) at;
    for (size_t i = 0; i < (strided ? 1 : rows); i++) {
      const ptrdiff_t l = (ptrdiff_t)line, p = (ptrdiff_t)pixel;
      at.a[i] = (const GEMM_INPUT *)g->a + l * g->a_line + p * g->a_pixel;
      at.y[i] = l * g->y_line + p * g->y_pixel;
      at.residual[i] = l * g->residual_line + p * g->residual_pixel;
      pixel += strided ? rows : 1;
      if (pixel >= g->width) pixel = 0, line++;
    }
    GEMM(choose_fetch)(block, &at, rows, panels, strided);
    GEMM(tile_table)[panels - 1][rows - 1][strided ? 1 + half : 0](block, &at);
  }
}

// Decides how sums become results.
static void GEMM(prepare)(struct GEMM(block) * block) {
  const struct apus_gemm *g = block->g;
  const uint32_t own = GEMM(is_float32) ? APUS_FLOAT32 : APUS_BFLOAT16;
  const int direct = (g->y_type == own || g->y_type == APUS_FLOAT32) &&
      (!g->residual || g->residual_type == own);
  const int bound = direct && !(g->residual && g->residual_last);
  switch (g->activation.function) {
    case APUS_IDENTITY:
      if (!direct) block->finish = GEMM(finish_any);
      return;
    case APUS_SIGMOID: block->finish = GEMM(finish_sigmoid); return;
    case APUS_SWISH: block->finish = GEMM(finish_swish); return;
    case APUS_HARD_SWISH: block->finish = GEMM(finish_hard_swish); return;
    case APUS_GELU: block->finish = GEMM(finish_gelu); return;
    case APUS_GELU_TANH: block->finish = GEMM(finish_gelu_tanh); return;
    case APUS_RELU: block->lower = bound; break;
    case APUS_CLIP:
      block->lower = block->upper = bound;
      block->low = g->activation.alpha;
      block->high = g->activation.beta;
      break;
    default: break;
  }
  if (!block->lower) block->finish = GEMM(finish_any);
}

// All rows by `panels` panels from `column` on; the next block has `next_panels`.
static void GEMM(run_block)(
    const struct apus_gemm *g, size_t column, size_t panels, size_t next_panels) {
  struct GEMM(block) block = {0};
  block.g = g;
  block.b = (const GEMM_INPUT *)g->b + column / 16 * g->panel_step;
  block.column = column;
  block.columns = g->columns - column < panels * 16 ? g->columns - column : panels * 16;
  block.next = next_panels * g->panel_step * sizeof(GEMM_INPUT);
  const size_t size = g->count * (size_t)g->y_pixel * sizeof(GEMM_INPUT);
  block.near = size <= GEMM(near);
  block.far = size >= GEMM(far);
  GEMM(prepare)(&block);
  // Narrow lines would leave tiles half empty, unless there is but one.
  const int crosses = g->first % g->width + g->count > g->width;
  if (crosses && g->width < 2 * GEMM_MAX_ROWS(panels)) {
    GEMM(tiles)(&block, g->first, g->count, panels, 0);
    return;
  }
  size_t row = g->first, left = g->count;
  while (left > 0) {
    const size_t rest = g->width - row % g->width;
    const size_t some = left < rest ? left : rest;
    GEMM(tiles)(&block, row, some, panels, 1);
    row += some;
    left -= some;
  }
}

// The panels of the next block of `left`. Evenly split, too: 5 panels are 3 + 2.
static size_t GEMM(share)(size_t left) {
  const size_t groups = (left + GEMM_MAX_PANELS - 1) / GEMM_MAX_PANELS;
  return (left + groups - 1) / groups;
}

void GEMM(apus_gemm)(const struct apus_gemm *g) {
  if (g->count == 0) return;
  const size_t panels = (g->columns + 15) / 16;
  for (size_t first = 0; first < panels;) {
    const size_t some = GEMM(share)(panels - first);
    const size_t rest = panels - first - some;
    GEMM(run_block)(g, first * 16, some, rest > 0 ? GEMM(share)(rest) : 0);
    first += some;
  }
}

#undef VECTOR
#undef INLINE
#undef LANES
