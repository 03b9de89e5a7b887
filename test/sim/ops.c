/* ops.c: what clients ask for. */
#include "model.h"
#include "support/faulty_disk.h"
#include <stdio.h>

static uint64_t below(uint64_t bound)
{
    return prng_below(&sim.random, bound);
}

static bool one_in(uint64_t n)
{
    return prng_one_in(&sim.random, n);
}

static struct slice url_of(struct sim_call *c)
{
    return arena_printf(&c->call.arena, "http://localhost:4566/000000000000/%s", model.queues[c->queue].name);
}

static struct slice entry_id(struct sim_call *c, uint32_t i)
{
    return arena_printf(&c->call.arena, "e%u", i);
}

/* ---- send --------------------------------------------------------------------------------------------------------------- */

static uint32_t draw_size(bool is_batch)
{
    const struct plan *p = &sim.plan;
    if (p->huge_one_in && !is_batch && one_in(p->huge_one_in))
        return (uint32_t)prng_between(&sim.random, 200 * KIB, 1000 * KIB);
    if (p->big_one_in && one_in(p->big_one_in))
        return (uint32_t)prng_between(&sim.random, 4 * KIB, 60 * KIB);
    return (uint32_t)prng_between(&sim.random, 1, p->body_max);
}

/* A message of its own, or one that repeats the body of a recent one. */
static uint32_t draw_message(uint32_t queue, bool is_batch)
{
    uint32_t index = model_new_message(queue);
    if (index == UINT32_MAX)
        return index;
    struct model_message *m = &model.messages[index];
    const struct model_queue *q = &model.queues[queue];
    m->content = model.content_count++;
    m->size = draw_size(is_batch);
    if (q->is_fifo && q->list_count && one_in(4)) {
        word back = below(q->list_count < 20 ? q->list_count : 20);
        const struct model_message *old = &model.messages[q->list[q->list_count - 1 - back]];
        if (old->size <= 100 * KIB || !is_batch) {
            m->content = old->content;
            m->size = old->size;
        }
    }
    if (q->is_fifo || (q->is_fair && !one_in(5)))
        m->group = 1 + (uint32_t)below(GROUPS);
    if (q->is_fifo)
        m->dedup = one_in(2) ? UINT32_MAX : one_in(3) ? 1 + (uint32_t)below(12) : index + 100;
    if (q->is_fifo && !q->content_dedup && m->dedup == UINT32_MAX && !one_in(20))
        m->dedup = index + 100;
    return index;
}

/* The same fields in both shapes. */
struct send_fields {
    struct slice body, dedup_id, group_id;
    struct values attributes;
    int64_t delay_s;
};

static struct send_fields send_fields(struct sim_call *c, uint32_t i, uint32_t index)
{
    struct arena *arena = &c->call.arena;
    const struct model_message *m = &model.messages[index];
    const struct model_queue *q = &model.queues[c->queue];
    bool has_delay = !q->is_fifo && one_in(4);
    struct send_fields f = { .body = body_text(m->content, m->size, arena),
        .attributes = content_attributes(m->content, arena),
        .delay_s = has_delay ? (int64_t)below(one_in(20) ? 900 : 15) : INT_ABSENT };
    if (m->group)
        f.group_id = arena_printf(arena, "g%u", m->group);
    if (m->dedup && m->dedup != UINT32_MAX)
        f.dedup_id = arena_printf(arena, "d%u", m->dedup);
    c->messages[i] = (struct sim_message){ .index = index, .argument = has_delay ? (uint64_t)f.delay_s : UINT64_MAX };
    return f;
}

static void do_send(uint32_t queue)
{
    uint32_t index = draw_message(queue, false);
    struct sim_call *c = index == UINT32_MAX ? NULL : call_begin(DO_SEND, OP_sqs_send_message, queue);
    if (!c)
        return;
    struct sqs_send_message_in *in = c->call.in;
    struct send_fields f = send_fields(c, 0, index);
    in->queue_url = url_of(c);
    in->body = f.body;
    in->delay_s = f.delay_s;
    in->attributes = f.attributes;
    in->dedup_id = f.dedup_id;
    in->group_id = f.group_id;
    c->count = 1;
    TRACE("call %llu sends %llu to queue %llu, group %llu dedup %llu size %llu", c - sim.calls, index, queue,
        model.messages[index].group, model.messages[index].dedup, model.messages[index].size);
    call_go(c);
}

