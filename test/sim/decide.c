/* decide.c: every operation decided again, by the model. */
#include "base/text.h"
#include "model.h"
#include "service/sqs/receive.h"
#include "support/faulty_disk.h"
#include <stdlib.h>

enum { DEDUP_WINDOW_MS = 5 * 60 * 1000, ATTEMPT_WINDOW_MS = 5 * 60 * 1000, LEASE_MAX_MS = 12 * 3600 * 1000 };

static struct model_queue *queue_of(const struct sim_call *c)
{
    return &model.queues[c->queue];
}

static uint32_t index_of(const struct model_message *m)
{
    return (uint32_t)(m - model.messages);
}

void model_message_dies(struct model_message *m, enum message_state state)
{
    struct model_queue *q = &model.queues[m->queue];
    model_set(&m->state, state);
    model_set(&q->dead_count, q->dead_count + 1);
}

/* ---- answers ------------------------------------------------------------------------------------------------------------------- */

/* The disk may refuse what changes something: while it is full, or while a fault is under way. */
static bool is_excused(uint32_t code)
{
    struct store_metrics metrics;
    if (code != ERR_FULL && code != ERR_AGAIN && code != ERR_IO)
        return false;
    if (sim.is_full || sim.may_fail)
        return true;
    store_get_metrics(sim.store, &metrics);
    return metrics.refuses_sends;
}

/* True: the operation was done. False: it was refused, rightly (`expected`, or the disk). */
static bool answer(const struct sim_call *c, uint32_t expected, bool changes)
{
    uint32_t code = c->call.error.code;
    uint64_t *outcomes = sim.figures.outcomes[c->kind];
    if (changes && expected == 0 && code && is_excused(code)) {
        sim.figures.disk_errors++;
        outcomes[OUTCOME_DISK]++;
        TRACE("   refused by the disk: %llu", code);
        if (c->kind == DO_RECEIVE)
            sim.excused_ms = c->decided_ms + 21 * 1000;
        return false;
    }
    CHECK(INV_ANSWER, code == expected, "%.*s on %s: error %u (%.*s) where %u is right", SLICE_ARG(c->call.op->name),
        queue_of(c)->name, code, SLICE_ARG(c->call.error_message), expected);
    outcomes[code ? OUTCOME_REFUSED : OUTCOME_DONE]++;
    return code == 0;
}

/* ---- send ------------------------------------------------------------------------------------------------------------------------- */

static word dedup_key(const struct model_queue *q, const struct model_message *m)
{
    word id = m->dedup == UINT32_MAX ? (word)1 << 40 | m->content : m->dedup;
    return id << 4 | (q->group_scope ? m->group + 1 : 0);
}

/* The message this one repeats; UINT32_MAX: none. */
static uint32_t find_dedup(const struct model_queue *q, word key, uint64_t now_ms)
{
    for (word i = q->dedup_count; i > 0; i--) {
        const struct model_dedup *d = &q->dedups[(i - 1) % DEDUP_MAX];
        if (d->time_ms + DEDUP_WINDOW_MS <= now_ms)
            return UINT32_MAX; /* in order of time */
        if (d->key == key)
            return (uint32_t)d->message;
    }
    return UINT32_MAX;
}

static void remember_dedup(struct model_queue *q, word key, uint32_t message, uint64_t now_ms)
{
    ASSERT(q->dedup_count < DEDUP_MAX);
    struct model_dedup *d = &q->dedups[q->dedup_count];
    model_set(&d->key, key);
    model_set(&d->time_ms, now_ms);
    model_set(&d->message, message);
    model_set(&q->dedup_count, q->dedup_count + 1);
}

static void parse_id(struct slice text, word id[2])
{
    char hex[32];
    size_t size = 0;
    for (size_t i = 0; i < text.size && size < 32; i++)
        if (text.data[i] != '-')
            hex[size++] = text.data[i];
    bool is_good = text.size == 36 && text_parse_hex(slice_of(hex, size), (uint8_t *)id, 16);
    CHECK(INV_ANSWER, is_good, "%.*s is not a message id", SLICE_ARG(text));
}

/* What every message is that comes into a queue. */
static void accept_message(uint32_t queue, uint32_t index, uint64_t now_ms)
{
    struct model_queue *q = &model.queues[queue];
    struct model_message *m = &model.messages[index];
    m->born = q->born;
    model_set(&m->state, M_LIVE);
    model_set(&m->order, q->next_order);
    model_set(&m->sent_ms, now_ms);
    model_set(&m->visible_ms, 0);
    model_set(&m->lease_ms, 0);
    model_set(&m->generation, 0);
    model_set(&m->undone, 0);
    model_set(&m->id[0], 0);
    model_set(&m->id[1], 0);
    model_set(&m->sequence, 0);
    model_set(&m->moved_from, 0);
    model_set(&m->was_refused, 0);
    q->list[q->list_count] = index;
    model_set(&q->list_count, q->list_count + 1);
    model_set(&q->next_order, q->next_order + 1);
    TRACE("   %llu is message %llu of queue %llu, group %llu", index, m->order - q->order_base, queue, m->group);
}

