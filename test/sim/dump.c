/* dump.c: the state of all logs as sorted lines, for the reader of a comparison that failed. */
#include "model.h"
#include "service/sqs/attempt.h"
#include "service/sqs/move_task.h"
#include "service/sqs/state.h"
#include <stdlib.h>

enum { LINE_BYTES = 200 };

struct lines {
    char (*items)[LINE_BYTES];
    size_t count, capacity;
};

static char *line_new(struct lines *l)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 256;
        l->items = realloc(l->items, l->capacity * sizeof(*l->items));
        ASSERT(l->items);
    }
    return l->items[l->count++];
}
#define ADD(lines, ...) (void)snprintf(line_new(lines), LINE_BYTES, __VA_ARGS__)
#define U(x) ((unsigned long long)(x))

static void add_lane(struct lines *l, const struct queue *q, const struct group *g)
{
    struct lane_item item;
    for (struct lane_cursor at = lane_begin(&g->lane); lane_next(&at, &item);)
        ADD(l, "%.*s %08llu lsn %llu sent %llu: never received, visible", SLICE_ARG(q->name), U(item.seq), U(item.lsn),
            U(item.time_ms));
}

static void add_entry(struct lines *l, const struct queue *q, const struct flight *e)
{
    static const char *const states[] = { "free", "visible", "delayed", "leased", "picked" };
    bool is_waiting = e->state == FLIGHT_RETURNED || e->state == FLIGHT_PICKED;
    if (e->generation == 0 && is_waiting && e->position == e->seq) { /* the same fact as in a lane */
        ADD(l, "%.*s %08llu lsn %llu sent %llu: never received, visible", SLICE_ARG(q->name), U(e->seq), U(e->lsn),
            U(e->sent_ms));
        return;
    }
    ADD(l, "%.*s %08llu lsn %llu sent %llu: generation %u undone %u first +%u %s %llu until +%u flags %u",
        SLICE_ARG(q->name), U(e->seq), U(e->lsn), U(e->sent_ms), e->generation, e->undone, e->first_after,
        states[e->state], U(e->state == FLIGHT_DELAYED ? 0 : e->position), is_waiting ? 0 : e->visible_after, e->flags);
}

static void add_memories(struct lines *l, const struct queue *q)
{
    for (uint32_t i = 0; i < dedup_count(&q->dedup); i++) {
        uint64_t hash[2], seq, time_ms;
        dedup_get(&q->dedup, i, hash, &seq, &time_ms);
        ADD(l, "%.*s dedup %016llx is %llu of %llu", SLICE_ARG(q->name), U(hash[0]), U(seq), U(time_ms));
    }
    for (const struct link *at = q->attempts ? q->attempts->oldest.next : NULL; at && at != &q->attempts->oldest;
         at = at->next) {
        const struct attempt *a = LIST_ENTRY(at, struct attempt, link);
        ADD(l, "%.*s attempt %016llx of %llu, %u messages, first %llu", SLICE_ARG(q->name), U(a->hash[0]),
            U(a->time_ms), a->count, U(a->count ? a->seqs[0] : 0));
    }
    for (const struct link *at = q->moves ? q->moves->tasks.next : NULL; at && at != &q->moves->tasks; at = at->next) {
        const struct move_task *t = LIST_ENTRY(at, struct move_task, link);
        ADD(l, "%.*s task of %llu: status %u failure %u, %llu to move, %llu moved, %llu refused, %llu on their way",
            SLICE_ARG(q->name), U(t->started_ms), t->status, t->failure, U(t->to_move), U(t->moved), U(t->refused),
            U(t->in_transit));
    }
}

static void add_queue(struct lines *l, const struct queue *q)
{
    void *group;
    uint32_t entry;
    ADD(l, "%.*s uid %llu next %llu: %llu messages, %u in flight, %llu delayed, %llu on their way, changed %llu",
        SLICE_ARG(q->name), U(q->uid), U(q->next_seq), U(q->messages), q->in_flight, U(q->delayed), U(q->in_transit),
        U(q->changed_ms));
    if (q->main)
        add_lane(l, q, q->main);
    for (size_t i = 0; map_next(&q->groups, &i, &group);)
        add_lane(l, q, group);
    for (uint32_t i = 0; flights_next(&q->flights, &i, &entry);)
        add_entry(l, q, flights_get(&q->flights, entry));
    add_memories(l, q);
}

static void add_channels(struct lines *l, const struct sqs_state *s)
{
    for (int log = 0; log < LOG_COUNT; log++) {
        const struct outbox *out = s->channels.out[log];
        const struct inbox *in = s->channels.in[log];
        if (out)
            ADD(l, "log %u to %d: %llu to %llu", s->owner->log, log, U(out->base), U(out->next));
        if (in)
            ADD(l, "log %u from %d: %llu to %llu, refused %llx", s->owner->log, log, U(in->base), U(in->mark),
                U(in->refused[0]));
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

char *dump_state(void)
{
    struct lines l = { 0 };
    for (uint16_t log = 0; log < LOG_COUNT; log++) {
        const struct sqs_state *s = sqs_state_of(owner_of(log));
        add_channels(&l, s);
        ADD(&l, "log %u: %zu names rest", log, s->deleted_count);
        for (const struct link *at = s->queues.next; at != &s->queues; at = at->next)
            add_queue(&l, LIST_ENTRY(at, struct queue, in_state));
    }
    qsort(l.items, l.count, sizeof(*l.items), compare_lines);
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < l.count; i++)
        buf_printf(&text, "%s\n", l.items[i]);
    free(l.items);
    buf_add_byte(&text, 0);
    return text.data;
}

/* Both are sorted: what is in one alone is different. */
void dump_differences(const char *a, const char *b)
{
    struct slice left = slice_str(a), right = slice_str(b);
    while (left.size || right.size) {
        struct slice rest_left = left, rest_right = right;
        struct slice x = slice_cut(&rest_left, '\n'), y = slice_cut(&rest_right, '\n');
        int order = left.size == 0 ? 1 : right.size == 0 ? -1 : slice_compare(x, y);
        if (order < 0)
            printf("  before: %.*s\n", SLICE_ARG(x));
        if (order > 0)
            printf("  after:  %.*s\n", SLICE_ARG(y));
        left = order <= 0 ? rest_left : left;
        right = order >= 0 ? rest_right : right;
    }
}
