/* route.c: on the front, before a call goes to its owner: which queue is meant, and every check that needs no queue. */
#include "api/bind.h"
#include "api/gateway.h"
#include "service/sqs/access.h"
#include "service/sqs/batch.h"
#include "service/sqs/config.h"
#include "service/sqs/send.h"
#include "service/sqs/sqs.h"
#include "service/sqs/url.h"

static void set_target(struct call *c, struct slice account, struct slice region, struct slice name)
{
    c->account = account;
    c->region = region;
    c->resource = name;
    c->log = owner_log_of(account, region, name);
}

static struct error check_fields(struct call *c, const void *in)
{
    return bind_check(c, c->op->in, in, c->protocol != PROTOCOL_JSON);
}

static struct slice or_else(struct slice s, struct slice standard)
{
    return slice_is_none(s) ? standard : s;
}

/* ---- queue URLs ------------------------------------------------------------------------------------------------ */

struct first_field { /* of every shape that takes a QueueUrl */
    struct slice queue_url;
};
#define URL_IS_FIRST(op) static_assert(offsetof(struct op##_in, queue_url) == 0, "sqs_route_queue reads it there")
URL_IS_FIRST(sqs_delete_queue);
URL_IS_FIRST(sqs_list_dead_letter_source_queues);
URL_IS_FIRST(sqs_get_queue_attributes);
URL_IS_FIRST(sqs_set_queue_attributes);
URL_IS_FIRST(sqs_tag_queue);
URL_IS_FIRST(sqs_untag_queue);
URL_IS_FIRST(sqs_list_queue_tags);
URL_IS_FIRST(sqs_add_permission);
URL_IS_FIRST(sqs_remove_permission);
URL_IS_FIRST(sqs_purge_queue);
URL_IS_FIRST(sqs_send_message);
URL_IS_FIRST(sqs_send_message_batch);
URL_IS_FIRST(sqs_receive_message);
URL_IS_FIRST(sqs_delete_message);
URL_IS_FIRST(sqs_delete_message_batch);
URL_IS_FIRST(sqs_change_message_visibility);
URL_IS_FIRST(sqs_change_message_visibility_batch);

struct error sqs_route_queue(struct call *c, const void *in, void *out)
{
    struct slice url = ((const struct first_field *)in)->queue_url;
    struct sqs_address address;
    (void)out;
    if (url.size == 0) {
        if (!sqs_path_parse(c->path, &address))
            return call_fail(c, SQS_MISSING_PARAMETER, "The request must contain the parameter QueueUrl.");
    } else if (!sqs_url_parse(url, &address)) {
        return call_fail(c, SQS_INVALID_ADDRESS, "The address %.*s is not valid for this endpoint.", SLICE_ARG(url));
    }
    struct slice own = slice_of(c->caller.account, strlen(c->caller.account));
    set_target(c, or_else(address.account, own), or_else(address.region, c->region), address.name);
    return OK;
}

/* ---- queue names ----------------------------------------------------------------------------------------------- */

struct error sqs_route_name(struct call *c, const void *in, void *out)
{
    const struct sqs_get_queue_url_in *args = in;
    (void)out;
    TRY(check_fields(c, in));
    struct slice own = slice_of(c->caller.account, strlen(c->caller.account));
    set_target(c, args->owner_account.size ? args->owner_account : own, c->region, args->queue_name);
    return OK;
}

static bool asks_for_fifo(const struct values *attributes)
{
    const struct pair *pairs = attributes->items;
    for (size_t i = 0; i < attributes->count; i++)
        if (slice_equal(pairs[i].key, SLICE("FifoQueue")))
            return slice_equal_nocase(pairs[i].text, SLICE("true"));
    return false;
}

