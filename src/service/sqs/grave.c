#include "service/sqs/grave.h"
#include "base/mutant.h"
#include "service/sqs/fair.h"
#include "service/sqs/memory.h"
#include "service/sqs/state.h"

enum { BURY_AT_ONCE = 1000 };

void grave_take(struct queue *q)
{
    struct grave *g = memory_zero(sizeof(*g));
    uint64_t count = q->messages;
    g->flights = q->flights;
    g->groups = q->groups;
    g->main = q->main;
    g->is_fifo = q->is_fifo;
    /* Links of groups into lists and heaps of the queue are left as they are: nobody follows them any more. */
    memset(&q->flights, 0, sizeof(q->flights));
    map_init(&q->groups);
    heap_deinit(&q->ages);
    heap_init(&q->ages);
    list_init(&q->ready);
    q->main = NULL;
    fair_free(q);
    list_push_back(&q->state->graves, &g->link);
    if (count <= BURY_AT_ONCE || q->state->owner->is_replaying)
        graves_bury(q->state, SIZE_MAX);
    else
        owner_wake_at(q->state->owner, 0);
}

static void free_group(const struct grave *g, struct group *group)
{
    flight_heap_clear(&group->returned);
    if (g->is_fifo)
        flight_heap_clear(&group->leased);
    else
        memory_free(group->tenant);
    lane_clear(&group->lane);
    memory_free(group);
}

static struct group *next_group(struct grave *g)
{
    void *entry;
    struct group *main = g->main;
    if (main) {
        g->main = NULL;
        return main;
    }
    return map_next(&g->groups, &g->at_group, &entry) ? entry : NULL;
}

static bool bury(struct sqs_state *s, struct grave *g, struct queue_live *dead, size_t *budget)
{
    uint32_t entry;
    while (*budget && flights_next(&g->flights, &g->at_entry, &entry)) {
        if (!MUTANT(purged_stays_live))
            queue_live_drop(s, dead, flights_get(&g->flights, entry)->lsn);
        --*budget;
    }
    while (*budget && (g->open || (g->open = next_group(g)))) {
        while (g->open->lane.count && *budget) {
            queue_live_drop(s, dead, g->open->lane.head.lsn);
            lane_pop(&g->open->lane);
            --*budget;
        }
        if (g->open->lane.count)
            return false;
        free_group(g, g->open);
        g->open = NULL;
        if (*budget)
            --*budget; /* a group costs about as much as a message */
    }
    return *budget > 0;
}

static void grave_free(struct grave *g)
{
    flights_clear(&g->flights);
    map_deinit(&g->groups);
    list_remove(&g->link);
    memory_free(g);
}

bool graves_bury(struct sqs_state *s, size_t budget)
{
    struct queue_live dead = { 0 };
    while (!list_is_empty(&s->graves) && budget) {
        struct grave *g = LIST_ENTRY(s->graves.next, struct grave, link);
        if (bury(s, g, &dead, &budget))
            grave_free(g);
    }
    queue_live_drop(s, &dead, 0);
    return list_is_empty(&s->graves);
}

void graves_free(struct sqs_state *s)
{
    struct group *group;
    while (!list_is_empty(&s->graves)) {
        struct grave *g = LIST_ENTRY(s->graves.next, struct grave, link);
        if (g->open)
            free_group(g, g->open);
        while ((group = next_group(g)))
            free_group(g, group);
        grave_free(g);
    }
}