static void accept_sent(struct sim_call *c, const struct sim_message *sent, const word id[2], word sequence)
{
    struct model_queue *q = queue_of(c);
    struct model_message *m = &model.messages[sent->index];
    uint64_t delay_s = sent->argument == UINT64_MAX ? q->delay_s : sent->argument;
    if (q->is_fifo)
        CHECK(INV_FIFO_ORDER, sequence > q->last_sequence, "a sequence number of %s did not grow", q->name);
    accept_message(c->queue, sent->index, c->decided_ms);
    model_set(&m->visible_ms, q->is_fifo ? 0 : c->decided_ms + delay_s * 1000);
    model_set(&m->id[0], id[0]);
    model_set(&m->id[1], id[1]);
    model_set(&m->sequence, sequence);
    model_set(&q->last_sequence, sequence);
    if (q->is_fifo)
        remember_dedup(q, dedup_key(q, m), sent->index, c->decided_ms);
}

/* A dead letter keeps its name, its count and, on standard queues, its times; on FIFO queues its name is its deduplication id
 * and its time begins anew. What a move task brings is a new message. */
void model_arrives(const struct model_message *from, uint32_t queue, bool is_dead_letter, uint64_t now_ms)
{
    struct model_queue *q = &model.queues[queue];
    uint32_t index = model_new_message(queue);
    ASSERT(index != UINT32_MAX);
    struct model_message *m = &model.messages[index];
    m->content = from->content;
    m->size = from->size;
    memcpy(m->body_md5, from->body_md5, sizeof(m->body_md5));
    m->group = from->group;
    m->dedup = from->dedup;
    accept_message(queue, index, now_ms);
    if (is_dead_letter) {
        word count = from->generation - from->undone;
        model_set(&m->id[0], from->id[0]);
        model_set(&m->id[1], from->id[1]);
        model_set(&m->generation, count);
        model_set(&m->moved_from, from->queue + 1);
        model_set(&m->first_ms, q->is_fifo ? now_ms : from->first_ms);
        if (!q->is_fifo)
            model_set(&m->sent_ms, from->sent_ms);
        m->dedup = q->is_fifo ? DEDUP_BY_NAME | index_of(from) : 0;
    }
    if (q->is_fifo && find_dedup(q, dedup_key(q, m), now_ms) == UINT32_MAX)
        remember_dedup(q, dedup_key(q, m), index, now_ms);
}

static void sent_one(struct sim_call *c, const struct sim_message *sent, struct slice id_text,
    struct slice sequence_text, struct slice md5_text)
{
    struct model_queue *q = queue_of(c);
    struct model_message *m = &model.messages[sent->index];
    word id[2], sequence = 0;
    parse_id(id_text, id);
    content_md5(m->content, m->size, m->body_md5, &c->call.arena);
    CHECK(INV_ANSWER, slice_equal(md5_text, slice_of(m->body_md5, sizeof(m->body_md5))),
        "%s: message %u was taken with the MD5 %.*s", q->name, sent->index, SLICE_ARG(md5_text));
    CHECK(INV_ANSWER, q->is_fifo == text_parse_u64(sequence_text, &sequence), "the sequence number on %s is %.*s",
        q->name, SLICE_ARG(sequence_text));
    uint32_t original = q->is_fifo ? find_dedup(q, dedup_key(q, m), c->decided_ms) : UINT32_MAX;
    if (original == UINT32_MAX) {
        accept_sent(c, sent, id, sequence);
        return;
    }
    const struct model_message *o = &model.messages[original];
    sim.figures.duplicates++;
    TRACE("   %llu repeats %llu", sent->index, original);
    /* of what a move task brought nobody was told the name */
    CHECK(INV_DEDUP, !(o->id[0] | o->id[1]) || (o->id[0] == id[0] && o->id[1] == id[1]),
        "%s: message %u repeats %u within five minutes, but got another id", q->name, sent->index, original);
}

/* What is wrong with the request as the queue is now. */
static uint32_t send_error(const struct sim_call *c)
{
    const struct model_queue *q = queue_of(c);
    if (!q->exists)
        return SQS_QUEUE_DOES_NOT_EXIST;
    for (uint32_t i = 0; i < c->count && q->is_fifo; i++)
        if (model.messages[c->messages[i].index].dedup == UINT32_MAX && !q->content_dedup)
            return SQS_INVALID_PARAMETER;
    return 0;
}

static void decide_send(struct sim_call *c)
{
    const struct sqs_send_message_out *out = c->call.out;
    if (answer(c, send_error(c), true))
        sent_one(c, &c->messages[0], out->message_id, out->sequence_number, out->md5_of_body);
}

static void decide_send_batch(struct sim_call *c)
{
    const struct sqs_send_message_batch_out *out = c->call.out;
    const struct sqs_send_result *results = out->successful.items;
    if (!answer(c, send_error(c), true))
        return;
    CHECK(INV_ANSWER, out->successful.count == c->count && out->failed.count == 0,
        "%zu of %u messages of a batch were taken", out->successful.count, c->count);
    for (uint32_t i = 0; i < c->count; i++)
        sent_one(c, &c->messages[i], results[i].message_id, results[i].sequence_number, results[i].md5_of_body);
}

/* ---- receive -------------------------------------------------------------------------------------------------------------------------- */

