// Plain C in lanes: at the base instruction set these passes already keep up with memory, but for
// the counting itself, which no vector instruction helps.

#include "histogram.h"

enum { LANES = 16, BLOCK = 64 };

void apus_extent_f32(const float *x, int64_t count, float *low, float *high, uint32_t *nan) {
  float lows[LANES], highs[LANES];
  int32_t unordered[LANES];
  for (int lane = 0; lane < LANES; lane++) {
    lows[lane] = *low;
    highs[lane] = *high;
    unordered[lane] = 0;
  }
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int lane = 0; lane < LANES; lane++) {
      float value = x[i + lane];
      lows[lane] = value < lows[lane] ? value : lows[lane];
      highs[lane] = value > highs[lane] ? value : highs[lane];
      unordered[lane] |= value != value;
    }
  }
  for (int lane = 0; i < count; i++, lane++) {
    float value = x[i];
    lows[lane] = value < lows[lane] ? value : lows[lane];
    highs[lane] = value > highs[lane] ? value : highs[lane];
    unordered[lane] |= value != value;
  }
  for (int lane = 0; lane < LANES; lane++) {
    *low = lows[lane] < *low ? lows[lane] : *low;
    *high = highs[lane] > *high ? highs[lane] : *high;
    *nan |= (uint32_t)unordered[lane];
  }
}

void apus_extent_columns_f32(const float *restrict x, int64_t rows, int64_t columns, int64_t stride,
                             float *restrict low, float *restrict high, uint32_t *restrict nan) {
  int32_t unordered = 0;
  int64_t first = 0;
  for (; first + LANES <= columns; first += LANES) {
    float lows[LANES], highs[LANES];
    int32_t marks[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      lows[lane] = low[first + lane];
      highs[lane] = high[first + lane];
      marks[lane] = 0;
    }
    for (int64_t row = 0; row < rows; row++) {
      const float *values = x + row * stride + first;
      for (int lane = 0; lane < LANES; lane++) {
        float value = values[lane];
        lows[lane] = value < lows[lane] ? value : lows[lane];
        highs[lane] = value > highs[lane] ? value : highs[lane];
        marks[lane] |= value != value;
      }
    }
    for (int lane = 0; lane < LANES; lane++) {
      low[first + lane] = lows[lane];
      high[first + lane] = highs[lane];
      unordered |= marks[lane];
    }
  }
  for (int64_t row = 0; row < rows; row++) {
    const float *values = x + row * stride;
    for (int64_t column = first; column < columns; column++) {
      float value = values[column];
      low[column] = value < low[column] ? value : low[column];
      high[column] = value > high[column] ? value : high[column];
      unordered |= value != value;
    }
  }
  *nan |= (uint32_t)unordered;
}

// The bin of an element. The product is exact or underflows towards the element's own side of zero,
// so that bins of a coarser histogram are exactly pairs of bins of a finer one.
static inline int32_t bin(float value, float scale) {
  float scaled = value * scale;
  scaled = scaled > -(float)APUS_HISTOGRAM_SIDE ? scaled : -(float)APUS_HISTOGRAM_SIDE;
  scaled = scaled < APUS_HISTOGRAM_SIDE - 0.5f ? scaled : APUS_HISTOGRAM_SIDE - 0.5f;
  int32_t whole = (int32_t)scaled;
  whole -= ((float)whole > scaled) | ((scaled == 0) & (value < 0));
  return whole + APUS_HISTOGRAM_SIDE;
}

void apus_histogram_f32(const float *restrict x, int64_t count, float scale,
                        uint32_t *restrict tables, uint64_t *restrict zeros) {
  int64_t i = 0;
  uint64_t zero = 0;
  for (; i + BLOCK <= count; i += BLOCK) {
    int32_t bins[BLOCK];
    int32_t found = 0;
    for (int k = 0; k < BLOCK; k++) {
      bins[k] = bin(x[i + k], scale);
      found += x[i + k] == 0;
    }
    zero += (uint64_t)found;
    for (int k = 0; k < BLOCK; k += APUS_HISTOGRAM_TABLES) {
      for (int table = 0; table < APUS_HISTOGRAM_TABLES; table++) {
        tables[table * APUS_HISTOGRAM_BINS + bins[k + table]]++;
      }
    }
  }
  for (; i < count; i++) {
    tables[bin(x[i], scale)]++;
    zero += x[i] == 0;
  }
  *zeros += zero;
}
