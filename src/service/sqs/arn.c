#include "api/arn.h"
#include "base/limits.h"
#include "base/text.h"
#include "service/sqs/sqs.h"

struct slice sqs_arn(struct arena *arena, struct slice region, struct slice account, struct slice name)
{
    const struct slice parts[] = { SLICE("arn:aws:sqs:"), region, SLICE(":"), account, SLICE(":"), name };
    size_t size = 0;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        size += parts[i].size;
    char *text = arena_alloc(arena, size), *at = text; /* asked for on every call that a policy judges: no printf */
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        if (parts[i].size)
            at = mempcpy(at, parts[i].data, parts[i].size);
    return slice_of(text, size);
}

bool sqs_arn_parse(struct slice text, struct slice *ret_region, struct slice *ret_account, struct slice *ret_name)
{
    struct arn arn;
    if (!arn_parse(text, &arn) || !slice_equal(arn.partition, SLICE("aws")) || !slice_equal(arn.service, SLICE("sqs")))
        return false;
    if (!sqs_is_region(arn.region) || arn.account.size != ACCOUNT_DIGITS || !sqs_is_queue_name(arn.resource))
        return false;
    *ret_region = arn.region;
    *ret_account = arn.account;
    *ret_name = arn.resource;
    return true;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

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

bool sqs_is_region(struct slice region)
{
    for (size_t i = 0; i < region.size; i++)
        if (!text_is_digit(region.data[i]) && region.data[i] != '-' &&
            !(region.data[i] >= 'a' && region.data[i] <= 'z'))
            return false;
    return region.size > 0 && region.size <= REGION_BYTES_MAX;
}

bool sqs_is_queue_name(struct slice name)
{
    return sqs_is_standard_name(name) || sqs_is_fifo_name(name);
}
