// The 8-bit matrix product, AVX-512-VNNI.
#if defined(__x86_64__)
#pragma clang attribute push(                                                  \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), \
    apply_to = function)

#include <immintrin.h>

#include "../math/math_avx512.h"
#include "../quantized/curve_avx512.h"
#include "gemm8.h"

#define MATH(name) apus_##name##_avx512
#define GEMM8(name) name##_avx512vnni
#define UNROLL _Pragma("clang loop unroll(full)")
#define NEAREST(x) _mm512_cvtps_epi32(x)
#define SUMS __m512i
#define LOAD_SUMS(p) _mm512_loadu_si512(p)
#define SPLAT_SUMS(x) _mm512_set1_epi32(x)
#define ADD_SUMS(a, b) _mm512_add_epi32(a, b)

// 29 of 32 registers: 24 sums, up to 4 of B, one of A.
#define GEMM8_ROW_LIMIT 16
#define GEMM8_MAX_PANELS 4
#define GEMM8_MAX_ROWS(n) ((n) == 4 ? 6 : (n) == 3 ? 8 : (n) == 2 ? 12 : 16)
#define GEMM8_TILES                                                                 \
  TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)                 \
  TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) TILE(5, 3) TILE(6, 3) TILE(7, 3)      \
  TILE(8, 3)                                                                        \
  TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2) TILE(7, 2)      \
  TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)                         \
  TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1)      \
  TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1) TILE(13, 1) TILE(14, 1) \
  TILE(15, 1) TILE(16, 1)

static inline __attribute__((always_inline)) __m512i broadcast_four(const uint8_t *a) {
  int32_t four;
  __builtin_memcpy(&four, a, sizeof four);
  return _mm512_set1_epi32(four);
}

#define GEMM8_MULTIPLY(acc, row, k, b, step, rows, panels)                       \
  do {                                                                           \
    __m512i column[GEMM8_MAX_PANELS];                                            \
    UNROLL for (int j = 0; j < (panels); j++) {                                  \
      column[j] = _mm512_loadu_si512((b) + (size_t)j * (step));                  \
    }                                                                            \
    UNROLL for (int i = 0; i < (rows); i++) {                                    \
      const __m512i x = broadcast_four(row(i) + (k));                            \
      UNROLL for (int j = 0; j < (panels); j++) {                                \
        acc[i][j] = _mm512_dpbusd_epi32(acc[i][j], x, column[j]);                \
      }                                                                          \
    }                                                                            \
  } while (0)

#define GEMM8_FINISH(block) choose_finish(block)
#define GEMM8_FAST(block) choose_fast(block)
#define GEMM8_FAST_FINISH(block, at, acc, rows, panels)                          \
  (block->fast == PLAIN_REALS ? real_tile(block, at, acc, rows, panels)          \
                              : add_tile(block, at, acc, rows, panels))
#define GEMM8_STORE(block, at, acc, rows, panels, strided) \
  store_tile(block, at, acc, rows, panels, strided)
#define GEMM8_CURVE(block, at, acc, rows, panels, strided, ramp) \
  curve_tile(block, at, acc, rows, panels, strided, ramp)

struct block;
struct rows;
static void prepare_columns_avx512vnni(struct block *block, size_t panels);
static inline __attribute__((always_inline)) void curve_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels, const int strided, const int ramp);
static inline __attribute__((always_inline)) void store_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels, const int strided);
typedef void (*finish_function)(
    const struct block *, const struct rows *, const int32_t *sums, size_t rows, size_t panels,
    int strided);
static finish_function choose_finish(const struct block *block);
static int choose_fast(struct block *block);
enum { PLAIN_REALS = 2 };
static inline __attribute__((always_inline)) void real_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels);
static inline __attribute__((always_inline)) void add_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels);

#include "generic.h"

// 16 bits in the order of packed sums become bytes: those of the first vector of sums, then those
// of the second, and so on.
static inline __attribute__((always_inline)) __m512i in_order(__m512i low, __m512i high) {
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
}

