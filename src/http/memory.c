/* memory.c: see memory.h. */
#include "http/memory.h"
#include "base/mutant.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* With the address sanitizer a block in the pool is as forbidden as one given back to malloc. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define FORBID(at, bytes) ASAN_POISON_MEMORY_REGION(at, bytes)
#define ALLOW(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
#else
#define FORBID(at, bytes) ((void)0)
#define ALLOW(at, bytes) ((void)0)
#endif

struct pool_block {
    struct pool_block *next;
};

void pool_init(struct pool *p, size_t block_bytes)
{
    *p = (struct pool){ .block_bytes = block_bytes, .spare_max = POOL_SPARE_BYTES_MAX / block_bytes };
}

void pool_deinit(struct pool *p)
{
    ASSERT(p->taken == 0);
    while (p->spare) {
        struct pool_block *block = p->spare;
        p->spare = block->next;
        ALLOW(block, p->block_bytes);
        free(block);
    }
}

void *pool_take(struct pool *p)
{
    p->taken++;
    struct pool_block *block = p->spare;
    if (LIKELY(block != NULL)) {
        p->spare = block->next;
        p->spare_count--;
        ALLOW(block, p->block_bytes);
        return block;
    }
    block = malloc(p->block_bytes);
    if (!block)
        check_out_of_memory(p->block_bytes);
    return block;
}

void pool_give(struct pool *p, void *given)
{
    struct pool_block *block = given;
    ASSERT(p->taken > 0);
    p->taken--;
    if (p->spare_count >= p->spare_max) {
        free(block);
        return;
    }
    block->next = p->spare;
    p->spare = block;
    p->spare_count++;
    FORBID(block + 1, p->block_bytes - sizeof *block);
}

bool budget_take(struct budget *b, size_t bytes)
{
    uint64_t before = atomic_fetch_add_explicit(&b->held, bytes, memory_order_relaxed);
    if (before + bytes <= b->limit || MUTANT(no_body_budget))
        return true;
    budget_give(b, bytes);
    return false;
}

void budget_take_anyway(struct budget *b, size_t bytes)
{
    atomic_fetch_add_explicit(&b->held, bytes, memory_order_relaxed);
}

void budget_give(struct budget *b, size_t bytes)
{
    uint64_t before = atomic_fetch_sub_explicit(&b->held, bytes, memory_order_relaxed);
    ASSERT(before >= bytes);
}

bool budget_is_over(const struct budget *b)
{
    return atomic_load_explicit(&b->held, memory_order_relaxed) > b->limit;
}

char *body_new(size_t bytes)
{
    return malloc(bytes);
}

char *body_grow(char *body, size_t bytes)
{
    return realloc(body, bytes);
}

void body_free(char *body)
{
    free(body);
}

void *memory_zero(size_t bytes)
{
    size_t rounded = bytes ? (bytes + 63) & ~(size_t)63 : 64;
    void *memory = aligned_alloc(64, rounded);
    if (!memory)
        check_out_of_memory(rounded);
    memset(memory, 0, rounded);
    return memory;
}

void memory_free(void *memory)
{
    free(memory);
}
