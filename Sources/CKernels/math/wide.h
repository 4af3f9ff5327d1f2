// 16 lanes on every ISA, whatever its vectors hold. What sums over neighbouring elements is
// written in these, so that the order of the sums, and so the bits, are the same everywhere.
// Included after lanes_<isa>.h.

enum { WIDE = 16, PARTS = WIDE / LANES };

// Lane i is lane i % LANES of v[i / LANES].
typedef struct {
  V v[PARTS];
} Wide;

#define EACH_PART for (int j = 0; j < PARTS; j++)

INLINE Wide wide_splat(float x) {
  Wide all;
  EACH_PART all.v[j] = M(splat)(x);
  return all;
}

// Elements i, i + 1, …: `count` of them, or 16 where there are more; the other lanes are zero.
INLINE Wide wide_load(const void *p, uint32_t type, size_t i, size_t count) {
  Wide x;
  EACH_PART {
    const size_t at = (size_t)j * LANES;
    if (count >= at + LANES) x.v[j] = load(p, type, i + at);
    else if (count <= at) x.v[j] = M(splat)(0.0f);
    else x.v[j] = load_part(p, type, i + at, count - at);
  }
  return x;
}

INLINE void wide_store(void *p, uint32_t type, size_t i, size_t count, Wide x) {
  EACH_PART {
    const size_t at = (size_t)j * LANES;
    if (count >= at + LANES) store(p, type, i + at, x.v[j]);
    else if (count > at) store_part(p, type, i + at, count - at, x.v[j]);
  }
}

// x in the first `count` lanes, `other` in the rest.
INLINE Wide wide_first(Wide x, Wide other, size_t count) {
  EACH_PART {
    const size_t at = (size_t)j * LANES;
    if (count <= at) x.v[j] = other.v[j];
    else if (count < at + LANES) x.v[j] = first_lanes(x.v[j], other.v[j], count - at);
  }
  return x;
}

INLINE Wide wide_add(Wide a, Wide b) {
  EACH_PART a.v[j] = a.v[j] + b.v[j];
  return a;
}

// Halves are added until one lane is left: 8 apart first, 1 apart last.
INLINE float wide_sum(Wide x) {
  for (int half = PARTS / 2; half > 0; half /= 2) {
    for (int j = 0; j < half; j++) x.v[j] = x.v[j] + x.v[j + half];
  }
  return lanes_sum(x.v[0]);
}
