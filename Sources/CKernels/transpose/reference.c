// Transposition of elements of 1, 2, 4 and 8 bytes, portable.
#include "transpose.h"

#define REFERENCE(bytes)                                                               \
  void apus_transpose_##bytes##_reference(const struct apus_transpose *t) {            \
    if (special_##bytes(t)) return;                                                    \
    plain_##bytes(t->src, t->src_stride, t->dst, t->dst_stride, t->rows, t->columns);  \
  }

#define ELEMENT uint8_t
#define NAME(name) name##_1
#include "generic.h"
#undef ELEMENT
#undef NAME
REFERENCE(1)

#define ELEMENT uint16_t
#define NAME(name) name##_2
#include "generic.h"
#undef ELEMENT
#undef NAME
REFERENCE(2)

#define ELEMENT uint32_t
#define NAME(name) name##_4
#include "generic.h"
#undef ELEMENT
#undef NAME
REFERENCE(4)

#define ELEMENT uint64_t
#define NAME(name) name##_8
#include "generic.h"
#undef ELEMENT
#undef NAME
REFERENCE(8)
