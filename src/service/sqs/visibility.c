/* visibility.c: ChangeMessageVisibility, ChangeMessageVisibilityBatch (contract 2.1 "Visibility", "12 h cap"; 2.2). */
#include "service/sqs/failure.h"
#include "base/mutant.h"
#include "service/sqs/handle.h"
#include "service/sqs/state.h"

/* The whole lease, from the receive on, may not be longer than 12 hours. */
static struct error check_cap(const struct queue *q, const struct flight *e, uint32_t visibility_s, struct sqs_fault *f)
{
    if (q->view_ms + visibility_s * 1000ull <= e->leased_ms + SQS_LEASE_MS_MAX || MUTANT(lease_without_end))
        return OK;
    return sqs_fault(f, SQS_INVALID_PARAMETER,
        "Value %u for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is "
        "beyond the "
        "limit [43200 seconds]",
        visibility_s);
}

static struct error choose(
    struct queue *q, struct slice handle, uint32_t visibility_s, struct record_seqs *l, struct sqs_fault *f)
{
    struct receipt r;
    TRY(sqs_handle_open(q, handle, &r, f));
    uint32_t entry = flights_find(&q->flights, r.seq);
    if (entry == FLIGHT_NONE) {
        if (queue_lsn_of(
                q, r.seq, r.group_key)) /* its lease was lost in a crash: it is visible, as if it had run out */
            return OK;
        return sqs_fault_value(
            f, handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.");
    }
    const struct flight *e = flights_get(&q->flights, entry);
    bool is_leased = e->state == FLIGHT_LEASED;
    if (q->is_fifo && (!is_leased || e->generation != r.generation) && !MUTANT(expired_handle_changes))
        return sqs_fault_value(f, handle, "ReceiptHandle", "The receipt handle has expired.");
    if (!is_leased)
        return OK; /* standard, visible again: fine, and it stays visible */
    TRY(check_cap(q, e, visibility_s, f));
    for (uint32_t i = 0; i < l->count; i++)
        if (l->items[i].seq == r.seq) { /* twice in one batch: the last one holds */
            l->items[i].visibility_s = visibility_s;
            return OK;
        }
    l->items[l->count++] = (struct record_seq){ .seq = r.seq, .visibility_s = visibility_s };
    return OK;
}

static struct error change_chosen(struct queue *q, struct record_seqs *l)
{
    if (l->count == 0)
        return OK;
    char bytes[256];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    static_assert(sizeof(bytes) >= 10 + SQS_BATCH_ENTRIES_MAX * (10 + 5), "a visibility record fits");
    record_seqs(&b, SQS_RECORD_VISIBILITY, l);
    for (uint32_t i = 0; MUTANT(visibility_not_logged) && i < l->count; i++) {
        uint32_t entry = flights_find(&q->flights, l->items[i].seq);
        queue_lease(
            q, entry, flights_get(&q->flights, entry)->leased_ms, q->view_ms + l->items[i].visibility_s * 1000ull);
    }
    if (MUTANT(visibility_not_logged))
        return OK;
    return record_append(q->state, SQS_RECORD_VISIBILITY, q->uid, buf_slice(&b), true);
}

struct error sqs_change_message_visibility(struct call *c, const void *in, void *out)
{
    const struct sqs_change_message_visibility_in *args = in;
    struct sqs_fault fault = { .arena = &c->arena };
    struct record_seqs l = { .count = 0 };
    struct queue *q;
    (void)out;
    TRY(sqs_queue_enter(c, &q));
    struct error e = choose(q, args->receipt_handle, (uint32_t)args->visibility_s, &l, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    return change_chosen(q, &l);
}

static struct error check_entry(const struct sqs_visibility_entry *entry, struct sqs_fault *f)
{
    if (entry->visibility_s == INT_ABSENT)
        return sqs_fault_missing(f, "VisibilityTimeout");
    if (entry->visibility_s < 0 || entry->visibility_s > SQS_VISIBILITY_S_MAX)
        return sqs_fault(f, SQS_INVALID_PARAMETER,
            "Value %lld for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200.",
            (long long)entry->visibility_s);
    return OK;
}

struct error sqs_change_message_visibility_batch(struct call *c, const void *in, void *out)
{
    const struct sqs_change_message_visibility_batch_in *args = in;
    struct sqs_change_message_visibility_batch_out *result = out;
    const struct sqs_visibility_entry *entries = args->entries.items;
    struct sqs_batch_lists lists = { .successful = &result->successful, .failed = &result->failed };
    struct record_seqs l = { .count = 0 };
    struct queue *q;
    TRY(sqs_queue_enter(c, &q));
    sqs_batch_lists_init(&lists, &c->arena, args->entries.count, sizeof(struct sqs_visibility_result));
    for (size_t i = 0; i < args->entries.count; i++) {
        struct sqs_fault fault = { .arena = &c->arena };
        struct error e = check_entry(&entries[i], &fault);
        if (!failed(e))
            e = choose(q, entries[i].receipt_handle, (uint32_t)entries[i].visibility_s, &l, &fault);
        if (failed(e)) {
            sqs_batch_fail(&lists, entries[i].id, e, fault.text);
        } else {
            struct sqs_visibility_result *r = sqs_batch_succeed(&lists, sizeof(*r));
            r->id = entries[i].id;
        }
    }
    return change_chosen(q, &l);
}