struct error sqs_route_create(struct call *c, const void *in, void *out)
{
    const struct sqs_create_queue_in *args = in;
    struct sqs_address address;
    (void)out;
    if (c->protocol != PROTOCOL_JSON && sqs_path_parse(c->path, &address))
        return call_fail(
            c, API_INVALID_ACTION, "The action %.*s is not valid for this endpoint.", SLICE_ARG(c->op->name));
    TRY(check_fields(c, in));
    if (!sqs_is_region(c->region)) /* it becomes a part of ARNs and URLs */
        return call_fail(c, API_INCOMPLETE_SIGNATURE, "Credential should be scoped to a valid region.");
    if (asks_for_fifo(&args->attributes)) {
        if (!sqs_is_fifo_name(args->queue_name))
            return call_fail(c, SQS_INVALID_PARAMETER,
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end "
                "with "
                ".fifo suffix and be 1 to 80 in length");
    } else if (!sqs_is_standard_name(args->queue_name)) {
        return call_fail(c, SQS_INVALID_PARAMETER,
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
    }
    set_target(c, slice_of(c->caller.account, strlen(c->caller.account)), c->region, args->queue_name);
    return OK;
}

/* ---- receive --------------------------------------------------------------------------------------------------- */

static const struct slice system_names[] = {
    { "All", 3 },
    { "SenderId", 8 },
    { "SentTimestamp", 13 },
    { "ApproximateReceiveCount", 23 },
    { "ApproximateFirstReceiveTimestamp", 32 },
    { "SequenceNumber", 14 },
    { "MessageDeduplicationId", 22 },
    { "MessageGroupId", 14 },
    { "AWSTraceHeader", 14 },
    { "DeadLetterQueueSourceArn", 24 },
};

static bool is_system_name(struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(system_names); i++)
        if (slice_equal(system_names[i], name))
            return true;
    return false;
}

/* The deprecated list may also hold names of queue attributes: its type was once shared with GetQueueAttributes. */
static struct error check_names(struct call *c, const struct values *names, bool is_deprecated)
{
    const struct slice *items = names->items;
    for (size_t i = 0; i < names->count; i++)
        if (!is_system_name(items[i]) && !(is_deprecated && sqs_config_has_attribute(items[i])))
            return call_fail(c, SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.*s.", SLICE_ARG(items[i]));
    return OK;
}

struct error sqs_route_receive(struct call *c, const void *in, void *out)
{
    const struct sqs_receive_message_in *args = in;
    TRY(sqs_route_queue(c, in, out));
    TRY(check_names(c, &args->attribute_names, true));
    return check_names(c, &args->system_attribute_names, false);
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

struct error sqs_route_send(struct call *c, const void *in, void *out)
{
    const struct sqs_send_message_in *args = in;
    TRY(sqs_route_queue(c, in, out));
    TRY(check_fields(c, in));
    if (args->body.size == 0)
        return call_fail(c, SQS_MISSING_PARAMETER, "The request must contain the parameter MessageBody.");
    return sqs_plan_send(c, args);
}

/* Ids and count, then the one text every entry must have. */
static struct error check_batch(struct call *c, const struct values *entries, size_t size, const char *entry_name,
    size_t required_offset, const char *required)
{
    struct sqs_fault fault = { .arena = &c->arena };
    struct error e = sqs_batch_check(entries, size, entry_name, &fault);
    if (failed(e))
        return sqs_fault_raise(c, e, &fault);
    for (size_t i = 0; i < entries->count; i++) {
        const struct slice *text = (const struct slice *)((const char *)entries->items + i * size + required_offset);
        if (text->size == 0)
            return call_fail(c, SQS_MISSING_PARAMETER, "The request must contain the parameter %s.%zu.%s.", entry_name,
                i + 1, required);
    }
    return OK;
}

struct error sqs_route_send_batch(struct call *c, const void *in, void *out)
{
    const struct sqs_send_message_batch_in *args = in;
    static_assert(offsetof(struct sqs_send_entry, id) == 0, "sqs_batch_check reads it there");
    TRY(sqs_route_queue(c, in, out));
    TRY(check_fields(c, in));
    TRY(check_batch(c, &args->entries, sizeof(struct sqs_send_entry), "SendMessageBatchRequestEntry",
        offsetof(struct sqs_send_entry, body), "MessageBody"));
    return sqs_plan_send_batch(c, args);
}

struct error sqs_route_delete_batch(struct call *c, const void *in, void *out)
{
    const struct sqs_delete_message_batch_in *args = in;
    static_assert(offsetof(struct sqs_delete_entry, id) == 0, "sqs_batch_check reads it there");
    TRY(sqs_route_queue(c, in, out));
    return check_batch(c, &args->entries, sizeof(struct sqs_delete_entry), "DeleteMessageBatchRequestEntry",
        offsetof(struct sqs_delete_entry, receipt_handle), "ReceiptHandle");
}

struct error sqs_route_visibility_batch(struct call *c, const void *in, void *out)
{
    const struct sqs_change_message_visibility_batch_in *args = in;
    static_assert(offsetof(struct sqs_visibility_entry, id) == 0, "sqs_batch_check reads it there");
    TRY(sqs_route_queue(c, in, out));
    return check_batch(c, &args->entries, sizeof(struct sqs_visibility_entry),
        "ChangeMessageVisibilityBatchRequestEntry", offsetof(struct sqs_visibility_entry, receipt_handle),
        "ReceiptHandle");
}
