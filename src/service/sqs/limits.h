/* limits.h: the bounds of SQS, with their source (contract sqs, section in brackets), and the optional quotas. */
#ifndef MILLRACE_SERVICE_SQS_LIMITS_H
#define MILLRACE_SERVICE_SQS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* names [1.4] */
    SQS_QUEUE_NAME_BYTES_MAX = 80,
    SQS_LABEL_BYTES_MAX = 80, /* of a permission [1.5] */

    /* queue attributes [1.6] */
    SQS_DELAY_S_MAX = 900,
    SQS_MESSAGE_BYTES_MIN = 1024,
    SQS_MESSAGE_BYTES_MAX = 1048576,
    SQS_RETENTION_S_MIN = 60,
    SQS_RETENTION_S_MAX = 1209600,
    SQS_RETENTION_S_DEFAULT = 345600,
    SQS_WAIT_S_MAX = 20,
    SQS_VISIBILITY_S_MAX = 43200,
    SQS_VISIBILITY_S_DEFAULT = 30,
    SQS_KMS_REUSE_S_MIN = 60,
    SQS_KMS_REUSE_S_MAX = 86400,
    SQS_KMS_REUSE_S_DEFAULT = 300,
    SQS_KMS_KEY_BYTES_MAX = 2048, /* a key ARN or alias; KMS names it 1..2048 */
    SQS_MAX_RECEIVE_COUNT_MAX = 1000,
    SQS_REDRIVE_SOURCES_MAX = 10,
    SQS_REDRIVE_TEXT_BYTES_MAX = 4096, /* RedrivePolicy, RedriveAllowPolicy: ten ARNs and slack; ours */
    SQS_POLICY_BYTES_MAX = 8192,
    SQS_POLICY_STATEMENTS_MAX = 20,
    SQS_POLICY_PRINCIPALS_MAX = 50,
    SQS_POLICY_CONDITIONS_MAX = 10,
    SQS_POLICY_ACTIONS_MAX = 7, /* a statement */

    /* tags [1.5, 1.4] */
    SQS_TAGS_MAX = 50,
    SQS_TAG_KEY_CHARS_MAX = 128,
    SQS_TAG_VALUE_CHARS_MAX = 256,

    /* batches and lists [1.3, 1.5] */
    SQS_BATCH_ENTRIES_MAX = 10,
    SQS_BATCH_ID_BYTES_MAX = 80,
    SQS_BATCH_BYTES_MAX = 1048576,
    SQS_LIST_RESULTS_MAX = 1000,

    /* message attributes [2.1] */
    SQS_ATTRIBUTES_MAX = 10,
    SQS_ATTRIBUTE_NAME_BYTES_MAX = 256,
    SQS_ATTRIBUTE_TYPE_BYTES_MAX = 256, /* DataType with its label */
    SQS_NUMBER_DIGITS_MAX = 38,
    SQS_NUMBER_EXPONENT_MIN = -128,
    SQS_NUMBER_EXPONENT_MAX = 126,

    /* messages in memory [2.1, 2.2]; bounds of ours are generous and named so that memory has a roof */
    SQS_IN_FLIGHT_MAX = 120000,
    SQS_LEASE_MS_MAX = SQS_VISIBILITY_S_MAX * 1000, /* from the receive, whatever it was extended to */
    SQS_RECEIVE_MAX = 10,
    SQS_BACK_OF_QUEUE_RECEIVES = 3, /* standard: received so often, it goes to the back */
    SQS_ID_BYTES_MAX = 128,         /* MessageGroupId, MessageDeduplicationId, ReceiveRequestAttemptId */
    SQS_DEDUP_WINDOW_MS = 5 * 60 * 1000,
    SQS_DEDUP_ENTRIES_MAX = 1 << 24, /* a queue; ours: 55,000 sends a second for five minutes, 600 MB */
    SQS_ATTEMPT_WINDOW_MS = 5 * 60 * 1000,
    SQS_ATTEMPTS_MAX = 20000,   /* a queue; ours: the oldest is forgotten */
    SQS_OUTBOX_MAX = 100000,    /* messages in transit between two logs; ours: dead letters stay until there is room */
    SQS_SWEEP_MS = 10 * 1000,   /* idle queues are looked at so often: expiry frees space */
    SQS_TRACE_BYTES_MAX = 4096, /* AWSTraceHeader; ours: headers are bounded, system attributes not */

    /* fair queues [2.3] */
    SQS_NOISY_IN_FLIGHT_MIN = 30,
    SQS_NOISY_PERCENT = 10,
    SQS_NOISY_QUIET_MS = 5 * 60 * 1000, /* nothing sent for so long: quiet again */

    /* quotas = aws [1.3, 2.2] */
    SQS_FIFO_CALLS_A_SECOND = 300, /* of one action on one queue */
    SQS_QUARANTINE_MS = 60 * 1000, /* between two purges, and between delete and create of one name */
    SQS_MOVE_TASKS_MAX = 100,      /* active ones of an account [1.5] */
    SQS_MOVE_TASK_HOURS_MAX = 36,  /* that a task may run [1.5] */
};

/* What the real service enforces beyond what a client can see as an error of its own; off unless configured. */
struct sqs_quotas {
    bool is_aws;
    uint32_t move_tasks_max;   /* active ones of an account; 0: any number */
    uint64_t move_task_ms_max; /* 0: a task runs until it is done */
};
extern const struct sqs_quotas sqs_quotas_aws;
extern struct sqs_quotas sqs_quotas; /* set once at start, before requests */

#endif
