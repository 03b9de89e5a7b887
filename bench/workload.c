/* workload.c: see workload.h. */
#include "workload.h"

#include <string.h>

void mark_ready(struct conn *c)
{
    if (c->is_ready)
        return;
    c->is_ready = true;
    atomic_fetch_add(&c->worker->load->ready, 1);
}

/* Takes up to `wanted` numbers of the run's messages; fewer at the end of --count, 0 past it. */
static unsigned claim(struct conn *c, unsigned wanted)
{
    struct load *l = c->worker->load;
    uint64_t first = atomic_load(&l->claimed);
    unsigned taken;
    do {
        if (l->count > 0 && first >= l->count)
            return 0;
        taken = l->count > 0 && l->count - first < wanted ? (unsigned)(l->count - first) : wanted;
    } while (!atomic_compare_exchange_weak(&l->claimed, &first, first + taken));
    c->number = first;
    c->batch = taken;
    return taken;
}

static uint64_t draw(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static enum op next_send(struct conn *c)
{
    return claim(c, 1) ? OP_SEND : OP_NONE;
}

static enum op next_send_batch(struct conn *c)
{
    return claim(c, c->worker->load->batch) ? OP_SEND_BATCH : OP_NONE;
}

static enum op next_queue(struct conn *c)
{
    if (!claim(c, 1))
        return OP_NONE;
    c->number = draw(c->worker) % c->worker->load->queues; /* its body goes by the queue's number too */
    return OP_SEND;
}

static enum op next_create(struct conn *c)
{
    return claim(c, 1) ? OP_CREATE : OP_NONE;
}

static enum op receive(struct conn *c, unsigned batch)
{
    c->number = 0;
    c->batch = batch;
    return OP_RECEIVE;
}

static enum op delete_oldest(struct conn *c, size_t count)
{
    unsigned most = c->worker->load->batch;
    c->batch = count < most ? (unsigned)count : most;
    return OP_DELETE_BATCH;
}

static enum op next_receive(struct conn *c)
{
    return receive(c, c->worker->load->batch);
}

/* Gives the numbers that a short reply did not use back to the others. */
static enum op next_hold(struct conn *c)
{
    struct load *l = c->worker->load;
    if (c->op == OP_RECEIVE && c->received < c->batch)
        atomic_fetch_sub(&l->claimed, c->batch - c->received);
    if (c->empty_in_a_row > EMPTY_RECEIVES_MAX) {
        atomic_store(&l->fatal, "the queue does not hold as many receivable messages as should be held");
        return OP_NONE;
    }
    c->received = 0; /* a failed request has received nothing */
    if (!claim(c, l->batch))
        return OP_NONE;
    c->number = 0;
    return OP_RECEIVE;
}

static enum op next_life(struct conn *c)
{
    if (c->op == OP_SEND_BATCH)
        return receive(c, c->worker->load->batch);
    if (c->op == OP_RECEIVE && c->handles.count > 0)
        return delete_oldest(c, c->handles.count);
    return claim(c, c->worker->load->batch) ? OP_SEND_BATCH : OP_NONE;
}

static enum op next_drain(struct conn *c)
{
    if (c->handles.count > 0)
        return delete_oldest(c, c->handles.count);
    return receive(c, c->worker->load->batch);
}

/* Keeps `inflight` messages received and undeleted: it first only receives, then deletes the oldest and sends as many
 * again, so that the depth stays what it was. */
static enum op next_depth(struct conn *c)
{
    struct load *l = c->worker->load;
    size_t kept = l->inflight / l->connections;
    if (!c->is_ready && c->handles.count < kept) {
        if (c->empty_in_a_row <= EMPTY_RECEIVES_MAX)
            return receive(c, l->batch);
        atomic_store(&l->fatal, "the queue does not hold as many receivable messages as should be in flight");
        return OP_NONE;
    }
    if (!c->is_ready)
        c->owed = l->batch;
    mark_ready(c);
    if (c->handles.count > kept)
        return delete_oldest(c, c->handles.count - kept);
    if (c->owed > 0 && c->op != OP_SEND_BATCH)
        return claim(c, c->owed < l->batch ? c->owed : l->batch) ? OP_SEND_BATCH : OP_NONE;
    return receive(c, l->batch);
}

static enum op settle_handles(struct conn *c)
{
    const struct load *l = c->worker->load;
    size_t kept = l->inflight / l->connections;
    return c->handles.count > kept ? delete_oldest(c, c->handles.count - kept) : OP_NONE;
}

const struct workload workloads[] = {
    { .name = "send", .help = "SendMessage", .next = next_send, .counted = OP_SEND },
    { .name = "send-batch", .help = "SendMessageBatch of --batch", .next = next_send_batch, .counted = OP_SEND_BATCH },
    { .name = "life",
        .help = "send --batch, receive as many, delete what came",
        .next = next_life,
        .counted = OP_DELETE_BATCH,
        .keeps_handles = true,
        .settle = settle_handles },
    { .name = "receive",
        .help = "ReceiveMessage of --batch, never deleted",
        .next = next_receive,
        .counted = OP_RECEIVE },
    { .name = "drain",
        .help = "receive --batch, delete what came",
        .next = next_drain,
        .counted = OP_DELETE_BATCH,
        .keeps_handles = true,
        .settle = settle_handles },
    { .name = "depth",
        .help = "life beside a standing backlog, with --inflight messages kept undeleted",
        .next = next_depth,
        .counted = OP_DELETE_BATCH,
        .ready = READY_BY_ITSELF,
        .keeps_handles = true,
        .settle = settle_handles },
    { .name = "fill",
        .help = "sends --count messages in batches and ends",
        .next = next_send_batch,
        .counted = OP_SEND_BATCH,
        .needs_count = true },
    { .name = "hold",
        .help = "receives --count messages, keeps them and ends",
        .next = next_hold,
        .counted = OP_RECEIVE,
        .needs_count = true },
    { .name = "longpoll",
        .help = "one waiting receive on every connection (--wait)",
        .next = next_receive,
        .counted = OP_RECEIVE,
        .ready = READY_ON_SENT },
    { .name = "queues",
        .help = "SendMessage to random ones of --queues queues",
        .next = next_queue,
        .counted = OP_SEND },
    { .name = "create",
        .help = "creates --count queues NAME-0 ... and ends",
        .next = next_create,
        .counted = OP_CREATE,
        .needs_count = true },
    { .name = "connect",
        .help = "SendMessage, a new connection for each",
        .next = next_send,
        .counted = OP_SEND,
        .reconnect = true },
    { .name = "raw",
        .help = "SendMessage, any reply with status 200 is good",
        .next = next_send,
        .counted = OP_SEND,
        .raw = true },
};
const size_t workload_count = sizeof workloads / sizeof *workloads;

const struct workload *workload_find(const char *name)
{
    for (size_t index = 0; index < workload_count; index++)
        if (strcmp(workloads[index].name, name) == 0)
            return &workloads[index];
    return NULL;
}
