/* kept_blocks.c: for programs that open a store hundreds of times a second: the blocks of a mebibyte and more that it takes
 * (its ring, what a start reads segments into) are kept for the next one, since a sanitizer needs milliseconds to make and
 * forget them. Whoever touches one that was given back is found out all the same. The linker puts these in the place of
 * malloc's (CMakeLists.txt).
 */
#include "base/check.h"
#include "base/limits.h"
#include <sanitizer/asan_interface.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum { BLOCKS_MAX = 8, BLOCK_BYTES_MIN = 1 * MIB };

void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *p);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);
void __wrap_free(void *p);

static struct {
    void *bytes;
    size_t size, alignment;
    bool is_used;
} blocks[BLOCKS_MAX];
static size_t count;

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].is_used || blocks[i].size != size || blocks[i].alignment != alignment)
            continue;
        blocks[i].is_used = true;
        ASAN_UNPOISON_MEMORY_REGION(blocks[i].bytes, size);
        return blocks[i].bytes;
    }
    void *bytes = __real_aligned_alloc(alignment, size);
    if (bytes && size >= BLOCK_BYTES_MIN && count < BLOCKS_MAX) {
        blocks[count].bytes = bytes;
        blocks[count].size = size;
        blocks[count].alignment = alignment;
        blocks[count++].is_used = true;
    }
    return bytes;
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
    *ret = __wrap_aligned_alloc(alignment, size);
    return *ret ? 0 : ENOMEM;
}

void __wrap_free(void *p)
{
    for (size_t i = 0; i < count; i++) {
        if (!p || blocks[i].bytes != p)
            continue;
        ASSERT(blocks[i].is_used);
        blocks[i].is_used = false;
        ASAN_POISON_MEMORY_REGION(p, blocks[i].size);
        return;
    }
    __real_free(p);
}
