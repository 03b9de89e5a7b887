#include "service/sqs/batch.h"
#include "base/text.h"
#include "service/sqs/sqs.h"

static bool is_batch_id(struct slice id)
{
    if (id.size == 0 || id.size > SQS_BATCH_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (!text_is_alnum(id.data[i]) && id.data[i] != '-' && id.data[i] != '_')
            return false;
    return true;
}

static struct slice id_at(const struct values *entries, size_t size, size_t index)
{
    return *(const struct slice *)((const char *)entries->items + index * size);
}

struct error sqs_batch_check(const struct values *entries, size_t size, const char *entry_name, struct sqs_fault *f)
{
    if (entries->count == 0)
        return sqs_fault(f, SQS_EMPTY_BATCH, "There should be at least one %s in the request.", entry_name);
    if (entries->count > SQS_BATCH_ENTRIES_MAX)
        return sqs_fault(f, SQS_TOO_MANY_ENTRIES, "Maximum number of entries per request are %d. You have sent %zu.",
            SQS_BATCH_ENTRIES_MAX, entries->count);
    for (size_t i = 0; i < entries->count; i++)
        if (!is_batch_id(id_at(entries, size, i)))
            return sqs_fault(f, SQS_INVALID_BATCH_ID,
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.");
    for (size_t i = 1; i < entries->count; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_equal(id_at(entries, size, i), id_at(entries, size, k)))
                return sqs_fault(
                    f, SQS_BATCH_IDS_NOT_DISTINCT, "Id %.*s repeated.", SLICE_ARG(id_at(entries, size, i)));
    return OK;
}

struct error sqs_batch_check_size(size_t bytes, struct sqs_fault *f)
{
    if (bytes > SQS_BATCH_BYTES_MAX)
        return sqs_fault(f, SQS_BATCH_TOO_LONG,
            "Batch requests cannot be longer than %d bytes. You have sent %zu bytes.", SQS_BATCH_BYTES_MAX, bytes);
    return OK;
}