void ops_send_batch(uint32_t queue)
{
    struct sim_call *c = call_begin(DO_SEND_BATCH, OP_sqs_send_message_batch, queue);
    if (!c)
        return;
    struct sqs_send_message_batch_in *in = c->call.in;
    uint32_t count = 1 + (uint32_t)below(10);
    struct sqs_send_entry *entries = ARENA_ARRAY(&c->call.arena, struct sqs_send_entry, count);
    in->queue_url = url_of(c);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = draw_message(queue, true);
        if (index == UINT32_MAX)
            break;
        shape_clear(&sqs_send_entry_shape, &entries[i]);
        struct send_fields f = send_fields(c, i, index);
        entries[i].id = entry_id(c, i);
        entries[i].body = f.body;
        entries[i].delay_s = f.delay_s;
        entries[i].attributes = f.attributes;
        entries[i].dedup_id = f.dedup_id;
        entries[i].group_id = f.group_id;
        c->count++;
    }
    in->entries = (struct values){ .items = entries, .count = c->count, .is_set = true };
    if (c->count == 0)
        return; /* the slot is still free */
    TRACE("call %llu sends %llu messages from %llu on to queue %llu", c - sim.calls, c->count, c->messages[0].index,
        queue);
    call_go(c);
}

/* ---- receive -------------------------------------------------------------------------------------------------------------- */

static uint64_t draw_visibility(void)
{
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return one_in(4) ? 43200 : 600;
    case 3:
    case 4:
        return UINT64_MAX;
    default:
        return below(40);
    }
}

static void set_number(int64_t *at, uint64_t number)
{
    if (number != UINT64_MAX)
        *at = (int64_t)number;
}

static void receive(uint32_t queue, uint64_t max, uint64_t visibility_s, uint64_t wait_s, uint64_t attempt)
{
    static const struct slice all = { "All", 3 };
    struct sim_call *c = call_begin(DO_RECEIVE, OP_sqs_receive_message, queue);
    if (!c)
        return;
    struct sqs_receive_message_in *in = c->call.in;
    const struct values names = { .items = (void *)(uintptr_t)&all, .count = 1, .is_set = true };
    in->queue_url = url_of(c);
    in->max_messages = (int64_t)max;
    set_number(&in->visibility_s, visibility_s);
    set_number(&in->wait_s, wait_s);
    in->system_attribute_names = names;
    in->message_attribute_names = names;
    if (attempt)
        in->attempt_id = arena_printf(&c->call.arena, "attempt%llu", (unsigned long long)attempt);
    c->number[0] = max;
    c->number[1] = visibility_s;
    c->number[2] = wait_s;
    c->number[3] = attempt;
    TRACE("call %llu receives %llu from queue %llu, visibility %lld wait %lld attempt %llu", c - sim.calls, max, queue,
        visibility_s, wait_s, attempt);
    call_go(c);
}

static void do_receive(uint32_t queue)
{
    uint64_t wait_s = one_in(3) ? 1 + below(20) : one_in(2) ? UINT64_MAX : 0;
    bool has_attempt = model.queues[queue].is_fifo && one_in(4);
    receive(queue, 1 + below(10), draw_visibility(), wait_s, has_attempt ? 1 + below(6) : 0);
}

void ops_receive_all(uint32_t queue)
{
    receive(queue, 10, 60, 0, 0);
}

/* ---- delete and visibility: about deliveries that clients remember ------------------------------------------------------------ */

struct held *held_new(void)
{
    return &sim.held[sim.held_count++ % HELD_MAX]; /* the oldest is forgotten: its message comes again */
}

/* A recent one of this queue, or any, or now and then one of another queue; NULL: none was found in a few tries. */
static struct held *draw_held(uint32_t queue)
{
    bool is_foreign = one_in(40);
    uint32_t known = sim.held_count < HELD_MAX ? sim.held_count : HELD_MAX;
    for (int tries = 0; known && tries < 12; tries++) {
        uint64_t back = below(one_in(4) ? known : known < 16 ? known : 16);
        struct held *h = &sim.held[(sim.held_count - 1 - back) % HELD_MAX];
        if (h->is_used && (h->queue == queue) != is_foreign)
            return h;
    }
    return NULL;
}

