// The process's one pool of worker threads: fork-join over a fixed number of parts.
//
// Workers sleep on a futex between runs, after a brief wait; each waits on a
// cell of its own, so that a run wakes only the workers that it needs. There is no queue: a run
// that finds the pool busy is told so and does something else. After a fork the child has no
// workers, and gets new ones when it first needs them.
#ifndef APUS_WORKER_POOL_H
#define APUS_WORKER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define CL_LARGEST_TEAM 256

// One part of a run.
typedef void (*cl_work)(void *context, int32_t part);

// Starts the workers that a run of `parts` parts needs and that are missing (the caller's own
// thread does part 0). Returns 0 or an error number. Takes a lock and may allocate.
int cl_pool_prepare(int32_t parts);

// Runs `work` once for every part in 0..<parts, all at the same time, and returns true when all
// are done; returns false at once where another run has the pool or workers are missing. Takes no
// lock and does not allocate.
bool cl_pool_run(cl_work work, void *context, int32_t parts);

// The workers of this process now.
int32_t cl_pool_worker_count(void);

#endif
