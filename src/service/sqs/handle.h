/* handle.h: a receipt handle as an operation takes it: opened, and of this queue. */
#ifndef MILLRACE_SERVICE_SQS_HANDLE_H
#define MILLRACE_SERVICE_SQS_HANDLE_H

#include "service/sqs/fault.h"
#include "service/sqs/queue.h"
#include "service/sqs/receipt.h"

/* SQS_RECEIPT_HANDLE_INVALID: not one of ours, or of another queue (contract 1.3). */
struct error sqs_handle_open(struct queue *q, struct slice handle, struct receipt *ret, struct sqs_fault *f);

#endif
