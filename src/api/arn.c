/* arn.c: see arn.h. */
#include "api/arn.h"

#include "base/text.h"

enum { ACCOUNT_DIGIT_COUNT = 12 };

static bool is_name(struct slice s)
{
    for (size_t index = 0; index < s.size; index++) {
        char c = s.data[index];
        if (!text_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-')
            return false;
    }
    return true;
}

static bool is_account(struct slice s)
{
    if (s.size == 0 || slice_equal(s, SLICE("aws")))
        return true;
    for (size_t index = 0; index < s.size; index++) {
        if (!text_is_digit(s.data[index]))
            return false;
    }
    return s.size == ACCOUNT_DIGIT_COUNT;
}

static bool is_resource(struct slice s)
{
    for (size_t index = 0; index < s.size; index++) {
        if (s.data[index] <= ' ' || s.data[index] > '~')
            return false;
    }
    return s.size > 0;
}

bool arn_parse(struct slice text, struct arn *ret_arn)
{
    struct slice rest = text, fields[5];
    if (text.size > ARN_BYTES_MAX)
        return false;
    for (size_t index = 0; index < ARRAY_COUNT(fields); index++) {
        if (slice_is_none(rest))
            return false;
        fields[index] = slice_cut(&rest, ':');
    }
    if (slice_is_none(rest) || !slice_equal(fields[0], SLICE("arn")))
        return false;
    struct arn arn = {
        .partition = fields[1],
        .service = fields[2],
        .region = fields[3],
        .account = fields[4],
        .resource = rest,
    };
    if (arn.partition.size == 0 || !is_name(arn.partition) || arn.service.size == 0 || !is_name(arn.service))
        return false;
    if (!is_name(arn.region) || !is_account(arn.account) || !is_resource(arn.resource))
        return false;
    *ret_arn = arn;
    return true;
}

struct slice arn_format(const struct arn *arn, struct arena *arena)
{
    return arena_printf(arena, "arn:%.*s:%.*s:%.*s:%.*s:%.*s", SLICE_ARG(arn->partition), SLICE_ARG(arn->service),
        SLICE_ARG(arn->region), SLICE_ARG(arn->account), SLICE_ARG(arn->resource));
}

struct slice arn_make(
    struct slice service, struct slice region, struct slice account, struct slice resource, struct arena *arena)
{
    struct arn arn = {
        .partition = SLICE("aws"),
        .service = service,
        .region = region,
        .account = account,
        .resource = resource,
    };
    return arn_format(&arn, arena);
}