static bool is_about(const struct sim_call *c, uint32_t index)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->messages[i].index == index)
            return true;
    return false;
}

static struct slice about(struct sim_call *c, const struct held *h, uint64_t argument)
{
    char *handle = arena_alloc(&c->call.arena, HANDLE_BYTES);
    bool is_broken = one_in(60);
    memcpy(handle, h->handle, HANDLE_BYTES);
    if (is_broken)
        handle[below(HANDLE_BYTES - 4)] ^= 1; /* the last ones hold bits that mean nothing */
    c->messages[c->count++] = (struct sim_message){ .index = h->message,
        .born = is_broken || h->queue != c->queue ? BORN_ELSEWHERE : h->born,
        .generation = h->generation,
        .argument = argument };
    return slice_of(handle, HANDLE_BYTES);
}

/* Most clients delete once. */
static void use_up(const struct sim_call *c, struct held *h)
{
    if (c->messages[c->count - 1].born != BORN_ELSEWHERE && !one_in(8))
        h->is_used = false;
}

static void do_delete(uint32_t queue)
{
    struct held *h = draw_held(queue);
    struct sim_call *c = h ? call_begin(DO_DELETE, OP_sqs_delete_message, queue) : NULL;
    if (!c)
        return;
    struct sqs_delete_message_in *in = c->call.in;
    in->queue_url = url_of(c);
    in->receipt_handle = about(c, h, 0);
    TRACE("call %llu deletes %llu of queue %llu, receipt %llu", c - sim.calls, h->message, queue, h->generation);
    use_up(c, h);
    call_go(c);
}

static void do_delete_batch(uint32_t queue)
{
    struct sim_call *c = draw_held(queue) ? call_begin(DO_DELETE_BATCH, OP_sqs_delete_message_batch, queue) : NULL;
    if (!c)
        return;
    struct sqs_delete_message_batch_in *in = c->call.in;
    struct sqs_delete_entry *entries = ARENA_ARRAY(&c->call.arena, struct sqs_delete_entry, 10);
    in->queue_url = url_of(c);
    for (uint32_t i = 0, wanted = 1 + (uint32_t)below(10); i < wanted; i++) {
        struct held *h = draw_held(queue);
        if (!h || is_about(c, h->message))
            continue;
        entries[c->count].id = entry_id(c, c->count);
        entries[c->count].receipt_handle = about(c, h, 0);
        use_up(c, h);
    }
    if (c->count == 0)
        return;
    in->entries = (struct values){ .items = entries, .count = c->count, .is_set = true };
    TRACE("call %llu deletes %llu messages of queue %llu", c - sim.calls, c->count, queue);
    call_go(c);
}

static uint64_t draw_extension(void)
{
    return one_in(3) ? 0 : one_in(20) ? 43200 : below(60);
}

static void do_visibility(uint32_t queue)
{
    struct held *h = draw_held(queue);
    struct sim_call *c = h ? call_begin(DO_VISIBILITY, OP_sqs_change_message_visibility, queue) : NULL;
    if (!c)
        return;
    struct sqs_change_message_visibility_in *in = c->call.in;
    in->queue_url = url_of(c);
    in->receipt_handle = about(c, h, draw_extension());
    in->visibility_s = (int64_t)c->messages[0].argument;
    TRACE("call %llu: visibility of %llu of queue %llu to %llu s, receipt %llu", c - sim.calls, h->message, queue,
        c->messages[0].argument, h->generation);
    call_go(c);
}

static void do_visibility_batch(uint32_t queue)
{
    struct sim_call *c =
        draw_held(queue) ? call_begin(DO_VISIBILITY_BATCH, OP_sqs_change_message_visibility_batch, queue) : NULL;
    if (!c)
        return;
    struct sqs_change_message_visibility_batch_in *in = c->call.in;
    struct sqs_visibility_entry *entries = ARENA_ARRAY(&c->call.arena, struct sqs_visibility_entry, 10);
    in->queue_url = url_of(c);
    for (uint32_t i = 0, wanted = 1 + (uint32_t)below(10); i < wanted; i++) {
        struct held *h = draw_held(queue);
        if (!h || is_about(c, h->message))
            continue;
        struct sqs_visibility_entry *e = &entries[c->count];
        e->id = entry_id(c, c->count);
        e->receipt_handle = about(c, h, draw_extension());
        e->visibility_s = (int64_t)c->messages[c->count - 1].argument;
    }
    if (c->count == 0)
        return;
    in->entries = (struct values){ .items = entries, .count = c->count, .is_set = true };
    TRACE("call %llu: visibility of %llu messages of queue %llu", c - sim.calls, c->count, queue);
    call_go(c);
}

