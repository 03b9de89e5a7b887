#include "service/sqs/id_text.h"
#include "service/sqs/sqs.h"

struct error sqs_id_check(struct slice id, const char *parameter, struct sqs_fault *f)
{
    if (slice_is_none(id))
        return OK;
    bool is_good = id.size >= 1 && id.size <= SQS_ID_BYTES_MAX;
    for (size_t i = 0; i < id.size && is_good; i++)
        is_good = id.data[i] > ' ' && id.data[i] < 0x7f; /* ASCII: letters, digits, and all the rest is punctuation */
    if (is_good)
        return OK;
    return sqs_fault(f, SQS_INVALID_PARAMETER,
        "Value %.*s for parameter %s is invalid. Reason: %s can only include alphanumeric and punctuation characters. "
        "1 to 128 "
        "in length.",
        SLICE_ARG(id), parameter, parameter);
}
