#include "api/arn.h"
#include "base/limits.h"
#include "base/text.h"
#include "service/sqs/sqs.h"

struct slice sqs_arn(struct arena *arena, struct slice region, struct slice account, struct slice name)
{
    return arn_make(SLICE("sqs"), region, account, name, arena);
}

bool sqs_arn_parse(struct slice text, struct slice *ret_region, struct slice *ret_account, struct slice *ret_name)
{
    struct arn arn;
    if (!arn_parse(text, &arn) || !slice_equal(arn.partition, SLICE("aws")) || !slice_equal(arn.service, SLICE("sqs")))
        return false;
    if (arn.region.size == 0 || arn.region.size > REGION_BYTES_MAX || arn.account.size != ACCOUNT_DIGITS)
        return false;
    if (!sqs_is_queue_name(arn.resource))
        return false;
    *ret_region = arn.region;
    *ret_account = arn.account;
    *ret_name = arn.resource;
    return true;
}

/* ---- names --------------------------------------------------------------------------------------------------------
 */

static bool is_plain_name(struct slice s)
{
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!text_is_alnum(s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
            return false;
    return true;
}

bool sqs_is_fifo_name(struct slice name)
{
    static const struct slice suffix = { ".fifo", 5 };
    return name.size <= SQS_QUEUE_NAME_BYTES_MAX && slice_ends(name, suffix) &&
           is_plain_name(slice_head(name, name.size - suffix.size));
}

bool sqs_is_standard_name(struct slice name)
{
    return name.size <= SQS_QUEUE_NAME_BYTES_MAX && is_plain_name(name);
}

bool sqs_is_queue_name(struct slice name)
{
    return sqs_is_standard_name(name) || sqs_is_fifo_name(name);
}
