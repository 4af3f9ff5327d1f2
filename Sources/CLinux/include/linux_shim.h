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

// Reads that other threads' writes may race with.
static inline uint32_t cl_load(const uint32_t *address) {
  return __atomic_load_n(address, __ATOMIC_RELAXED);
}
static inline int32_t cl_load_signed(const int32_t *address) {
  return __atomic_load_n(address, __ATOMIC_RELAXED);
}
// *address = min(*address, value)
static inline void cl_store_minimum(int32_t *address, int32_t value) {
  int32_t old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (value < old && !__atomic_compare_exchange_n(address, &old, value, true,
                                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
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

// Waits for *address to differ from `value`, about as long as it would take to sleep and be woken;
// says whether it does. Whoever else wants the processor meanwhile gets it.
bool cl_wait_briefly(const uint32_t *address, uint32_t value);
// Sleeps while *address == expected, or until woken. Spurious returns are possible.
void cl_futex_wait(uint32_t *address, uint32_t expected);
// Wakes up to `count` sleepers of `address`.
void cl_futex_wake(uint32_t *address, int count);

// A clock for measuring, in nanoseconds.
uint64_t cl_nanoseconds(void);

// Stores that other threads' reads may race with.
static inline void cl_store(uint32_t *address, uint32_t value) {
  __atomic_store_n(address, value, __ATOMIC_RELAXED);
}

// The number of processors that this thread may use.
int cl_affinity_count(void);

// Lets the threads of this process share at most `count` heaps, instead of several for each
// processor: what one thread allocates and another frees then finds its way back.
void cl_limit_heaps(int count);

#endif
