// Statistics of activations for calibration: extents, and histograms whose bins have a width that
// is a power of two and edges at its multiples.
//
// Contract: no allocation, no globals, re-entrant; sizes in elements; pointers need no alignment;
// nothing is read or written outside what the sizes say.

#ifndef APUS_HISTOGRAM_H
#define APUS_HISTOGRAM_H

#include <stdint.h>

enum {
  // The bins on each side of zero.
  APUS_HISTOGRAM_SIDE = 4096,
  // The bins of one table.
  APUS_HISTOGRAM_BINS = 2 * APUS_HISTOGRAM_SIDE,
  // The tables that are counted into in turn, so that equal neighbours do not wait for each other.
  APUS_HISTOGRAM_TABLES = 4
};

// Widens low and high, one value each, by `count` dense elements. NaN leaves them as they are and
// sets `nan` to something else than 0.
void apus_extent_f32(const float *x, int64_t count, float *low, float *high, uint32_t *nan);

// Widens low[c] and high[c] by the elements of column c: `rows` rows of `columns` elements, which
// lie `stride` elements apart. NaN as above.
void apus_extent_columns_f32(const float *x, int64_t rows, int64_t columns, int64_t stride,
                             float *low, float *high, uint32_t *nan);

// Adds 1 for each of `count` dense elements, at most 2^32 − 1, to bin
// floor(x · scale) + APUS_HISTOGRAM_SIDE of one of the tables, which lie one behind the other;
// elements beyond the bins count in the outermost. `scale` is a power of two. Adds the number of
// elements that are zero to `zeros`; they count in their bin too.
void apus_histogram_f32(const float *x, int64_t count, float scale, uint32_t *tables,
                        uint64_t *zeros);

#endif