/* ---- queues ------------------------------------------------------------------------------------------------------------------ */

static void add_pair(struct sim_call *c, struct values *map, const char *key, struct slice text)
{
    struct pair *pairs = map->items;
    if (!pairs)
        pairs = map->items = ARENA_ARRAY(&c->call.arena, struct pair, 12);
    pairs[map->count++] = (struct pair){ .key = slice_str(key), .text = text };
    map->is_set = true;
}

static void add_number(struct sim_call *c, struct values *map, const char *key, uint64_t number)
{
    add_pair(c, map, key, arena_printf(&c->call.arena, "%llu", (unsigned long long)number));
}

static void draw_attributes(uint64_t number[6])
{
    number[0] = one_in(2) ? 0 : below(one_in(10) ? 900 : 10);
    number[1] = one_in(4)   ? prng_between(&sim.random, 60, 600)
                : one_in(2) ? 345600
                            : prng_between(&sim.random, 600, 40000);
    number[2] = one_in(3) ? 30 : below(60);
    number[3] = one_in(2) ? 0 : below(21);
    number[4] = below(2);
    number[5] = below(2);
}

void ops_create_queue(uint32_t queue, bool is_random)
{
    struct sim_call *c = call_begin(DO_CREATE, OP_sqs_create_queue, queue);
    if (!c)
        return;
    struct sqs_create_queue_in *in = c->call.in;
    const struct model_queue *q = &model.queues[queue];
    in->queue_name = slice_str(q->name);
    draw_attributes(c->number);
    if (q->exists && !is_random) {
        const uint64_t same[] = { q->delay_s, q->retention_s, q->visibility_s, q->wait_s, q->content_dedup,
            q->group_scope };
        memcpy(c->number, same, sizeof(same));
    }
    add_number(c, &in->attributes, "DelaySeconds", c->number[0]);
    add_number(c, &in->attributes, "MessageRetentionPeriod", c->number[1]);
    add_number(c, &in->attributes, "VisibilityTimeout", c->number[2]);
    add_number(c, &in->attributes, "ReceiveMessageWaitTimeSeconds", c->number[3]);
    if (q->is_fifo) {
        add_pair(c, &in->attributes, "FifoQueue", SLICE("true"));
        add_pair(c, &in->attributes, "ContentBasedDeduplication", c->number[4] ? SLICE("true") : SLICE("false"));
        add_pair(c, &in->attributes, "DeduplicationScope", c->number[5] ? SLICE("messageGroup") : SLICE("queue"));
    }
    TRACE("call %llu creates queue %llu, delay %llu retention %llu visibility %llu wait %llu", c - sim.calls, queue,
        c->number[0], c->number[1], c->number[2], c->number[3]);
    call_go(c);
}

/* Messages that were sent to this queue (or away from it) and not decided about there. */
static bool is_in_transit(uint32_t queue, bool is_source)
{
    enum { LOOK_BACK = 64 };
    for (uint32_t i = 0; i < sim.plan.queue_count; i++) {
        const struct model_queue *q = &model.queues[i];
        for (word k = q->list_count; k > 0 && k + LOOK_BACK > q->list_count; k--) {
            const struct model_message *m = &model.messages[q->list[k - 1]];
            if (m->state == M_TRANSIT && (is_source ? i : m->transit_to) == queue)
                return true;
        }
    }
    return false;
}

static void do_create(uint32_t queue)
{
    ops_create_queue(queue, one_in(3));
}

