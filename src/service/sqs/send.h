/* send.h: what the front works out about messages before their owner decides: everything that needs no queue.
 *
 * sqs_plan_send(_batch) are called by the routes of SendMessage(Batch), after the checks of batch.h. They check what needs no
 * queue (body characters, attributes, ids), compute sizes and MD5s (that of a single body comes at the end of the turn, see
 * call_md5_later), and pack each message but for its head; the plan is c->scratch. What is wrong with one entry of a batch is kept in its plan and becomes an entry of Failed; what contract
 * 1.4 calls whole-request (ids, total size) is returned.
 * Memory   the call's arena.
 */
#ifndef MILLRACE_SERVICE_SQS_SEND_H
#define MILLRACE_SERVICE_SQS_SEND_H

#include "api/call.h"
#include "service/sqs/limits.h"

struct sqs_send_message_in;
struct sqs_send_message_batch_in;

struct sqs_send_item {
    struct slice id; /* of the batch entry */
    struct slice body;
    struct slice group_id, dedup_id; /* none if absent */
    int64_t delay_s;                 /* INT_ABSENT */
    size_t size;                     /* body and attributes: against MaximumMessageSize */
    uint32_t flags;                  /* enum message_flags of the tail */
    struct slice tail;               /* packed, message.h; its last 16 bytes are the MD5 of the body */
    uint8_t body_sha256[32];         /* if has_sha256: FIFO names without a deduplication id */
    bool has_sha256;
    char md5_of_attributes[33], md5_of_system_attributes[33]; /* "": none */
    struct error error;                                       /* of this entry alone */
    struct slice error_text;
};
struct sqs_send_plan {
    size_t count;
    struct sqs_send_item *items;
};

struct error sqs_plan_send(struct call *c, const struct sqs_send_message_in *in);
struct error sqs_plan_send_batch(
    struct call *c, const struct sqs_send_message_batch_in *in); /* checks the total size too */

#endif
