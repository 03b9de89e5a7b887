/* receive.h: ReceiveMessage in three steps.
 *
 *   owner  run     picks messages, leases them in one record, pins their segments; or parks the call (long poll)
 *   front  finish  reads the records (perhaps after a reader thread warmed them), builds Messages, unpins
 *   owner  undo    the client was gone: leases are taken back, counts restored (RETURNED), unpins
 *
 * A standard receive waits for the messages it returns to be durable, not for its own lease: after a crash in between, a
 * message may be visible again early and its count one lower. FIFO waits for the lease, too.
 */
#ifndef MILLRACE_SERVICE_SQS_RECEIVE_H
#define MILLRACE_SERVICE_SQS_RECEIVE_H

#include "service/sqs/state.h"

struct receive_pick {
    uint64_t seq, lsn, group_key, sent_ms, first_ms;
    uint32_t generation, count;
};
struct receive_plan {     /* c->scratch from the first run on */
    uint64_t deadline_ms; /* of the long poll */
    bool has_deadline;
    const struct sqs_keys *keys;
    uint64_t uid, epoch;
    bool is_fifo;
    bool is_pinned;
    bool is_warm; /* finish ran before: now it may wait for the disk */
    uint32_t count;
    struct receive_pick picks[SQS_RECEIVE_MAX];
};

/* Builds one message of the reply from its record. ERR_CORRUPT. `filters` are the names the request asked for. */
struct receive_filters {
    const struct values *system_names;
    const struct values *attribute_names;
};
struct sqs_message;
struct error receive_build(const struct receive_plan *plan, const struct receive_pick *pick, const struct record *r,
    const struct receive_filters *filters, struct slice account, struct arena *arena, struct sqs_message *ret);

#endif