static void do_delete_queue(uint32_t queue)
{
    if (model.queues[queue].exists && !one_in(6) && !is_in_transit(queue, false))
        return; /* it would spoil every history */
    struct sim_call *c = call_begin(DO_DELETE_QUEUE, OP_sqs_delete_queue, queue);
    if (!c)
        return;
    ((struct sqs_delete_queue_in *)c->call.in)->queue_url = url_of(c);
    TRACE("call %llu deletes queue %llu", c - sim.calls, queue);
    call_go(c);
}

void ops_purge(uint32_t queue)
{
    struct sim_call *c = call_begin(DO_PURGE, OP_sqs_purge_queue, queue);
    if (!c)
        return;
    ((struct sqs_purge_queue_in *)c->call.in)->queue_url = url_of(c);
    TRACE("call %llu purges queue %llu", c - sim.calls, queue);
    call_go(c);
}

static void do_purge(uint32_t queue)
{
    bool has_left = is_in_transit(queue, true);
    if (one_in(4) || has_left)
        ops_purge(queue);
    for (uint32_t i = 0; i < sim.plan.queue_count && has_left; i++) /* what is refused there now belongs to nobody */
        if (is_in_transit(i, false) && one_in(3))
            do_delete_queue(i);
}

static void do_set_attributes(uint32_t queue)
{
    static const char *const names[] = { "DelaySeconds", "MessageRetentionPeriod", "VisibilityTimeout",
        "ReceiveMessageWaitTimeSeconds", "ContentBasedDeduplication" };
    struct sim_call *c = call_begin(DO_SET_ATTRIBUTES, OP_sqs_set_queue_attributes, queue);
    if (!c)
        return;
    struct sqs_set_queue_attributes_in *in = c->call.in;
    in->queue_url = url_of(c);
    draw_attributes(c->number);
    for (int i = 0; i < 5; i++) {
        bool must = sim.plan.net.is_on && i == 3 && in->attributes.count == 0; /* no form can say that there are none */
        bool is_set = (one_in(3) || must) && (i < 4 || model.queues[queue].is_fifo);
        if (!is_set)
            c->number[i] = UINT64_MAX;
        else if (i < 4)
            add_number(c, &in->attributes, names[i], c->number[i]);
        else
            add_pair(c, &in->attributes, names[i], c->number[i] ? SLICE("true") : SLICE("false"));
    }
    in->attributes.is_set = true;
    c->count = (uint32_t)in->attributes.count;
    TRACE("call %llu changes queue %llu: delay %lld retention %lld visibility %lld wait %lld", c - sim.calls, queue,
        c->number[0], c->number[1], c->number[2], c->number[3]);
    call_go(c);
}

void ops_get_attributes(uint32_t queue)
{
    static const struct slice all = { "All", 3 };
    struct sim_call *c = call_begin(DO_GET_ATTRIBUTES, OP_sqs_get_queue_attributes, queue);
    if (!c)
        return;
    struct sqs_get_queue_attributes_in *in = c->call.in;
    in->queue_url = url_of(c);
    in->names = (struct values){ .items = (void *)(uintptr_t)&all, .count = 1, .is_set = true };
    call_go(c);
}

static void do_list(uint32_t queue)
{
    struct sim_call *c = call_begin(DO_LIST, OP_sqs_list_queues, queue);
    if (c)
        call_go(c);
}

static void do_tag(uint32_t queue)
{
    static const enum sqs_op op_of[] = { OP_sqs_tag_queue, OP_sqs_untag_queue, OP_sqs_list_queue_tags };
    uint64_t what = below(3);
    struct sim_call *c = call_begin(DO_TAG, op_of[what], queue);
    if (!c)
        return;
    c->number[0] = what;
    c->number[1] = below(TAGS);
    c->number[2] = 1 + below(1000);
    static const char *const keys[TAGS] = { "t0", "t1", "t2", "t3" };
    const char *key = keys[c->number[1]];
    if (what == 0) {
        struct sqs_tag_queue_in *in = c->call.in;
        in->queue_url = url_of(c);
        add_number(c, &in->tags, key, c->number[2]);
    } else if (what == 1) {
        struct sqs_untag_queue_in *in = c->call.in;
        struct slice *list = ARENA_NEW(&c->call.arena, struct slice);
        *list = slice_str(key);
        in->queue_url = url_of(c);
        in->tag_keys = (struct values){ .items = list, .count = 1, .is_set = true };
    } else {
        ((struct sqs_list_queue_tags_in *)c->call.in)->queue_url = url_of(c);
    }
    TRACE("call %llu: tags of queue %llu, %llu %llu %llu", c - sim.calls, queue, what, c->number[1], c->number[2]);
    call_go(c);
}

