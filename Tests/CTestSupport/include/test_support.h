// What tests need of C: a count of allocations, and fork, which Swift does not import.
#ifndef APUS_TEST_SUPPORT_H
#define APUS_TEST_SUPPORT_H

#include <stdint.h>

// Starts counting the allocations of all threads of this process, from 0.
void ts_start_counting_allocations(void);
// Stops and returns the count.
uint64_t ts_stop_counting_allocations(void);

// fork(2).
int32_t ts_fork(void);

#endif
