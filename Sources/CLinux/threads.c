#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct cl_thread {
  pthread_t thread;
};

typedef struct {
  void (*body)(void *);
  void *context;
} cl_task;

static void *thread_main(void *argument) {
  cl_task task = *(cl_task *)argument;
  free(argument);
  task.body(task.context);
  return NULL;
}

int cl_thread_start(const char *name, void (*body)(void *), void *context, cl_thread **thread) {
  cl_thread *handle = malloc(sizeof *handle);
  cl_task *task = malloc(sizeof *task);
  if (!handle || !task) {
    free(handle);
    free(task);
    return ENOMEM;
  }
  task->body = body;
  task->context = context;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int error = pthread_create(&handle->thread, NULL, thread_main, task);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error) {
    free(handle);
    free(task);
    return error;
  }
  char text[16] = {0};
  strncpy(text, name, sizeof text - 1);
  pthread_setname_np(handle->thread, text);
  *thread = handle;
  return 0;
}

void cl_thread_join(cl_thread *thread) {
  pthread_join(thread->thread, NULL);
  free(thread);
}

void cl_thread_detach(cl_thread *thread) {
  pthread_detach(thread->thread);
  free(thread);
}

uint64_t cl_thread_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct cl_monitor {
  pthread_mutex_t lock;
  int32_t count;
  pthread_cond_t conditions[];
};

cl_monitor *cl_monitor_create(int32_t conditions) {
  size_t count = conditions < 0 ? 0 : (size_t)conditions;
  cl_monitor *monitor = malloc(sizeof *monitor + count * sizeof(pthread_cond_t));
  if (!monitor) return NULL;
  pthread_mutex_init(&monitor->lock, NULL);
  monitor->count = (int32_t)count;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  for (size_t index = 0; index < count; index++) {
    pthread_cond_init(&monitor->conditions[index], &attributes);
  }
  pthread_condattr_destroy(&attributes);
  return monitor;
}

void cl_monitor_destroy(cl_monitor *monitor) {
  for (int32_t index = 0; index < monitor->count; index++) {
    pthread_cond_destroy(&monitor->conditions[index]);
  }
  pthread_mutex_destroy(&monitor->lock);
  free(monitor);
}

void cl_monitor_lock(cl_monitor *monitor) { pthread_mutex_lock(&monitor->lock); }

void cl_monitor_unlock(cl_monitor *monitor) { pthread_mutex_unlock(&monitor->lock); }

void cl_monitor_wait(cl_monitor *monitor, int32_t condition, uint64_t until) {
  if (condition < 0 || condition >= monitor->count) return;
  pthread_cond_t *waited = &monitor->conditions[condition];
  if (until == UINT64_MAX) {
    pthread_cond_wait(waited, &monitor->lock);
    return;
  }
  struct timespec time = {
      .tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
  pthread_cond_timedwait(waited, &monitor->lock, &time);
}

void cl_monitor_signal(cl_monitor *monitor, int32_t condition) {
  if (condition < 0 || condition >= monitor->count) return;
  pthread_cond_signal(&monitor->conditions[condition]);
}

void cl_monitor_broadcast(cl_monitor *monitor, int32_t condition) {
  if (condition < 0 || condition >= monitor->count) return;
  pthread_cond_broadcast(&monitor->conditions[condition]);
}