static void do_permission(uint32_t queue)
{
    static const struct slice labels[] = { { "one", 3 }, { "two", 3 }, { "three", 5 } };
    static const struct slice account = { "111122223333", 12 }, action = { "SendMessage", 11 };
    bool adds = one_in(2);
    struct sim_call *c = call_begin(DO_PERMISSION, adds ? OP_sqs_add_permission : OP_sqs_remove_permission, queue);
    if (!c)
        return;
    c->number[0] = !adds;
    c->number[1] = below(ARRAY_COUNT(labels));
    if (adds) {
        struct sqs_add_permission_in *in = c->call.in;
        in->queue_url = url_of(c);
        in->label = labels[c->number[1]];
        in->accounts = (struct values){ .items = (void *)(uintptr_t)&account, .count = 1, .is_set = true };
        in->actions = (struct values){ .items = (void *)(uintptr_t)&action, .count = 1, .is_set = true };
    } else {
        struct sqs_remove_permission_in *in = c->call.in;
        in->queue_url = url_of(c);
        in->label = labels[c->number[1]];
    }
    TRACE("call %llu: permission %llu of queue %llu, away %llu", c - sim.calls, c->number[1], queue, c->number[0]);
    call_go(c);
}

static void do_get_url(uint32_t queue)
{
    struct sim_call *c = call_begin(DO_GET_URL, OP_sqs_get_queue_url, queue);
    if (!c)
        return;
    ((struct sqs_get_queue_url_in *)c->call.in)->queue_name = slice_str(model.queues[queue].name);
    call_go(c);
}

static void do_list_sources(uint32_t queue)
{
    struct sim_call *c = call_begin(DO_LIST_SOURCES, OP_sqs_list_dead_letter_source_queues, queue);
    if (!c)
        return;
    ((struct sqs_list_dead_letter_source_queues_in *)c->call.in)->queue_url = url_of(c);
    call_go(c);
}

/* ---- dead letters and move tasks: only towards queues of a higher number, so that nothing goes round in circles ------------ */

static struct slice arn_of(struct sim_call *c, uint32_t queue)
{
    return arena_printf(&c->call.arena, "arn:aws:sqs:us-east-1:000000000000:%s", model.queues[queue].name);
}

/* Another queue of the same type; UINT32_MAX: none. */
static uint32_t draw_target(uint32_t queue)
{
    uint32_t from = queue + 1 + (uint32_t)below(3);
    for (uint32_t i = from; i < sim.plan.queue_count; i++)
        if (model.queues[i].is_fifo == model.queues[queue].is_fifo && model.queues[i].exists)
            return i;
    return UINT32_MAX;
}

static void do_redrive_policy(uint32_t queue)
{
    uint32_t target = draw_target(queue);
    bool is_away = target == UINT32_MAX || one_in(8);
    struct sim_call *c = call_begin(DO_REDRIVE_POLICY, OP_sqs_set_queue_attributes, queue);
    if (!c)
        return;
    struct sqs_set_queue_attributes_in *in = c->call.in;
    in->queue_url = url_of(c);
    c->number[0] = is_away ? 0 : target + 1;
    c->number[1] = 1 + below(4);
    struct slice policy =
        is_away ? SLICE("")
                : arena_printf(&c->call.arena, "{\"deadLetterTargetArn\":\"%.*s\",\"maxReceiveCount\":%llu}",
                      SLICE_ARG(arn_of(c, target)), (unsigned long long)c->number[1]);
    add_pair(c, &in->attributes, "RedrivePolicy", policy);
    TRACE("call %llu: dead letters of queue %llu go to %lld after %llu receives", c - sim.calls, queue,
        (int64_t)c->number[0] - 1, c->number[1]);
    call_go(c);
}

/* Mostly a queue that `is_good`, if there is one. */
static uint32_t prefer(uint32_t queue, bool (*is_good)(uint32_t queue))
{
    for (uint32_t i = 0; i < sim.plan.queue_count && !one_in(4); i++)
        if (is_good((queue + i) % sim.plan.queue_count))
            return (queue + i) % sim.plan.queue_count;
    return queue;
}

