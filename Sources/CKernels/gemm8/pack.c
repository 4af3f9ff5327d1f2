// Packing what is only known at run time.
#include "gemm8.h"

enum { PANEL = 16 };

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef int16_t halves __attribute__((vector_size(16)));
typedef uint16_t unsigned_halves __attribute__((vector_size(16)));
typedef int32_t words __attribute__((vector_size(16)));
typedef uint32_t unsigned_words __attribute__((vector_size(16)));

static bytes load(const uint8_t *p) {
  bytes x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

#define LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_PAIRS(a, b) \
  __builtin_shufflevector(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23)
#define HIGH_PAIRS(a, b) \
  __builtin_shufflevector(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31)
#define LOW_WORDS(a, b) (bytes)__builtin_shufflevector((words)(a), (words)(b), 0, 4, 1, 5)
#define HIGH_WORDS(a, b) (bytes)__builtin_shufflevector((words)(a), (words)(b), 2, 6, 3, 7)
#define LOW_TWO(a, b) (bytes)__builtin_shufflevector((words)(a), (words)(b), 0, 1, 4, 5)
#define HIGH_TWO(a, b) (bytes)__builtin_shufflevector((words)(a), (words)(b), 2, 3, 6, 7)

// The sums of four columns each, of the elements as they were: by pairs, while 16 bits hold them.
struct sums {
  unsigned_halves pairs[4];
  unsigned_words totals[4];
};

// Four elements each of columns 4 q ..< 4 q + 4.
static inline void put(bytes x, size_t q, int8_t *target, struct sums *sums) {
  const bytes signs = x ^ 0x80;
  __builtin_memcpy(target + 16 * q, &signs, sizeof signs);
  sums->pairs[q] += ((unsigned_halves)x & 0xff) + ((unsigned_halves)x >> 8);
}

static void fold(struct sums *sums) {
  for (size_t q = 0; q < 4; q++) {
    const unsigned_words pairs = (unsigned_words)sums->pairs[q];
    sums->totals[q] += (pairs & 0xffff) + (pairs >> 16);
    sums->pairs[q] = (unsigned_halves){0};
  }
}

// Four rows of 16 consecutive columns, interleaved, of which `some` exist: others become zeros.
static inline void pack_rows(
    const uint8_t *source, ptrdiff_t step, size_t some, int8_t *target, struct sums *sums) {
  bytes r[4];
  for (size_t i = 0; i < 4; i++) {
    r[i] = i < some ? load(source + (ptrdiff_t)i * step) : (bytes){} + 0x80;
  }
  const bytes low01 = LOW(r[0], r[1]), high01 = HIGH(r[0], r[1]);
  const bytes low23 = LOW(r[2], r[3]), high23 = HIGH(r[2], r[3]);
  put(LOW_PAIRS(low01, low23), 0, target, sums);
  put(HIGH_PAIRS(low01, low23), 1, target, sums);
  put(LOW_PAIRS(high01, high23), 2, target, sums);
  put(HIGH_PAIRS(high01, high23), 3, target, sums);
}

// Sixteen columns, `step` apart, of 16 elements each that lie together.
static inline void pack_columns(
    const uint8_t *source, ptrdiff_t step, int8_t *target, struct sums *sums) {
  for (size_t q = 0; q < 4; q++, source += 4 * step) {
    const bytes c0 = load(source), c1 = load(source + step);
    const bytes c2 = load(source + 2 * step), c3 = load(source + 3 * step);
    const bytes low01 = LOW_WORDS(c0, c1), high01 = HIGH_WORDS(c0, c1);
    const bytes low23 = LOW_WORDS(c2, c3), high23 = HIGH_WORDS(c2, c3);
    put(LOW_TWO(low01, low23), q, target, sums);
    put(HIGH_TWO(low01, low23), q, target + 4 * PANEL, sums);
    put(LOW_TWO(high01, high23), q, target + 8 * PANEL, sums);
    put(HIGH_TWO(high01, high23), q, target + 12 * PANEL, sums);
  }
}

// Four rows of columns that lie anyhow; `depth` of the rows and `columns` exist.
static void pack_some(
    const struct apus_gemm8_pack *p, const uint8_t *source, size_t depth, int8_t *target) {
  for (size_t n = 0; n < PANEL; n++) {
    const uint8_t *from = source + (ptrdiff_t)n * p->column_step;
    uint8_t four[4] = {0, 0, 0, 0};
    if (n < p->columns) {
      for (size_t i = 0; i < depth; i++) four[i] = from[(ptrdiff_t)i * p->depth_step] ^ 0x80;
    }
    __builtin_memcpy(target + 4 * n, four, sizeof four);
  }
}

// The column sums of a packed panel of `steps` times four rows.
static void add_columns(const int8_t *panel, size_t steps, int32_t *sums) {
  // So many steps that 16 bits hold the sums of pairs.
  enum { CHUNK = 64 };
  for (size_t quarter = 0; quarter < 4; quarter++) {
    words total = {0};
    for (size_t first = 0; first < steps; first += CHUNK) {
      const size_t last = steps - first < CHUNK ? steps : first + CHUNK;
      halves pairs = {0};
      for (size_t step = first; step < last; step++) {
        halves x;
        __builtin_memcpy(&x, panel + 4 * PANEL * step + 16 * quarter, sizeof x);
        const halves even = (halves)((unsigned_halves)x << 8) >> 8;
        pairs += even + (x >> 8);
      }
      const words low = (words)((unsigned_words)pairs << 16) >> 16;
      total += low + ((words)pairs >> 16);
    }
    __builtin_memcpy(sums + 4 * quarter, &total, sizeof total);
  }
}

// Packs as many elements of whole columns as it can, and returns their number.
static size_t pack_whole(const struct apus_gemm8_pack *call, struct sums *result) {
  // So many elements that 16 bits hold the sums of pairs.
  enum { CHUNK = 256 };
  // Stores to the target might change what pointers lead to.
  const struct apus_gemm8_pack own = *call, *p = &own;
  const int lie_together = p->column_step == 1;
  const size_t count = lie_together ? (p->depth + 3) / 4 * 4 : p->depth / 16 * 16;
  struct sums sums = {0};
  for (size_t k = 0; k < count;) {
    const size_t end = count - k < CHUNK ? count : k + CHUNK;
    if (lie_together) {
      for (; k < end; k += 4) {
        const uint8_t *source = p->source + (ptrdiff_t)k * p->depth_step;
        const size_t some = p->depth - k;
        if (some >= 4) {
          pack_rows(source, p->depth_step, 4, p->target + k * PANEL, &sums);
        } else {
          pack_rows(source, p->depth_step, some, p->target + k * PANEL, &sums);
        }
      }
    } else {
      for (; k < end; k += 16) {
        pack_columns(p->source + k, p->column_step, p->target + k * PANEL, &sums);
      }
    }
    fold(&sums);
  }
  *result = sums;
  return count;
}

void apus_gemm8_pack_panel(const struct apus_gemm8_pack *p) {
  struct sums sums = {0};
  size_t packed = 0;
  if (p->columns == PANEL && (p->column_step == 1 || p->depth_step == 1)) {
    packed = pack_whole(p, &sums);
  }
  for (size_t k = packed; k < p->depth; k += 4) {
    const size_t some = p->depth - k < 4 ? p->depth - k : 4;
    pack_some(p, p->source + (ptrdiff_t)k * p->depth_step, some, p->target + k * PANEL);
  }
  const size_t left = packed < p->depth ? p->depth - packed : 0;
  add_columns(p->target + packed * PANEL, (left + 3) / 4, p->sums);
  // The elements that are summed are 128 more than what is packed.
  for (size_t n = 0; n < PANEL; n++) {
    const uint32_t whole = sums.totals[n / 4][n % 4] - 128 * (uint32_t)packed;
    p->sums[n] = (int32_t)((uint32_t)p->sums[n] + whole);
  }
}

#if defined(__SSE2__)
#include <emmintrin.h>

uint32_t apus_gemm8_row_sum(const uint8_t *a, size_t count) {
  // Behind 16 zeros, 16 times all bits: what is left of the last 16 elements.
  static const uint8_t masks[32] = {0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
                                    0,   0,   0,   0,   0,   255, 255, 255, 255, 255, 255,
                                    255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  const __m128i none = _mm_setzero_si128();
  if (count < 16) {
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i];
    return sum;
  }
  __m128i total = none, other = none;
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m128i x = _mm_loadu_si128((const __m128i *)(a + i));
    const __m128i y = _mm_loadu_si128((const __m128i *)(a + i + 16));
    total = _mm_add_epi32(total, _mm_sad_epu8(x, none));
    other = _mm_add_epi32(other, _mm_sad_epu8(y, none));
  }
  for (; i < count; i += 16) {
    const size_t left = count - i < 16 ? count - i : 16;
    const __m128i mask = _mm_loadu_si128((const __m128i *)(masks + left));
    const __m128i x = _mm_loadu_si128((const __m128i *)(a + i + left - 16));
    total = _mm_add_epi32(total, _mm_sad_epu8(_mm_and_si128(x, mask), none));
  }
  total = _mm_add_epi32(total, other);
  return (uint32_t)_mm_cvtsi128_si32(total) +
         (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(total, 8));
}
#else
uint32_t apus_gemm8_row_sum(const uint8_t *a, size_t count) {
  // So many steps that 16 bits hold the sums of pairs.
  enum { CHUNK = 128 };
  unsigned_words total = {0};
  size_t i = 0;
  while (i + 16 <= count) {
    const size_t end = count - i < 16 * CHUNK ? count : i + 16 * CHUNK;
    unsigned_halves pairs = {0};
    for (; i + 16 <= end; i += 16) {
      const unsigned_halves x = (unsigned_halves)load(a + i);
      pairs += (x & 0xff) + (x >> 8);
    }
    total += ((unsigned_words)pairs & 0xffff) + ((unsigned_words)pairs >> 16);
  }
  uint32_t sum = total[0] + total[1] + total[2] + total[3];
  for (; i < count; i++) sum += a[i];
  return sum;
}
#endif
