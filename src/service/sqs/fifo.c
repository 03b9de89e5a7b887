#include "service/sqs/fifo.h"
#include "base/mutant.h"

bool fifo_is_ready(const struct group *g)
{
    uint64_t head = group_head_position(g);
    return head != UINT64_MAX && (head < flight_heap_key(&g->leased) || MUTANT(no_group_lock));
}

void fifo_refresh(struct queue *q, struct group *g)
{
    bool is_ready = fifo_is_ready(g);
    if (is_ready == list_is_linked(&g->ready))
        return;
    if (!is_ready) {
        list_remove(&g->ready);
        return;
    }
    list_push_back(&q->ready, &g->ready);
    queue_wake(q, 1);
}

void fifo_yield(struct queue *q, struct group *g)
{
    if (!list_is_linked(&g->ready))
        return;
    list_remove(&g->ready);
    list_push_back(&q->ready, &g->ready);
}

void fifo_forget(struct group *g)
{
    if (list_is_linked(&g->ready))
        list_remove(&g->ready);
    flight_heap_clear(&g->leased);
}

struct group *fifo_next(const struct queue *q)
{
    return list_is_empty(&q->ready) ? NULL : LIST_ENTRY(q->ready.next, struct group, ready);
}
