/* Any bytes as the payload of any SQS record (the first byte says which): parsing ends, stays inside its input, and what it
 * takes comes back when written and parsed again; describing it works. */
#include "base/limits.h"
#include "service/sqs/message.h"
#include "service/sqs/record.h"
#include "service/sqs/state.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_message(struct slice payload, struct arena *arena)
{
    struct message m, again;
    struct values attributes;
    if (failed(message_decode(payload, &m)))
        return;
    ASSERT(m.body.data >= payload.data && m.body.data + m.body.size == payload.data + payload.size);
    if (m.attributes.size)
        (void)message_unpack_attributes(m.attributes, arena, &attributes);
    struct buf b;
    buf_init(&b);
    message_encode_head(&b, &m);
    message_encode_tail(&b, &m);
    buf_add(&b, m.body);
    ASSERT(!failed(message_decode(buf_slice(&b), &again)));
    ASSERT(again.flags == m.flags && again.seq == m.seq && again.delay_s == m.delay_s && again.receives == m.receives);
    ASSERT(slice_equal(again.group_id, m.group_id) && slice_equal(again.dedup_id, m.dedup_id));
    ASSERT(slice_equal(again.attributes, m.attributes) && slice_equal(again.body, m.body));
    buf_deinit(&b);
}

static void try_leased(struct slice payload)
{
    struct record_leased l, again;
    if (!record_leased_parse(payload, &l))
        return;
    struct buf b;
    buf_init(&b);
    record_leased(&b, &l);
    ASSERT(record_leased_parse(buf_slice(&b), &again));
    ASSERT(again.run_count == l.run_count && again.visibility_s == l.visibility_s);
    buf_deinit(&b);
}

static void try_seqs(enum sqs_record type, struct slice payload)
{
    struct record_seqs l, again;
    if (!record_seqs_parse(type, payload, &l))
        return;
    for (uint32_t i = 1; i < l.count; i++)
        if (l.items[i].seq <= l.items[i - 1].seq)
            return; /* nothing of ours: the writer would refuse it */
    struct buf b;
    buf_init(&b);
    record_seqs(&b, type, &l);
    ASSERT(record_seqs_parse(type, buf_slice(&b), &again));
    ASSERT(again.count == l.count);
    for (uint32_t i = 0; i < l.count; i++)
        ASSERT(again.items[i].seq == l.items[i].seq && again.items[i].in_lane == l.items[i].in_lane);
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena arena;
    arena_init(&arena, 64 * MIB);
    struct slice payload = slice_of(data + 1, size - 1);
    const struct record r = {
        .lsn = 1, .type = (uint16_t)(SQS_INDEX << 8 | data[0]), .version = 1, .payload = payload
    };
    struct slice text = sqs_record_describe(&arena, &r);
    ASSERT(text.size > 0);
    try_message(payload, &arena);
    try_leased(payload);
    try_seqs(SQS_RECORD_DELETED, payload);
    try_seqs(SQS_RECORD_VISIBILITY, payload);
    try_seqs(SQS_RECORD_RETURNED, payload);
    arena_deinit(&arena);
    return 0;
}
