/* permission_ops.c: AddPermission, RemovePermission: statements of the queue's policy. */
#include "base/text.h"
#include "base/limits.h"
#include "service/sqs/access.h"
#include "service/sqs/policy_text.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"

/* ---- checks ---------------------------------------------------------------------------------------------------- */

static struct error check_label(struct slice label, struct sqs_fault *f)
{
    bool is_good = label.size > 0 && label.size <= SQS_LABEL_BYTES_MAX;
    for (size_t i = 0; is_good && i < label.size; i++)
        is_good = text_is_alnum(label.data[i]) || label.data[i] == '-' || label.data[i] == '_';
    if (is_good)
        return OK;
    return sqs_fault_value(
        f, label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.");
}

static bool is_account(struct slice s)
{
    uint64_t number;
    return s.size == ACCOUNT_DIGITS && text_parse_u64(s, &number);
}

static struct error check_accounts(const struct values *accounts, struct sqs_fault *f)
{
    const struct slice *items = accounts->items;
    if (accounts->count == 0)
        return sqs_fault_missing(f, "AWSAccountIds");
    for (size_t i = 0; i < accounts->count; i++)
        if (!is_account(items[i]))
            return sqs_fault_value(
                f, arena_printf(f->arena, "[%.*s]", SLICE_ARG(items[i])), "PrincipalId", "Unable to verify.");
    return OK;
}

/* An operation by its name that a permission can give; batches come with the single operation. */
static bool is_operation(struct slice name, bool *ret_owner_only)
{
    for (size_t i = 0; i < sqs_service.op_count; i++) {
        const struct op *op = &sqs_service.ops[i];
        if (!slice_equal(op->name, name) || !slice_equal(slice_from(op->action, 4), name))
            continue;
        *ret_owner_only = op->owner_only != NULL;
        return true;
    }
    return false;
}

static struct error check_actions(const struct values *actions, struct sqs_fault *f)
{
    const struct slice *items = actions->items;
    if (actions->count == 0)
        return sqs_fault_missing(f, "Actions");
    if (actions->count > SQS_POLICY_ACTIONS_MAX)
        return sqs_fault(f, SQS_OVER_LIMIT, "%zu Actions were found, maximum allowed is %d.", actions->count,
            SQS_POLICY_ACTIONS_MAX);
    for (size_t i = 0; i < actions->count; i++) {
        bool is_owner_only = false;
        if (slice_equal(items[i], SLICE("*")))
            continue;
        struct slice value = arena_printf(f->arena, "SQS:%.*s", SLICE_ARG(items[i]));
        if (!is_operation(items[i], &is_owner_only)) /* the blank at the end is the real service's */
            return sqs_fault_value(
                f, value, "ActionName", "Please refer to the appropriate WSDL for a list of valid actions. ");
        if (is_owner_only)
            return sqs_fault_value(f, value, "ActionName", "Only the queue owner is allowed to invoke this action.");
    }
    return OK;
}

static struct error check_permission(const struct sqs_add_permission_in *args, struct sqs_fault *f)
{
    TRY(check_label(args->label, f));
    TRY(check_accounts(&args->accounts, f));
    return check_actions(&args->actions, f);
}

/* ---- operations ------------------------------------------------------------------------------------------------ */

/* The policy as it would be; what is too much for one policy is over the limit, not the caller's bad text. */
static struct error check_result(struct slice text, struct sqs_fault *f)
{
    if (text.size > SQS_POLICY_BYTES_MAX)
        return sqs_fault(f, SQS_OVER_LIMIT, "The policy would be %zu bytes long, maximum allowed is %d.", text.size,
            SQS_POLICY_BYTES_MAX);
    return OK;
}

static struct error add_permission(
    const struct queue *q, const struct sqs_add_permission_in *args, struct sqs_config *draft, struct sqs_fault *f)
{
    struct slice text;
    TRY(check_permission(args, f));
    const struct sqs_permission permission = {
        .queue_arn = sqs_arn(f->arena, q->region, q->account, q->name),
        .label = args->label,
        .accounts = args->accounts.items,
        .account_count = args->accounts.count,
        .actions = args->actions.items,
        .action_count = args->actions.count,
    };
    TRY(sqs_policy_text_add(q->config->policy_text, &permission, &text, f));
    TRY(check_result(text, f));
    return sqs_config_set_policy(draft, text, f);
}

struct error sqs_add_permission(struct call *c, const void *in, void *out)
{
    struct sqs_fault fault = { .arena = &c->arena };
    struct queue *q;
    (void)out;
    TRY(sqs_queue_for_call(c, &q));
    struct sqs_config draft = *q->config;
    struct error e = add_permission(q, in, &draft, &fault);
    return failed(e) ? sqs_fault_raise(c, e, &fault) : sqs_queue_change(q, &draft);
}

struct error sqs_remove_permission(struct call *c, const void *in, void *out)
{
    const struct sqs_remove_permission_in *args = in;
    struct sqs_fault fault = { .arena = &c->arena };
    struct slice text;
    struct queue *q;
    (void)out;
    TRY(sqs_queue_for_call(c, &q));
    struct sqs_config draft = *q->config;
    struct error e = sqs_policy_text_remove(q->config->policy_text, args->label, &text, &fault);
    if (!failed(e))
        e = sqs_config_set_policy(&draft, text, &fault);
    return failed(e) ? sqs_fault_raise(c, e, &fault) : sqs_queue_change(q, &draft);
}
