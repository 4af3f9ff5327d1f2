// The table of recurrent kernels.
#include "cpu.h"
#include "recurrent.h"

#define KERNEL(function, name, isa) apus_accumulate_rows function;
#include "kernels.inc"
#undef KERNEL

#define KERNEL(function, name, isa) {name, isa, function},
static const struct apus_recurrent_kernel kernels[] = {
#include "kernels.inc"
};
#undef KERNEL

const struct apus_recurrent_kernel *apus_recurrent_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