static struct model_attempt *find_attempt(struct model_queue *q, word id, uint64_t now_ms)
{
    for (word i = q->attempt_count; i > 0; i--) {
        struct model_attempt *a = &q->attempts[i - 1];
        if (a->id == id)
            return a->time_ms + ATTEMPT_WINDOW_MS > now_ms ? a : NULL;
    }
    return NULL;
}

static bool attempt_is_valid(const struct model_attempt *a, uint64_t now_ms)
{
    for (word i = 0; i < a->count; i++) {
        const struct model_message *m = &model.messages[a->messages[i]];
        if (!message_is_there(m, now_ms) || !message_is_leased(m, now_ms) || m->generation != a->generations[i] ||
            m->is_changed)
            return false;
    }
    return true;
}

static void remember_attempt(struct sim_call *c, word id)
{
    struct model_queue *q = queue_of(c);
    ASSERT(q->attempt_count < ATTEMPTS_MAX);
    struct model_attempt *a = &q->attempts[q->attempt_count];
    model_set(&a->id, id);
    model_set(&a->time_ms, c->decided_ms);
    model_set(&a->count, c->got_count);
    for (uint32_t i = 0; i < c->got_count; i++) {
        model_set(&a->messages[i], c->got[i]);
        model_set(&a->generations[i], model.messages[c->got[i]].generation);
    }
    model_set(&q->attempt_count, q->attempt_count + 1);
}

/* Which messages the owner picked, by their numbers in the queue; that these are what the client gets is checked when the
 * reply is there (model_check_messages). */
static void take_picks(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    const struct receive_plan *plan = c->call.scratch;
    c->got_count = plan && !failed(c->call.error) ? plan->count : 0;
    for (uint32_t i = 0; i < c->got_count; i++) {
        struct model_message *m = model_find(q, q->order_base + plan->picks[i].seq);
        CHECK(INV_NOT_INVENTED, m && m->state != M_NONE, "%s: received number %llu, which was never sent", q->name,
            (unsigned long long)plan->picks[i].seq);
        c->got[i] = index_of(m);
        for (uint32_t k = 0; k < i; k++)
            CHECK(INV_LEASE, c->got[k] != c->got[i], "%s: message %u twice in one reply", q->name, c->got[i]);
    }
}

static const char *state_text(const struct model_message *m, uint64_t now_ms)
{
    static const char *const texts[] = { "never sent", "live", "deleted", "purged", "expired", "gone with its queue",
        "on its way to another queue", "in another queue", "refused by another queue", "in another queue" };
    return m->state == M_LIVE && !message_is_there(m, now_ms) ? "expired" : texts[m->state];
}

static void check_may_be_received(const struct sim_call *c, const struct model_message *m)
{
    const char *name = queue_of(c)->name;
    uint64_t now_ms = c->decided_ms;
    CHECK(m->state == M_DELETED ? INV_DELETED : INV_NOT_INVENTED, message_is_there(m, now_ms),
        "%s: message %u was received; it is %s", name, index_of(m), state_text(m, now_ms));
    CHECK(INV_LEASE, !message_is_leased(m, now_ms), "%s: message %u was received although its lease lasts %llu ms more",
        name, index_of(m), (unsigned long long)(m->lease_ms - now_ms));
    CHECK(INV_LEASE, !message_is_delayed(m, now_ms), "%s: message %u was received during its delay", name, index_of(m));
    CHECK(INV_MOVED, !model_is_due(m),
        "%s: message %u was received %u times and again, it was due for the dead-letter queue", name, index_of(m),
        (unsigned)(m->generation - m->undone));
}

/* Before the leases: of each group the first ones in order, nothing after a message in flight, and only the group that came
 * last not to its end. */
static void check_fifo_order(const struct sim_call *c)
{
    const struct model_queue *q = queue_of(c);
    uint64_t left[GROUPS + 1] = { 0 }, next[GROUPS + 1] = { 0 };
    bool is_locked[GROUPS + 1] = { false };
    uint32_t at = 0;
    for (word i = 0; i < q->list_count; i++) {
        const struct model_message *m = &model.messages[q->list[i]];
        if (!message_is_there(m, c->decided_ms) || message_is_delayed(m, c->decided_ms))
            continue;
        is_locked[m->group] |= message_is_leased(m, c->decided_ms);
        if (is_locked[m->group])
            continue;
        bool is_got = false;
        for (at = 0; at < c->got_count; at++)
            if (c->got[at] == q->list[i]) {
                CHECK(INV_FIFO_ORDER, left[m->group] == 0 && at + 1 > next[m->group],
                    "%s: message %u of group %u is out of order", q->name, q->list[i], m->group);
                next[m->group] = at + 1;
                is_got = true;
            }
        left[m->group] += !is_got;
    }
    uint32_t last_group = c->got_count ? model.messages[c->got[c->got_count - 1]].group : 0;
    for (uint32_t i = 0; i < c->got_count; i++) {
        const struct model_message *m = &model.messages[c->got[i]];
        CHECK(INV_FIFO_ORDER, next[m->group] != 0, "%s: message %u of group %u was received past a message in flight",
            q->name, c->got[i], m->group);
        CHECK(INV_FIFO_ORDER, m->group == last_group || left[m->group] == 0,
            "%s: a batch left group %u before its end and went on with another", q->name, m->group);
    }
}

