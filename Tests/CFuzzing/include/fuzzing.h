#ifndef APUS_FUZZING_H
#define APUS_FUZZING_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's own entry, for programs that have a main function. Calls `body` with inputs until its
   options say to stop. */
int LLVMFuzzerRunDriver(
    int *argument_count, char ***arguments, int (*body)(const uint8_t *bytes, size_t count));

#endif
