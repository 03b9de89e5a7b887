/* check.c: how the process ends when an assertion does not hold (check.h). */
#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *file, int line, const char *expression)
{
    fprintf(stderr, "millrace: %s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

_Noreturn void check_out_of_memory(size_t bytes)
{
    fprintf(stderr, "millrace: out of memory: could not get %zu bytes\n", bytes);
    abort();
}
