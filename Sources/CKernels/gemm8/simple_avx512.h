// The general stores of the 8-bit matrix product that are simple enough for faster ways yet,
// AVX-512; part of x86_avx512vnni.c: clamps to bytes with a residual, and real numbers.

// The general store to bytes where the function is a clamp and the residual, if any, bytes.
struct clamp {
  struct apus_quantized_store s;
  size_t column;
  uint64_t some;         // the columns that exist
  const uint8_t *added;  // the residual's first column
  __m512 low, high;
};

static inline __attribute__((always_inline)) struct clamp make_clamp(const struct block *block) {
  const struct apus_quantized_store s = block->g->store;
  const float infinity = __builtin_inff();
  const uint32_t function = s.activation.function;
  return (struct clamp){
      s, block->column, ~0ull >> (64 - block->columns),
      (const uint8_t *)s.residual + (ptrdiff_t)block->column,
      _mm512_set1_ps(
          function == APUS_RELU ? 0.0f : function == APUS_CLIP ? s.activation.alpha : -infinity),
      _mm512_set1_ps(function == APUS_CLIP ? s.activation.beta : infinity)};
}

// The sums of a panel as integers of y without the zero point; the residual's row lies at `from`.
// `residual` is a constant, 0: none, 1: before the function, 2: after it.
static inline __attribute__((always_inline)) __m512i clamp_sums(
    const struct clamp *c, __m512i sums, const int panel, ptrdiff_t from, const int residual) {
  const size_t n = c->column + 16 * (size_t)panel;
  __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(c->s.multiplier + n));
  __m512 other = _mm512_setzero_ps();
  if (residual) {
    const __m128i bytes =
        _mm_maskz_loadu_epi8((__mmask16)(c->some >> (16 * panel)), c->added + from + 16 * panel);
    const __m512i centred = _mm512_sub_epi32(
        _mm512_cvtepu8_epi32(bytes), _mm512_loadu_si512(c->s.residual_zero + n));
    other = _mm512_mul_ps(_mm512_cvtepi32_ps(centred), _mm512_loadu_ps(c->s.residual_scale + n));
  }
  if (residual == 1) x = _mm512_add_ps(x, other);
  // The operands' order keeps a NaN, as the functions do.
  x = _mm512_min_ps(c->high, _mm512_max_ps(c->low, x));
  if (residual == 2) x = _mm512_add_ps(x, other);
  x = _mm512_mul_ps(x, _mm512_loadu_ps(c->s.inverse + n));
  // What is too small, and a NaN, becomes the least integer and so saturates downwards.
  return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(1048576.0f), x));
}

// Whether y of the block's columns cannot leave int32 before it saturates, nor be a NaN; then the
// function may clamp bytes, and this says to which: rounding keeps the order.
static int prepare_sums(struct block *block) {
  const struct apus_quantized_store *s = &block->g->store;
  const uint64_t some = ~0ull >> (64 - block->columns);
  const struct clamp c = make_clamp(block);
  const float beta = s->activation.beta;
  int tame = s->activation.function != APUS_CLIP || beta == beta;
  for (size_t j = 0; 16 * j < block->columns; j++) {
    const size_t n = block->column + 16 * j;
    const __mmask16 own = (__mmask16)(some >> (16 * j));
    const __m512 inverse = _mm512_loadu_ps(s->inverse + n), none = _mm512_setzero_ps();
    const __m512 most = _mm512_mul_ps(
        inverse, _mm512_add_ps(
                     _mm512_mul_ps(
                         _mm512_abs_ps(_mm512_loadu_ps(s->multiplier + n)),
                         _mm512_set1_ps(2147483648.0f)),
                     _mm512_mul_ps(
                         _mm512_abs_ps(_mm512_loadu_ps(s->residual_scale + n)),
                         _mm512_set1_ps(255.0f))));
    tame &= _mm512_mask_cmp_ps_mask(own, most, _mm512_set1_ps(1073741824.0f), _CMP_LT_OQ) == own;
    tame &= _mm512_mask_cmp_ps_mask(own, inverse, none, _CMP_GT_OQ) == own;
    const __m512 bound[2] = {c.low, c.high};
    uint8_t *const to[2] = {block->low + 16 * j, block->high + 16 * j};
    for (int k = 0; k < 2; k++) {
      const __m512 x =
          _mm512_min_ps(_mm512_set1_ps(1048576.0f), _mm512_mul_ps(bound[k], inverse));
      const __m512i whole =
          _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_loadu_si512(s->zero + n));
      _mm_storeu_si128(
          (__m128i *)to[k],
          _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512())));
    }
  }
  return tame;
}

