#include "service/sqs/handle.h"
#include "base/mutant.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"

struct error sqs_handle_open(struct queue *q, struct slice handle, struct receipt *ret, struct sqs_fault *f)
{
    if (receipt_open(sqs_state_keys(q->state), handle, ret) && (ret->uid == q->uid || MUTANT(foreign_handle)))
        return OK;
    return sqs_fault(f, SQS_RECEIPT_HANDLE_INVALID, "The input receipt handle \"%.*s\" is not a valid receipt handle.",
        SLICE_ARG(handle));
}
