/* send.c: SendMessage and SendMessageBatch: at the owner. What the front prepared is in plan.c. */
#include "service/sqs/send.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "service/sqs/failure.h"
#include "service/sqs/message.h"
#include "service/sqs/send_keys.h"
#include "service/sqs/state.h"

/* What is decided about one message. */
struct send_choice {
    uint64_t seq;
    bool is_new; /* false: a duplicate of `seq` */
    bool is_dedup;
    uint64_t hash[2];
    char *head; /* packed, message.h */
    size_t head_bytes;
};

/* Heads are small: flags, seq, delay, SHA-256. */
enum { HEAD_BYTES_MAX = 10 + 10 + 5 + 32 };

/* ---- rules that depend on the queue (contract 1.4, 2.2) -------------------------------------------------------------------- */

/* Group and deduplication ids: one that is wrong refuses the whole request. */
static struct error check_ids(struct call *c, const struct queue *q, const struct sqs_send_item *item, bool is_batch)
{
    if (!q->is_fifo) {
        if (!slice_is_none(item->dedup_id))
            return call_fail(c, SQS_INVALID_PARAMETER,
                "Value %.*s for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter "
                "that is "
                "not valid for this queue type.",
                SLICE_ARG(item->dedup_id));
        return OK;
    }
    if (slice_is_none(item->group_id))
        return call_fail(c, is_batch ? SQS_INVALID_PARAMETER : SQS_MISSING_PARAMETER,
            "The request must contain the parameter MessageGroupId.");
    if (slice_is_none(item->dedup_id) && !q->config->is_content_dedup)
        return call_fail(c, SQS_INVALID_PARAMETER,
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly");
    return OK;
}

/* What is wrong with this entry alone; *ret_text in the call's arena. */
static struct error check_item(
    struct call *c, const struct queue *q, const struct sqs_send_item *item, bool is_batch, struct slice *ret_text)
{
    if (failed(item->error)) {
        *ret_text = item->error_text;
        return item->error;
    }
    if (q->is_fifo && item->delay_s != INT_ABSENT && item->delay_s > 0) {
        *ret_text = arena_printf(&c->arena,
            "Value %lld for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid "
            "for "
            "this queue type.",
            (long long)item->delay_s);
        return ERROR_OF(SQS_INVALID_PARAMETER);
    }
    if (item->size > q->config->max_message_bytes) {
        *ret_text = arena_printf(&c->arena, "One or more parameters %s. Reason: Message must be shorter than %u bytes.",
            is_batch ? "cannot be validated" : "are invalid", q->config->max_message_bytes);
        return ERROR_OF(SQS_INVALID_PARAMETER);
    }
    return OK;
}

/* ---- duplicates -------------------------------------------------------------------------------------------------------- */

static void hash_item(const struct queue *q, const struct sqs_send_item *item, struct send_choice *choice)
{
    char hex[64];
    struct slice id = item->dedup_id;
    if (slice_is_none(id)) {
        ASSERT(item->has_sha256);
        text_format_hex(item->body_sha256, sizeof(item->body_sha256), hex);
        id = slice_of(hex, sizeof(hex));
    }
    sqs_dedup_hash(q, item->group_id, id, choice->hash);
    choice->is_dedup = true;
}

/* Gives the message its number, or that of the one it repeats: an earlier send, or an earlier entry of this batch. */
static struct error choose(struct call *c, const struct queue *q, const struct sqs_send_item *item,
    const struct send_choice *before, size_t before_count, uint64_t next_seq, struct send_choice *choice)
{
    choice->seq = next_seq;
    choice->is_new = true;
    if (!q->is_fifo)
        return OK;
    choice->is_new = !dedup_find(&q->dedup, choice->hash, &choice->seq);
    for (size_t i = 0; i < before_count && choice->is_new; i++) {
        if (before[i].is_dedup && memcmp(before[i].hash, choice->hash, sizeof(choice->hash)) == 0) {
            choice->seq = before[i].seq;
            choice->is_new = false;
        }
    }
    if (choice->is_new && dedup_count(&q->dedup) + before_count >= SQS_DEDUP_ENTRIES_MAX)
        return call_fail(c, SQS_REQUEST_THROTTLED, NULL);
    return OK;
}

/* ---- records ------------------------------------------------------------------------------------------------------------- */

static void pack_head(
    struct call *c, const struct queue *q, const struct sqs_send_item *item, struct send_choice *choice)
{
    struct message m = { .flags = item->flags, .seq = choice->seq };
    if (!q->is_fifo) {
        m.delay_s = item->delay_s == INT_ABSENT ? q->config->delay_s : (uint32_t)item->delay_s;
        if (m.delay_s)
            m.flags |= MESSAGE_DELAY;
    } else if (slice_is_none(item->dedup_id)) {
        m.flags |= MESSAGE_DEDUP_HASH;
        m.dedup_hash = slice_of(item->body_sha256, sizeof(item->body_sha256));
    }
    struct buf b = { .data = arena_alloc(&c->arena, HEAD_BYTES_MAX), .capacity = HEAD_BYTES_MAX };
    message_encode_head(&b, &m);
    choice->head = b.data;
    choice->head_bytes = b.size;
}

static struct error append(struct call *c, struct queue *q, const struct sqs_send_item *const *items,
    struct send_choice *choices, size_t count)
{
    struct record_in records[SQS_BATCH_ENTRIES_MAX];
    struct slice parts[SQS_BATCH_ENTRIES_MAX][3];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!choices[i].is_new)
            continue;
        pack_head(c, q, items[i], &choices[i]);
        parts[used][0] = slice_of(choices[i].head, choices[i].head_bytes);
        parts[used][1] = items[i]->tail;
        parts[used][2] = items[i]->body;
        records[used] = (struct record_in){ .type = SQS_RECORD_SENT,
            .version = SQS_RECORD_VERSION,
            .flags = RECORD_MUST_UNDERSTAND | RECORD_LIVE,
            .object = q->uid,
            .parts = parts[used],
            .part_count = 3,
            .opaque_parts = 1 };
        used++;
    }
    q->figures.deduplicated += count - used;
    if (used == 0)
        return OK;
    TRY(owner_record(c->owner, records, used, false, NULL));
    q->figures.sent += used;
    return OK;
}