// A strided tile with a residual before the function, from registers; after `prepare_sums`.
static inline __attribute__((always_inline)) void add_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels) {
  const struct target target = make_target(block, at, panels, 1);
  const struct apus_quantized_store s = block->g->store;
  const ptrdiff_t step = block->g->residual_pixel;
  const uint8_t *added = (const uint8_t *)s.residual + (ptrdiff_t)block->column + at->residual[0];
  const uint64_t some = ~0ull >> (64 - block->columns);
  UNROLL for (int j = 0; j < panels; j++) {
    const size_t n = block->column + 16 * (size_t)j;
    const __m512 multiplier = _mm512_loadu_ps(s.multiplier + n);
    const __m512i zero = _mm512_loadu_si512(s.residual_zero + n);
    const __m512 scale = _mm512_loadu_ps(s.residual_scale + n);
    const __m512 inverse = _mm512_loadu_ps(s.inverse + n);
    const __mmask16 own = (__mmask16)(some >> (16 * j));
    UNROLL for (int i = 0; i < rows; i++) {
      const __m512i other = _mm512_sub_epi32(
          _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(own, added + i * step + 16 * j)), zero);
      const __m512 x = _mm512_add_ps(
          _mm512_mul_ps(_mm512_cvtepi32_ps(acc[i][j]), multiplier),
          _mm512_mul_ps(_mm512_cvtepi32_ps(other), scale));
      acc[i][j] = _mm512_cvtps_epi32(_mm512_mul_ps(x, inverse));
    }
  }
  const __m512i low = bounds(block->low, panels), high = bounds(block->high, panels);
  UNROLL for (int i = 0; i < rows; i += panels > 2 ? 1 : 4 / panels) {
    __m512i v[4];
    UNROLL for (int q = 0; q < 4; q++) {
      v[q] = acc[row_of(i, q, rows, panels)][panel_of(q, panels)];
    }
    const __m512i bytes = _mm512_max_epu8(narrow(v, block->zero), low);
    put(&target, _mm512_min_epu8(bytes, high), i, rows, panels, 1);
  }
}

static inline __attribute__((always_inline)) void clamp_rows(
    const struct block *block, const struct rows *at, const int32_t *sums, const int rows,
    const int panels, const int residual, const int strided) {
  const struct target target = make_target(block, at, panels, strided);
  const struct clamp c = make_clamp(block);
  const ptrdiff_t step = block->g->residual_pixel;
  for (int i = 0; i < rows; i += panels > 2 ? 1 : 4 / panels) {
    __m512i v[4];
    UNROLL for (int q = 0; q < (panels == 3 ? 3 : 4); q++) {
      const int panel = panel_of(q, panels), row = row_of(i, q, rows, panels);
      v[q] = clamp_sums(
          &c, _mm512_load_si512(sums + 16 * (row * panels + panel)), panel,
          strided ? at->residual[0] + row * step : at->residual[row], residual);
    }
    if (panels == 3) v[3] = v[0];
    put(&target, narrow(v, block->zero), i, rows, panels, strided);
  }
}

static __attribute__((noinline)) void clamp_tile(
    const struct block *block, const struct rows *at, const int32_t *sums, size_t rows,
    size_t panels, int strided) {
  const struct apus_quantized_store *s = &block->g->store;
  const unsigned residual = s->residual ? s->residual_last ? 2 : 1 : 0;
  switch ((panels * 3 + residual) * 2 + (unsigned)strided) {
#define CASE(panels, residual, strided)                                \
  case (panels * 3 + residual) * 2 + strided:                          \
    clamp_rows(block, at, sums, (int)rows, panels, residual, strided); \
    break;
#define CASES(panels)                                                  \
  CASE(panels, 0, 0) CASE(panels, 1, 0) CASE(panels, 2, 0)             \
  CASE(panels, 0, 1) CASE(panels, 1, 1) CASE(panels, 2, 1)
    CASES(1) CASES(2) CASES(3) CASES(4)
#undef CASE
#undef CASES
    default: break;
  }
}

static finish_function choose_finish(const struct block *block) {
  const struct apus_quantized_store *s = &block->g->store;
  if (s->y_type != APUS_UINT8) return general_tile;
  if (suits_swish_rows(block)) return swish_tile;
  const int bytes = !(s->residual && s->residual_type != APUS_UINT8);
  return bytes && s->activation.function <= APUS_CLIP ? clamp_tile : general_tile;
}

// Before and after the identity are one.
static int choose_fast(struct block *block) {
  const struct apus_quantized_store *s = &block->g->store;
  if (s->y_type == APUS_REAL && !(s->residual && s->residual_type != APUS_REAL) &&
      s->activation.function == APUS_IDENTITY) {
    return PLAIN_REALS;
  }
  return block->finish == clamp_tile && s->residual &&
         (!s->residual_last || s->activation.function == APUS_IDENTITY) && prepare_sums(block);
}

// A strided tile of real numbers without a function, from registers; what is added is real, too.
static inline __attribute__((always_inline)) void real_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels) {
  const struct apus_quantized_store *s = &block->g->store;
  const uint64_t some = ~0ull >> (64 - block->columns);
  const ptrdiff_t step = block->g->y_pixel, other_step = block->g->residual_pixel;
  float *base = (float *)s->y + (ptrdiff_t)block->column + at->y[0];
  const float *other = (const float *)s->residual;
  if (other) other += (ptrdiff_t)block->column + at->residual[0];
  UNROLL for (int j = 0; j < panels; j++) {
    const __m512 multiplier = _mm512_loadu_ps(s->multiplier + block->column + 16 * j);
    const __mmask16 own = (__mmask16)(some >> (16 * j));
    UNROLL for (int i = 0; i < rows; i++) {
      acc[i][j] = (__m512i)_mm512_mul_ps(_mm512_cvtepi32_ps(acc[i][j]), multiplier);
    }
    if (other) {
      UNROLL for (int i = 0; i < rows; i++) {
        acc[i][j] = (__m512i)_mm512_add_ps(
            (__m512)acc[i][j], _mm512_maskz_loadu_ps(own, other + i * other_step + 16 * j));
      }
    }
    UNROLL for (int i = 0; i < rows; i++) {
      _mm512_mask_storeu_ps(base + i * step + 16 * j, own, (__m512)acc[i][j]);
    }
  }
}
