// What Swift cannot import from Linux: futex, affinity. Small on purpose.
#ifndef APUS_LINUX_SHIM_H
#define APUS_LINUX_SHIM_H

#include <stdbool.h>
#include <stdint.h>

// A spinning hint for the processor.
static inline void cl_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// A barrier for a fixed team of threads. It spins briefly and then sleeps on a futex.
typedef struct {
  uint32_t arrived;
  uint32_t phase;
  uint32_t sleepers;
  uint32_t team;
} cl_barrier;

// Prepares `barrier` for `team` threads (at least 1).
void cl_barrier_init(cl_barrier *barrier, uint32_t team);
// Returns after every thread of the team has called it once more.
void cl_barrier_wait(cl_barrier *barrier);

// Sleeps while *address == expected, or until woken. Spurious returns are possible.
void cl_futex_wait(uint32_t *address, uint32_t expected);
// Wakes up to `count` sleepers of `address`.
void cl_futex_wake(uint32_t *address, int count);

// The number of processors that this thread may use.
int cl_affinity_count(void);

#endif
