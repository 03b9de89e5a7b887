/* received.c: one message of a ReceiveMessage reply, from its record and what the lease says (receive.h). */
#include "base/text.h"
#include "service/sqs/attribute_value.h"
#include "service/sqs/message.h"
#include "service/sqs/receipt.h"
#include "service/sqs/receive.h"

enum { SYSTEM_ATTRIBUTES_MAX = 9 };

struct builder {
    struct arena *arena;
    const struct values *names;
    struct pair *pairs;
    size_t count;
};

static bool is_asked(const struct values *names, struct slice name)
{
    const struct slice *items = names->items;
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(items[i], name) || slice_equal(items[i], SLICE("All")))
            return true;
    return false;
}

static void add_text(struct builder *b, struct slice name, struct slice text)
{
    if (!slice_is_none(text) && is_asked(b->names, name))
        b->pairs[b->count++] = (struct pair){ .key = name, .text = text };
}

static void add_number(struct builder *b, struct slice name, uint64_t value)
{
    if (!is_asked(b->names, name))
        return;
    char *text = arena_alloc(b->arena, 20);
    b->pairs[b->count++] = (struct pair){ .key = name, .text = slice_of(text, text_format_u64(value, text)) };
}

static struct slice dedup_id_of(const struct message *m, struct arena *arena)
{
    if (!(m->flags & MESSAGE_DEDUP_HASH))
        return m->dedup_id;
    char *hex = arena_alloc(arena, 2 * m->dedup_hash.size);
    text_format_hex(m->dedup_hash.data, m->dedup_hash.size, hex);
    return slice_of(hex, 2 * m->dedup_hash.size);
}

static struct slice sequence_of(uint64_t seq, struct arena *arena)
{
    char *text = arena_alloc(arena, SEQUENCE_DIGITS + 1);
    message_sequence_format(seq, text);
    return slice_of(text, SEQUENCE_DIGITS);
}

static struct values system_attributes(const struct receive_plan *plan, const struct receive_pick *pick,
    const struct message *m, const struct values *names, struct slice account, struct arena *arena)
{
    struct builder b = { .arena = arena, .names = names };
    if (names->count == 0)
        return (struct values){ 0 };
    b.pairs = ARENA_ARRAY(arena, struct pair, SYSTEM_ATTRIBUTES_MAX);
    add_text(&b, SLICE("SenderId"), m->sender.size ? m->sender : account);
    add_number(&b, SLICE("SentTimestamp"), pick->sent_ms);
    add_number(&b, SLICE("ApproximateReceiveCount"), pick->count);
    add_number(&b, SLICE("ApproximateFirstReceiveTimestamp"), pick->first_ms);
    if (plan->is_fifo) {
        add_text(&b, SLICE("SequenceNumber"), sequence_of(pick->seq, arena));
        add_text(&b, SLICE("MessageDeduplicationId"), dedup_id_of(m, arena));
    }
    add_text(&b, SLICE("MessageGroupId"), m->group_id);
    add_text(&b, SLICE("AWSTraceHeader"), m->trace);
    add_text(&b, SLICE("DeadLetterQueueSourceArn"), m->source_arn);
    return (struct values){ .items = b.pairs, .count = b.count, .is_set = true };
}

static struct error message_attributes(
    const struct message *m, const struct values *names, struct arena *arena, struct sqs_message *ret)
{
    struct values all;
    if (!m->attributes.size || names->count == 0)
        return OK;
    TRY(message_unpack_attributes(m->attributes, arena, &all));
    const struct sqs_name_filter filter = sqs_name_filter_of(names);
    ret->message_attributes = sqs_attributes_select(&all, &filter, arena);
    if (ret->message_attributes.count == 0)
        return OK;
    char *md5 = arena_alloc(arena, 33);
    sqs_attributes_md5(&ret->message_attributes, md5);
    ret->md5_of_attributes = slice_of(md5, 32);
    return OK;
}

struct error receive_build(const struct receive_plan *plan, const struct receive_pick *pick, const struct record *r,
    const struct receive_filters *filters, struct slice account, struct arena *arena, struct sqs_message *ret)
{
    struct message m;
    uint8_t id[16];
    TRY(message_decode(r->payload, &m));
    if (m.seq != pick->seq || r->object != plan->uid)
        return ERROR_OF(ERR_CORRUPT);
    shape_clear(&sqs_message_shape, ret);
    if (m.flags & MESSAGE_MOVED)
        memcpy(id, m.moved_id.data, sizeof(id));
    else
        message_id_derive(plan->keys, plan->uid, m.seq, id);
    char *id_text = arena_alloc(arena, 37), *handle = arena_alloc(arena, RECEIPT_TEXT_BYTES);
    text_format_uuid(id, id_text);
    const struct receipt receipt = { .uid = plan->uid,
        .seq = pick->seq,
        .group_key = pick->group_key,
        .generation = pick->generation,
        .epoch = (uint32_t)plan->epoch };
    receipt_seal(plan->keys, &receipt, handle);
    ret->message_id = slice_of(id_text, 36);
    ret->receipt_handle = slice_of(handle, RECEIPT_TEXT_BYTES);
    ret->md5_of_body = text_hex(arena, m.body_md5);
    ret->body = m.body;
    ret->attributes = system_attributes(plan, pick, &m, filters->system_names, account, arena);
    return message_attributes(&m, filters->attribute_names, arena, ret);
}
