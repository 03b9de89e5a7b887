/* memory.c: the bytes that malloc gave to this program, so that the server's part of them can be weighed: what goes when it
 * is abandoned. The linker puts these functions in the place of malloc and its like (CMakeLists.txt); what libc and
 * libcrypto take for themselves is not seen. */
#include "sim.h"
#include <malloc.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);
void __wrap_free(void *p);

static size_t held;

/* Large blocks come from the same place whatever was freed before: else equal ones may weigh a page more or less. */
void memory_begin(void)
{
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

size_t memory_held(void)
{
    return held;
}

static void *taken(void *p)
{
    held += malloc_usable_size(p);
    return p;
}

void *__wrap_malloc(size_t size)
{
    return taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return taken(__real_calloc(count, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    size_t before = malloc_usable_size(p);
    void *again = __real_realloc(p, size);
    if (again)
        held -= before;
    return taken(again);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return taken(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
    int error = __real_posix_memalign(ret, alignment, size);
    if (!error)
        taken(*ret);
    return error;
}

void __wrap_free(void *p)
{
    held -= malloc_usable_size(p);
    __real_free(p);
}
