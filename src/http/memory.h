/* memory.h: where the bytes of connections live. The only code of http/ that calls malloc.
 *
 *      struct pool     blocks of one size, of one thread: taken and given back all the time, last in first out, so that
 *                      all connections of a turn work in the same few cache-warm blocks
 *      struct budget   bytes of large bodies, of the process: asked before they are read
 *
 * Memory   a pool keeps at most POOL_SPARE_BYTES_MAX of free blocks and gives the rest back to malloc.
 * Fails    pool_take never: blocks are bounded by the number of connections; without memory the process ends.
 *          budget_take says no. body_new: NULL without memory.
 */
#ifndef MILLRACE_HTTP_MEMORY_H
#define MILLRACE_HTTP_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_SPARE_BYTES_MAX = 1024 * 1024 };

struct pool_block;
struct pool {
    struct pool_block *spare;
    size_t block_bytes;
    size_t spare_count, spare_max;
    size_t taken; /* for the assertion that all came back */
};

void pool_init(struct pool *p, size_t block_bytes);
void pool_deinit(struct pool *p);
void *pool_take(struct pool *p); /* not zeroed */
void pool_give(struct pool *p, void *given);

struct budget {
    _Atomic uint64_t held;
    uint64_t limit;
};

bool budget_take(struct budget *b, size_t bytes);
void budget_take_anyway(struct budget *b, size_t bytes); /* for what exists already: replies */
void budget_give(struct budget *b, size_t bytes);
bool budget_is_over(const struct budget *b); /* by what was taken anyway */

char *body_new(size_t bytes);
char *body_grow(char *body, size_t bytes); /* NULL without memory: `body` stays as it was */
void body_free(char *body);

void *memory_zero(size_t bytes); /* long-lived, at start; aligned to a cache line */
void memory_free(void *memory);

#endif
