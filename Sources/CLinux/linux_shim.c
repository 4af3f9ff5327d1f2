#include "linux_shim.h"

#include <linux/futex.h>
#include <malloc.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// What a wait does before it sleeps. Pauses bridge the gap between short instructions. Then it
// offers the processor to others between pauses, while a long instruction ends elsewhere or a
// caller prepares its next run: at most some 50 microseconds, what a wake-up costs on a virtual
// machine. Without the offers a process that wants the processor slows every instruction; without
// the wait a network of short instructions takes twice its time.
enum { PAUSES = 200, OFFERS = 64, PAUSES_PER_OFFER = 25 };

void cl_futex_wait(uint32_t *address, uint32_t expected) {
  syscall(SYS_futex, address, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void cl_futex_wake(uint32_t *address, int count) {
  syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

bool cl_wait_briefly(const uint32_t *address, uint32_t value) {
  for (int spin = 0; spin < PAUSES; spin++) {
    if (__atomic_load_n(address, __ATOMIC_ACQUIRE) != value) return true;
    cl_pause();
  }
  for (int offer = 0; offer < OFFERS; offer++) {
    sched_yield();
    for (int spin = 0; spin < PAUSES_PER_OFFER; spin++) {
      if (__atomic_load_n(address, __ATOMIC_ACQUIRE) != value) return true;
      cl_pause();
    }
  }
  return false;
}

void cl_barrier_init(cl_barrier *barrier, uint32_t team) {
  barrier->arrived = 0;
  barrier->phase = 0;
  barrier->sleepers = 0;
  barrier->team = team;
}

// The last to arrive resets the count and advances the phase; the others wait for the phase to
// change. A sleeper announces itself before it sleeps, so that the wake-up is a system call only
// when somebody sleeps.
void cl_barrier_wait(cl_barrier *barrier) {
  if (barrier->team <= 1) return;
  uint32_t phase = __atomic_load_n(&barrier->phase, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == barrier->team) {
    __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&barrier->phase, phase + 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&barrier->sleepers, __ATOMIC_SEQ_CST) != 0) {
      cl_futex_wake(&barrier->phase, INT32_MAX);
    }
    return;
  }
  if (cl_wait_briefly(&barrier->phase, phase)) return;
  __atomic_add_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&barrier->phase, __ATOMIC_SEQ_CST) == phase) {
    cl_futex_wait(&barrier->phase, phase);
  }
  __atomic_sub_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
}

uint64_t cl_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int cl_affinity_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}

void cl_limit_heaps(int count) { mallopt(M_ARENA_MAX, count); }
