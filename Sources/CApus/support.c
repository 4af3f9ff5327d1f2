#include "apus_support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t message_key;
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;

void capus_lock(void) { pthread_mutex_lock(&table_mutex); }

void capus_unlock(void) { pthread_mutex_unlock(&table_mutex); }

/* A fork takes the lock, so that the child finds the table whole and the lock free. */
__attribute__((constructor)) static void prepare(void) {
  pthread_key_create(&message_key, free);
  pthread_atfork(capus_lock, capus_unlock, capus_unlock);
}

/* Thread-specific memory of the thread that ends the process is not freed by pthreads. */
__attribute__((destructor)) static void finish(void) {
  free(pthread_getspecific(message_key));
  pthread_setspecific(message_key, NULL);
  pthread_key_delete(message_key);
}

void capus_set_message(const char *bytes, size_t count) {
  char *message = realloc(pthread_getspecific(message_key), count + 1);
  if (message == NULL) return;
  memcpy(message, bytes, count);
  message[count] = 0;
  pthread_setspecific(message_key, message);
}

const char *capus_message(void) {
  const char *message = pthread_getspecific(message_key);
  return message == NULL ? "" : message;
}

int capus_try_compiler(void) {
  if (capus_install_compiler == NULL) return 0;
  capus_install_compiler();
  return 1;
}

/* hypotf of glibc 2.35 and later has a version of its own, which would keep the libraries off older
 * systems though only Swift's overlay of glibc names it: they are linked with this one. */
float capus_hypotf(float x, float y) {
  return (float)sqrt((double)x * (double)x + (double)y * (double)y);
}
