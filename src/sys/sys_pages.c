/* sys_pages.c: see pages.h. */
#include "sys/pages.h"
#include "base/check.h"
#include <sys/mman.h>

void *sys_pages_new(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        check_out_of_memory(bytes);
    return pages;
}

void sys_pages_free(void *pages, size_t bytes)
{
    ASSERT(munmap(pages, bytes) == 0);
}
