// What the 8-bit products with vectors of eight sums share: names and the direct store. Included
// inside the file's target attribute.
#include <immintrin.h>

#include "../math/math_avx2.h"
#include "../quantized/curve_avx2.h"
#include "gemm8.h"

#define MATH(name) apus_##name##_avx2
#define UNROLL _Pragma("clang loop unroll(full)")
#define NEAREST(x) _mm256_cvtps_epi32(x)
#define SUMS __m256i
#define LOAD_SUMS(p) _mm256_loadu_si256((const __m256i *)(p))
#define SPLAT_SUMS(x) _mm256_set1_epi32(x)
#define ADD_SUMS(a, b) _mm256_add_epi32(a, b)
#define GEMM8_MAX_PANELS 1
#define GEMM8_MAX_ROWS(n) GEMM8_ROW_LIMIT

struct block;
struct rows;
static void GEMM8(prepare_columns)(struct block *block, size_t panels);
static inline __attribute__((always_inline)) void store_tile(
    const struct block *block, const struct rows *at, __m256i (*acc)[2], const int rows,
    const int strided);
static inline __attribute__((always_inline)) void curve_tile(
    const struct block *block, const struct rows *at, __m256i (*acc)[2], const int rows,
    const int strided, const int ramp);
#define GEMM8_FINISH(block) GEMM8(finish_tile)
#define GEMM8_FAST(block) 0
#define GEMM8_FAST_FINISH(block, at, acc, rows, panels) (void)0
#define GEMM8_STORE(block, at, acc, rows, panels, strided) \
  store_tile(block, at, acc, rows, strided)
#define GEMM8_CURVE(block, at, acc, rows, panels, strided, ramp) \
  curve_tile(block, at, acc, rows, strided, ramp)

#include "generic.h"

// 16 words in the order in which two vectors of sums are packed.
static inline __attribute__((always_inline)) void order_words(int16_t *to, const void *from) {
  const __m256i words = _mm256_loadu_si256((const __m256i *)from);
  _mm256_store_si256((__m256i *)to, _mm256_permute4x64_epi64(words, 0xd8));
}

static void GEMM8(prepare_columns)(struct block *block, size_t panels) {
  (void)panels;
  const struct apus_quantized_store *s = &block->g->store;
  if (s->kind < APUS_STORE_CURVE) {
    const int32_t *zero = s->zero + block->column;
    _mm256_store_si256(
        (__m256i *)block->zero, _mm256_packs_epi32(LOAD_SUMS(zero), LOAD_SUMS(zero + 8)));
    return;
  }
  order_words(block->zero, s->level + block->column);
  order_words(block->ratio, s->ratio + block->column);
  order_words(block->residual_ratio, s->residual_ratio + block->column);
  if (s->kind != APUS_STORE_RAMP) return;
  order_words(block->reach, s->reach + block->column);
  order_words(block->lift, s->lift + block->column);
  order_words(block->near, s->near + block->column);
}

// A row's sums, scaled, as 16 bits in the order of `zero`.
static inline __attribute__((always_inline)) __m256i scaled_words(
    const struct block *block, const __m256i sums[2]) {
  const float *multiplier = block->g->store.multiplier + block->column;
  const __m256 low = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[0]), _mm256_loadu_ps(multiplier));
  const __m256 high = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[1]), _mm256_loadu_ps(multiplier + 8));
  return _mm256_packs_epi32(_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high));
}

static inline __attribute__((always_inline)) __m256i halves(
    const struct block *block, const __m256i sums[2]) {
  return _mm256_adds_epi16(
      scaled_words(block, sums), _mm256_load_si256((const __m256i *)block->zero));
}

