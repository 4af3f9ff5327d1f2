#include "worker_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "linux_shim.h"

// What a worker waits on; on cache lines of its own.
typedef struct {
  _Alignas(128) uint32_t epoch;  // rises by one for every run that the worker takes part in
  uint32_t is_asleep;
  int32_t part;
  cl_work work;
  void *context;
} worker_cell;

static struct {
  pthread_mutex_t starting;
  bool watches_forks;
  _Alignas(128) uint32_t is_busy;
  int32_t worker_count;
  worker_cell *cells[CL_LARGEST_TEAM - 1];
  _Alignas(128) uint32_t remaining;  // parts of the current run that other threads still do
  uint32_t caller_is_asleep;
} pool = {.starting = PTHREAD_MUTEX_INITIALIZER};

// Waits until *address differs from `value`; announces itself in *is_asleep before it sleeps.
static void wait_for_change(uint32_t *address, uint32_t value, uint32_t *is_asleep) {
  if (cl_wait_briefly(address, value)) return;
  __atomic_store_n(is_asleep, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(address, __ATOMIC_SEQ_CST) == value) cl_futex_wait(address, value);
  __atomic_store_n(is_asleep, 0, __ATOMIC_RELAXED);
}

static void *worker_main(void *argument) {
  worker_cell *cell = argument;
  uint32_t seen = 0;
  for (;;) {
    wait_for_change(&cell->epoch, seen, &cell->is_asleep);
    seen++;
    cell->work(cell->context, cell->part);
    uint32_t left = __atomic_sub_fetch(&pool.remaining, 1, __ATOMIC_SEQ_CST);
    if (left == 0 && __atomic_load_n(&pool.caller_is_asleep, __ATOMIC_SEQ_CST) != 0) {
      cl_futex_wake(&pool.remaining, 1);
    }
  }
  return NULL;
}

// The child has only the thread that forked. The cells are given up: a sleeping worker's memory
// must not be reused, and the child cannot know that none was there.
static void after_fork_in_child(void) {
  pthread_mutex_init(&pool.starting, NULL);
  pool.is_busy = 0;
  pool.worker_count = 0;
  pool.remaining = 0;
  pool.caller_is_asleep = 0;
}

static int start_worker(int32_t index) {
  worker_cell *cell = aligned_alloc(_Alignof(worker_cell), sizeof(worker_cell));
  if (!cell) return ENOMEM;
  memset(cell, 0, sizeof *cell);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Signals are the application's: its own threads handle them.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, worker_main, cell);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&attributes);
  if (error) {
    free(cell);
    return error;
  }
  pthread_setname_np(thread, "apus-worker");
  pool.cells[index] = cell;
  return 0;
}

int cl_pool_prepare(int32_t parts) {
  if (parts < 1 || parts > CL_LARGEST_TEAM) return EINVAL;
  if (__atomic_load_n(&pool.worker_count, __ATOMIC_ACQUIRE) >= parts - 1) return 0;
  int error = 0;
  pthread_mutex_lock(&pool.starting);
  if (!pool.watches_forks) {
    error = pthread_atfork(NULL, NULL, after_fork_in_child);
    pool.watches_forks = error == 0;
  }
  while (error == 0 && pool.worker_count < parts - 1) {
    error = start_worker(pool.worker_count);
    if (error == 0) {
      __atomic_store_n(&pool.worker_count, pool.worker_count + 1, __ATOMIC_RELEASE);
    }
  }
  pthread_mutex_unlock(&pool.starting);
  return error;
}

bool cl_pool_run(cl_work work, void *context, int32_t parts) {
  int32_t others = parts - 1;
  if (others < 0 || __atomic_load_n(&pool.worker_count, __ATOMIC_ACQUIRE) < others) return false;
  uint32_t idle = 0;
  if (!__atomic_compare_exchange_n(&pool.is_busy, &idle, 1, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED)) {
    return false;
  }
  __atomic_store_n(&pool.remaining, (uint32_t)others, __ATOMIC_RELAXED);
  for (int32_t index = 0; index < others; index++) {
    worker_cell *cell = pool.cells[index];
    cell->work = work;
    cell->context = context;
    cell->part = index + 1;
    __atomic_add_fetch(&cell->epoch, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cell->is_asleep, __ATOMIC_SEQ_CST) != 0) {
      cl_futex_wake(&cell->epoch, 1);
    }
  }
  work(context, 0);
  for (;;) {
    uint32_t left = __atomic_load_n(&pool.remaining, __ATOMIC_ACQUIRE);
    if (left == 0) break;
    wait_for_change(&pool.remaining, left, &pool.caller_is_asleep);
  }
  __atomic_store_n(&pool.is_busy, 0, __ATOMIC_RELEASE);
  return true;
}

int32_t cl_pool_worker_count(void) {
  return __atomic_load_n(&pool.worker_count, __ATOMIC_ACQUIRE);
}