static bool has_letters(uint32_t queue)
{
    for (uint32_t i = 0; i < sim.plan.queue_count; i++)
        if (model.queues[i].exists && model.queues[i].redrive_to == queue + 1)
            return model_figures(&model.queues[queue], sim.now_ms).visible > 0;
    return false;
}

static bool has_task(uint32_t queue)
{
    return model.queues[queue].task_status == TASK_RUNNING;
}

static void do_start_task(uint32_t queue)
{
    queue = prefer(queue, has_letters);
    struct sim_call *c = call_begin(DO_START_TASK, OP_sqs_start_message_move_task, queue);
    if (!c)
        return;
    struct sqs_start_message_move_task_in *in = c->call.in;
    in->source_arn = arn_of(c, queue);
    if (!one_in(3)) {
        uint32_t target = (uint32_t)below(sim.plan.queue_count);
        c->number[0] = target + 1;
        in->destination_arn = arn_of(c, target);
    }
    if (one_in(3))
        in->max_per_second = 1 + (int64_t)below(one_in(2) ? 2 : 50);
    TRACE("call %llu starts a move task from queue %llu to %lld", c - sim.calls, queue, (int64_t)c->number[0] - 1);
    call_go(c);
}

static void do_cancel_task(uint32_t queue)
{
    queue = prefer(queue, has_task);
    const struct task_handle_kept *kept = &sim.tasks[queue];
    struct sim_call *c = kept->size ? call_begin(DO_CANCEL_TASK, OP_sqs_cancel_message_move_task, queue) : NULL;
    if (!c)
        return;
    struct sqs_cancel_message_move_task_in *in = c->call.in;
    in->task_handle = arena_copy(&c->call.arena, slice_of(kept->text, kept->size));
    c->messages[0].born = kept->born;
    c->number[0] = kept->number;
    TRACE("call %llu cancels task %llu of queue %llu", c - sim.calls, kept->number, queue);
    call_go(c);
}

static void do_list_tasks(uint32_t queue)
{
    struct sim_call *c = call_begin(DO_LIST_TASKS, OP_sqs_list_message_move_tasks, queue);
    if (!c)
        return;
    ((struct sqs_list_message_move_tasks_in *)c->call.in)->source_arn = arn_of(c, queue);
    call_go(c);
}

/* ---- which ------------------------------------------------------------------------------------------------------------------------- */

void ops_start_random(void)
{
    static void (*const rows[DO_COUNT])(uint32_t queue) = {
        [DO_SEND] = do_send,
        [DO_SEND_BATCH] = ops_send_batch,
        [DO_RECEIVE] = do_receive,
        [DO_DELETE] = do_delete,
        [DO_DELETE_BATCH] = do_delete_batch,
        [DO_VISIBILITY] = do_visibility,
        [DO_VISIBILITY_BATCH] = do_visibility_batch,
        [DO_PURGE] = do_purge,
        [DO_CREATE] = do_create,
        [DO_DELETE_QUEUE] = do_delete_queue,
        [DO_SET_ATTRIBUTES] = do_set_attributes,
        [DO_GET_ATTRIBUTES] = ops_get_attributes,
        [DO_LIST] = do_list,
        [DO_TAG] = do_tag,
        [DO_PERMISSION] = do_permission,
        [DO_GET_URL] = do_get_url,
        [DO_LIST_SOURCES] = do_list_sources,
        [DO_REDRIVE_POLICY] = do_redrive_policy,
        [DO_START_TASK] = do_start_task,
        [DO_CANCEL_TASK] = do_cancel_task,
        [DO_LIST_TASKS] = do_list_tasks,
    };
    uint64_t total = 0;
    for (int i = 0; i < DO_COUNT; i++)
        total += rows[i] ? sim.plan.weight[i] : 0;
    uint64_t draw = below(total);
    for (int i = 0; i < DO_COUNT; i++) {
        uint64_t weight = rows[i] ? sim.plan.weight[i] : 0;
        if (draw < weight) {
            rows[i]((uint32_t)below(sim.plan.queue_count));
            return;
        }
        draw -= weight;
    }
}
