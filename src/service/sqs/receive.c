#include "service/sqs/receive.h"
#include "api/front.h"
#include "base/mutant.h"
#include "base/log.h"
#include "service/sqs/attempt.h"
#include "service/sqs/id_text.h"
#include "service/sqs/redrive.h"
#include "service/sqs/send_keys.h"

/* ---- choosing ------------------------------------------------------------------------------------------------------------ */

/* Up to `max` entries to lease; those that would be received too often leave for the dead-letter queue instead. *ret_more:
 * there are more of them than one receive moves. On failure nothing is picked. */
static struct error pick_messages(
    struct queue *q, uint32_t max, uint32_t entries[SQS_RECEIVE_MAX], uint32_t *ret_count, bool *ret_more)
{
    struct redrive r;
    uint32_t count = 0, room = SQS_IN_FLIGHT_MAX - q->in_flight, entry;
    enum redrive_choice choice = REDRIVE_STAYS;
    sqs_redrive_begin(&r, q);
    while (count < max && count < room && choice != REDRIVE_LATER && (entry = queue_pick(q)) != FLIGHT_NONE) {
        choice = sqs_redrive_choose(&r, entry);
        if (choice == REDRIVE_STAYS)
            entries[count++] = entry;
        else if (choice == REDRIVE_LATER)
            queue_unpick(q, entry);
    }
    struct error e = sqs_redrive_end(&r);
    for (uint32_t i = 0; i < count && failed(e); i++)
        queue_unpick(q, entries[i]);
    *ret_more = choice == REDRIVE_LATER;
    *ret_count = count;
    return e;
}

static void add_to_run(struct record_leased *l, uint64_t group_key, uint64_t seq)
{
    uint32_t i = 0;
    while (i < l->run_count && l->runs[i].group_key != group_key)
        i++;
    if (i == l->run_count) {
        l->runs[i].group_key = group_key;
        l->runs[i].count = 0;
        l->run_count++;
    }
    l->runs[i].seqs[l->runs[i].count++] = seq;
    if (group_key)
        l->flags |= LEASED_HAS_GROUPS;
}

static struct error append_lease(struct queue *q, const struct record_leased *l)
{
    char bytes[512];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    static_assert(sizeof(bytes) >= 64 + SQS_RECEIVE_MAX * (8 + 10 + 10), "a lease record fits");
    record_leased(&b, l);
    /* urgent: on a full disk consumers must go on, or nothing would ever be deleted */
    return record_append(q->state, SQS_RECORD_LEASED, q->uid, buf_slice(&b), true);
}

/* ---- the plan ------------------------------------------------------------------------------------------------------------ */

static void plan_pick(struct receive_plan *plan, const struct queue *q, uint32_t entry)
{
    const struct flight *e = flights_get(&q->flights, entry);
    plan->picks[plan->count++] = (struct receive_pick){ .seq = e->seq,
        .lsn = e->lsn,
        .group_key = e->group->key,
        .sent_ms = e->sent_ms,
        .first_ms = flight_first_ms(e),
        .generation = e->generation,
        .count = flight_count(e) };
}

/* What was leased becomes what finish reads. */
static void plan_receive(struct call *c, struct queue *q, struct receive_plan *plan, uint64_t epoch)
{
    struct store *store = c->owner->store;
    plan->keys = sqs_state_keys(q->state);
    plan->uid = q->uid;
    plan->epoch = epoch;
    plan->is_fifo = q->is_fifo;
    plan->is_pinned = true;
    for (uint32_t i = 0; i < plan->count; i++) {
        store_pin(store, plan->picks[i].lsn);
        if (!q->is_fifo && plan->picks[i].lsn > c->wait_lsn)
            c->wait_lsn = plan->picks[i].lsn;
    }
    c->is_wait_chosen = !q->is_fifo || MUTANT(fifo_lease_not_awaited);
    q->figures.received += plan->count;
}

static void unpin(struct call *c, struct receive_plan *plan)
{
    for (uint32_t i = 0; i < plan->count && plan->is_pinned; i++)
        store_unpin(c->owner->store, plan->picks[i].lsn);
    plan->is_pinned = false;
}

