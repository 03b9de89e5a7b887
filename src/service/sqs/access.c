#include "service/sqs/access.h"
#include "base/mutant.h"
#include "api/gateway.h"
#include "base/text.h"
#include "service/sqs/quota.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"
#include "sys/sys.h"

struct error sqs_fail_no_queue(struct call *c)
{
    if (c->protocol == PROTOCOL_JSON)
        return call_fail(c, SQS_QUEUE_DOES_NOT_EXIST, NULL);
    return call_fail(c, SQS_QUEUE_DOES_NOT_EXIST, "The specified queue does not exist for this wsdl version.");
}

/* Tools look for the first words of this sentence; the action is in lower case, as the real service writes it. */
static struct error deny(struct call *c, struct slice arn)
{
    struct slice who = c->caller.is_anonymous ? SLICE("anonymous") : c->caller.arn;
    char action[64];
    size_t size = c->op->action.size < sizeof(action) ? c->op->action.size : sizeof(action);
    for (size_t i = 0; i < size; i++)
        action[i] = text_lower(c->op->action.data[i]);
    return call_fail(c, API_ACCESS_DENIED,
        "User: %.*s is not authorized to perform: %.*s on resource: %.*s because no resource-based policy allows the "
        "%.*s "
        "action",
        SLICE_ARG(who), (int)size, action, SLICE_ARG(arn), (int)size, action);
}

/* ---- condition keys -------------------------------------------------------------------------------------------- */

enum { KEYS_MAX = 6 };
struct context {
    struct policy_key keys[KEYS_MAX];
    struct slice values[KEYS_MAX];
    size_t count;
    char iso[21], epoch[20];
};

static void add_key(struct context *context, struct slice name, struct slice value)
{
    ASSERT(context->count < KEYS_MAX);
    if (value.size == 0)
        return; /* unknown is absent: a missing key fails a positive condition */
    size_t i = context->count++;
    context->values[i] = value;
    context->keys[i] = (struct policy_key){ name, &context->values[i], 1 };
}

/* What only the request knows; who asks is told by the evaluator itself. */
static void fill_context(struct call *c, struct context *context)
{
    uint64_t now_s = (c->owner ? call_now_ms(c) : (uint64_t)sys->clock.wall_ms()) / 1000;
    bool is_secure = slice_starts(c->endpoint, SLICE("https://"));
    text_format_iso8601((int64_t)now_s, context->iso);
    context->count = 0;
    add_key(context, SLICE("aws:CurrentTime"), slice_str(context->iso));
    add_key(context, SLICE("aws:EpochTime"), slice_of(context->epoch, text_format_u64(now_s, context->epoch)));
    add_key(context, SLICE("aws:RequestedRegion"), c->region);
    add_key(context, SLICE("aws:SecureTransport"), is_secure ? SLICE("true") : SLICE("false"));
    add_key(context, SLICE("aws:SourceIp"), call_source_ip(c));
    add_key(context, SLICE("aws:ViaAWSService"), SLICE("false"));
}

/* ---- the rule -------------------------------------------------------------------------------------------------- */

/* What an owner needs to mend a policy that shuts everybody out. */
static bool is_unlocking(const struct call *c)
{
    static const uint8_t ops[] = { OP_sqs_get_queue_attributes, OP_sqs_set_queue_attributes, OP_sqs_remove_permission };
    for (size_t i = 0; i < ARRAY_COUNT(ops); i++)
        if (c->op->id == ops[i])
            return c->caller.is_root;
    return false;
}

struct error sqs_access_check(struct call *c, const struct sqs_config *config)
{
    bool is_own = !c->caller.is_anonymous && slice_equal(slice_str(c->caller.account), c->account);
    bool has_policy = config && (config->policy || config->is_policy_unreadable);
    if ((is_own && ((!has_policy && c->caller.is_root) || is_unlocking(c))) || MUTANT(policy_not_asked))
        return OK;
    struct slice arn = sqs_arn(&c->arena, c->region, c->account, c->resource);
    if (!is_own && c->op->owner_only)
        return deny(c, arn);
    if (config && config->is_policy_unreadable)
        return deny(c, arn);
    struct context context;
    fill_context(c, &context);
    const struct policy_context keys = { context.keys, context.count };
    const struct policy_request request = {
        .caller = &c->caller, .action = c->op->action, .resource = arn, .context = &keys
    };
    return access_is_allowed(config ? config->policy : NULL, &request, c->account) ? OK : deny(c, arn);
}

struct error sqs_queue_for_call(struct call *c, struct queue **ret_queue)
{
    struct queue *q = sqs_queue_find(sqs_state_of(c->owner), c->account, c->region, c->resource);
    if (UNLIKELY(!q))
        return sqs_fail_no_queue(c);
    TRY(sqs_access_check(c, q->config));
    if (UNLIKELY(sqs_quotas.is_aws))
        TRY(sqs_quota_check(c, q));
    *ret_queue = q;
    return OK;
}
