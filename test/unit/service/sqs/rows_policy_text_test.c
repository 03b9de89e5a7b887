/* Permissions as statements of a policy: exact text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/policy_text.h"
#include "service/sqs/sqs.h"

#define QUEUE "arn:aws:sqs:us-east-1:000000000000:q"
#define STATEMENT(sid, principal, action)                                                                              \
    "{\"Sid\":\"" sid "\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":" principal "},\"Action\":" action               \
    ",\"Resource\":\"" QUEUE "\"}"
#define POLICY(statements)                                                                                             \
    "{\"Version\":\"2008-10-17\",\"Id\":\"" QUEUE "/SQSDefaultPolicy\",\"Statement\":[" statements "]}"
#define ONE STATEMENT("one", "\"arn:aws:iam::111122223333:root\"", "\"SQS:SendMessage\"")
#define TWO                                                                                                            \
    STATEMENT("two", "[\"arn:aws:iam::111122223333:root\",\"arn:aws:iam::444455556666:root\"]",                        \
        "[\"SQS:ReceiveMessage\",\"SQS:*\"]")

static struct arena arena;
static struct sqs_fault fault;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 1024 * 1024);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct error add(struct slice text, const char *label, size_t accounts, struct slice *ret)
{
    static const struct slice principals[] = { { "111122223333", 12 }, { "444455556666", 12 } };
    static const struct slice single[] = { { "SendMessage", 11 } },
                              several[] = { { "ReceiveMessage", 14 }, { "*", 1 } };
    const struct sqs_permission permission = { .queue_arn = SLICE(QUEUE),
        .label = slice_str(label),
        .accounts = principals,
        .account_count = accounts,
        .actions = accounts == 1 ? single : several,
        .action_count = accounts };
    fault = (struct sqs_fault){ .arena = &arena };
    return sqs_policy_text_add(text, &permission, ret, &fault);
}

static void assert_text(struct slice text, const char *expected)
{
    if (!slice_equal(text, slice_str(expected)))
        fail_msg("%.*s", SLICE_ARG(text));
}

static void assert_fault_text(struct error e, const char *expected)
{
    assert_int_equal(e.code, SQS_INVALID_PARAMETER);
    assert_text(fault.text, expected);
}

static void the_first_permission_makes_the_policy(void **state)
{
    struct slice text;
    (void)state;
    assert_int_equal(add(SLICE_NONE, "one", 1, &text).code, 0);
    assert_text(text, POLICY(ONE));
    assert_int_equal(sqs_policy_text_check(text, &fault).code, 0);
}

static void more_permissions_are_appended(void **state)
{
    struct slice text;
    (void)state;
    assert_int_equal(add(SLICE(POLICY(ONE)), "two", 2, &text).code, 0);
    assert_text(text, POLICY(ONE "," TWO));
    assert_int_equal(sqs_policy_text_check(text, &fault).code, 0);
}

static void a_label_is_used_once(void **state)
{
    struct slice text;
    (void)state;
    assert_fault_text(add(SLICE(POLICY(ONE "," TWO)), "two", 1, &text),
        "Value two for parameter Label is invalid. Reason: Already exists.");
}

static void removing(void **state)
{
    struct slice text;
    (void)state;
    fault = (struct sqs_fault){ .arena = &arena };
    assert_int_equal(sqs_policy_text_remove(SLICE(POLICY(ONE "," TWO)), SLICE("one"), &text, &fault).code, 0);
    assert_text(text, POLICY(TWO));
    assert_int_equal(sqs_policy_text_remove(text, SLICE("two"), &text, &fault).code, 0);
    assert_true(slice_is_none(text));
    assert_fault_text(sqs_policy_text_remove(SLICE_NONE, SLICE("x"), &text, &fault),
        "Value x for parameter Label is invalid. Reason: can't find label.");
    assert_fault_text(sqs_policy_text_remove(SLICE(POLICY(ONE)), SLICE("x"), &text, &fault),
        "Value x for parameter Label is invalid. Reason: can't find label on existing policy.");
}

#define FOREIGN_ONE                                                                                                    \
    "{ \"Effect\" : \"Deny\", \"Principal\":\"*\",\"Action\":\"sqs:*\", \"Resource\" : \"*\",\n \"Sid\":\"m\\u0079\" " \
    "}"

static void what_others_wrote_stays_as_it_is(void **state)
{
    struct slice text;
    (void)state;
    assert_int_equal(
        add(SLICE("{ \"Version\" : \"2012-10-17\",\"Statement\": " FOREIGN_ONE " , \"Id\":\"x\\/y\"}"), "one", 1, &text)
            .code,
        0);
    assert_text(text, "{\"Version\":\"2012-10-17\",\"Statement\":[" FOREIGN_ONE "," ONE "],\"Id\":\"x\\/y\"}");
    assert_int_equal(sqs_policy_text_remove(text, SLICE("my"), &text, &fault).code, 0);
    assert_text(text, "{\"Version\":\"2012-10-17\",\"Statement\":[" ONE "],\"Id\":\"x\\/y\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_permission_makes_the_policy),
        cmocka_unit_test(more_permissions_are_appended),
        cmocka_unit_test(a_label_is_used_once),
        cmocka_unit_test(removing),
        cmocka_unit_test(what_others_wrote_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, start, end);
}
