/* memory.h: long-lived state: made and freed by apply, restore and what time does to views; the third home for memory.
 *
 * Fails    without memory the process aborts: what decides already bounded it (limits.h).
 */
#ifndef MILLRACE_SERVICE_SQS_MEMORY_H
#define MILLRACE_SERVICE_SQS_MEMORY_H

#include "base/check.h"
#include <stddef.h>
#include <stdlib.h>

static inline void *memory_new(size_t size) /* not zeroed */
{
    void *p = malloc(size);
    if (UNLIKELY(!p))
        check_out_of_memory(size);
    return p;
}
static inline void *memory_zero(size_t size)
{
    void *p = calloc(1, size);
    if (UNLIKELY(!p))
        check_out_of_memory(size);
    return p;
}
static inline void *memory_resize(void *p, size_t size)
{
    p = realloc(p, size);
    if (UNLIKELY(!p))
        check_out_of_memory(size);
    return p;
}
static inline void memory_free(void *p)
{
    free(p);
}

#endif
