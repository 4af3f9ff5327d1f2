// Loops that do nothing but multiply and add in registers: the peak that layers are compared with.
#ifndef APUS_PEAK_H
#define APUS_PEAK_H

#include <stdint.h>

// Each runs a burst of about a millisecond and returns its operations, 2 per multiply-add. The
// result of the sums is stored to `sink`, so that the work cannot be left out.
int64_t apus_peak_portable(float *sink);
int64_t apus_peak_f32_avx2(float *sink);
int64_t apus_peak_f32_avx512(float *sink);
int64_t apus_peak_bf16_avx512bf16(float *sink);
int64_t apus_peak_i8_avx2(float *sink);
int64_t apus_peak_i8_avxvnni(float *sink);
int64_t apus_peak_i8_avx512vnni(float *sink);

#endif
