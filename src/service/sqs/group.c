#include "service/sqs/group.h"
#include "service/sqs/fair.h"
#include "service/sqs/fifo.h"
#include "service/sqs/memory.h"

struct group *group_main(struct queue *q)
{
    if (!q->main)
        q->main = memory_zero(sizeof(*q->main));
    return q->main;
}

static bool has_key(const void *entry, const void *key)
{
    return ((const struct group *)entry)->key == *(const uint64_t *)key;
}

struct group *group_find(const struct queue *q, uint64_t key)
{
    if (key == 0)
        return q->main;
    return map_find(&q->groups, key, has_key, &key); /* the key is a keyed hash already */
}

struct group *group_get(struct queue *q, uint64_t key)
{
    if (key == 0)
        return group_main(q);
    struct group *g = group_find(q, key);
    if (g)
        return g;
    g = memory_zero(sizeof(*g));
    g->key = key;
    map_insert(&q->groups, key, g);
    if (!q->is_fifo)
        fair_join(q, g);
    return g;
}

void group_fetch(const struct queue *q, const uint64_t *keys, size_t count)
{
    const struct group *groups[GROUPS_FETCHED_MAX];
    ASSERT(count <= GROUPS_FETCHED_MAX);
    for (size_t i = 0; i < count; i++)
        map_fetch(&q->groups, keys[i]);
    for (size_t i = 0; i < count; i++) {
        groups[i] = map_guess(&q->groups, keys[i]);
        for (size_t at = 0; groups[i] && at < sizeof(struct group); at += 64)
            __builtin_prefetch((const char *)groups[i] + at);
    }
    for (size_t i = 0; i < count; i++)
        if (groups[i])
            lane_fetch_place(&groups[i]->lane);
    for (size_t i = 0; i < count; i++)
        if (groups[i])
            lane_fetch_last(&groups[i]->lane);
}

static void group_free(struct queue *q, struct group *g)
{
    if (heap_has(&g->age))
        heap_remove(&q->ages, &g->age);
    if (q->is_fifo)
        fifo_forget(g);
    else if (g->tenant)
        fair_forget(q, g);
    flight_heap_clear(&g->returned);
    lane_clear(&g->lane);
    memory_free(g);
}

void group_refresh(struct queue *q, struct group *g)
{
    if (q->is_fifo)
        fifo_refresh(q, g);
    else if (g->tenant)
        fair_refresh(q, g);
    if (g->lane.count || g->entries || g == q->main)
        return;
    map_remove(&q->groups, g->key, g);
    group_free(q, g);
    if (q->groups.count == 0) {
        map_deinit(&q->groups);
        map_init(&q->groups);
        heap_deinit(&q->ages);
        heap_init(&q->ages);
    }
}

void group_free_all(struct queue *q)
{
    void *entry;
    for (size_t i = 0; map_next(&q->groups, &i, &entry);)
        group_free(q, entry);
    map_deinit(&q->groups);
    map_init(&q->groups);
    heap_deinit(&q->ages);
    heap_init(&q->ages);
    if (q->main)
        group_free(q, q->main);
    q->main = NULL;
}

uint64_t group_head_position(const struct group *g)
{
    uint64_t waiting = g->lane.count ? g->lane.head.seq : UINT64_MAX, returned = flight_heap_key(&g->returned);
    return returned < waiting ? returned : waiting;
}
