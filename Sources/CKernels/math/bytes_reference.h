// 16 numbers as bytes, plain C. Included after lanes_reference.h and wide.h.
#ifndef APUS_MATH_BYTES_REFERENCE_H
#define APUS_MATH_BYTES_REFERENCE_H

// clamp(round(x) + zero, 0, 255): to nearest, ties to even; NaN becomes 0. `zero` is within
// 0 … 255.
INLINE void wide_bytes(uint8_t *out, Wide x, int32_t zero) {
  EACH_PART {
    V bounded = M(max)(x.v[j], M(splat)(-1048576.0f));
    bounded = M(round)(M(min)(bounded, M(splat)(1048576.0f)));
    for (int k = 0; k < LANES; k++) {
      // A NaN fails both comparisons.
      const float v = x.v[j][k] == x.v[j][k] ? bounded[k] : -1048576.0f;
      const int32_t q = (int32_t)v + zero;
      out[j * LANES + k] = (uint8_t)(q < 0 ? 0 : q > 255 ? 255 : q);
    }
  }
}

#endif
