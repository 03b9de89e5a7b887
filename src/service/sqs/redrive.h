/* redrive.h: where messages leave for a dead-letter queue: a receive that would exceed maxReceiveCount of the queue's
 * RedrivePolicy moves the message instead of returning it (contract 2.1 "DLQ").
 *
 * Use      struct redrive r;
 *          sqs_redrive_begin(&r, q);                            once for a receive
 *          switch (sqs_redrive_choose(&r, entry)) ...           for each entry that queue_pick gave
 *          TRY(sqs_redrive_end(&r));                            those that leave go in one record
 *
 * When they cannot (no such target, it denies this queue, too many are on their way, it refused this one just now) the entry
 * stays and is received as usual: a message is never lost because its dead-letter queue is gone.
 *
 * What a moved message brings along is in the stored message (MESSAGE_MOVED, MESSAGE_SENT in message.h): its id, the ARN it
 * came from, its receive count. Standard keeps the sent time; FIFO starts a new one and uses the message id as
 * deduplication id. How it travels: channel.h.
 */
#ifndef MILLRACE_SERVICE_SQS_REDRIVE_H
#define MILLRACE_SERVICE_SQS_REDRIVE_H

#include "service/sqs/channel.h"

enum redrive_choice {
    REDRIVE_STAYS,  /* it may be received */
    REDRIVE_LEAVES, /* it is the redrive's now */
    REDRIVE_LATER,  /* it is to leave, but this receive moved as many as one may: it is to be unpicked */
};
struct redrive {
    struct queue *q;
    struct channel_target target;
    bool is_aimed; /* target and room are known: looked up for the first message that is to leave */
    uint32_t room; /* for so many on the way there; 0: there is no such target, too */
    uint32_t count;
    uint32_t entries[CHANNEL_BATCH_MAX];
};

void sqs_redrive_begin(struct redrive *r, struct queue *q);
enum redrive_choice sqs_redrive_choose(struct redrive *r, uint32_t entry);
/* Appends what that takes. On failure they are back where they were. */
struct error sqs_redrive_end(struct redrive *r);

#endif