static void count_received(const struct sim_call *c, const struct model_message *m)
{
    const struct model_queue *q = queue_of(c);
    if (c->is_renewal)
        return;
    ++*(q->is_fifo ? &sim.figures.fifo : m->group ? &sim.figures.fair : &sim.figures.standard);
    sim.figures.again += m->generation - m->undone > 1;
    sim.figures.delayed += m->generation == 1 && (q->is_fifo ? q->delay_s > 0 : m->visible_ms > m->sent_ms);
}

static void lease_one(struct sim_call *c, uint32_t i, uint64_t visibility_s)
{
    const struct receive_pick *pick = &((const struct receive_plan *)c->call.scratch)->picks[i];
    struct model_message *m = &model.messages[c->got[i]];
    if (!c->is_renewal) {
        model_set(&m->generation, m->generation + 1);
        model_set(&m->is_changed, 0);
        model_set(&m->was_refused, 0);
        if (m->generation - m->undone == 1)
            model_set(&m->first_ms, c->decided_ms);
    }
    count_received(c, m);
    model_set(&m->leased_ms, c->decided_ms);
    model_set(&m->lease_ms, c->decided_ms + visibility_s * 1000);
    c->got_generation[i] = m->generation;
    c->got_first[i] = m->first_ms;
    c->got_shown[i] = pick->count;
    CHECK(INV_COUNTS, pick->generation == m->generation && pick->count == m->generation - m->undone,
        "%s: message %u was received %u times, the server says %u", queue_of(c)->name, c->got[i],
        (unsigned)(m->generation - m->undone), pick->count);
    TRACE(
        "   gets %llu (number %llu, group %llu, count %llu)", c->got[i], m->order, m->group, m->generation - m->undone);
}

static void check_renewal(const struct sim_call *c, const struct model_attempt *a)
{
    bool is_same = c->got_count == a->count;
    for (uint32_t i = 0; i < c->got_count && is_same; i++) {
        bool is_known = false;
        for (word k = 0; k < a->count; k++)
            is_known |= a->messages[k] == c->got[i];
        is_same = is_known;
    }
    CHECK(INV_LEASE, is_same, "%s: the same attempt did not get the same messages", queue_of(c)->name);
}

/* number: 0 max, 1 visibility or UINT64_MAX, 2 wait or UINT64_MAX, 3 attempt or 0 */
static uint64_t or_else(uint64_t number, uint64_t standard)
{
    return number == UINT64_MAX ? standard : number;
}

/* number 4: when a parked call must be answered at the latest; 0: it never was parked */
static void check_empty(const struct sim_call *c)
{
    bool may_be_empty = c->number[4] ? c->number[4] <= c->decided_ms : or_else(c->number[2], queue_of(c)->wait_s) == 0;
    CHECK(INV_WAKE, sim.is_stopping || may_be_empty, "%s: a long poll came back empty at %llu, its time ends at %llu",
        queue_of(c)->name, (unsigned long long)c->decided_ms, (unsigned long long)c->number[4]);
}

static void decide_receive(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    if (!answer(c, q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, true))
        return;
    struct model_figures f = model_figures(q, c->decided_ms);
    struct model_attempt *a = q->is_fifo && c->number[3] ? find_attempt(q, c->number[3], c->decided_ms) : NULL;
    c->is_renewal = a && attempt_is_valid(a, c->decided_ms);
    take_picks(c);
    if (c->is_renewal) {
        check_renewal(c, a);
        sim.figures.renewals++;
    } else {
        uint64_t due = f.receivable < c->number[0] ? f.receivable : c->number[0];
        for (uint32_t i = 0; i < c->got_count; i++)
            check_may_be_received(c, &model.messages[c->got[i]]);
        if (q->is_fifo)
            check_fifo_order(c);
        bool is_right = c->got_count == due || (c->got_count < due && c->moved_before >= 100);
        if (!is_right)
            world_explain(c->queue, c->decided_ms);
        CHECK(INV_KEPT, is_right, "%s: a receive got %u messages, %llu could be received, %llu were asked for", q->name,
            c->got_count, (unsigned long long)f.receivable, (unsigned long long)c->number[0]);
    }
    for (uint32_t i = 0; i < c->got_count; i++)
        lease_one(c, i, or_else(c->number[1], q->visibility_s));
    if (c->got_count == 0)
        check_empty(c);
    else if (q->is_fifo && c->number[3] && !c->is_renewal)
        remember_attempt(c, c->number[3]);
}

void model_parked(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    sim.figures.parked++;
    TRACE("call %llu waits at queue %llu, at %llu", c - sim.calls, c->queue, c->decided_ms);
    if (c->number[4] == 0)
        c->number[4] = c->decided_ms + or_else(c->number[2], q->wait_s) * 1000;
    CHECK(INV_KEPT, !q->exists || c->moved_before >= 100 || model_figures(q, c->decided_ms).receivable == 0,
        "%s: a long poll waits although a message is there", q->name);
}

