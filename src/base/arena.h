/* arena.h: memory of one call: many small allocations, freed together.
 *
 * Owner    one thread at a time.
 * Memory   blocks come from malloc, the first `ARENA_BLOCK_BYTES`, then doubling up to `ARENA_BLOCK_MAX_BYTES`, larger
 *          ones exact. arena_reset keeps the first block. Everything returned is 16-byte aligned, zero bytes included.
 * Fails    never returns NULL. `limit_bytes` counts whole blocks; callers that take sizes from the network ask
 *          arena_room first. Past the limit without asking it still allocates, up to twice the limit; then the process
 *          aborts with a sentence, as it does without memory.
 * Cost     O(1), one branch in the common case.
 */
#ifndef MILLRACE_BASE_ARENA_H
#define MILLRACE_BASE_ARENA_H

#include "base/slice.h"
#include "base/check.h"
#include <stdarg.h>

struct arena_block;
struct arena {
    char *at, *end;
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* of blocks, their headers included */
    size_t limit_bytes;
};

void arena_init(struct arena *a, size_t limit_bytes);
/* Takes its first block at once, of exactly first_bytes: for what is kept long and whose size is known. Blocks after it
 * grow from that size. */
void arena_init_sized(struct arena *a, size_t limit_bytes, size_t first_bytes);
void arena_deinit(struct arena *a);
void arena_reset(struct arena *a);
bool arena_room(const struct arena *a, size_t bytes); /* would an allocation of that size stay below the limit? */
void *arena_alloc_slow(struct arena *a, size_t size);
static inline void *arena_alloc(struct arena *a, size_t size) /* not zeroed */
{
    size_t rounded = (size + 15) & ~(size_t)15;
    if (LIKELY(rounded <= (size_t)(a->end - a->at) && rounded >= size)) {
        char *p = a->at;
        a->at += rounded;
        return p;
    }
    return arena_alloc_slow(a, size);
}
void *arena_zero(struct arena *a, size_t size);           /* zeroed */
struct slice arena_copy(struct arena *a, struct slice s); /* of an absent slice: an absent one */
struct slice arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);
struct slice arena_vprintf(struct arena *a, const char *format, va_list args);

#define ARENA_NEW(arena, type) ((type *)arena_zero((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zero((arena), sizeof(type) * (count)))

#endif
