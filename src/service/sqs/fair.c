#include "service/sqs/fair.h"
#include "base/mutant.h"
#include "service/sqs/memory.h"

enum { WINDOW_MS = 60 * 1000, USAGE_MIN = 30 * 1000 /* message-ms: below it, shares say nothing */ };

void fair_join(struct queue *q, struct group *g)
{
    if (!q->fair) {
        q->fair = memory_zero(sizeof(*q->fair));
        heap_init(&q->fair->quiet);
        heap_init(&q->fair->noisy);
        list_init(&q->fair->noisy_tenants);
    }
    g->tenant = memory_zero(sizeof(*g->tenant));
    g->tenant->group = g;
    q->fair->tenant_count++;
}

static struct heap *heap_of(struct fair *f, const struct tenant *t)
{
    return t->is_noisy ? &f->noisy : &f->quiet;
}

static void leave_heap(struct fair *f, struct tenant *t)
{
    if (heap_has(&t->turn))
        heap_remove(heap_of(f, t), &t->turn);
}

void fair_forget(struct queue *q, struct group *g)
{
    struct tenant *t = g->tenant;
    leave_heap(q->fair, t);
    if (t->is_noisy)
        list_remove(&t->noisy_link);
    memory_free(t);
    g->tenant = NULL;
    if (--q->fair->tenant_count == 0)
        fair_free(q);
}

void fair_free(struct queue *q)
{
    if (!q->fair)
        return;
    heap_deinit(&q->fair->quiet);
    heap_deinit(&q->fair->noisy);
    memory_free(q->fair);
    q->fair = NULL;
}

/* ---- how much a tenant uses --------------------------------------------------------------------------------------- */

static void usage_roll(struct fair_usage *u, uint64_t now_ms)
{
    uint64_t window = now_ms / WINDOW_MS;
    if (window == u->window)
        return;
    u->before = window == u->window + 1 ? u->now : 0;
    u->now = 0;
    u->window = window;
}

static void usage_add(struct fair_usage *u, uint64_t in_flight, uint64_t now_ms)
{
    usage_roll(u, now_ms);
    if (now_ms > u->since_ms)
        u->now += in_flight * (now_ms - u->since_ms < WINDOW_MS ? now_ms - u->since_ms : WINDOW_MS);
    u->since_ms = now_ms;
}

void fair_count(struct queue *q, struct group *g)
{
    if (!q->fair)
        return;
    usage_add(&q->fair->usage, q->in_flight, q->view_ms);
    if (g->tenant)
        usage_add(&g->tenant->usage, g->in_flight, q->view_ms);
}

static bool is_noisy_now(struct queue *q, struct tenant *t)
{
    uint64_t in_flight = t->group->in_flight;
    if (MUTANT(noise_not_noticed))
        return false;
    if (in_flight >= SQS_NOISY_IN_FLIGHT_MIN && in_flight * 100 > (uint64_t)q->in_flight * SQS_NOISY_PERCENT)
        return true;
    fair_count(q, t->group);
    uint64_t own = t->usage.now + t->usage.before, all = q->fair->usage.now + q->fair->usage.before;
    return all >= USAGE_MIN && own * 100 > all * SQS_NOISY_PERCENT;
}

/* ---- who is where ------------------------------------------------------------------------------------------------- */

static void set_noisy(struct fair *f, struct tenant *t, bool is_noisy)
{
    if (t->is_noisy == is_noisy)
        return;
    leave_heap(f, t);
    t->is_noisy = is_noisy;
    if (is_noisy)
        list_push_back(&f->noisy_tenants, &t->noisy_link);
    else
        list_remove(&t->noisy_link);
}

void fair_sent(struct queue *q, struct group *g)
{
    struct tenant *t = g->tenant;
    if (!t)
        return;
    t->last_sent_ms = q->view_ms;
    if (t->is_noisy) {
        list_remove(&t->noisy_link);
        list_push_back(&q->fair->noisy_tenants, &t->noisy_link);
    }
}

void fair_refresh(struct queue *q, struct group *g)
{
    struct tenant *t = g->tenant;
    uint64_t position = group_head_position(g);
    if (position == UINT64_MAX) { /* drained: quiet from here on */
        set_noisy(q->fair, t, false);
        leave_heap(q->fair, t);
        return;
    }
    uint64_t key = t->is_noisy ? g->in_flight : position;
    if (!heap_has(&t->turn))
        heap_insert(heap_of(q->fair, t), &t->turn, key, position);
    else if (t->turn.key != key)
        heap_change(heap_of(q->fair, t), &t->turn, key);
}

void fair_advance(struct queue *q)
{
    struct fair *f = q->fair;
    while (!list_is_empty(&f->noisy_tenants)) {
        struct tenant *t = LIST_ENTRY(f->noisy_tenants.next, struct tenant, noisy_link);
        if (t->last_sent_ms + SQS_NOISY_QUIET_MS > q->view_ms)
            break;
        set_noisy(f, t, false);
        fair_refresh(q, t->group);
    }
}

struct group *fair_next(struct queue *q)
{
    uint64_t main_position = q->main ? group_head_position(q->main) : UINT64_MAX;
    struct heap_node *node;
    while (q->fair && (node = heap_top(&q->fair->quiet)) && node->key < main_position) {
        struct tenant *t = CONTAINER_OF(node, struct tenant, turn);
        bool may_be_noisy = t->last_sent_ms + SQS_NOISY_QUIET_MS > q->view_ms;
        if (!may_be_noisy || !is_noisy_now(q, t))
            return t->group;
        set_noisy(q->fair, t, true);
        fair_refresh(q, t->group);
    }
    if (main_position != UINT64_MAX)
        return q->main;
    node = q->fair ? heap_top(&q->fair->noisy) : NULL;
    return node ? CONTAINER_OF(node, struct tenant, turn)->group : NULL;
}