void model_undone(struct sim_call *c)
{
    sim.figures.undone++;
    if (failed(c->call.error)) {
        CHECK(INV_ANSWER, is_excused(c->call.error.code), "giving messages back failed: error %u", c->call.error.code);
        return;
    }
    for (uint32_t i = 0; i < c->got_count; i++) {
        struct model_message *m = &model.messages[c->got[i]];
        if (!message_is_there(m, c->decided_ms) || m->generation != c->got_generation[i])
            continue;
        TRACE("   takes back %llu", c->got[i]);
        if (m->generation > m->undone)
            model_set(&m->undone, m->undone + 1);
        if (message_is_leased(m, c->decided_ms))
            model_set(&m->lease_ms, 0);
    }
}

/* ---- delete, visibility ----------------------------------------------------------------------------------------------------------------- */

static bool is_current(const struct model_message *m, const struct sim_message *about, uint64_t now_ms)
{
    return message_is_leased(m, now_ms) && m->generation == about->generation;
}

static void count_handle(const struct model_message *m, const struct sim_message *about)
{
    sim.figures.foreign_handles += about->born == BORN_ELSEWHERE;
    sim.figures.stale_handles += m->state == M_LIVE && m->generation != about->generation;
}

static uint32_t delete_error(const struct sim_call *c, const struct sim_message *about)
{
    const struct model_queue *q = queue_of(c);
    const struct model_message *m = &model.messages[about->index];
    count_handle(m, about);
    if (about->born != q->born)
        return SQS_RECEIPT_HANDLE_INVALID;
    if (q->is_fifo && message_is_there(m, c->decided_ms) && !is_current(m, about, c->decided_ms))
        return SQS_INVALID_PARAMETER;
    return 0;
}

static void delete_one(struct sim_call *c, const struct sim_message *about)
{
    struct model_message *m = &model.messages[about->index];
    if (!message_is_there(m, c->decided_ms))
        return;
    model_message_dies(m, M_DELETED);
    TRACE("   deletes %llu", about->index);
}

static void decide_delete(struct sim_call *c)
{
    uint32_t expected = queue_of(c)->exists ? delete_error(c, &c->messages[0]) : SQS_QUEUE_DOES_NOT_EXIST;
    if (answer(c, expected, true))
        delete_one(c, &c->messages[0]);
}

static uint32_t visibility_error(const struct sim_call *c, const struct sim_message *about)
{
    const struct model_queue *q = queue_of(c);
    const struct model_message *m = &model.messages[about->index];
    count_handle(m, about);
    if (about->born != q->born)
        return SQS_RECEIPT_HANDLE_INVALID;
    if (!message_is_there(m, c->decided_ms))
        return SQS_INVALID_PARAMETER;
    if (q->is_fifo && !is_current(m, about, c->decided_ms))
        return SQS_INVALID_PARAMETER;
    bool is_leased = message_is_leased(m, c->decided_ms);
    return is_leased && c->decided_ms + about->argument * 1000 > m->leased_ms + LEASE_MAX_MS ? SQS_INVALID_PARAMETER
                                                                                             : 0;
}

static void change_visibility(struct sim_call *c, const struct sim_message *about)
{
    struct model_message *m = &model.messages[about->index];
    if (!message_is_leased(m, c->decided_ms))
        return;
    model_set(&m->lease_ms, c->decided_ms + about->argument * 1000);
    model_set(&m->is_changed, 1);
    TRACE("   message %llu is leased %llu s more", about->index, about->argument);
}

static void decide_visibility(struct sim_call *c)
{
    uint32_t expected = queue_of(c)->exists ? visibility_error(c, &c->messages[0]) : SQS_QUEUE_DOES_NOT_EXIST;
    if (answer(c, expected, true))
        change_visibility(c, &c->messages[0]);
}

static bool batch_has(struct slice id, const struct values *list, size_t size)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(*(const struct slice *)((const char *)list->items + i * size), id))
            return true;
    return false;
}

/* Both batches answer entry by entry: Id is the first field of every row. */
static void decide_entries(struct sim_call *c, const struct values *successful, size_t size,
    const struct values *failures, uint32_t (*error_of)(const struct sim_call *, const struct sim_message *),
    void (*change)(struct sim_call *, const struct sim_message *))
{
    uint32_t expected[10];
    if (!answer(c, queue_of(c)->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, true))
        return;
    for (uint32_t i = 0; i < c->count; i++)
        expected[i] = error_of(c, &c->messages[i]);
    for (uint32_t i = 0; i < c->count; i++) {
        char id[2] = { 'e', (char)('0' + i) };
        bool is_good = batch_has(slice_of(id, 2), successful, size);
        CHECK(INV_ANSWER, is_good != batch_has(slice_of(id, 2), failures, sizeof(struct sqs_batch_error)),
            "an entry is not in exactly one list of the reply");
        CHECK(INV_ANSWER, is_good == (expected[i] == 0), "%.*s on %s: entry %u about message %u %s, wrongly",
            SLICE_ARG(c->call.op->name), queue_of(c)->name, i, c->messages[i].index, is_good ? "succeeded" : "failed");
    }
    for (uint32_t i = 0; i < c->count; i++)
        if (expected[i] == 0)
            change(c, &c->messages[i]);
}

