/* arena.c: blocks behind the bump pointer of arena.h.
 *
 *   blocks -> [header|....used....|at  free  end]  ->  [header|....used....]  ->  [first block]
 *
 * The bump pointer may stand in a block that is not the newest: an allocation larger than a block gets one of its own
 * and leaves the half-used one in place.
 */
#include "base/arena.h"
#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next; /* older */
    size_t size;              /* with this header */
};
static_assert(sizeof(struct arena_block) % 16 == 0, "what follows the header is aligned");

/* Where the pointer of an arena without blocks stands, so that zero bytes have an address too. */
static _Alignas(16) char arena_nothing[16];

static char *block_bytes(struct arena_block *block)
{
    return (char *)(block + 1);
}

static char *block_end(struct arena_block *block)
{
    return (char *)block + block->size;
}

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){ .at = arena_nothing, .end = arena_nothing, .limit_bytes = limit_bytes };
}

void arena_deinit(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        free(block);
    }
    arena_init(a, a->limit_bytes);
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = NULL;
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        /* A first block that was made for one large value is not worth keeping by an idle connection. */
        if (!a->blocks && block->size == ARENA_BLOCK_BYTES)
            kept = block;
        else
            free(block);
    }
    arena_init(a, a->limit_bytes);
    if (kept) {
        kept->next = NULL;
        a->blocks = kept;
        a->used_bytes = kept->size;
        a->at = block_bytes(kept);
        a->end = block_end(kept);
    }
}

/* What malloc must give so that `size` bytes fit; SIZE_MAX when that is no number. */
static size_t block_size_for(size_t size)
{
    size_t whole = sizeof(struct arena_block) + ((size + 15) & ~(size_t)15);
    return whole > size ? whole : SIZE_MAX;
}

bool arena_room(const struct arena *a, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (rounded >= bytes && rounded <= (size_t)(a->end - a->at))
        return true;
    size_t needed = block_size_for(bytes);
    return a->used_bytes <= a->limit_bytes && needed <= a->limit_bytes - a->used_bytes;
}

void arena_init_sized(struct arena *a, size_t limit_bytes, size_t first_bytes)
{
    arena_init(a, limit_bytes);
    size_t size = block_size_for(first_bytes);
    struct arena_block *block = malloc(size);
    if (!block)
        check_out_of_memory(size);
    *block = (struct arena_block){ .next = NULL, .size = size };
    a->blocks = block;
    a->used_bytes = size;
    a->at = block_bytes(block);
    a->end = block_end(block);
}

static _Noreturn void arena_overrun(const struct arena *a, size_t size)
{
    fprintf(stderr, "millrace: an arena limited to %zu bytes holds %zu and was asked for %zu more without arena_room\n",
        a->limit_bytes, a->used_bytes, size);
    abort();
}

/* Blocks grow with what the arena holds, but a block larger than needed never takes it past its limit. */
static size_t next_block_size(const struct arena *a, size_t needed)
{
    size_t size = a->used_bytes ? a->used_bytes : ARENA_BLOCK_BYTES;
    if (size > ARENA_BLOCK_MAX_BYTES)
        size = ARENA_BLOCK_MAX_BYTES;
    if (a->used_bytes + size > a->limit_bytes)
        size = a->used_bytes < a->limit_bytes ? (a->limit_bytes - a->used_bytes) & ~(size_t)15 : 0;
    return size > needed ? size : needed;
}

void *arena_alloc_slow(struct arena *a, size_t size)
{
    size_t needed = block_size_for(size);
    size_t hard_limit = a->limit_bytes > SIZE_MAX / 2 ? SIZE_MAX : 2 * a->limit_bytes;
    if (needed == SIZE_MAX || needed > hard_limit || a->used_bytes > hard_limit - needed)
        arena_overrun(a, size);
    size_t block_size = next_block_size(a, needed);
    struct arena_block *block = malloc(block_size);
    if (!block)
        check_out_of_memory(block_size);
    block->next = a->blocks;
    block->size = block_size;
    a->blocks = block;
    a->used_bytes += block_size;
    char *bytes = block_bytes(block);
    char *rest = (char *)block + needed;
    /* Small values go on where there is more room: behind this one, or in the block in use. */
    if (block_end(block) - rest > a->end - a->at) {
        a->at = rest;
        a->end = block_end(block);
    }
    return bytes;
}

void *arena_zero(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    if (slice_is_none(s))
        return SLICE_NONE;
    char *bytes = arena_alloc(a, s.size);
    memcpy(bytes, s.data, s.size);
    return slice_of(bytes, s.size);
}

struct slice arena_vprintf(struct arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = (size_t)(a->end - a->at);
    int size = vsnprintf(a->at, room, format, args);
    ASSERT(size >= 0);
    char *bytes;
    if ((size_t)size < room) {
        bytes = arena_alloc(a, (size_t)size + 1);
    } else {
        bytes = arena_alloc(a, (size_t)size + 1);
        vsnprintf(bytes, (size_t)size + 1, format, again);
    }
    va_end(again);
    return slice_of(bytes, (size_t)size);
}

struct slice arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct slice text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}
