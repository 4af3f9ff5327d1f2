/* SwiftPM wants a source file; the function is in the fuzzer's library. */
#include "fuzzing.h"
