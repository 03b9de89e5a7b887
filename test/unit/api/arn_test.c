/* arn_test.c: ARNs apart and together again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/arn.h"
#include "base/limits.h"

static void arns_are_parsed(void **state)
{
    static const struct {
        const char *text, *fields[5];
    } rows[] = {
        { "arn:aws:sqs:us-east-1:123456789012:orders", { "aws", "sqs", "us-east-1", "123456789012", "orders" } },
        { "arn:aws-cn:sns:cn-north-1:123456789012:t:00-11",
            { "aws-cn", "sns", "cn-north-1", "123456789012", "t:00-11" } },
        { "arn:aws:iam::123456789012:user/a/b", { "aws", "iam", "", "123456789012", "user/a/b" } },
        { "arn:aws:iam::aws:policy/X", { "aws", "iam", "", "aws", "policy/X" } },
        { "arn:aws:s3:::bucket", { "aws", "s3", "", "", "bucket" } },
        { "arn:aws:sqs:us-east-1:123456789012::", { "aws", "sqs", "us-east-1", "123456789012", ":" } },
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct arn arn;
        struct arena arena;
        arena_init(&arena, 64 * KIB);
        assert_true(arn_parse(slice_str(rows[row].text), &arn));
        struct slice fields[] = { arn.partition, arn.service, arn.region, arn.account, arn.resource };
        for (size_t field = 0; field < ARRAY_COUNT(fields); field++) {
            assert_true(slice_equal(fields[field], slice_str(rows[row].fields[field])));
            assert_false(slice_is_none(fields[field]));
        }
        assert_true(slice_equal(arn_format(&arn, &arena), slice_str(rows[row].text)));
        arena_deinit(&arena);
    }
}

static void others_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "arn",
        "arn:aws:sqs:us-east-1:123456789012",
        "arn:aws:sqs:us-east-1:123456789012:",
        "ARN:aws:sqs:us-east-1:123456789012:q",
        " arn:aws:sqs:us-east-1:123456789012:q",
        "arn::sqs:us-east-1:123456789012:q",
        "arn:aws::us-east-1:123456789012:q",
        "arn:aws:SQS:us-east-1:123456789012:q",
        "arn:aws:sqs:us east:123456789012:q",
        "arn:aws:sqs:*:123456789012:q",
        "arn:aws:sqs:us-east-1:12345678901:q",
        "arn:aws:sqs:us-east-1:1234567890123:q",
        "arn:aws:sqs:us-east-1:12345678901x:q",
        "arn:aws:sqs:us-east-1:123456789012:q\n",
        "arn:aws:sqs:us-east-1:123456789012:a b",
        "arn:aws:sqs:us-east-1:123456789012:\xc3\xa9",
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        struct arn arn;
        if (arn_parse(slice_str(rows[row]), &arn))
            fail_msg("accepted: %s", rows[row]);
    }
    assert_false(arn_parse(SLICE_NONE, &(struct arn){ 0 }));
}

static void long_ones_are_refused(void **state)
{
    static char text[ARN_BYTES_MAX + 2] = "arn:aws:sqs:us-east-1:123456789012:";
    struct arn arn;
    memset(text + strlen(text), 'q', sizeof text - 1 - strlen(text));
    assert_true(arn_parse(slice_of(text, ARN_BYTES_MAX), &arn));
    assert_false(arn_parse(slice_of(text, ARN_BYTES_MAX + 1), &arn));
}

static void arns_are_made(void **state)
{
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct slice text = arn_make(SLICE("sqs"), SLICE("us-east-1"), SLICE("123456789012"), SLICE("orders.fifo"), &arena);
    assert_true(slice_equal(text, SLICE("arn:aws:sqs:us-east-1:123456789012:orders.fifo")));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arns_are_parsed),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(long_ones_are_refused),
        cmocka_unit_test(arns_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
