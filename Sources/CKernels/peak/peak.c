#include "peak.h"

// Sums of floats start at 2 and above: from 1, 1 · 0.999 + 0.001 = 1 would be made once, and
// counted in every round.
enum { ROUNDS = 20000, FIRST = 2 };

int64_t apus_peak_portable(float *sink) {
  float sums[32] = {0};
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < 32; i++) sums[i] = sums[i] * 0.999f + 0.001f;
  }
  for (int i = 0; i < 32; i++) *sink += sums[i];
  return (int64_t)ROUNDS * 32 * 2;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2,fma"))) int64_t apus_peak_f32_avx2(float *sink) {
  __m256 sums[12];
  __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int i = 0; i < 12; i++) sums[i] = _mm256_set1_ps((float)(i + FIRST));
  for (int round = 0; round < ROUNDS; round++) {
    _Pragma("unroll") for (int i = 0; i < 12; i++) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  }
  for (int i = 0; i < 12; i++) *sink += _mm256_cvtss_f32(sums[i]);
  return (int64_t)ROUNDS * 12 * 8 * 2;
}

// Without VL the compiler would use only half of the registers, and spill.
__attribute__((target("avx512f,avx512vl"))) int64_t apus_peak_f32_avx512(float *sink) {
  __m512 sums[24];
  __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int i = 0; i < 24; i++) sums[i] = _mm512_set1_ps((float)(i + FIRST));
  for (int round = 0; round < ROUNDS; round++) {
    _Pragma("unroll") for (int i = 0; i < 24; i++) sums[i] = _mm512_fmadd_ps(sums[i], a, b);
  }
  for (int i = 0; i < 24; i++) *sink += _mm512_cvtss_f32(sums[i]);
  return (int64_t)ROUNDS * 24 * 16 * 2;
}

__attribute__((target("avx512f,avx512vl,avx512bf16")))
int64_t apus_peak_bf16_avx512bf16(float *sink) {
  __m512 sums[24];
  __m512bh a = (__m512bh)_mm512_set1_epi32(0x3c003c00), b = (__m512bh)_mm512_set1_epi32(0x3c003c00);
  for (int i = 0; i < 24; i++) sums[i] = _mm512_set1_ps((float)(i + FIRST));
  for (int round = 0; round < ROUNDS; round++) {
    _Pragma("unroll") for (int i = 0; i < 24; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
  }
  for (int i = 0; i < 24; i++) *sink += _mm512_cvtss_f32(sums[i]);
  return (int64_t)ROUNDS * 24 * 32 * 2;
}

// 8-bit factors, four to a sum.
__attribute__((target("avx2"))) int64_t apus_peak_i8_avx2(float *sink) {
  __m256i sums[12];
  __m256i a = _mm256_set1_epi32(0x00010002), b = _mm256_set1_epi32(0x00030001);
  for (int i = 0; i < 12; i++) sums[i] = _mm256_set1_epi32(i);
  for (int round = 0; round < ROUNDS; round++) {
    // Without this the products would be made once.
    __asm__("" : "+x"(a), "+x"(b));
    _Pragma("unroll") for (int i = 0; i < 12; i++) {
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(a, b));
      __asm__("" : "+x"(a));
    }
  }
  for (int i = 0; i < 12; i++) *sink += (float)_mm256_cvtsi256_si32(sums[i]);
  return (int64_t)ROUNDS * 12 * 16 * 2;
}

__attribute__((target("avx2,avxvnni"))) int64_t apus_peak_i8_avxvnni(float *sink) {
  __m256i sums[12];
  __m256i a = _mm256_set1_epi32(0x01020304), b = _mm256_set1_epi32(0x04030201);
  for (int i = 0; i < 12; i++) sums[i] = _mm256_set1_epi32(i);
  for (int round = 0; round < ROUNDS; round++) {
    _Pragma("unroll") for (int i = 0; i < 12; i++) {
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], a, b);
    }
  }
  for (int i = 0; i < 12; i++) *sink += (float)_mm256_cvtsi256_si32(sums[i]);
  return (int64_t)ROUNDS * 12 * 32 * 2;
}

__attribute__((target("avx512f,avx512vl,avx512vnni")))
int64_t apus_peak_i8_avx512vnni(float *sink) {
  __m512i sums[24];
  __m512i a = _mm512_set1_epi32(0x01020304), b = _mm512_set1_epi32(0x04030201);
  for (int i = 0; i < 24; i++) sums[i] = _mm512_set1_epi32(i);
  for (int round = 0; round < ROUNDS; round++) {
    _Pragma("unroll") for (int i = 0; i < 24; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
  }
  for (int i = 0; i < 24; i++) *sink += (float)_mm512_cvtsi512_si32(sums[i]);
  return (int64_t)ROUNDS * 24 * 64 * 2;
}

#else

int64_t apus_peak_i8_avx2(float *sink) { return apus_peak_portable(sink); }
int64_t apus_peak_i8_avxvnni(float *sink) { return apus_peak_portable(sink); }
int64_t apus_peak_i8_avx512vnni(float *sink) { return apus_peak_portable(sink); }
int64_t apus_peak_f32_avx2(float *sink) { return apus_peak_portable(sink); }
int64_t apus_peak_f32_avx512(float *sink) { return apus_peak_portable(sink); }
int64_t apus_peak_bf16_avx512bf16(float *sink) { return apus_peak_portable(sink); }

#endif
