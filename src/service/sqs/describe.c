/* describe.c: one line of text for a record, for `log dump`. Bodies are named by their size only. */
#include "service/sqs/message.h"
#include "base/text.h"
#include "service/sqs/record.h"
#include "service/sqs/state.h"

typedef struct slice describe_fn(struct arena *arena, const struct record *r);

static struct slice describe_bad(struct arena *arena, const struct record *r)
{
    return arena_printf(arena, "%zu bytes that are not a record of its type", r->payload.size);
}

static struct slice describe_nothing(struct arena *arena, const struct record *r)
{
    (void)r;
    return arena_printf(arena, "-");
}

static struct slice describe_queue_created(struct arena *arena, const struct record *r)
{
    struct record_queue q;
    if (!record_queue_parse(r->payload, &q))
        return describe_bad(arena, r);
    return arena_printf(arena, "account=%.*s region=%.*s name=%.*s config=%zu bytes", SLICE_ARG(q.account),
        SLICE_ARG(q.region), SLICE_ARG(q.name), q.config.size);
}

static struct slice describe_queue_changed(struct arena *arena, const struct record *r)
{
    return arena_printf(arena, "config=%zu bytes", r->payload.size);
}

static struct slice describe_message(struct arena *arena, const struct record *r)
{
    struct message m;
    if (failed(message_decode(r->payload, &m)))
        return describe_bad(arena, r);
    return arena_printf(arena, "seq=%llu flags=%x delay=%u group=%zu bytes attributes=%zu bytes body=%zu bytes",
        (unsigned long long)m.seq, m.flags, m.delay_s, m.group_id.size, m.attributes.size, m.body.size);
}

static struct slice describe_leased(struct arena *arena, const struct record *r)
{
    struct record_leased l;
    if (!record_leased_parse(r->payload, &l))
        return describe_bad(arena, r);
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "flags=%x visibility=%us seqs", l.flags, l.visibility_s);
    for (uint32_t i = 0; i < l.run_count; i++)
        for (uint32_t k = 0; k < l.runs[i].count; k++)
            buf_printf(&b, "%c%llu", i + k ? ',' : '=', (unsigned long long)l.runs[i].seqs[k]);
    struct slice text = arena_copy(arena, buf_slice(&b));
    buf_deinit(&b);
    return text;
}

static struct slice describe_seqs(struct arena *arena, const struct record *r, enum sqs_record type)
{
    struct record_seqs l;
    if (!record_seqs_parse(type, r->payload, &l))
        return describe_bad(arena, r);
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "seqs");
    for (uint32_t i = 0; i < l.count; i++) {
        buf_printf(&b, "%c%llu", i ? ',' : '=', (unsigned long long)l.items[i].seq);
        if (type == SQS_RECORD_VISIBILITY)
            buf_printf(&b, "(%us)", l.items[i].visibility_s);
    }
    struct slice text = arena_copy(arena, buf_slice(&b));
    buf_deinit(&b);
    return text;
}

static struct slice describe_deleted(struct arena *arena, const struct record *r)
{
    return describe_seqs(arena, r, SQS_RECORD_DELETED);
}

static struct slice describe_visibility(struct arena *arena, const struct record *r)
{
    return describe_seqs(arena, r, SQS_RECORD_VISIBILITY);
}

static struct slice describe_returned(struct arena *arena, const struct record *r)
{
    return describe_seqs(arena, r, SQS_RECORD_RETURNED);
}

static struct slice describe_purged(struct arena *arena, const struct record *r)
{
    struct unpack u = unpack_of(r->payload);
    uint64_t upto = unpack_u64(&u);
    return u.is_bad ? describe_bad(arena, r) : arena_printf(arena, "upto=%llu", (unsigned long long)upto);
}

/* ---- across logs ---- */

static struct slice describe_moved_out(struct arena *arena, const struct record *r)
{
    struct record_moved_out m;
    if (!record_moved_out_parse(r->payload, &m))
        return describe_bad(arena, r);
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "kind=%s to=%u:%.*s/%.*s/%.*s number=%llu seqs", m.kind == CHANNEL_MOVE ? "move" : "redrive", m.to,
        SLICE_ARG(m.account), SLICE_ARG(m.region), SLICE_ARG(m.name), (unsigned long long)m.first);
    for (uint32_t i = 0; i < m.count; i++)
        buf_printf(&b, "%c%llu", i ? ',' : '=', (unsigned long long)m.items[i].seq);
    struct slice text = arena_copy(arena, buf_slice(&b));
    buf_deinit(&b);
    return text;
}

static struct slice describe_decided(struct arena *arena, const struct record *r)
{
    struct record_decided d;
    if (!record_decided_parse(r->payload, &d))
        return describe_bad(arena, r);
    return arena_printf(arena, "log=%u numbers=%llu-%llu refused=%llx:%llx", d.log, (unsigned long long)d.base,
        (unsigned long long)d.last, (unsigned long long)d.refused[1], (unsigned long long)d.refused[0]);
}

static struct slice describe_task_started(struct arena *arena, const struct record *r)
{
    struct record_task_started t;
    char id[37];
    if (!record_task_started_parse(r->payload, &t))
        return describe_bad(arena, r);
    text_format_uuid(t.id, id);
    return arena_printf(arena, "task=%s rate=%u to_move=%llu destination=%.*s", id, t.rate,
        (unsigned long long)t.to_move, SLICE_ARG(t.destination));
}

static struct slice describe_task_status(struct arena *arena, const struct record *r)
{
    struct record_task_status t;
    char id[37];
    if (!record_task_status_parse(r->payload, &t))
        return describe_bad(arena, r);
    text_format_uuid(t.id, id);
    return arena_printf(
        arena, "task=%s status=%s reason=%s", id, move_status_names[t.status], move_failure_names[t.failure]);
}

static const struct {
    const char *name;
    describe_fn *describe;
} rows[] = {
#define RECORD(number, name, apply, describe) [number] = { #name, describe },
#include "service/sqs/records.def"
#undef RECORD
};

struct slice sqs_record_describe(struct arena *arena, const struct record *r)
{
    size_t number = r->type & 0xff;
    if (number >= ARRAY_COUNT(rows) || !rows[number].name)
        return arena_printf(arena, "sqs record %zu: not known to this version", number);
    struct slice text = rows[number].describe(arena, r);
    return arena_printf(arena, "%s %.*s", rows[number].name, SLICE_ARG(text));
}
