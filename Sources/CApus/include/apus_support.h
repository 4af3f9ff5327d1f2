/* What the implementation of apus.h needs of C; not installed. */
#ifndef APUS_SUPPORT_H
#define APUS_SUPPORT_H

#include <stddef.h>

/* Keeps a copy of the bytes as this thread's last message. Freed with the thread. */
void capus_set_message(const char *bytes, size_t count);

/* This thread's last message, "" before the first. */
const char *capus_message(void);

/* The one lock of the handle table: held for a few instructions, free in a forked child. */
void capus_lock(void);
void capus_unlock(void);

/* Brings the compiler into the library; defined where the compiler is linked, and only there. */
__attribute__((weak)) void capus_install_compiler(void);

/* Calls capus_install_compiler. 0 where there is none. */
int capus_try_compiler(void);

/* The square root of x² + y²; Scripts/libraries.sh puts it in the place of libm's hypotf. */
float capus_hypotf(float x, float y);

#endif
