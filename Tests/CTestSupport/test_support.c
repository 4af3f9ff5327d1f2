#include "test_support.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

int32_t ts_fork(void) { return fork(); }

static bool is_counting;
static uint64_t allocation_count;

void ts_start_counting_allocations(void) {
  __atomic_store_n(&allocation_count, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&is_counting, true, __ATOMIC_SEQ_CST);
}

uint64_t ts_stop_counting_allocations(void) {
  __atomic_store_n(&is_counting, false, __ATOMIC_SEQ_CST);
  return __atomic_load_n(&allocation_count, __ATOMIC_SEQ_CST);
}

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

// A program's own definitions take the place of the C library's for every shared library that it
// loads; the library keeps its own under these names.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void count(void) {
  if (__atomic_load_n(&is_counting, __ATOMIC_RELAXED)) {
    __atomic_fetch_add(&allocation_count, 1, __ATOMIC_RELAXED);
  }
}

void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
  count();
  return __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size) {
  count();
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

#endif
