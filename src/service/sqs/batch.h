/* batch.h: the rules of a batch request as a whole (contract 1.3): how many, which ids, how long.
 *
 * What is wrong with one entry alone is that entry's failure and decided elsewhere.
 */
#ifndef MILLRACE_SERVICE_SQS_BATCH_H
#define MILLRACE_SERVICE_SQS_BATCH_H

#include "api/shape.h"
#include "service/sqs/fault.h"

/* entries: structs of `size` bytes whose first field is the id. entry_name: "SendMessageBatchRequestEntry". */
struct error sqs_batch_check(const struct values *entries, size_t size, const char *entry_name, struct sqs_fault *f);
/* The sum of bodies and attributes of a SendMessageBatch. */
struct error sqs_batch_check_size(size_t bytes, struct sqs_fault *f);

#endif