/* What a FIFO queue knows of these ids and groups. Of a long queue it lies far away: all of it is asked for before the first
 * is looked at. */
static void look_up(
    const struct queue *q, const struct sqs_send_item *const *items, size_t count, struct send_choice *choices)
{
    uint64_t keys[SQS_BATCH_ENTRIES_MAX] = { 0 };
    for (size_t i = 0; i < count; i++) {
        hash_item(q, items[i], &choices[i]);
        dedup_fetch(&q->dedup, choices[i].hash);
    }
    if (q->groups.count < GROUPS_FAR)
        return;
    for (size_t i = 0; i < count; i++)
        keys[i] = sqs_group_key(sqs_state_keys(q->state), items[i]->group_id);
    group_fetch(q, keys, count);
}

/* Decides about `count` good messages together: all of them or none. */
static struct error send_items(struct call *c, struct queue *q, const struct sqs_send_item *const *items, size_t count,
    struct send_choice *choices)
{
    uint64_t next_seq = q->next_seq;
    memset(choices, 0, count * sizeof(*choices));
    if (q->is_fifo)
        look_up(q, items, count, choices);
    for (size_t i = 0; i < count; i++) {
        TRY(choose(c, q, items[i], choices, i, next_seq, &choices[i]));
        if (choices[i].is_new)
            next_seq++;
    }
    return append(c, q, items, choices, count);
}

/* ---- replies ----------------------------------------------------------------------------------------------------------- */