/* ---- run ------------------------------------------------------------------------------------------------------------------ */

/* FIFO, the same ReceiveRequestAttemptId again: the same messages, their time anew. */
static struct error renew(
    struct call *c, struct queue *q, const struct attempt *a, uint32_t visibility_s, struct receive_plan *plan)
{
    struct record_leased l = {
        .flags = LEASED_HAS_ATTEMPT | LEASED_IS_RENEWAL, .visibility_s = visibility_s, .epoch = a->epoch
    };
    memcpy(l.attempt, a->hash, sizeof(l.attempt));
    uint64_t epoch = a->epoch;
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t entry = flights_find(&q->flights, a->seqs[i]);
        add_to_run(&l, flights_get(&q->flights, entry)->group->key, a->seqs[i]);
        plan_pick(plan, q, entry);
    }
    struct error e = append_lease(q, &l);
    if (failed(e)) {
        plan->count = 0;
        return e;
    }
    plan_receive(c, q, plan, epoch);
    queue_wake(q, 1); /* it took nothing that waits: if it was woken for something, that is for another */
    return OK;
}

static struct error lease(struct call *c, struct queue *q, const uint32_t *entries, uint32_t count,
    uint32_t visibility_s, const uint64_t *attempt, struct receive_plan *plan)
{
    struct record_leased l = { .visibility_s = visibility_s };
    uint64_t seqs[SQS_RECEIVE_MAX];
    if (attempt) {
        l.flags |= LEASED_HAS_ATTEMPT;
        memcpy(l.attempt, attempt, sizeof(l.attempt));
        l.epoch = store_epoch(c->owner->store);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct flight *e = flights_get(&q->flights, entries[i]);
        seqs[i] = e->seq;
        add_to_run(&l, e->group->key, e->seq);
    }
    struct error e = append_lease(q, &l);
    for (uint32_t i = 0; i < count && failed(e); i++)
        queue_unpick(q, entries[i]);
    TRY(e);
    for (uint32_t i = 0; i < count; i++) /* entries keep their numbers, but look again: the lease made them anew */
        plan_pick(plan, q, flights_find(&q->flights, seqs[i]));
    plan_receive(c, q, plan, store_epoch(c->owner->store));
    return OK;
}

/* has_more: dead letters are in front of what this receive could get; it looks again at once when it may wait. */
static struct error nothing(struct call *c, struct queue *q, struct receive_plan *plan, uint32_t wait_s, bool has_more)
{
    if (!plan->has_deadline) {
        plan->has_deadline = true;
        plan->deadline_ms = c->owner->now_ms + wait_s * 1000ull;
    }
    if (!c->is_timed_out && plan->deadline_ms > c->owner->now_ms) {
        struct error e = call_wait(c, &q->waiters, plan->deadline_ms);
        queue_watch(q);
        if (has_more)
            queue_wake(q, 1);
        return e;
    }
    if (wait_s == 0 && !q->is_fifo && q->in_flight >= SQS_IN_FLIGHT_MAX)
        return call_fail(c, SQS_OVER_LIMIT, NULL);
    q->figures.empty_receives++;
    c->is_wait_chosen = !q->is_fifo;
    return OK;
}

static uint32_t or_default(int64_t value, uint32_t standard)
{
    return value == INT_ABSENT ? standard : (uint32_t)value;
}

