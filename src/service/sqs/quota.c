#include "service/sqs/quota.h"
#include "base/limits.h"
#include "service/sqs/memory.h"
#include "service/sqs/queue.h"
#include "service/sqs/sqs.h"

enum { SLOTS = 2 * RATE_QUEUES_MAX }; /* half full at most: probes stay short */
static_assert((SLOTS & (SLOTS - 1)) == 0, "slots are found with a mask");

struct rate {
    uint64_t uid; /* 0: free; the uid of a queue is never 0 */
    uint16_t calls[SQS_RATE_COUNT];
};
struct rates {
    uint64_t second;
    size_t count;
    struct rate slots[SLOTS];
};

static struct rates *tables[LOG_COUNT];

static struct rates *table_of(uint16_t log, uint64_t second)
{
    struct rates *t = tables[log];
    if (!t)
        t = tables[log] = memory_zero(sizeof(*t));
    if (t->second != second) {
        memset(t, 0, sizeof(*t));
        t->second = second;
    }
    return t;
}

/* NULL: as many queues as fit were called in this second already. */
static struct rate *rate_of(struct rates *t, uint64_t uid)
{
    size_t i = map_hash_u64(uid) & (SLOTS - 1);
    while (t->slots[i].uid && t->slots[i].uid != uid)
        i = (i + 1) & (SLOTS - 1);
    if (!t->slots[i].uid) {
        if (t->count == RATE_QUEUES_MAX)
            return NULL;
        t->count++;
        t->slots[i].uid = uid;
    }
    return &t->slots[i];
}

bool sqs_rate_take(uint16_t log, uint64_t queue_uid, enum sqs_rate_action action, uint64_t second)
{
    struct rate *r = rate_of(table_of(log, second), queue_uid);
    if (!r)
        return true;
    if (r->calls[action] == SQS_FIFO_CALLS_A_SECOND)
        return false;
    r->calls[action]++;
    return true;
}

static const struct limited_op {
    uint16_t op;
    uint8_t action;
} limited[] = {
    { OP_sqs_send_message, SQS_RATE_SEND },
    { OP_sqs_send_message_batch, SQS_RATE_SEND },
    { OP_sqs_receive_message, SQS_RATE_RECEIVE },
    { OP_sqs_delete_message, SQS_RATE_DELETE },
    { OP_sqs_delete_message_batch, SQS_RATE_DELETE },
    { OP_sqs_change_message_visibility, SQS_RATE_VISIBILITY },
    { OP_sqs_change_message_visibility_batch, SQS_RATE_VISIBILITY },
};

struct error sqs_quota_check(struct call *c, const struct queue *q)
{
    const struct sqs_config *config = q->config;
    bool is_high_throughput =
        config->dedup_scope == SQS_DEDUP_GROUP && config->throughput_limit == SQS_THROUGHPUT_GROUP;
    bool is_again = c->op->is_waiting && c->scratch; /* a long poll that was woken */
    if (!q->is_fifo || is_high_throughput || is_again)
        return OK;
    for (size_t i = 0; i < ARRAY_COUNT(limited); i++)
        if (limited[i].op == c->op->id &&
            !sqs_rate_take(c->owner->log, q->uid, limited[i].action, call_now_ms(c) / 1000))
            return call_fail(c, SQS_REQUEST_THROTTLED, "Rate exceeded: more than %d calls of %.*s in one second.",
                SQS_FIFO_CALLS_A_SECOND, SLICE_ARG(c->op->name));
    return OK;
}