static void decide_delete_batch(struct sim_call *c)
{
    const struct sqs_delete_message_batch_out *out = c->call.out;
    decide_entries(c, &out->successful, sizeof(struct sqs_delete_result), &out->failed, delete_error, delete_one);
}

static void decide_visibility_batch(struct sim_call *c)
{
    const struct sqs_change_message_visibility_batch_out *out = c->call.out;
    decide_entries(
        c, &out->successful, sizeof(struct sqs_visibility_result), &out->failed, visibility_error, change_visibility);
}

/* ---- queues --------------------------------------------------------------------------------------------------------------------------------- */

static void all_die(struct model_queue *q, enum message_state state, uint64_t now_ms)
{
    for (word i = 0; i < q->list_count; i++) {
        struct model_message *m = &model.messages[q->list[i]];
        if (m->state == M_LIVE) {
            sim.figures.purged_leased += state == M_PURGED && message_is_leased(m, now_ms);
            model_message_dies(m, state);
        } else if (model_is_away(m)) {
            sim.figures.purged_away += state == M_PURGED;
            model_set(&m->is_orphan, 1);
        }
    }
    model_set(&q->dedup_count, 0);
    model_set(&q->attempt_count, 0);
}

static void decide_purge(struct sim_call *c)
{
    if (answer(c, queue_of(c)->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, true))
        all_die(queue_of(c), M_PURGED, c->decided_ms);
}

static void decide_delete_queue(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    if (!answer(c, q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, true))
        return;
    all_die(q, M_GONE, c->decided_ms);
    model_set(&q->exists, 0);
}

/* number: 0 delay, 1 retention, 2 visibility, 3 wait, 4 content deduplication, 5 group scope */
static void decide_create(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    const uint64_t *n = c->number;
    bool is_same = q->delay_s == n[0] && q->retention_s == n[1] && q->visibility_s == n[2] && q->wait_s == n[3] &&
                   (!q->is_fifo || (q->content_dedup == n[4] && q->group_scope == n[5]));
    if (!answer(c, q->exists && !is_same ? SQS_QUEUE_NAME_EXISTS : 0, !q->exists) || q->exists)
        return;
    model_set(&q->exists, 1);
    model_set(&q->born, ++q->newest_born);
    sim.figures.recreated += q->born > 1;
    model_set(&q->delay_s, n[0]);
    model_set(&q->retention_s, n[1]);
    model_set(&q->visibility_s, n[2]);
    model_set(&q->wait_s, n[3]);
    model_set(&q->content_dedup, n[4]);
    model_set(&q->group_scope, n[5]);
    model_set(&q->order_base, q->next_order);
    model_set(&q->next_order, q->next_order + 1);
    model_set(&q->last_sequence, 0);
    model_set(&q->redrive_to, 0);
    model_set(&q->labels, 0);
    model_set(&q->task_status, TASK_NONE);
    model_set(&q->created_ms, c->decided_ms);
    for (int i = 0; i < TAGS; i++)
        model_set(&q->tags[i], 0);
}

static void set_if(word *at, uint64_t number)
{
    if (number != UINT64_MAX)
        model_set(at, number);
}

/* What was past the old retention stays gone. */
static void decide_set_attributes(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    if (!answer(c, q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, true) || c->count == 0)
        return; /* without attributes nothing happens, nothing is recorded */
    for (word i = 0; i < q->list_count; i++) {
        struct model_message *m = &model.messages[q->list[i]];
        if (m->state == M_LIVE && !message_is_there(m, c->decided_ms))
            model_message_dies(m, M_EXPIRED);
    }
    set_if(&q->delay_s, c->number[0]);
    set_if(&q->retention_s, c->number[1]);
    set_if(&q->visibility_s, c->number[2]);
    set_if(&q->wait_s, c->number[3]);
    if (q->is_fifo)
        set_if(&q->content_dedup, c->number[4]);
}

static uint64_t attribute(const struct values *attributes, struct slice name)
{
    const struct pair *pairs = attributes->items;
    uint64_t value;
    for (size_t i = 0; i < attributes->count; i++)
        if (slice_equal(pairs[i].key, name) && text_parse_u64(pairs[i].text, &value))
            return value;
    sim_fail(INV_ANSWER, "the attribute %.*s is missing", SLICE_ARG(name));
}

static void decide_get_attributes(struct sim_call *c)
{
    const struct model_queue *q = queue_of(c);
    const struct values *all = &((const struct sqs_get_queue_attributes_out *)c->call.out)->attributes;
    if (!answer(c, q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, false))
        return;
    struct model_figures f = model_figures(q, c->decided_ms);
    const struct {
        enum invariant number;
        struct slice name;
        uint64_t expected;
    } rows[] = {
        { INV_FIGURES, SLICE("ApproximateNumberOfMessages"), f.visible },
        { INV_FIGURES, SLICE("ApproximateNumberOfMessagesNotVisible"), f.in_flight + f.in_transit },
        { INV_FIGURES, SLICE("ApproximateNumberOfMessagesDelayed"), f.delayed },
        { INV_ANSWER, SLICE("DelaySeconds"), q->delay_s },
        { INV_ANSWER, SLICE("MessageRetentionPeriod"), q->retention_s },
        { INV_ANSWER, SLICE("VisibilityTimeout"), q->visibility_s },
        { INV_ANSWER, SLICE("ReceiveMessageWaitTimeSeconds"), q->wait_s },
        { INV_ANSWER, SLICE("CreatedTimestamp"), q->created_ms / 1000 },
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t value = attribute(all, rows[i].name);
        if (value != rows[i].expected && rows[i].number == INV_FIGURES)
            world_explain(c->queue, c->decided_ms);
        CHECK(rows[i].number, value == rows[i].expected, "%s: %.*s is %llu, right is %llu", q->name,
            SLICE_ARG(rows[i].name), (unsigned long long)value, (unsigned long long)rows[i].expected);
    }
}

