/* heap.h: binary min-heap of intrusive nodes with a 64-bit key and a 64-bit tie breaker.
 * Owner one thread; O(log n) insert, remove, change; the node remembers its place. Memory 8 bytes a node plus the node.
 */
#ifndef MILLRACE_BASE_HEAP_H
#define MILLRACE_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    uint64_t tie;
    size_t index; /* place + 1; 0: not in a heap */
};
struct heap {
    struct heap_node **nodes;
    size_t count, capacity;
};

void heap_init(struct heap *h);
void heap_deinit(struct heap *h); /* nodes are the caller's */
void heap_insert(struct heap *h, struct heap_node *n, uint64_t key, uint64_t tie);
void heap_remove(struct heap *h, struct heap_node *n); /* must be in h */
void heap_change(struct heap *h, struct heap_node *n, uint64_t key);
static inline struct heap_node *heap_top(const struct heap *h) /* NULL if empty */
{
    return h->count ? h->nodes[0] : NULL;
}
static inline bool heap_has(const struct heap_node *n)
{
    return n->index != 0;
}

#endif
