/* The rows agree with themselves and with what the contract names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/sqs.h"

static const char *const operations[] = { "AddPermission", "CancelMessageMoveTask", "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch", "CreateQueue", "DeleteMessage", "DeleteMessageBatch", "DeleteQueue",
    "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "ListMessageMoveTasks", "ListQueueTags",
    "ListQueues", "PurgeQueue", "ReceiveMessage", "RemovePermission", "SendMessage", "SendMessageBatch",
    "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue" };

static const struct op *find(const char *name)
{
    for (size_t i = 0; i < sqs_service.op_count; i++)
        if (slice_equal(sqs_service.ops[i].name, slice_str(name)))
            return &sqs_service.ops[i];
    return NULL;
}

static void all_operations_have_a_row(void **state)
{
    (void)state;
    assert_int_equal(sqs_service.op_count, ARRAY_COUNT(operations));
    for (size_t i = 0; i < ARRAY_COUNT(operations); i++) {
        const struct op *op = find(operations[i]);
        assert_non_null(op);
        assert_non_null(op->run);
        assert_true(slice_starts(op->action, SLICE("sqs:")));
    }
}

static void some_belong_to_the_owner(void **state)
{
    static const char *const owner_only[] = { "AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue",
        "ListMessageMoveTasks", "ListQueueTags", "ListQueues", "RemovePermission", "SetQueueAttributes",
        "StartMessageMoveTask", "TagQueue", "UntagQueue" };
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(owner_only); i++)
        assert_non_null(find(owner_only[i])->owner_only);
    for (size_t i = 0; i < sqs_service.op_count; i++)
        count += sqs_service.ops[i].owner_only != NULL;
    assert_int_equal(count, ARRAY_COUNT(owner_only));
}

/* Two fields of one shape must not have one name, in either protocol; nested shapes are looked at, too. */
static void check_shape(const struct shape *shape, int depth)
{
    const struct field *fields = shape->fields();
    assert_true(depth < 5);
    for (const struct field *f = fields; f->kind != KIND_END; f++) {
        assert_true(f->offset < shape->size);
        assert_true(f->wire.size > 0);
        if (f->max > 0)
            assert_true(f->kind == KIND_INT && f->min <= f->max && f->reason);
        if (f->kind == KIND_MAP)
            assert_true(f->query && f->query_key && f->query_value);
        for (const struct field *g = fields; g != f; g++) {
            assert_false(slice_equal(f->wire, g->wire));
            assert_false(f->query && g->query && strcmp(f->query, g->query) == 0);
        }
        if (f->of)
            check_shape(f->of, depth + 1);
    }
}

static void shapes_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sqs_service.op_count; i++) {
        check_shape(sqs_service.ops[i].in, 0);
        check_shape(sqs_service.ops[i].out, 0);
    }
}

static void errors_have_their_numbers_and_codes(void **state)
{
    static const struct {
        uint32_t code;
        const char *shape, *query;
        int status;
    } rows[] = {
        { SQS_QUEUE_DOES_NOT_EXIST, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400 },
        { SQS_QUEUE_NAME_EXISTS, "QueueNameExists", "QueueAlreadyExists", 400 },
        { SQS_PURGE_IN_PROGRESS, "PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403 },
        { SQS_INVALID_PARAMETER, "InvalidParameterValueException", "InvalidParameterValue", 400 },
        { SQS_MISSING_PARAMETER, "MissingRequiredParameterException", "MissingParameter", 400 },
        { SQS_OVER_LIMIT, "OverLimit", "OverLimit", 403 },
        { SQS_RESOURCE_NOT_FOUND, "ResourceNotFoundException", "ResourceNotFoundException", 404 },
        { SQS_KMS_THROTTLED, "KmsThrottled", "KMS.ThrottlingException", 400 },
    };
    (void)state;
    sqs_register();
    assert_int_equal(SQS_QUEUE_DOES_NOT_EXIST, 512);
    for (uint32_t code = SQS_ERROR_FIRST + 1; code < SQS_ERROR_END; code++)
        assert_int_equal(error_row(code)->code, code);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct error_row *row = error_row(rows[i].code);
        assert_string_equal(row->shape, rows[i].shape);
        assert_string_equal(row->query, rows[i].query);
        assert_int_equal(row->status, rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_operations_have_a_row),
        cmocka_unit_test(some_belong_to_the_owner),
        cmocka_unit_test(shapes_are_well_formed),
        cmocka_unit_test(errors_have_their_numbers_and_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
