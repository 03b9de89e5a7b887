/* heap.c: binary min-heap of heap.h.
 *
 * Invariant: nodes[i] is not after nodes[2i + 1] and nodes[2i + 2]; nodes[i]->index == i + 1.
 */
#include "base/heap.h"
#include "base/check.h"
#include <stdlib.h>

enum { HEAP_FIRST_NODES = 16 };

void heap_init(struct heap *h)
{
    *h = (struct heap){ 0 };
}

void heap_deinit(struct heap *h)
{
    free(h->nodes);
    heap_init(h);
}

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void place(struct heap *h, struct heap_node *n, size_t at)
{
    h->nodes[at] = n;
    n->index = at + 1;
}

static void sift_up(struct heap *h, struct heap_node *n, size_t at)
{
    while (at) {
        size_t parent = (at - 1) / 2;
        if (!is_before(n, h->nodes[parent]))
            break;
        place(h, h->nodes[parent], at);
        at = parent;
    }
    place(h, n, at);
}

static void sift_down(struct heap *h, struct heap_node *n, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && is_before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!is_before(h->nodes[child], n))
            break;
        place(h, h->nodes[child], at);
        at = child;
    }
    place(h, n, at);
}

/* Puts n at `at` or wherever the order wants it from there. */
static void settle(struct heap *h, struct heap_node *n, size_t at)
{
    if (at && is_before(n, h->nodes[(at - 1) / 2]))
        sift_up(h, n, at);
    else
        sift_down(h, n, at);
}

void heap_insert(struct heap *h, struct heap_node *n, uint64_t key, uint64_t tie)
{
    ASSERT(!heap_has(n));
    if (h->count == h->capacity) {
        size_t capacity = h->capacity ? 2 * h->capacity : HEAP_FIRST_NODES;
        struct heap_node **nodes = realloc(h->nodes, capacity * sizeof(void *));
        if (!nodes)
            check_out_of_memory(capacity * sizeof(void *));
        h->nodes = nodes;
        h->capacity = capacity;
    }
    n->key = key;
    n->tie = tie;
    h->count++;
    sift_up(h, n, h->count - 1);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    ASSERT(n->index > 0 && n->index <= h->count && h->nodes[n->index - 1] == n);
    size_t at = n->index - 1;
    struct heap_node *last = h->nodes[--h->count];
    n->index = 0;
    if (last != n)
        settle(h, last, at);
}

void heap_change(struct heap *h, struct heap_node *n, uint64_t key)
{
    ASSERT(n->index > 0 && n->index <= h->count && h->nodes[n->index - 1] == n);
    n->key = key;
    settle(h, n, n->index - 1);
}
