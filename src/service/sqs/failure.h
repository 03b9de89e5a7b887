/* failure.h: the failure of one entry of a batch: 200 with Failed[{Id, SenderFault, Code, Message}] (contract 1.3). */
#ifndef MILLRACE_SERVICE_SQS_FAILURE_H
#define MILLRACE_SERVICE_SQS_FAILURE_H

#include "service/sqs/sqs.h"

/* The two lists of a batch reply, as large as the batch; entries are struct sqs_batch_error in `failed`. */
struct sqs_batch_lists {
    struct values *successful, *failed;
    struct arena *arena; /* set by init */
};
void sqs_batch_lists_init(struct sqs_batch_lists *l, struct arena *arena, size_t count, size_t success_size);
void *sqs_batch_succeed(struct sqs_batch_lists *l, size_t success_size); /* zeroed */
/* text none: the row's sentence. The code is the query protocol's short name. */
void sqs_batch_fail(struct sqs_batch_lists *l, struct slice id, struct error e, struct slice text);

#endif