// Four vectors of sums become 64 bytes. Vector i belongs to panel (i / rows of a group) % panels.
static inline __attribute__((always_inline)) __m512i narrow(
    const __m512i v[4], const int16_t *zero) {
  const __m512i low = _mm512_adds_epi16(
      _mm512_packs_epi32(v[0], v[1]), _mm512_loadu_si512(zero));
  const __m512i high = _mm512_adds_epi16(
      _mm512_packs_epi32(v[2], v[3]), _mm512_loadu_si512(zero + 32));
  return in_order(low, high);
}

// The panel of each of the four vectors that are stored together.
static inline __attribute__((always_inline)) int panel_of(int i, int panels) {
  return panels == 3 ? (i < 3 ? i : 0) : i % panels;
}

// The row of vector q of the group that begins with row i.
static inline __attribute__((always_inline)) int row_of(int i, int q, int rows, int panels) {
  const int row = i + (panels > 2 ? 0 : q / panels);
  return row < rows ? row : rows - 1;
}

// 64 numbers of columns as 16 bits, in the order in which four vectors of sums are packed; from
// 32 bits, or from 16.
static void order_columns(int16_t *to, const void *from, int wide, size_t column, int panels) {
  __m512i v[4];
  for (int i = 0; i < 4; i++) {
    const size_t at = column + 16 * (size_t)panel_of(i, panels);
    v[i] = wide ? _mm512_loadu_si512((const int32_t *)from + at)
                : _mm512_cvtepi16_epi32(
                      _mm256_loadu_si256((const __m256i *)((const int16_t *)from + at)));
  }
  _mm512_store_si512(to, _mm512_packs_epi32(v[0], v[1]));
  _mm512_store_si512(to + 32, _mm512_packs_epi32(v[2], v[3]));
}

static void prepare_columns_avx512vnni(struct block *block, size_t panels) {
  const struct apus_quantized_store *s = &block->g->store;
  if (s->kind < APUS_STORE_CURVE) {
    order_columns(block->zero, s->zero, 1, block->column, (int)panels);
    return;
  }
  order_columns(block->zero, s->level, 0, block->column, (int)panels);
  order_columns(block->ratio, s->ratio, 0, block->column, (int)panels);
  order_columns(block->residual_ratio, s->residual_ratio, 0, block->column, (int)panels);
  if (s->kind != APUS_STORE_RAMP) return;
  order_columns(block->reach, s->reach, 0, block->column, (int)panels);
  order_columns(block->lift, s->lift, 0, block->column, (int)panels);
  order_columns(block->near, s->near, 0, block->column, (int)panels);
}

// The bounds of the panels, repeated where several rows are stored together.
static inline __attribute__((always_inline)) __m512i bounds(const uint8_t *p, const int panels) {
  if (panels == 1) return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p));
  if (panels == 2) return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p));
  return _mm512_loadu_si512(p);
}

// Where a tile goes: read once, because stores to y might change what pointers lead to.
struct target {
  uint8_t *y;
  ptrdiff_t pixel;
  const ptrdiff_t *rows;  // not strided
  __mmask64 some;         // the columns that exist
  int whole;
  int dense;              // strided rows follow each other without a gap
};

static inline __attribute__((always_inline)) struct target make_target(
    const struct block *block, const struct rows *at, const int panels, const int strided) {
  return (struct target){
      (uint8_t *)block->g->store.y + (ptrdiff_t)block->column + (strided ? at->y[0] : 0),
      block->g->y_pixel, at->y, _cvtu64_mask64(~0ull >> (64 - block->columns)),
      block->columns == 16 * (size_t)panels,
      strided && block->columns == 16 * (size_t)panels && block->g->y_pixel == 16 * panels};
}