static struct slice text_or_none(const char *text)
{
    return *text ? slice_str(text) : SLICE_NONE;
}

static struct slice id_of(struct call *c, struct queue *q, uint64_t seq)
{
    uint8_t bytes[16];
    char *text = arena_alloc(&c->arena, 37);
    message_id_derive(sqs_state_keys(q->state), q->uid, seq, bytes);
    text_format_uuid(bytes, text);
    return slice_of(text, 36);
}

static struct slice sequence_of(struct call *c, const struct queue *q, uint64_t seq)
{
    if (!q->is_fifo)
        return SLICE_NONE;
    char *text = arena_alloc(&c->arena, SEQUENCE_DIGITS + 1);
    message_sequence_format(seq, text);
    return slice_of(text, SEQUENCE_DIGITS);
}

static struct slice md5_of_body(struct call *c, const struct sqs_send_item *item)
{
    return text_hex(&c->arena, slice_from(item->tail, item->tail.size - MD5_BYTES));
}

struct error sqs_send_message(struct call *c, const void *in, void *out)
{
    const struct sqs_send_plan *plan = c->scratch;
    const struct sqs_send_item *item = &plan->items[0];
    struct sqs_send_message_out *result = out;
    struct send_choice choice;
    struct queue *q;
    (void)in;
    call_md5_now(c);
    TRY(sqs_queue_enter(c, &q));
    TRY(check_ids(c, q, item, false));
    struct slice text = SLICE_NONE;
    struct error e = check_item(c, q, item, false, &text);
    if (failed(e)) {
        c->error_message = text;
        return e;
    }
    TRY(send_items(c, q, &item, 1, &choice));
    result->message_id = id_of(c, q, choice.seq);
    result->sequence_number = sequence_of(c, q, choice.seq);
    result->md5_of_body = md5_of_body(c, item);
    result->md5_of_attributes = text_or_none(item->md5_of_attributes);
    result->md5_of_system_attributes = text_or_none(item->md5_of_system_attributes);
    return OK;
}

static void put_result(
    struct call *c, struct queue *q, const struct sqs_send_item *item, uint64_t seq, struct sqs_send_result *r)
{
    r->id = item->id;
    r->message_id = id_of(c, q, seq);
    r->sequence_number = sequence_of(c, q, seq);
    r->md5_of_body = md5_of_body(c, item);
    r->md5_of_attributes = text_or_none(item->md5_of_attributes);
    r->md5_of_system_attributes = text_or_none(item->md5_of_system_attributes);
}

struct error sqs_send_message_batch(struct call *c, const void *in, void *out)
{
    const struct sqs_send_plan *plan = c->scratch;
    struct sqs_send_message_batch_out *result = out;
    const struct sqs_send_item *good[SQS_BATCH_ENTRIES_MAX] = { NULL };
    struct send_choice choices[SQS_BATCH_ENTRIES_MAX];
    struct sqs_batch_lists lists = { .successful = &result->successful, .failed = &result->failed };
    size_t good_count = 0;
    struct queue *q;
    (void)in;
    TRY(sqs_queue_enter(c, &q));
    for (size_t i = 0; i < plan->count; i++)
        TRY(check_ids(c, q, &plan->items[i], true));
    sqs_batch_lists_init(&lists, &c->arena, plan->count, sizeof(struct sqs_send_result));
    for (size_t i = 0; i < plan->count; i++) {
        struct slice text = SLICE_NONE;
        struct error e = check_item(c, q, &plan->items[i], true, &text);
        if (failed(e))
            sqs_batch_fail(&lists, plan->items[i].id, e, text);
        else
            good[good_count++] = &plan->items[i];
    }
    TRY(send_items(c, q, good, good_count, choices));
    for (size_t i = 0; i < good_count; i++)
        put_result(c, q, good[i], choices[i].seq, sqs_batch_succeed(&lists, sizeof(struct sqs_send_result)));
    return OK;
}