static void decide_list(struct sim_call *c)
{
    const struct values *urls = &((const struct sqs_list_queues_out *)c->call.out)->queue_urls;
    const struct slice *items = urls->items;
    size_t expected = 0;
    answer(c, 0, false);
    for (int i = 0; i < QUEUES_MAX; i++) {
        const struct model_queue *q = &model.queues[i];
        if (!q->exists)
            continue;
        expected++;
        bool is_listed = false;
        for (size_t k = 0; k < urls->count; k++)
            is_listed |= slice_ends(items[k], slice_str(q->name));
        CHECK(INV_ANSWER, is_listed, "%s is not listed", q->name);
    }
    CHECK(INV_ANSWER, expected == urls->count, "%zu queues are listed, %zu exist", urls->count, expected);
}

/* number: 0 what (tag, untag, list), 1 which, 2 value */
static void decide_tag(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    if (!answer(c, q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, c->number[0] < 2))
        return;
    if (c->number[0] < 2) {
        model_set(&q->tags[c->number[1]], c->number[0] == 0 ? c->number[2] : 0);
        return;
    }
    const struct values *tags = &((const struct sqs_list_queue_tags_out *)c->call.out)->tags;
    size_t count = 0;
    for (int i = 0; i < TAGS; i++) {
        char name[2] = { 't', (char)('0' + i) };
        if (q->tags[i] == 0)
            continue;
        count++;
        uint64_t value = attribute(tags, slice_of(name, 2));
        CHECK(INV_ANSWER, value == q->tags[i], "%s: tag %d is %llu", q->name, i, (unsigned long long)value);
    }
    CHECK(INV_ANSWER, count == tags->count, "%s has %zu tags, right are %zu", q->name, tags->count, count);
}

/* number: 0 target queue + 1, or 0 to take the policy away, 1 maxReceiveCount */
static void decide_redrive_policy(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    uint32_t expected = q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST;
    if (q->exists && c->number[0] && !model.queues[c->number[0] - 1].exists)
        expected = SQS_INVALID_PARAMETER; /* deleted since the client asked */
    if (!answer(c, expected, true))
        return;
    for (word i = 0; i < q->list_count; i++) {
        struct model_message *m = &model.messages[q->list[i]];
        if (m->state == M_LIVE && !message_is_there(m, c->decided_ms))
            model_message_dies(m, M_EXPIRED);
    }
    model_set(&q->redrive_to, c->number[0]);
    model_set(&q->max_receive, c->number[1]);
}

static bool is_dead_letter_queue(uint32_t queue)
{
    for (int i = 0; i < QUEUES_MAX; i++)
        if (model.queues[i].exists && model.queues[i].redrive_to == queue + 1)
            return true;
    return false;
}

static bool is_task_active(const struct model_queue *q)
{
    return q->exists && (q->task_status == TASK_RUNNING || q->task_status == TASK_CANCELLING);
}

static uint32_t tasks_active(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim.plan.queue_count; i++)
        count += is_task_active(&model.queues[i]);
    return count;
}

/* number: 0 destination + 1, or 0: back where they came from */
static void decide_start_task(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    uint32_t expected = 0;
    if (!q->exists)
        expected = SQS_RESOURCE_NOT_FOUND;
    else if (!is_dead_letter_queue(c->queue))
        expected = SQS_INVALID_PARAMETER;
    else if (c->number[0] && !model.queues[c->number[0] - 1].exists)
        expected = SQS_RESOURCE_NOT_FOUND;
    else if (c->number[0] && (c->number[0] == c->queue + 1 || model.queues[c->number[0] - 1].is_fifo != q->is_fifo))
        expected = SQS_INVALID_PARAMETER;
    else if (is_task_active(q))
        expected = SQS_INVALID_PARAMETER;
    else if (sqs_quotas.move_tasks_max && tasks_active() >= sqs_quotas.move_tasks_max)
        expected = SQS_OVER_LIMIT;
    sim.figures.tasks_over_limit += expected == SQS_OVER_LIMIT;
    if (!answer(c, expected, true))
        return;
    model_set(&q->task_status, TASK_RUNNING);
    model_set(&q->task_started_ms, c->decided_ms);
    model_set(&q->task_count, q->task_count + 1);
    model_set(&q->task_to_move, model_figures(q, c->decided_ms).visible);
    model_set(&q->task_moved, 0);
    model_set(&q->task_refused, 0);
    model_set(&q->task_transit, 0);
    model_set(&q->task_destination, c->number[0]);
    c->messages[0].born = q->born;
    c->number[1] = q->task_count;
}

