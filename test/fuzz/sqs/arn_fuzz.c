/* ARNs and queue URLs: what is parsed is written again byte by byte; a queue's URL leads back to the queue from whatever
 * endpoint the client named. Input: the ARN, the URL, or the endpoint. */
#include "api/arn.h"
#include "base/limits.h"
#include "service/sqs/sqs.h"
#include "service/sqs/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_arn(struct slice text, struct arena *arena)
{
    struct arn arn;
    struct slice region, account, name;
    if (!arn_parse(text, &arn)) {
        ASSERT(!sqs_arn_parse(text, &region, &account, &name));
        return;
    }
    ASSERT(text.size <= ARN_BYTES_MAX && arn.resource.size > 0);
    ASSERT(slice_equal(arn_format(&arn, arena), text));
    if (sqs_arn_parse(text, &region, &account, &name))
        ASSERT(sqs_is_queue_name(name) && slice_equal(sqs_arn(arena, region, account, name), text));
}

static void check_inside(struct slice whole, struct slice part)
{
    ASSERT(slice_is_none(part) || slice_equal(part, SLICE("us-east-1")) ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size));
}

/* As a Host header can be, and a queue's name; no more. */
static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~' || strchr("/?#\\", s.data[i]))
            return false;
    return s.size > 0;
}

static void check_url(struct slice text, struct arena *arena)
{
    struct sqs_address address, again;
    if (sqs_path_parse(text, &address))
        ASSERT(address.name.size > 0 && slice_find(address.name, '/') == address.name.size);
    if (!sqs_url_parse(text, &address))
        return;
    ASSERT(address.name.size > 0 && slice_find(address.name, '/') == address.name.size);
    check_inside(text, address.region);
    check_inside(text, address.account);
    check_inside(text, address.name);
    if (!is_plain(address.account) || !is_plain(address.name))
        return;
    struct slice url =
        sqs_url_format(arena, SLICE("http://localhost:4566"), SLICE("us-east-1"), address.account, address.name);
    ASSERT(sqs_url_parse(url, &again));
    ASSERT(slice_equal(again.name, address.name));
    ASSERT(slice_equal(address.account, SLICE("queue")) || slice_equal(again.account, address.account));
}

static void check_endpoint(struct slice host, struct arena *arena)
{
    static const char *const regions[] = { "us-east-1", "eu-west-1" };
    struct sqs_address address;
    struct buf endpoint;
    if (!is_plain(host))
        return;
    buf_init(&endpoint);
    buf_printf(&endpoint, "http://%.*s", SLICE_ARG(host));
    for (size_t i = 0; i < ARRAY_COUNT(regions); i++) {
        struct slice region = slice_str(regions[i]);
        struct slice url = sqs_url_format(arena, buf_slice(&endpoint), region, SLICE("000000000000"), SLICE("q.fifo"));
        ASSERT(sqs_url_parse(url, &address));
        ASSERT(slice_equal(address.account, SLICE("000000000000")) && slice_equal(address.name, SLICE("q.fifo")));
        bool is_first = slice_starts(host, SLICE("queue.")) || slice_starts(host, SLICE("QUEUE."));
        ASSERT(slice_is_none(address.region) || is_first || slice_equal(address.region, region));
    }
    buf_deinit(&endpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    if (size > 16 * KIB)
        return 0;
    arena_init(&arena, MIB);
    check_arn(slice_of(data, size), &arena);
    check_url(slice_of(data, size), &arena);
    check_endpoint(slice_of(data, size), &arena);
    arena_deinit(&arena);
    return 0;
}