// Writes the bytes of a group of rows, of which `i` is the first.
static inline __attribute__((always_inline)) void put(
    const struct target *to, __m512i bytes, const int i, const int rows, const int panels,
    const int strided) {
  const int group = panels > 2 ? 1 : 4 / panels;
  // Rows that follow each other without a gap are one.
  if (group > 1 && i + group <= rows && strided && to->whole && to->pixel == 16 * panels) {
    _mm512_storeu_si512(to->y + i * 16 * panels, bytes);
    return;
  }
  UNROLL for (int q = 0; q < group; q++) {
    if (i + q >= rows) break;
    uint8_t *y = to->y + (strided ? (i + q) * to->pixel : to->rows[i + q]);
    const __m128i quarters[4] = {
        _mm512_castsi512_si128(bytes), _mm512_extracti32x4_epi32(bytes, 1),
        _mm512_extracti32x4_epi32(bytes, 2), _mm512_extracti32x4_epi32(bytes, 3)};
    const __m256i halves[2] = {
        _mm512_castsi512_si256(bytes), _mm512_extracti64x4_epi64(bytes, 1)};
    if (panels == 1) {
      if (to->whole) {
        _mm_storeu_si128((__m128i *)y, quarters[q]);
      } else {
        _mm_mask_storeu_epi8(y, (__mmask16)to->some, quarters[q]);
      }
    } else if (panels == 2) {
      if (to->whole) {
        _mm256_storeu_si256((__m256i *)y, halves[q]);
      } else {
        _mm256_mask_storeu_epi8(y, (__mmask32)to->some, halves[q]);
      }
    } else {
      // A mask costs a whole vector nothing.
      _mm512_mask_storeu_epi8(y, to->some, bytes);
    }
  }
}

// The direct store. A group of four vectors holds one row of 3 or 4 panels, 2 rows of 2, 4 of 1.
static inline __attribute__((always_inline)) void store_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels, const int strided) {
  const struct target target = make_target(block, at, panels, strided);
  const struct apus_quantized_store *s = &block->g->store;
  const float *multiplier = s->multiplier + block->column;
  const int16_t *zero = block->zero;
  const int clamped = block->clamped;
  const uint8_t *least = s->low + block->column, *most = s->high + block->column;
  const int group = panels > 2 ? 1 : 4 / panels;
  UNROLL for (int i = 0; i < rows; i += group) {
    __m512i v[4];
    UNROLL for (int q = 0; q < 4; q++) {
      const int panel = panel_of(q, panels);
      int row = i + (panels > 2 ? 0 : q / panels);
      row = row < rows ? row : rows - 1;
      const __m512 scaled = _mm512_mul_ps(
          _mm512_cvtepi32_ps(acc[row][panel]), _mm512_loadu_ps(multiplier + 16 * panel));
      v[q] = _mm512_cvtps_epi32(scaled);
    }
    __m512i bytes = narrow(v, zero);
    if (clamped) {
      bytes = _mm512_max_epu8(bytes, bounds(least, panels));
      bytes = _mm512_min_epu8(bytes, bounds(most, panels));
    }
    put(&target, bytes, i, rows, panels, strided);
  }
}

// The bytes of the residual of a group of rows, of which `i` is the first, in the order of packed
// sums: so that unpacking them gives 16 bits in that order.
static inline __attribute__((always_inline)) __m512i residual_bytes(
    const struct block *block, const struct rows *at, const int i, const int rows,
    const int panels, const int strided) {
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __mmask64 some = _cvtu64_mask64(~0ull >> (64 - block->columns));
  const uint8_t *base = (const uint8_t *)block->g->store.residual + (ptrdiff_t)block->column;
  const uint8_t *from[4];
  UNROLL for (int q = 0; q < 4; q++) {
    const int row = i + q < rows ? i + q : rows - 1;
    from[q] = base + (strided ? at->residual[0] + row * block->g->residual_pixel
                              : at->residual[row]);
  }
  __m512i bytes;
  if (panels == 1) {
    bytes = _mm512_castsi128_si512(_mm_maskz_loadu_epi8((__mmask16)some, from[0]));
    bytes = _mm512_inserti32x4(bytes, _mm_maskz_loadu_epi8((__mmask16)some, from[1]), 1);
    bytes = _mm512_inserti32x4(bytes, _mm_maskz_loadu_epi8((__mmask16)some, from[2]), 2);
    bytes = _mm512_inserti32x4(bytes, _mm_maskz_loadu_epi8((__mmask16)some, from[3]), 3);
  } else if (panels == 2) {
    bytes = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8((__mmask32)some, from[0]));
    bytes = _mm512_inserti64x4(bytes, _mm256_maskz_loadu_epi8((__mmask32)some, from[1]), 1);
  } else {
    bytes = _mm512_maskz_loadu_epi8(some, from[0]);
  }
  return _mm512_permutexvar_epi32(order, bytes);
}