static void decide_cancel_task(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    bool is_known = q->exists && c->messages[0].born == q->born;
    uint32_t expected = !is_known                        ? SQS_RESOURCE_NOT_FOUND
                        : q->task_status != TASK_RUNNING ? SQS_UNSUPPORTED_OPERATION
                                                         : 0;
    if (is_known && c->number[0] != q->task_count) /* an older one: it is over */
        expected = SQS_UNSUPPORTED_OPERATION;
    if (!answer(c, expected, true))
        return;
    int64_t moved = ((const struct sqs_cancel_message_move_task_out *)c->call.out)->moved;
    CHECK(INV_MOVED, moved == (int64_t)q->task_moved, "%s: a cancelled task says it moved %lld, right is %llu", q->name,
        (long long)moved, (unsigned long long)q->task_moved);
    model_set(&q->task_status, TASK_CANCELLING);
}

static void decide_list_tasks(struct sim_call *c)
{
    static const char *const names[] = { "", "RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED" };
    const struct model_queue *q = queue_of(c);
    const struct values *list = &((const struct sqs_list_message_move_tasks_out *)c->call.out)->results;
    const struct sqs_move_task *t = list->items;
    if (!answer(c, q->exists ? 0 : SQS_RESOURCE_NOT_FOUND, false))
        return;
    CHECK(INV_MOVED, list->count == (q->task_status != TASK_NONE), "%s: %zu tasks are listed", q->name, list->count);
    if (list->count == 0)
        return;
    CHECK(INV_MOVED, slice_equal(t->status, slice_str(names[q->task_status])), "%s: a task is %.*s, right is %s",
        q->name, SLICE_ARG(t->status), names[q->task_status]);
    CHECK(INV_MOVED, t->moved == (int64_t)q->task_moved && t->to_move == (int64_t)q->task_to_move,
        "%s: a task moved %lld of %lld, right is %llu of %llu", q->name, (long long)t->moved, (long long)t->to_move,
        (unsigned long long)q->task_moved, (unsigned long long)q->task_to_move);
}

/* number: 0 add or remove, 1 which label */
static void decide_permission(struct sim_call *c)
{
    struct model_queue *q = queue_of(c);
    word bit = (word)1 << c->number[1];
    bool is_there = (q->labels & bit) != 0, adds = c->number[0] == 0;
    uint32_t expected = !q->exists ? SQS_QUEUE_DOES_NOT_EXIST : is_there == adds ? SQS_INVALID_PARAMETER : 0;
    if (answer(c, expected, true))
        model_set(&q->labels, q->labels ^ bit);
}

static void decide_get_url(struct sim_call *c)
{
    const struct sqs_get_queue_url_out *out = c->call.out;
    const struct model_queue *q = queue_of(c);
    if (answer(c, q->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, false))
        CHECK(INV_ANSWER, slice_ends(out->queue_url, slice_str(q->name)), "%s: its URL is %.*s", q->name,
            SLICE_ARG(out->queue_url));
}

static void decide_list_sources(struct sim_call *c)
{
    const struct values *urls = &((const struct sqs_list_dead_letter_source_queues_out *)c->call.out)->queue_urls;
    size_t count = 0;
    if (!answer(c, queue_of(c)->exists ? 0 : SQS_QUEUE_DOES_NOT_EXIST, false))
        return;
    for (int i = 0; i < QUEUES_MAX; i++)
        count += model.queues[i].exists && model.queues[i].redrive_to == c->queue + 1;
    CHECK(INV_ANSWER, count == urls->count, "%s: %zu sources are listed, right are %zu", queue_of(c)->name, urls->count,
        count);
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------------- */

void model_decided(struct sim_call *c)
{
    static void (*const rows[])(struct sim_call *) = {
        [DO_SEND] = decide_send,
        [DO_SEND_BATCH] = decide_send_batch,
        [DO_RECEIVE] = decide_receive,
        [DO_DELETE] = decide_delete,
        [DO_DELETE_BATCH] = decide_delete_batch,
        [DO_VISIBILITY] = decide_visibility,
        [DO_VISIBILITY_BATCH] = decide_visibility_batch,
        [DO_PURGE] = decide_purge,
        [DO_CREATE] = decide_create,
        [DO_DELETE_QUEUE] = decide_delete_queue,
        [DO_SET_ATTRIBUTES] = decide_set_attributes,
        [DO_GET_ATTRIBUTES] = decide_get_attributes,
        [DO_LIST] = decide_list,
        [DO_TAG] = decide_tag,
        [DO_PERMISSION] = decide_permission,
        [DO_GET_URL] = decide_get_url,
        [DO_LIST_SOURCES] = decide_list_sources,
        [DO_REDRIVE_POLICY] = decide_redrive_policy,
        [DO_START_TASK] = decide_start_task,
        [DO_CANCEL_TASK] = decide_cancel_task,
        [DO_LIST_TASKS] = decide_list_tasks,
    };
    TRACE("call %llu decided: kind %llu queue %llu error %llu at %llu lsn %llu", c - sim.calls, c->kind, c->queue,
        c->call.error.code, c->decided_ms, c->decided_lsn);
    rows[c->kind](c);
}
