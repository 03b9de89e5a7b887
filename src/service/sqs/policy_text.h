/* policy_text.h: a queue's policy as JSON text: checked against its limits; permissions added and removed.
 *
 * The text of others is never rewritten more than needed: members and statements are copied as they stand.
 * Source   contract 1.5 (AddPermission, RemovePermission), 1.6 (limits).
 */
#ifndef MILLRACE_SERVICE_SQS_POLICY_TEXT_H
#define MILLRACE_SERVICE_SQS_POLICY_TEXT_H

#include "service/sqs/fault.h"

/* Size, grammar (auth/policy.h), counts of statements, principals, conditions, actions. */
struct error sqs_policy_text_check(struct slice text, struct sqs_fault *f);

struct sqs_permission {
    struct slice queue_arn, label;
    const struct slice *accounts; /* 12 digits each */
    size_t account_count;
    const struct slice *actions; /* "SendMessage", "*" */
    size_t action_count;
};

/* `text`: a policy that passed the check, or none: a new one with this one statement. SQS_INVALID_PARAMETER when a
 * statement of that label is there already. */
struct error sqs_policy_text_add(
    struct slice text, const struct sqs_permission *permission, struct slice *ret_text, struct sqs_fault *f);
/* *ret_text is none when no statement is left. SQS_INVALID_PARAMETER when no statement has that label. */
struct error sqs_policy_text_remove(struct slice text, struct slice label, struct slice *ret_text, struct sqs_fault *f);

#endif