// Half h of the columns in the order of packed sums.
static inline __attribute__((always_inline)) struct apus_curve_columns_avx512 curve_columns(
    const struct block *block, const int h) {
  return (struct apus_curve_columns_avx512){
      _mm512_load_si512(block->ratio + 32 * h), _mm512_load_si512(block->zero + 32 * h),
      _mm512_load_si512(block->reach + 32 * h), _mm512_load_si512(block->lift + 32 * h),
      _mm512_load_si512(block->near + 32 * h)};
}

// The curve store. Sums become 16 bits first: that frees the registers for the curve.
static inline __attribute__((always_inline)) void curve_tile(
    const struct block *block, const struct rows *at, __m512i (*acc)[GEMM8_MAX_PANELS],
    const int rows, const int panels, const int strided, const int ramp) {
  const struct target target = make_target(block, at, panels, strided);
  const struct apus_quantized_store *s = &block->g->store;
  const float *multiplier = s->multiplier + block->column;
  const int added = s->residual != NULL;
  const int group = panels > 2 ? 1 : 4 / panels, groups = (rows + group - 1) / group;
  __m512i t[GEMM8_ROW_LIMIT][2];
  UNROLL for (int i = 0; i < groups; i++) {
    UNROLL for (int h = 0; h < 2; h++) {
      __m512i v[2];
      UNROLL for (int q = 0; q < 2; q++) {
        const int panel = panel_of(2 * h + q, panels);
        const int row = row_of(i * group, 2 * h + q, rows, panels);
        v[q] = _mm512_cvtps_epi32(_mm512_mul_ps(
            _mm512_cvtepi32_ps(acc[row][panel]),
            _mm512_loadu_ps(multiplier + 16 * panel)));
      }
      t[i][h] = _mm512_packs_epi32(v[0], v[1]);
    }
  }
  const struct apus_curve_avx512 curve = apus_hold_curve_avx512(s->curve);
  const __m128i fraction = _mm_cvtsi32_si128((int)s->fraction);
  UNROLL for (int i = 0; i < groups; i++) {
    UNROLL for (int h = 0; h < 2; h++) {
      const struct apus_curve_columns_avx512 columns = curve_columns(block, h);
      t[i][h] = apus_curve_avx512(&curve, &columns, t[i][h], ramp);
    }
    if (added) {
      const __m512i none = _mm512_setzero_si512();
      const __m512i bytes = residual_bytes(block, at, i * group, rows, panels, strided);
      const __m512i low = _mm512_srli_epi16(_mm512_unpacklo_epi8(none, bytes), 1);
      const __m512i high = _mm512_srli_epi16(_mm512_unpackhi_epi8(none, bytes), 1);
      t[i][0] = _mm512_adds_epi16(
          t[i][0], _mm512_mulhrs_epi16(low, _mm512_load_si512(block->residual_ratio)));
      t[i][1] = _mm512_adds_epi16(
          t[i][1], _mm512_mulhrs_epi16(high, _mm512_load_si512(block->residual_ratio + 32)));
    }
    const __m512i bytes = in_order(
        _mm512_sra_epi16(t[i][0], fraction), _mm512_sra_epi16(t[i][1], fraction));
    put(&target, bytes, i * group, rows, panels, strided);
  }
}

#include "general_avx512.h"
#include "simple_avx512.h"

#pragma clang attribute pop
#endif
