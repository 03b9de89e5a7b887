/* rows.c: the tables of SQS, and the service made of them. */
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"

#include "api/shapes_table.inc"
#include "service/sqs/shapes.def"
#include "api/shapes_end.inc"

static const struct error_row error_rows[] = {
#define ERROR(name, shape, query, status, fault, text) { name, #name, shape, query, status, fault, text },
#include "service/sqs/errors.def"
#undef ERROR
};
static_assert(ARRAY_COUNT(error_rows) <= 256, "one block of codes");

#define OWNER_ONLY .owner_only = "only the account that owns the queue"
static const struct op ops[] = {
#define OP(function, op_name, action_name, ...)                                                                        \
    { .name = { op_name, sizeof(op_name) - 1 },                                                                        \
        .action = { action_name, sizeof(action_name) - 1 },                                                            \
        .in = &function##_in_shape,                                                                                    \
        .out = &function##_out_shape,                                                                                  \
        .id = OP_##function,                                                                                           \
        .run = function,                                                                                               \
        ##__VA_ARGS__ },
#include "service/sqs/ops.def"
#undef OP
};
#undef OWNER_ONLY
static_assert(ARRAY_COUNT(ops) == SQS_OP_COUNT, "one row an operation");

struct sqs_quotas sqs_quotas;
const struct sqs_quotas sqs_quotas_aws = {
    .is_aws = true,
    .move_tasks_max = SQS_MOVE_TASKS_MAX,
    .move_task_ms_max = SQS_MOVE_TASK_HOURS_MAX * 3600ull * 1000,
};

struct service sqs_service = {
    .name = { "sqs", 3 },
    .target_prefix = { "AmazonSQS", 9 },
    .error_namespace = { "com.amazonaws.sqs#", 18 },
    .query_version = { "2012-11-05", 10 },
    .xml_namespace = { "http://queue.amazonaws.com/doc/2012-11-05/", 42 },
    .ops = ops,
    .op_count = SQS_OP_COUNT,
    .error_missing = SQS_MISSING_PARAMETER,
    .error_missing_query = SQS_MISSING_PARAMETER,
    .error_invalid = SQS_INVALID_PARAMETER,
    .index = SQS_INDEX,
    .state_new = sqs_state_new,
    .state_free = sqs_state_free,
    .apply = sqs_state_apply,
    .look_ahead = sqs_state_look_ahead,
    .advance = sqs_state_advance,
    .capture = sqs_state_capture,
    .restore = sqs_state_restore,
    .resume = sqs_state_resume,
    .relocate = sqs_state_relocate,
    .digest = sqs_state_digest,
    .describe = sqs_record_describe,
    .metrics = sqs_state_metrics,
    .metric_rows = sqs_metric_rows,
    .metric_label = "queue",
};

void sqs_register(void)
{
    for (size_t i = 0; i < SQS_OP_COUNT; i++)
        ASSERT(ops[i].id == i && (ops[i].where == WHERE_FRONT) == (ops[i].route == NULL));
    error_rows_register(SQS_ERROR_FIRST + 1, error_rows, ARRAY_COUNT(error_rows));
}
