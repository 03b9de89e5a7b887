/* plan.c: what the front works out about messages before their owner decides (send.h). */
#include "base/text.h"
#include "crypto/digest.h"
#include "service/sqs/attribute_value.h"
#include "service/sqs/batch.h"
#include "service/sqs/id_text.h"
#include "service/sqs/message.h"
#include "service/sqs/send.h"
#include "service/sqs/sqs.h"

/* What SendMessage and an entry of SendMessageBatch have in common. */
struct send_input {
    struct slice body, group_id, dedup_id;
    int64_t delay_s;
    struct values attributes, system_attributes;
};

/* ---- checks ---------------------------------------------------------------------------------------------------------- */

static struct error check_delay(int64_t delay_s, struct sqs_fault *f)
{
    if (delay_s == INT_ABSENT || (delay_s >= 0 && delay_s <= SQS_DELAY_S_MAX))
        return OK;
    return sqs_fault(f, SQS_INVALID_PARAMETER,
        "Value %lld for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        (long long)delay_s);
}

/* What is wrong with one message alone; sorts the attributes. */
static struct error check_message(struct send_input *in, struct sqs_fault *f)
{
    if (!text_is_xml_chars(in->body))
        return ERROR_OF(SQS_INVALID_MESSAGE_CONTENTS);
    TRY(check_delay(in->delay_s, f));
    TRY(sqs_attributes_check(&in->attributes, f));
    return sqs_system_attributes_check(&in->system_attributes, f);
}

static struct error check_ids(const struct send_input *in, struct sqs_fault *f)
{
    TRY(sqs_id_check(in->group_id, "MessageGroupId", f));
    return sqs_id_check(in->dedup_id, "MessageDeduplicationId", f);
}

/* ---- packing ----------------------------------------------------------------------------------------------------------- */

static struct slice sender_of(const struct call *c)
{
    struct slice sender = c->caller.user_id;
    if (c->caller.is_anonymous)
        sender = SLICE("anonymous");
    return slice_equal(sender, c->account) ? SLICE_NONE : sender; /* the owner's account is what an absent one means */
}

static struct slice trace_of(const struct call *c, const struct send_input *in)
{
    const struct pair *pairs = in->system_attributes.items;
    if (in->system_attributes.count) /* checked: it is AWSTraceHeader */
        return sqs_attribute_bytes(pairs[0].value);
    /* A header may hold any bytes; what is no text would spoil the reply of everybody who receives the message. */
    bool is_text = c->trace_header.size <= SQS_TRACE_BYTES_MAX && text_is_xml_chars(c->trace_header);
    return is_text ? c->trace_header : SLICE_NONE;
}

/* A buffer in the arena: `bound` must be enough, so that it never grows. */
static struct buf arena_buf(struct arena *arena, size_t bound)
{
    return (struct buf){ .data = arena_alloc(arena, bound), .capacity = bound };
}

static struct slice pack_attributes(struct call *c, const struct values *attributes)
{
    struct buf b = arena_buf(&c->arena, sqs_attributes_size(attributes) + attributes->count * 31 + 10);
    message_pack_attributes(&b, attributes);
    return buf_slice(&b);
}

/* Room for the MD5 of the body, which comes last, is returned. */
static uint8_t *pack_tail(struct call *c, const struct send_input *in, struct sqs_send_item *item)
{
    static const uint8_t no_md5[MD5_BYTES];
    struct message m = { .sender = sender_of(c),
        .group_id = in->group_id,
        .dedup_id = in->dedup_id,
        .trace = trace_of(c, in),
        .body_md5 = slice_of(no_md5, MD5_BYTES) };
    if (in->attributes.count)
        m.attributes = pack_attributes(c, &in->attributes);
    m.flags = (m.sender.size ? MESSAGE_SENDER : 0u) | (m.group_id.size ? MESSAGE_GROUP : 0u) |
              (m.dedup_id.size ? MESSAGE_DEDUP : 0u) | (m.trace.size ? MESSAGE_TRACE : 0u) |
              (m.attributes.size ? MESSAGE_ATTRIBUTES : 0u);
    struct buf b = arena_buf(&c->arena,
        m.sender.size + m.group_id.size + m.dedup_id.size + m.trace.size + m.attributes.size + 5 * 10 + MD5_BYTES);
    message_encode_tail(&b, &m);
    item->flags = m.flags;
    item->tail = buf_slice(&b);
    return (uint8_t *)b.data + b.size - MD5_BYTES;
}

static uint8_t *plan_item(struct call *c, const struct send_input *in, struct sqs_send_item *item)
{
    item->body = in->body;
    item->group_id = in->group_id;
    item->dedup_id = in->dedup_id;
    item->delay_s = in->delay_s;
    item->size = in->body.size + sqs_attributes_size(&in->attributes);
    if (in->attributes.count)
        sqs_attributes_md5(&in->attributes, item->md5_of_attributes);
    if (in->system_attributes.count)
        sqs_attributes_md5(&in->system_attributes, item->md5_of_system_attributes);
    if (slice_is_none(in->dedup_id) && slice_ends(c->resource, SLICE(".fifo"))) {
        sha256(in->body, item->body_sha256);
        item->has_sha256 = true;
    }
    return pack_tail(c, in, item);
}

static struct sqs_send_plan *plan_new(struct call *c, size_t count)
{
    struct sqs_send_plan *plan = ARENA_NEW(&c->arena, struct sqs_send_plan);
    plan->count = count;
    plan->items = ARENA_ARRAY(&c->arena, struct sqs_send_item, count);
    c->scratch = plan;
    return plan;
}

/* ---- the two operations -------------------------------------------------------------------------------------------------- */

struct error sqs_plan_send(struct call *c, const struct sqs_send_message_in *in)
{
    struct sqs_fault fault = { .arena = &c->arena };
    struct sqs_send_plan *plan = plan_new(c, 1);
    struct send_input input = { .body = in->body,
        .group_id = in->group_id,
        .dedup_id = in->dedup_id,
        .delay_s = in->delay_s,
        .attributes = in->attributes,
        .system_attributes = in->system_attributes };
    struct error e = check_message(&input, &fault);
    if (!failed(e))
        e = check_ids(&input, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    call_md5_later(c, input.body, plan_item(c, &input, &plan->items[0]));
    return OK;
}

static struct send_input input_of_entry(const struct sqs_send_entry *entry)
{
    return (struct send_input){ .body = entry->body,
        .group_id = entry->group_id,
        .dedup_id = entry->dedup_id,
        .delay_s = entry->delay_s,
        .attributes = entry->attributes,
        .system_attributes = entry->system_attributes };
}

struct error sqs_plan_send_batch(struct call *c, const struct sqs_send_message_batch_in *in)
{
    struct sqs_fault fault = { .arena = &c->arena };
    const struct sqs_send_entry *entries = in->entries.items;
    struct sqs_send_plan *plan = plan_new(c, in->entries.count);
    size_t bytes = 0;
    for (size_t i = 0; i < plan->count; i++)
        bytes += entries[i].body.size + sqs_attributes_size(&entries[i].attributes);
    struct error e = sqs_batch_check_size(bytes, &fault);
    for (size_t i = 0; i < plan->count && !failed(e); i++) {
        struct send_input input = input_of_entry(&entries[i]);
        e = check_ids(&input, &fault);
    }
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    struct slice *bodies = ARENA_ARRAY(&c->arena, struct slice, plan->count);
    uint8_t(*digests)[MD5_BYTES] = arena_alloc(&c->arena, plan->count * sizeof(*digests));
    for (size_t i = 0; i < plan->count; i++)
        bodies[i] = entries[i].body;
    md5_each(bodies, plan->count, digests);
    for (size_t i = 0; i < plan->count; i++) {
        struct sqs_send_item *item = &plan->items[i];
        struct send_input input = input_of_entry(&entries[i]);
        fault.text = SLICE_NONE;
        item->id = entries[i].id;
        item->error = check_message(&input, &fault);
        item->error_text = fault.text;
        item->group_id = input.group_id;
        item->dedup_id = input.dedup_id;
        if (!failed(item->error))
            memcpy(plan_item(c, &input, item), digests[i], MD5_BYTES);
    }
    return OK;
}
