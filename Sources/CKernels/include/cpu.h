// What this processor can do.
#ifndef APUS_CPU_H
#define APUS_CPU_H

// The instruction sets in kernel tables; the numbers are those of Swift's `ISA`.
enum apus_isa {
  APUS_ISA_PORTABLE = 0,
  APUS_ISA_AVX2 = 1,
  APUS_ISA_AVXVNNI = 2,
  APUS_ISA_AVX512 = 3,
  APUS_ISA_AVX512VNNI = 4,
  APUS_ISA_AVX512BF16 = 5,
  APUS_ISA_NEON = 16,
  APUS_ISA_NEONDOT = 17,
};

// Returns 1 if this processor (and its operating system) has the flag, by its name in
// /proc/cpuinfo; 0 otherwise, and for unknown names.
int apus_cpu_has(const char *flag);

#endif
