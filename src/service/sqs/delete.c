/* delete.c: DeleteMessage, DeleteMessageBatch, PurgeQueue. */
#include "service/sqs/failure.h"
#include "base/mutant.h"
#include "service/sqs/handle.h"
#include "service/sqs/state.h"

/* ---- one handle ------------------------------------------------------------------------------------------------------- */

/* Standard: any handle of the message deletes it, expired or not. A handle from before a restart may name a lease that the
 * crash took: then the message waits in its lane as if it had never been received. It may also be an entry here that no
 * record made (a receive picked it and failed on a full disk): replay will find that one in its lane. */
static void choose_standard(struct queue *q, const struct receipt *r, struct record_seqs *l)
{
    uint32_t entry = flights_find(&q->flights, r->seq);
    if (entry != FLIGHT_NONE && flights_get(&q->flights, entry)->generation > 0) {
        l->items[l->count++] = (struct record_seq){ .seq = r->seq };
        return;
    }
    if (r->epoch != (uint32_t)store_epoch(q->state->owner->store) && queue_lsn_of(q, r->seq, r->group_key))
        l->items[l->count++] = (struct record_seq){ .seq = r->seq, .in_lane = true, .group_key = r->group_key };
}

/* FIFO: only the handle of the lease that holds it now (contract 2.2); a message that is gone is deleted already. */
static struct error choose_fifo(
    struct queue *q, const struct receipt *r, struct slice handle, struct record_seqs *l, struct sqs_fault *f)
{
    uint32_t entry = flights_find(&q->flights, r->seq);
    if (entry == FLIGHT_NONE)
        return OK;
    const struct flight *e = flights_get(&q->flights, entry);
    if ((e->state != FLIGHT_LEASED || e->generation != r->generation) && !MUTANT(expired_handle_deletes))
        return sqs_fault_value(f, handle, "ReceiptHandle", "The receipt handle has expired.");
    l->items[l->count++] = (struct record_seq){ .seq = r->seq };
    return OK;
}

static struct error choose(struct queue *q, struct slice handle, struct record_seqs *l, struct sqs_fault *f)
{
    struct receipt r;
    TRY(sqs_handle_open(q, handle, &r, f));
    for (uint32_t i = 0; i < l->count; i++)
        if (l->items[i].seq == r.seq)
            return OK; /* twice in one batch */
    if (q->is_fifo)
        return choose_fifo(q, &r, handle, l, f);
    choose_standard(q, &r, l);
    return OK;
}

static struct error delete_chosen(struct queue *q, struct record_seqs *l)
{
    if (l->count == 0)
        return OK;
    char bytes[256];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    static_assert(sizeof(bytes) >= 10 + SQS_BATCH_ENTRIES_MAX * (10 + 8), "a delete record fits");
    record_seqs(&b, SQS_RECORD_DELETED, l);
    if (MUTANT(delete_not_logged)) {
        for (uint32_t i = 0; i < l->count; i++)
            if (!l->items[i].in_lane)
                queue_drop(q, flights_find(&q->flights, l->items[i].seq));
        return OK;
    }
    TRY(record_append(q->state, SQS_RECORD_DELETED, q->uid, buf_slice(&b), true));
    q->figures.deleted += l->count;
    return OK;
}

/* ---- the operations ------------------------------------------------------------------------------------------------------ */

struct error sqs_delete_message(struct call *c, const void *in, void *out)
{
    const struct sqs_delete_message_in *args = in;
    struct sqs_fault fault = { .arena = &c->arena };
    struct record_seqs l = { .count = 0 };
    struct queue *q;
    (void)out;
    TRY(sqs_queue_enter(c, &q));
    struct error e = choose(q, args->receipt_handle, &l, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    return delete_chosen(q, &l);
}

struct error sqs_delete_message_batch(struct call *c, const void *in, void *out)
{
    const struct sqs_delete_message_batch_in *args = in;
    struct sqs_delete_message_batch_out *result = out;
    const struct sqs_delete_entry *entries = args->entries.items;
    struct sqs_batch_lists lists = { .successful = &result->successful, .failed = &result->failed };
    struct record_seqs l = { .count = 0 };
    struct queue *q;
    TRY(sqs_queue_enter(c, &q));
    sqs_batch_lists_init(&lists, &c->arena, args->entries.count, sizeof(struct sqs_delete_result));
    for (size_t i = 0; i < args->entries.count; i++) {
        struct sqs_fault fault = { .arena = &c->arena };
        struct error e = choose(q, entries[i].receipt_handle, &l, &fault);
        if (failed(e)) {
            sqs_batch_fail(&lists, entries[i].id, e, fault.text);
        } else {
            struct sqs_delete_result *r = sqs_batch_succeed(&lists, sizeof(*r));
            r->id = entries[i].id;
        }
    }
    return delete_chosen(q, &l);
}

struct error sqs_purge_queue(struct call *c, const void *in, void *out)
{
    struct queue *q;
    (void)in;
    (void)out;
    TRY(sqs_queue_enter(c, &q));
    if (sqs_quotas.is_aws && q->purged_ms && c->owner->now_ms < q->purged_ms + SQS_QUARANTINE_MS)
        return call_fail_row(c, SQS_PURGE_IN_PROGRESS, SLICE_ARG(q->name));
    char bytes[16];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    pack_u64(&b, q->next_seq);
    return record_append(q->state, SQS_RECORD_PURGED, q->uid, buf_slice(&b), true);
}
