#include "service/sqs/redrive.h"
#include "service/sqs/queue.h"

struct error sqs_redrive_out(struct queue *q, uint32_t entry, bool *ret_moved)
{
    (void)q;
    (void)entry;
    *ret_moved = false; /* no channel to another queue yet: the message is received as usual */
    return OK;
}
