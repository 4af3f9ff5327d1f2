#include "cpu.h"

#if defined(__x86_64__)

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

int apus_cpu_has(const char *flag) {
  __builtin_cpu_init();
  if (same(flag, "avx2")) return __builtin_cpu_supports("avx2") != 0;
  if (same(flag, "fma")) return __builtin_cpu_supports("fma") != 0;
  if (same(flag, "avx_vnni")) return __builtin_cpu_supports("avxvnni") != 0;
  if (same(flag, "avx512f")) return __builtin_cpu_supports("avx512f") != 0;
  if (same(flag, "avx512bw")) return __builtin_cpu_supports("avx512bw") != 0;
  if (same(flag, "avx512vl")) return __builtin_cpu_supports("avx512vl") != 0;
  if (same(flag, "avx512dq")) return __builtin_cpu_supports("avx512dq") != 0;
  if (same(flag, "avx512vbmi")) return __builtin_cpu_supports("avx512vbmi") != 0;
  if (same(flag, "avx512_vnni")) return __builtin_cpu_supports("avx512vnni") != 0;
  if (same(flag, "avx512_bf16")) return __builtin_cpu_supports("avx512bf16") != 0;
  return 0;
}

#else

int apus_cpu_has(const char *flag) {
  (void)flag;
  return 0;
}

#endif
