// What the 8-bit products with vectors of eight sums share: names and the direct store. Included
// inside the file's target attribute.
#include <immintrin.h>

#include "../math/math_avx2.h"
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
static void GEMM8(prepare_zero)(struct block *block, size_t panels);
static inline __attribute__((always_inline)) void store_tile(
    const struct block *block, const struct rows *at, __m256i (*acc)[2], const int rows,
    const int strided);
#define GEMM8_FINISH(g) GEMM8(finish_tile)
#define GEMM8_FAST(g) 0
#define GEMM8_FAST_FINISH(block, at, acc, rows, panels) (void)0
#define GEMM8_STORE(block, at, acc, rows, panels, strided) \
  store_tile(block, at, acc, rows, strided)

#include "generic.h"

static void GEMM8(prepare_zero)(struct block *block, size_t panels) {
  (void)panels;
  const int32_t *zero = block->g->store.zero + block->column;
  _mm256_store_si256(
      (__m256i *)block->zero, _mm256_packs_epi32(LOAD_SUMS(zero), LOAD_SUMS(zero + 8)));
}

// A row's sums as 16-bit results, in the order of `zero`.
static inline __attribute__((always_inline)) __m256i halves(
    const struct block *block, const __m256i sums[2]) {
  const float *multiplier = block->g->store.multiplier + block->column;
  const __m256 low = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[0]), _mm256_loadu_ps(multiplier));
  const __m256 high = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[1]), _mm256_loadu_ps(multiplier + 8));
  return _mm256_adds_epi16(
      _mm256_packs_epi32(_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high)),
      _mm256_load_si256((const __m256i *)block->zero));
}

// The direct store, two rows at a time.
static inline __attribute__((always_inline)) void store_tile(
    const struct block *block, const struct rows *at, __m256i (*acc)[2], const int rows,
    const int strided) {
  const struct apus_quantized_store *s = &block->g->store;
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  uint8_t *base = (uint8_t *)s->y + (ptrdiff_t)block->column;
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
    UNROLL for (int q = 0; q < 2 && i + q < rows; q++) {
      uint8_t *y = base + (strided ? at->y[0] + (i + q) * block->g->y_pixel : at->y[i + q]);
      const __m128i row =
          q == 0 ? _mm256_castsi256_si128(bytes) : _mm256_extracti128_si256(bytes, 1);
      if (block->columns == 16) {
        _mm_storeu_si128((__m128i *)y, row);
      } else {
        uint8_t some[16];
        _mm_storeu_si128((__m128i *)some, row);
        for (size_t n = 0; n < block->columns; n++) y[n] = some[n];
      }
    }
  }
}
