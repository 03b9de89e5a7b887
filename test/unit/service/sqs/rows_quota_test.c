/* Calls a second of FIFO queues, when quotas are asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/quota.h"
#include "service/sqs/sqs.h"

static size_t take_all(uint16_t log, uint64_t uid, enum sqs_rate_action action, uint64_t second)
{
    size_t taken = 0;
    while (taken < 1000 && sqs_rate_take(log, uid, action, second))
        taken++;
    return taken;
}

static void three_hundred_of_each_action_a_second(void **state)
{
    (void)state;
    assert_int_equal(take_all(3, 7, SQS_RATE_SEND, 100), 300);
    assert_int_equal(take_all(3, 7, SQS_RATE_SEND, 100), 0);
    assert_int_equal(take_all(3, 7, SQS_RATE_RECEIVE, 100), 300);
    assert_int_equal(take_all(3, 8, SQS_RATE_SEND, 100), 300);
    assert_int_equal(take_all(4, 7, SQS_RATE_SEND, 100), 300);
    assert_int_equal(take_all(3, 7, SQS_RATE_SEND, 101), 300);
    assert_int_equal(take_all(3, 7, SQS_RATE_SEND, 101), 0);
}

static void queues_that_do_not_fit_are_not_limited(void **state)
{
    (void)state;
    for (uint64_t uid = 1; uid <= RATE_QUEUES_MAX; uid++)
        assert_true(sqs_rate_take(5, uid * 977, SQS_RATE_DELETE, 1));
    assert_int_equal(take_all(5, 1, SQS_RATE_DELETE, 1), 1000);
    assert_int_equal(take_all(5, 977, SQS_RATE_DELETE, 1), 299);
    assert_int_equal(take_all(5, 1, SQS_RATE_DELETE, 2), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_hundred_of_each_action_a_second),
        cmocka_unit_test(queues_that_do_not_fit_are_not_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
