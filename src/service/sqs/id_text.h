/* id_text.h: MessageGroupId, MessageDeduplicationId, ReceiveRequestAttemptId: 1 to 128 alphanumeric or punctuation. */
#ifndef MILLRACE_SERVICE_SQS_ID_TEXT_H
#define MILLRACE_SERVICE_SQS_ID_TEXT_H

#include "service/sqs/fault.h"

/* None is fine. SQS_INVALID_PARAMETER with the sentence of contract 1.4. */
struct error sqs_id_check(struct slice id, const char *parameter, struct sqs_fault *f);

#endif
