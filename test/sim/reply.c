/* reply.c: the finished reply of a receive, and what a client keeps of a reply that reached it. */
#include "base/text.h"
#include "model.h"

static struct slice text_of(const struct sqs_message *got, struct slice name)
{
    const struct pair *pairs = got->attributes.items;
    for (size_t i = 0; i < got->attributes.count; i++)
        if (slice_equal(pairs[i].key, name))
            return pairs[i].text;
    return SLICE_NONE;
}

static uint64_t number_of(const struct sqs_message *got, struct slice name)
{
    uint64_t value = UINT64_MAX;
    text_parse_u64(text_of(got, name), &value);
    return value;
}

static void check_system(const struct sim_call *c, uint32_t i, const struct sqs_message *got)
{
    const struct model_message *m = &model.messages[c->got[i]];
    const struct model_queue *q = &model.queues[c->queue];
    uint64_t count = number_of(got, SLICE("ApproximateReceiveCount"));
    CHECK(INV_COUNTS, count == c->got_shown[i], "%s: message %u says it was received %llu times", q->name, c->got[i],
        (unsigned long long)count);
    uint64_t sent = number_of(got, SLICE("SentTimestamp")),
             first = number_of(got, SLICE("ApproximateFirstReceiveTimestamp"));
    CHECK(INV_COUNTS, sent == m->sent_ms, "%s: message %u says it was sent at %llu, not %llu", q->name, c->got[i],
        (unsigned long long)sent, (unsigned long long)m->sent_ms);
    CHECK(INV_COUNTS, first == c->got_first[i], "%s: message %u says it was received first at %llu, not %llu", q->name,
        c->got[i], (unsigned long long)first, (unsigned long long)c->got_first[i]);
    char group[16];
    struct slice group_text = text_of(got, SLICE("MessageGroupId"));
    size_t size = (size_t)snprintf(group, sizeof(group), "g%u", m->group);
    CHECK(INV_NOT_INVENTED, m->group ? slice_equal(group_text, slice_of(group, size)) : slice_is_none(group_text),
        "%s: message %u has another group", q->name, c->got[i]);
    if (q->is_fifo && m->sequence)
        CHECK(INV_NOT_INVENTED, number_of(got, SLICE("SequenceNumber")) == m->sequence,
            "%s: message %u has another sequence number", q->name, c->got[i]);
    struct slice source = text_of(got, SLICE("DeadLetterQueueSourceArn"));
    bool is_source =
        m->moved_from ? slice_ends(source, slice_str(model.queues[m->moved_from - 1].name)) : slice_is_none(source);
    CHECK(INV_MOVED, is_source, "%s: message %u says it came from \"%.*s\"", q->name, c->got[i], SLICE_ARG(source));
}

void model_check_messages(struct sim_call *c)
{
    const struct values *list = &((const struct sqs_receive_message_out *)c->call.out)->messages;
    const struct sqs_message *messages = list->items;
    CHECK(INV_KEPT, list->count == c->got_count, "%s: %u messages were leased, %zu are in the reply",
        model.queues[c->queue].name, c->got_count, list->count);
    for (uint32_t i = 0; i < c->got_count; i++) {
        struct model_message *m = &model.messages[c->got[i]];
        const struct sqs_message *got = &messages[i];
        uint8_t id[16];
        char hex[32];
        size_t size = 0;
        for (size_t k = 0; k < got->message_id.size && size < 32; k++)
            if (got->message_id.data[k] != '-')
                hex[size++] = got->message_id.data[k];
        bool is_id = text_parse_hex(slice_of(hex, size), id, 16);
        if (is_id && !(m->id[0] | m->id[1]))
            memcpy(m->id, id, 16); /* a move task made it, so this is the first time its name is told */
        CHECK(INV_NOT_INVENTED, is_id && memcmp(id, m->id, 16) == 0, "%s: message %u came with another id",
            model.queues[c->queue].name, c->got[i]);
        CHECK(INV_NOT_INVENTED, content_is(m, got, &c->call.arena), "%s: message %u is not what was sent",
            model.queues[c->queue].name, c->got[i]);
        CHECK(INV_ANSWER, got->receipt_handle.size == HANDLE_BYTES, "a receipt handle of %zu bytes",
            got->receipt_handle.size);
        check_system(c, i, got);
    }
}

/* A client has it now. */
static void hold_messages(struct sim_call *c)
{
    const struct sqs_message *messages = ((const struct sqs_receive_message_out *)c->call.out)->messages.items;
    for (uint32_t i = 0; i < c->got_count; i++) {
        struct held *h = held_new();
        *h = (struct held){ .is_used = true,
            .message = c->got[i],
            .queue = c->queue,
            .born = model.messages[c->got[i]].born,
            .generation = c->got_generation[i] };
        memcpy(h->handle, messages[i].receipt_handle.data, HANDLE_BYTES);
    }
}

static void hold_task(struct sim_call *c)
{
    struct slice handle = ((const struct sqs_start_message_move_task_out *)c->call.out)->task_handle;
    struct task_handle_kept *kept = &sim.tasks[c->queue];
    ASSERT(handle.size <= sizeof(kept->text));
    memcpy(kept->text, handle.data, handle.size);
    kept->size = handle.size;
    kept->born = c->messages[0].born;
    kept->number = c->number[1];
}

void model_delivered(struct sim_call *c)
{
    TRACE("call %llu delivered", c - sim.calls);
    if (failed(c->call.error))
        return;
    /* A standard receive may be forgotten; that its messages are not is checked by what clients hold. */
    bool may_be_forgotten = c->kind == DO_RECEIVE && !model.queues[c->queue].is_fifo;
    if (!may_be_forgotten && c->decided_lsn > model.acked_lsn) {
        model.acked_lsn = c->decided_lsn;
        model.acked_what = c->call.op->name.data;
    }
    if (c->kind == DO_RECEIVE)
        hold_messages(c);
    if (c->kind == DO_START_TASK)
        hold_task(c);
}
