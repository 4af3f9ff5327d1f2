// Threads of one's own, their processor time, and a lock with conditions.
#ifndef APUS_THREADS_H
#define APUS_THREADS_H

#include <stdbool.h>
#include <stdint.h>

// A thread that has to be joined or detached once.
typedef struct cl_thread cl_thread;

// Starts a thread that calls `body(context)`. Signals are left to the application's own threads.
// `name` is cut to 15 bytes. Returns 0 or an error number.
int cl_thread_start(const char *name, void (*body)(void *), void *context, cl_thread **thread);
// Waits until the thread has ended, and frees the handle.
void cl_thread_join(cl_thread *thread);
// Leaves the thread to itself, and frees the handle.
void cl_thread_detach(cl_thread *thread);

// The processor time of the calling thread, in nanoseconds.
uint64_t cl_thread_nanoseconds(void);

// A lock with a fixed number of conditions.
typedef struct cl_monitor cl_monitor;

// Returns null where memory is short.
cl_monitor *cl_monitor_create(int32_t conditions);
void cl_monitor_destroy(cl_monitor *monitor);
void cl_monitor_lock(cl_monitor *monitor);
void cl_monitor_unlock(cl_monitor *monitor);
// Waits, with the lock given up meanwhile, for a signal or until cl_nanoseconds() reaches `until`
// (UINT64_MAX: for ever). Spurious returns are possible.
void cl_monitor_wait(cl_monitor *monitor, int32_t condition, uint64_t until);
// Wakes one waiter, or all.
void cl_monitor_signal(cl_monitor *monitor, int32_t condition);
void cl_monitor_broadcast(cl_monitor *monitor, int32_t condition);

#endif
