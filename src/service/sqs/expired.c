#include "service/sqs/expired.h"
#include "base/mutant.h"
#include "service/sqs/memory.h"
#include "service/sqs/state.h"

static void collect(struct expired *x, uint64_t lsn)
{
    uint64_t stretch = lsn >> QUEUE_LIVE_STRETCH_BITS;
    if (x->count && x->stretches[x->count - 1].stretch == stretch) {
        x->stretches[x->count - 1].count++;
        return;
    }
    if (x->count == x->capacity) {
        x->capacity = x->capacity ? x->capacity * 2 : 16;
        x->stretches = memory_resize(x->stretches, x->capacity * sizeof(*x->stretches));
    }
    x->stretches[x->count++] = (struct queue_live){ .stretch = stretch, .lsn = lsn, .count = 1 };
}

void expired_add(struct sqs_state *s, uint64_t lsn, uint64_t now_ms)
{
    struct expired *x = &s->expired;
    if (MUTANT(expired_stays_live))
        return;
    if (s->owner->is_replaying) {
        store_live_drop(s->owner->store, lsn, 1);
        return;
    }
    if (x->count == 0)
        x->due_ms = now_ms + EXPIRED_PAUSE_MS;
    collect(x, lsn);
    if (x->count >= EXPIRED_STRETCHES_MAX)
        x->due_ms = 0;
    owner_wake_at(s->owner, x->due_ms);
}

void expired_settle(struct sqs_state *s, uint64_t now_ms)
{
    struct expired *x = &s->expired;
    if (x->count == 0)
        return;
    if (x->due_ms > now_ms) {
        owner_wake_at(s->owner, x->due_ms);
        return;
    }
    if (failed(record_append(s, SQS_RECORD_TIME_PASSED, 0, SLICE(""), true))) {
        x->due_ms = now_ms + EXPIRED_PAUSE_MS; /* the disk is full or behind: later */
        owner_wake_at(s->owner, x->due_ms);
        return;
    }
    for (size_t i = 0; i < x->count; i++)
        store_live_drop(s->owner->store, x->stretches[i].lsn, x->stretches[i].count);
    expired_free(s);
}

void expired_free(struct sqs_state *s)
{
    memory_free(s->expired.stretches);
    s->expired = (struct expired){ 0 };
}
