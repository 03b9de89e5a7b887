/* grave.h: what a purge or a deletion left behind: messages that are gone for everybody but still to be counted as dead.
 *
 * Taking all messages out of a queue costs O(1); counting their records dead and giving back their memory is done in slices
 * by the state's advance, so that purging ten million messages holds nobody up. Nothing of it is state: a snapshot does not
 * hold graves, and replay buries at once.
 */
#ifndef MILLRACE_SERVICE_SQS_GRAVE_H
#define MILLRACE_SERVICE_SQS_GRAVE_H

#include "service/sqs/queue.h"

struct grave {
    struct link link; /* in the state's graves */
    struct flights flights;
    struct map groups;
    struct group *main;
    bool is_fifo;
    uint32_t at_entry; /* how far it is buried */
    size_t at_group;
    struct group *open; /* the one being emptied */
};

/* All messages of the queue: it is empty afterwards. Few are buried at once. */
void grave_take(struct queue *q);
/* About `budget` messages; true if nothing is left. */
bool graves_bury(struct sqs_state *s, size_t budget);
void graves_free(struct sqs_state *s); /* without counting: the process ends */

#endif
