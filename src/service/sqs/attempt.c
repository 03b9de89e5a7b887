#include "service/sqs/attempt.h"
#include "base/mutant.h"
#include "service/sqs/memory.h"

static bool has_hash(const void *entry, const void *key)
{
    return memcmp(((const struct attempt *)entry)->hash, key, 2 * sizeof(uint64_t)) == 0;
}

struct attempt *attempt_find(const struct queue *q, const uint64_t hash[2])
{
    return q->attempts ? map_find(&q->attempts->by_hash, hash[0], has_hash, hash) : NULL;
}

bool attempt_is_valid(const struct queue *q, const struct attempt *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t entry = flights_find(&q->flights, a->seqs[i]);
        if (entry == FLIGHT_NONE)
            return false;
        const struct flight *e = flights_get(&q->flights, entry);
        if (e->state != FLIGHT_LEASED || e->generation != a->generations[i] ||
            ((e->flags & FLIGHT_CHANGED) && !MUTANT(attempt_survives_change)))
            return false;
    }
    return true;
}

static void forget(struct attempts *all, struct attempt *a)
{
    map_remove(&all->by_hash, a->hash[0], a);
    list_remove(&a->link);
    memory_free(a);
}

void attempts_free(struct queue *q)
{
    if (!q->attempts)
        return;
    while (!list_is_empty(&q->attempts->oldest))
        forget(q->attempts, LIST_ENTRY(q->attempts->oldest.next, struct attempt, link));
    map_deinit(&q->attempts->by_hash);
    memory_free(q->attempts);
    q->attempts = NULL;
}

struct attempt *attempt_new(struct queue *q, const uint64_t hash[2], uint64_t time_ms, uint64_t epoch)
{
    if (!q->attempts) {
        q->attempts = memory_zero(sizeof(*q->attempts));
        map_init(&q->attempts->by_hash);
        list_init(&q->attempts->oldest);
    }
    struct attempts *all = q->attempts;
    struct attempt *a = attempt_find(q, hash);
    if (a)
        forget(all, a);
    else if (all->by_hash.count >= SQS_ATTEMPTS_MAX)
        forget(all, LIST_ENTRY(all->oldest.next, struct attempt, link));
    a = memory_zero(sizeof(*a));
    memcpy(a->hash, hash, sizeof(a->hash));
    a->time_ms = time_ms;
    a->epoch = epoch;
    map_insert(&all->by_hash, hash[0], a);
    list_push_back(&all->oldest, &a->link);
    return a;
}

void attempts_expire(struct queue *q)
{
    while (!list_is_empty(&q->attempts->oldest)) {
        struct attempt *a = LIST_ENTRY(q->attempts->oldest.next, struct attempt, link);
        if (a->time_ms + SQS_ATTEMPT_WINDOW_MS > q->view_ms)
            return;
        forget(q->attempts, a);
    }
    attempts_free(q);
}