struct error sqs_receive_message(struct call *c, const void *in, void *out)
{
    const struct sqs_receive_message_in *args = in;
    struct sqs_fault fault = { .arena = &c->arena };
    uint32_t entries[SQS_RECEIVE_MAX];
    uint64_t attempt[2];
    struct queue *q;
    (void)out;
    TRY(sqs_queue_enter(c, &q));
    if (!c->scratch)
        c->scratch = ARENA_NEW(&c->arena, struct receive_plan);
    struct receive_plan *plan = c->scratch;
    struct error e = sqs_id_check(args->attempt_id, "ReceiveRequestAttemptId", &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    uint32_t visibility_s = or_default(args->visibility_s, q->config->visibility_s);
    bool has_attempt = q->is_fifo && !slice_is_none(args->attempt_id);
    if (has_attempt) {
        sqs_attempt_hash(q, args->attempt_id, attempt);
        const struct attempt *a = attempt_find(q, attempt);
        if (a && attempt_is_valid(q, a))
            return renew(c, q, a, visibility_s, plan);
    }
    uint32_t count;
    bool has_more;
    TRY(pick_messages(q, or_default(args->max_messages, 1), entries, &count, &has_more));
    if (count == 0)
        return nothing(c, q, plan, or_default(args->wait_s, q->config->wait_s), has_more);
    return lease(c, q, entries, count, visibility_s, has_attempt ? attempt : NULL, plan);
}

/* ---- undo ----------------------------------------------------------------------------------------------------------------- */

struct error sqs_receive_message_undo(struct call *c, const void *in, void *out)
{
    struct receive_plan *plan = c->scratch;
    (void)in;
    (void)out;
    if (!plan || plan->count == 0)
        return OK;
    unpin(c, plan);
    if (MUTANT(no_unreceive))
        return OK;
    struct queue *q = sqs_queue_find_uid(sqs_state_of(c->owner), plan->uid);
    if (!q)
        return OK;
    queue_advance(q, c->owner->now_ms, 0);
    struct record_seqs l = { .count = 0 };
    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t entry = flights_find(&q->flights, plan->picks[i].seq);
        if (entry == FLIGHT_NONE || flights_get(&q->flights, entry)->generation != plan->picks[i].generation)
            continue; /* gone, or received again since */
        l.items[l.count++].seq = plan->picks[i].seq;
    }
    if (l.count == 0)
        return OK;
    char bytes[256];
    struct buf b = { .data = bytes, .capacity = sizeof(bytes) };
    record_seqs(&b, SQS_RECORD_RETURNED, &l);
    return record_append(q->state, SQS_RECORD_RETURNED, q->uid, buf_slice(&b), true);
}

/* ---- finish --------------------------------------------------------------------------------------------------------------- */

static void warmed(void *argument)
{
    front_done(argument);
}

static struct error warm(struct call *c, struct receive_plan *plan, const lsn_t *lsns)
{
    plan->is_warm = true;
    store_warm(c->owner->store, lsns, plan->count, warmed, c);
    return ERROR_OF(ERR_PENDING);
}

struct error sqs_receive_message_finish(struct call *c, const void *in, void *out)
{
    const struct sqs_receive_message_in *args = in;
    struct sqs_receive_message_out *result = out;
    struct receive_plan *plan = c->scratch;
    const struct receive_filters filters = {
        .system_names = args->system_attribute_names.is_set ? &args->system_attribute_names : &args->attribute_names,
        .attribute_names = &args->message_attribute_names,
    };
    if (!plan || plan->count == 0)
        return OK;
    lsn_t lsns[SQS_RECEIVE_MAX];
    struct record records[SQS_RECEIVE_MAX];
    struct error errors[SQS_RECEIVE_MAX];
    for (uint32_t i = 0; i < plan->count; i++)
        lsns[i] = plan->picks[i].lsn;
    if (failed(store_read_some(c->owner->store, lsns, plan->count, plan->is_warm, &c->arena, records, errors)))
        return warm(c, plan, lsns); /* cold */
    struct sqs_message *messages = ARENA_ARRAY(&c->arena, struct sqs_message, plan->count);
    size_t count = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct error e = failed(errors[i]) ? ERROR_OF(ERR_CORRUPT)
                                           : receive_build(plan, &plan->picks[i], &records[i], &filters, c->account,
                                                 &c->arena, &messages[count]);
        if (failed(e))
            log_event(LOG_ERROR, "message_damaged", "queue=%.*s lsn=%llu code=%u request=%s", SLICE_ARG(c->resource),
                (unsigned long long)plan->picks[i].lsn, e.code, c->request_id);
        else
            count++;
    }
    unpin(c, plan);
    result->messages = (struct values){ .items = messages, .count = count, .is_set = true };
    return count ? OK : ERROR_OF(ERR_CORRUPT);
}
