// The element-wise kernels of 8-bit tensors in plain C.
#include "quantized_elements.h"

#include "../math/lanes_reference.h"

typedef uint8_t B16 __attribute__((vector_size(16)));
typedef apus_i_reference I;

#include "bytes.h"

INLINE B16 load_bytes(const uint8_t *p, size_t count) {
  if (count < 16) return load_some_bytes(p, count);
  B16 x;
  __builtin_memcpy(&x, p, 16);
  return x;
}

INLINE void store_bytes(uint8_t *p, B16 x, size_t count) {
  if (count >= 16) __builtin_memcpy(p, &x, 16);
  else store_some_bytes(p, x, count);
}

INLINE void widen_bytes(B16 x, I *parts) {
  for (int j = 0; j < 4; j++) {
    for (int k = 0; k < 4; k++) parts[j][k] = x[4 * j + k];
  }
}

INLINE B16 narrow_reals(const V *x, const I *zero) {
  B16 result;
  for (int j = 0; j < 4; j++) {
    V bounded = M(max)(x[j], M(splat)(-1048576.0f));
    bounded = M(round)(M(min)(bounded, M(splat)(1048576.0f)));
    I q = __builtin_convertvector(bounded, I) + zero[j];
    for (int k = 0; k < 4; k++) {
      result[4 * j + k] = (uint8_t)(q[k] < 0 ? 0 : q[k] > 255 ? 255 : q[k]);
    }
  }
  return result;
}

#include "generic.h"
