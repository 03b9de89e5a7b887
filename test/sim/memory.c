/* memory.c: the bytes that this program asked malloc for, so that the server's part of them can be weighed: what goes when it
 * is abandoned. The linker puts these functions in the place of malloc and its like (CMakeLists.txt); what libc and
 * libcrypto take for themselves is not seen, and never freed here. Each block tells its size in front of it: what malloc
 * makes of it depends on all that was freed before, and one seed is one history. */
#include "sim.h"
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

enum { MAGIC = 0x5eedb10c };

struct front {               /* of a block */
    uint32_t magic, skipped; /* from where the real one begins */
    uint64_t size;
};
static_assert(sizeof(struct front) == 16, "blocks stay aligned");

static size_t held;

size_t memory_held(void)
{
    return held;
}

static void *give(void *real, size_t skipped, size_t size)
{
    if (!real)
        return NULL;
    struct front *f = (struct front *)((char *)real + skipped) - 1;
    *f = (struct front){ MAGIC, (uint32_t)skipped, size };
    held += sizeof(*f) + size;
    return f + 1;
}

static struct front *take(void *p)
{
    struct front *f = (struct front *)p - 1;
    ASSERT(f->magic == MAGIC);
    held -= sizeof(*f) + f->size;
    return f;
}

static size_t with_front(size_t size)
{
    ASSERT(size <= SIZE_MAX / 2);
    return size + sizeof(struct front);
}

void *__wrap_malloc(size_t size)
{
    return give(__real_malloc(with_front(size)), sizeof(struct front), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    ASSERT(size == 0 || count <= SIZE_MAX / 2 / size);
    return give(__real_calloc(1, with_front(count * size)), sizeof(struct front), count * size);
}

void *__wrap_realloc(void *p, size_t size)
{
    if (!p)
        return __wrap_malloc(size);
    struct front *f = take(p);
    ASSERT(f->skipped == sizeof(*f));
    return give(__real_realloc(f, with_front(size)), sizeof(*f), size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    size_t skipped = alignment > sizeof(struct front) ? alignment : sizeof(struct front);
    return give(__real_aligned_alloc(alignment, skipped + size), skipped, size);
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
    size_t skipped = alignment > sizeof(struct front) ? alignment : sizeof(struct front);
    int error = __real_posix_memalign(ret, alignment, skipped + size);
    if (!error)
        *ret = give(*ret, skipped, size);
    return error;
}

void __wrap_free(void *p)
{
    if (!p)
        return;
    struct front *f = take(p);
    f->magic = 0;
    __real_free((char *)p - f->skipped);
}