// Stores the bytes of rows i and i + 1; only the first if there is no other.
static inline __attribute__((always_inline)) void put(
    const struct block *block, const struct rows *at, __m256i bytes, const int i, const int rows,
    const int strided) {
  uint8_t *base = (uint8_t *)block->g->store.y + (ptrdiff_t)block->column;
  UNROLL for (int q = 0; q < 2 && i + q < rows; q++) {
    uint8_t *y = base + (strided ? at->y[0] + (i + q) * block->g->y_pixel : at->y[i + q]);
    const __m128i row = q == 0 ? _mm256_castsi256_si128(bytes) : _mm256_extracti128_si256(bytes, 1);
    if (block->columns == 16) {
      _mm_storeu_si128((__m128i *)y, row);
    } else {
      uint8_t some[16];
      _mm_storeu_si128((__m128i *)some, row);
      for (size_t n = 0; n < block->columns; n++) y[n] = some[n];
    }
  }
}

// The direct store, two rows at a time.
static inline __attribute__((always_inline)) void store_tile(
    const struct block *block, const struct rows *at, __m256i (*acc)[2], const int rows,
    const int strided) {
  const struct apus_quantized_store *s = &block->g->store;
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  UNROLL for (int i = 0; i < rows; i += 2) {
    const int other = i + 1 < rows ? i + 1 : i;
    __m256i bytes = _mm256_permutevar8x32_epi32(
        _mm256_packus_epi16(halves(block, acc[i]), halves(block, acc[other])), order);
    if (block->clamped) {
      const __m128i low = _mm_loadu_si128((const __m128i *)(s->low + block->column));
      const __m128i high = _mm_loadu_si128((const __m128i *)(s->high + block->column));
      bytes = _mm256_max_epu8(bytes, _mm256_broadcastsi128_si256(low));
      bytes = _mm256_min_epu8(bytes, _mm256_broadcastsi128_si256(high));
    }
    put(block, at, bytes, i, rows, strided);
  }
}

// A row's bytes of the residual.
static inline __attribute__((always_inline)) __m128i residual_bytes(
    const struct block *block, const struct rows *at, const int row, const int strided) {
  const uint8_t *from =
      (const uint8_t *)block->g->store.residual + (ptrdiff_t)block->column +
      (strided ? at->residual[0] + row * block->g->residual_pixel : at->residual[row]);
  if (block->columns == 16) return _mm_loadu_si128((const __m128i *)from);
  uint8_t some[16] = {0};
  for (size_t n = 0; n < block->columns; n++) some[n] = from[n];
  return _mm_loadu_si128((const __m128i *)some);
}

// The curve store, two rows at a time.
static inline __attribute__((always_inline)) void curve_tile(
    const struct block *block, const struct rows *at, __m256i (*acc)[2], const int rows,
    const int strided, const int ramp) {
  const struct apus_quantized_store *s = &block->g->store;
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const struct apus_curve_columns_avx2 columns = {
      _mm256_load_si256((const __m256i *)block->ratio),
      _mm256_load_si256((const __m256i *)block->zero),
      _mm256_load_si256((const __m256i *)block->reach),
      _mm256_load_si256((const __m256i *)block->lift),
      _mm256_load_si256((const __m256i *)block->near)};
  const struct apus_curve_columns_avx2 *const both[2] = {&columns, &columns};
  const __m128i fraction = _mm_cvtsi32_si128((int)s->fraction);
  UNROLL for (int i = 0; i < rows; i += 2) {
    const int row[2] = {i, i + 1 < rows ? i + 1 : i};
    __m256i half[2] = {scaled_words(block, acc[row[0]]), scaled_words(block, acc[row[1]])};
    apus_curve_avx2(s->curve, both, half, ramp);
    UNROLL for (int q = 0; q < 2; q++) {
      if (s->residual) {
        const __m128i bytes = residual_bytes(block, at, row[q], strided);
        // In the order of packed sums, times 128.
        const __m256i words = _mm256_permute4x64_epi64(_mm256_cvtepu8_epi16(bytes), 0xd8);
        const __m256i own = _mm256_load_si256((const __m256i *)block->residual_ratio);
        half[q] = _mm256_adds_epi16(
            half[q], _mm256_mulhrs_epi16(_mm256_slli_epi16(words, 7), own));
      }
      half[q] = _mm256_sra_epi16(half[q], fraction);
    }
    const __m256i bytes = _mm256_packus_epi16(half[0], half[1]);
    put(block, at, _mm256_permutevar8x32_epi32(bytes, order), i, rows, strided);
  }
}
