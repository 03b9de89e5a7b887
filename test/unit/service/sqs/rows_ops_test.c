/* The management operations at their owners, over a store in memory: what they change, what they refuse, who may. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "api/bind.h"
#include "api/gateway.h"
#include "service/sqs/catalog.h"
#include "service/sqs/sqs.h"
#include "service/sqs/state.h"
#include "sys/sys.h"

#define ACCOUNT "000000000000"
#define OTHER "111122223333"
#define ARN(name) "arn:aws:sqs:eu-west-1:" ACCOUNT ":" name
#define URL(name) "http://localhost:4566/" ACCOUNT "/" name

/* ---- a server without a network -------------------------------------------------------------------------------- */

static struct arena arena;
static struct store *store;

static void open_server(void)
{
    static struct service *const services[] = { &sqs_service };
    const struct store_options options = { .dir = "/rows-ops", .durability = DURABILITY_MEMORY };
    struct slice sentence = SLICE_NONE;
    if (failed(owners_open(&options, services, 1, &arena, &store, &sentence)))
        fail_msg("%.*s", SLICE_ARG(sentence));
    owners_resume();
}

static int start(void **state)
{
    (void)state;
    sys = &sys_memory;
    arena_init(&arena, 64 * 1024 * 1024);
    sqs_register();
    open_server();
    return 0;
}

static int end(void **state)
{
    (void)state;
    owners_close(false);
    arena_deinit(&arena);
    return 0;
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */

struct who {
    const char *account, *region;
    uint8_t protocol;
    const char *path, *endpoint;
};
static const struct who owner_ = { ACCOUNT, "eu-west-1", PROTOCOL_JSON, "/", "http://localhost:4566" };
static const struct who other = { OTHER, "eu-west-1", PROTOCOL_JSON, "/", "http://localhost:4566" };

static void run_call(struct owner *o, struct task *t)
{
    struct call *c = CONTAINER_OF(t, struct call, task);
    c->owner = o;
    c->error = c->op->run(c, c->in, c->out);
}

static const struct op *op_of(const char *name)
{
    for (size_t i = 0; i < sqs_service.op_count; i++)
        if (slice_equal(sqs_service.ops[i].name, slice_str(name)))
            return &sqs_service.ops[i];
    fail_msg("no operation %s", name);
    return NULL;
}

static struct call *call_new(const struct who *who, const char *op)
{
    struct call *c = calloc(1, sizeof(*c));
    arena_init(&c->arena, 16 * 1024 * 1024);
    c->service = &sqs_service;
    c->op = op_of(op);
    c->protocol = who->protocol;
    if (*who->account) {
        memcpy(c->caller.account, who->account, ACCOUNT_BYTES);
        c->caller.arn = arena_printf(&c->arena, "arn:aws:iam::%s:root", who->account);
        c->caller.is_root = true;
    } else {
        caller_anonymous(&c->caller);
    }
    c->region = slice_str(who->region);
    c->account = slice_str(c->caller.account);
    c->endpoint = slice_str(who->endpoint);
    c->path = slice_str(who->path);
    c->task.run = run_call;
    c->in = arena_zero(&c->arena, c->op->in->size + 1);
    c->out = arena_zero(&c->arena, c->op->out->size + 1);
    shape_clear(c->op->out, c->out);
    return c;
}

/* Runs the operation with this JSON; the reply, or "<code> <sentence>". The text is the test's arena's. */
static const char *call(const struct who *who, const char *op, const char *json)
{
    struct call *c = call_new(who, op);
    struct buf b;
    buf_init(&b);
    c->error = bind_json_decode(c, c->op->in, slice_str(json), c->in);
    if (!failed(c->error) && c->op->route)
        c->error = c->op->route(c, c->in, c->out);
    if (!failed(c->error))
        c->error = bind_check(c, c->op->in, c->in, c->protocol != PROTOCOL_JSON);
    if (!failed(c->error) && c->op->where == WHERE_FRONT)
        c->error = c->op->run(c, c->in, c->out);
    else if (!failed(c->error))
        owner_submit(owner_of(c->log), &c->task);
    if (failed(c->error)) {
        const struct error_row *row = error_row(c->error.code);
        struct slice text = slice_is_none(c->error_message) ? slice_str(row->text) : c->error_message;
        buf_printf(&b, "%s %.*s", row->shape, SLICE_ARG(text));
    } else {
        bind_json_encode(&b, c->op->out, c->out);
    }
    buf_add_byte(&b, 0);
    const char *reply = arena_copy(&arena, buf_slice(&b)).data;
    buf_deinit(&b);
    arena_deinit(&c->arena);
    free(c);
    return reply;
}

static void assert_reply(const char *reply, const char *expected)
{
    if (strcmp(reply, expected) != 0)
        fail_msg("got      %s\n   expected %s", reply, expected);
}

static void assert_starts(const char *reply, const char *expected)
{
    if (strncmp(reply, expected, strlen(expected)) != 0)
        fail_msg("got      %s\n   expected %s...", reply, expected);
}

static void make(const char *name, const char *attributes)
{
    struct slice json =
        arena_printf(&arena, "{\"QueueName\":\"%s\",\"Attributes\":{%s}}%c", name, attributes ? attributes : "", 0);
    struct slice expected = arena_printf(&arena, "{\"QueueUrl\":\"" URL("%s") "\"}%c", name, 0);
    assert_reply(call(&owner_, "CreateQueue", json.data), expected.data);
}

#define ON(name, more) "{\"QueueUrl\":\"" URL(name) "\"" more "}"
#define NO_QUEUE "QueueDoesNotExist The specified queue does not exist."

/* ---- queues ---------------------------------------------------------------------------------------------------- */

static void create_find_delete(void **state)
{
    (void)state;
    assert_reply(call(&owner_, "GetQueueUrl", "{\"QueueName\":\"q\"}"), NO_QUEUE);
    make("q", "\"DelaySeconds\":\"3\"");
    assert_reply(call(&owner_, "GetQueueUrl", "{\"QueueName\":\"q\"}"), "{\"QueueUrl\":\"" URL("q") "\"}");
    make("q", "\"DelaySeconds\":\"03\"");
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"q\",\"Attributes\":{\"DelaySeconds\":\"4\"}}"),
        "QueueNameExists A queue already exists with the same name and a different value for attribute DelaySeconds");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
    assert_reply(call(&owner_, "GetQueueUrl", "{\"QueueName\":\"q\"}"), NO_QUEUE);
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), NO_QUEUE);
    assert_int_equal(sqs_catalog_count(), 0);
}

static void names_and_types(void **state)
{
    static const char standard[] =
        "InvalidParameterValueException Can only include alphanumeric characters, hyphens, or "
        "underscores. 1 to 80 in length";
    static const char fifo[] =
        "InvalidParameterValueException The name of a FIFO queue can only include alphanumeric "
        "characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length";
    (void)state;
    assert_reply(call(&owner_, "CreateQueue", "{}"),
        "MissingRequiredParameterException The request must contain the parameter QueueName.");
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"\"}"), standard);
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"a b\"}"), standard);
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"x.fifo\"}"), standard);
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"x\",\"Attributes\":{\"FifoQueue\":\"True\"}}"), fifo);
    assert_reply(
        call(&owner_, "CreateQueue", "{\"QueueName\":\"x.fifo\",\"Attributes\":{\"FifoQueue\":\"false\"}}"), standard);
    make("x.fifo", "\"FifoQueue\":\"True\"");
    assert_reply(call(&owner_, "GetQueueAttributes", ON("x.fifo", ",\"AttributeNames\":[\"FifoQueue\",\"QueueArn\"]")),
        "{\"Attributes\":{\"QueueArn\":\"" ARN("x.fifo") "\",\"FifoQueue\":\"true\"}}");
    assert_reply(call(&owner_, "DeleteQueue", ON("x.fifo", "")), "{}");
}

static void queues_exist_only_in_regions_with_plain_names(void **state)
{
    const struct who odd = { ACCOUNT, "eu:west/1", PROTOCOL_JSON, "/", "http://localhost:4566" };
    (void)state;
    assert_reply(call(&odd, "CreateQueue", "{\"QueueName\":\"q\"}"),
        "IncompleteSignatureException Credential should be scoped to a valid region.");
    assert_reply(call(&odd, "GetQueueUrl", "{\"QueueName\":\"q\"}"), NO_QUEUE);
}

static void sentences_of_the_protocol(void **state)
{
    const struct who query = { ACCOUNT, "eu-west-1", PROTOCOL_QUERY_XML, "/" ACCOUNT "/nothing",
        "http://localhost:4566" };
    (void)state;
    assert_reply(call(&query, "PurgeQueue", "{}"),
        "QueueDoesNotExist The specified queue does not exist for this wsdl version.");
    assert_reply(call(&owner_, "PurgeQueue", "{}"),
        "MissingRequiredParameterException The request must contain the parameter QueueUrl.");
    assert_reply(call(&owner_, "PurgeQueue", "{\"QueueUrl\":\"http://localhost:4566\"}"),
        "InvalidAddress The address http://localhost:4566 is not valid for this endpoint.");
    assert_reply(call(&query, "CreateQueue", "{\"QueueName\":\"q\"}"),
        "InvalidAction The action CreateQueue is not valid for this endpoint.");
}

static void names_of_system_attributes(void **state)
{
    static const char unknown[] = "InvalidAttributeName Unknown Attribute Colour.";
    static const char all[] = ",\"MessageSystemAttributeNames\":[\"All\",\"SenderId\",\"SentTimestamp\","
                              "\"ApproximateReceiveCount\",\"ApproximateFirstReceiveTimestamp\",\"SequenceNumber\","
                              "\"MessageDeduplicationId\",\"MessageGroupId\",\"AWSTraceHeader\","
                              "\"DeadLetterQueueSourceArn\"]";
    (void)state;
    make("q", NULL);
    assert_reply(call(&owner_, "ReceiveMessage", arena_printf(&arena, ON("q", "%s") "%c", all, 0).data), "{}");
    assert_reply(call(&owner_, "ReceiveMessage", ON("q", ",\"AttributeNames\":[\"Colour\"]")), unknown);
    assert_reply(
        call(&owner_, "ReceiveMessage", ON("q", ",\"MessageSystemAttributeNames\":[\"All\",\"Colour\"]")), unknown);
    assert_reply(call(&owner_, "ReceiveMessage", ON("q", ",\"MessageSystemAttributeNames\":[\"Policy\"]")),
        "InvalidAttributeName Unknown Attribute Policy.");
    assert_reply(call(&owner_, "ReceiveMessage", ON("q", ",\"AttributeNames\":[\"Policy\",\"SentTimestamp\"]")), "{}");
    assert_reply(call(&owner_, "ReceiveMessage", ON("q", ",\"MaxNumberOfMessages\":11")),
        "InvalidParameterValueException Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between "
        "1 "
        "and 10, if provided.");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

static void batches_are_checked_before_the_owner(void **state)
{
    (void)state;
    make("q", NULL);
    assert_reply(call(&owner_, "SendMessageBatch", ON("q", "")),
        "EmptyBatchRequest There should be at least one SendMessageBatchRequestEntry in the request.");
    assert_reply(call(&owner_, "DeleteMessageBatch", ON("q", ",\"Entries\":[]")),
        "EmptyBatchRequest There should be at least one DeleteMessageBatchRequestEntry in the request.");
    assert_reply(call(&owner_, "ChangeMessageVisibilityBatch", ON("q", ",\"Entries\":[{\"Id\":\"a\"},{\"Id\":\"a\"}]")),
        "BatchEntryIdsNotDistinct Id a repeated.");
    assert_reply(call(&owner_, "DeleteMessageBatch",
                     ON("q", ",\"Entries\":[{\"Id\":\"a\",\"ReceiptHandle\":\"h\"},{\"Id\":\"b\"}]")),
        "MissingRequiredParameterException The request must contain the parameter "
        "DeleteMessageBatchRequestEntry.2.ReceiptHandle.");
    assert_reply(call(&owner_, "SendMessageBatch", ON("q", ",\"Entries\":[{\"Id\":\"a\",\"MessageBody\":\"\"}]")),
        "MissingRequiredParameterException The request must contain the parameter "
        "SendMessageBatchRequestEntry.1.MessageBody.");
    assert_reply(call(&owner_, "SendMessage", ON("q", "")),
        "MissingRequiredParameterException The request must contain the parameter MessageBody.");
    assert_reply(call(&owner_, "SendMessage", ON("q", ",\"MessageBody\":\"\"")),
        "MissingRequiredParameterException The request must contain the parameter MessageBody.");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

static void urls_of_every_form_reach_one_queue(void **state)
{
    static const char *const urls[] = { "q", URL("q"), "https://sqs.eu-west-1.amazonaws.com/" ACCOUNT "/q",
        "http://elsewhere/queue/eu-west-1/" ACCOUNT "/q", "http://elsewhere/queue/q" };
    const struct who path = { ACCOUNT, "eu-west-1", PROTOCOL_JSON, "/" ACCOUNT "/q", "http://localhost:4566" };
    const struct who host = { ACCOUNT, "eu-west-1", PROTOCOL_JSON, "/", "http://sqs.us-east-1.localhost:4566" };
    (void)state;
    make("q", NULL);
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        struct slice json =
            arena_printf(&arena, "{\"QueueUrl\":\"%s\",\"AttributeNames\":[\"QueueArn\"]}%c", urls[i], 0);
        assert_reply(
            call(&owner_, "GetQueueAttributes", json.data), "{\"Attributes\":{\"QueueArn\":\"" ARN("q") "\"}}");
    }
    assert_reply(call(&path, "GetQueueAttributes", "{\"AttributeNames\":[\"QueueArn\"]}"),
        "{\"Attributes\":{\"QueueArn\":\"" ARN("q") "\"}}");
    assert_reply(
        call(&owner_, "GetQueueAttributes", "{\"QueueUrl\":\"https://sqs.us-east-1.amazonaws.com/" ACCOUNT "/q\"}"),
        NO_QUEUE);
    assert_reply(call(&host, "GetQueueUrl", "{\"QueueName\":\"q\"}"),
        "{\"QueueUrl\":\"http://sqs.eu-west-1.localhost:4566/" ACCOUNT "/q\"}");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

/* The value of "NextToken" in a reply. */
static const char *token_of(const char *reply)
{
    const char *at = strstr(reply, "\"NextToken\":\"");
    assert_non_null(at);
    at += strlen("\"NextToken\":\"");
    return arena_printf(&arena, "%.*s%c", (int)(strchr(at, '"') - at), at, 0).data;
}

static const char *list(const char *arguments, const char *token)
{
    return call(&owner_, "ListQueues", arena_printf(&arena, "{%s,\"NextToken\":\"%s\"}%c", arguments, token, 0).data);
}

static void list_in_pages(void **state)
{
    static const char bad[] = "InvalidParameterValueException Value ";
    (void)state;
    assert_reply(call(&owner_, "ListQueues", "{}"), "{}");
    make("b-1", NULL);
    make("b-2", NULL);
    make("b-3", NULL);
    make("a", NULL);
    assert_reply(call(&other, "ListQueues", "{}"), "{}");
    assert_reply(call(&owner_, "ListQueues", "{\"QueueNamePrefix\":\"b\"}"),
        "{\"QueueUrls\":[\"" URL("b-1") "\",\"" URL("b-2") "\",\"" URL("b-3") "\"]}");
    const char *page = call(&owner_, "ListQueues", "{\"QueueNamePrefix\":\"b\",\"MaxResults\":2}");
    assert_starts(page, "{\"QueueUrls\":[\"" URL("b-1") "\",\"" URL("b-2") "\"],\"NextToken\":\"");
    const char *token = token_of(page);
    assert_reply(call(&owner_, "DeleteQueue", ON("b-2", "")), "{}"); /* where the page ended */
    assert_reply(list("\"QueueNamePrefix\":\"b\",\"MaxResults\":2", token), "{\"QueueUrls\":[\"" URL("b-3") "\"]}");
    assert_starts(list("\"QueueNamePrefix\":\"a\",\"MaxResults\":2", token), bad);
    assert_starts(list("\"MaxResults\":2", token), bad);
    assert_starts(list("\"MaxResults\":2", "bm90IGEgdG9rZW4="), bad);
    static const char *const limits[] = { "0", "-1", "1001" };
    for (size_t i = 0; i < ARRAY_COUNT(limits); i++)
        assert_starts(
            call(&owner_, "ListQueues", arena_printf(&arena, "{\"MaxResults\":%s}%c", limits[i], 0).data), bad);
    assert_reply(call(&owner_, "DeleteQueue", ON("b-1", "")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("b-3", "")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("a", "")), "{}");
}

#define REDRIVE(target)                                                                                                \
    "\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"" ARN(target) "\\\",\\\"maxReceiveCount\\\":3}\""

static void dead_letter_sources(void **state)
{
    (void)state;
    make("dead", NULL);
    assert_reply(call(&owner_, "ListDeadLetterSourceQueues", ON("dead", "")), "{\"queueUrls\":[]}");
    make("s1", REDRIVE("dead"));
    make("s2", REDRIVE("dead"));
    make("s3", NULL);
    assert_reply(call(&owner_, "SetQueueAttributes", ON("s3", ",\"Attributes\":{" REDRIVE("dead") "}")), "{}");
    const char *page = call(&owner_, "ListDeadLetterSourceQueues", ON("dead", ",\"MaxResults\":2"));
    assert_starts(page, "{\"queueUrls\":[\"" URL("s1") "\",\"" URL("s2") "\"],\"NextToken\":\"");
    struct slice next =
        arena_printf(&arena, ON("dead", ",\"MaxResults\":2,\"NextToken\":\"%s\"") "%c", token_of(page), 0);
    assert_reply(call(&owner_, "ListDeadLetterSourceQueues", next.data), "{\"queueUrls\":[\"" URL("s3") "\"]}");
    assert_starts(call(&owner_, "SetQueueAttributes", ON("s3", ",\"Attributes\":{" REDRIVE("nowhere") "}")),
        "InvalidParameterValueException Value {\"deadLetterTargetArn\":\"" ARN("nowhere") "\",");
    assert_reply(call(&owner_, "SetQueueAttributes", ON("s3", ",\"Attributes\":{\"RedrivePolicy\":\"\"}")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("s1", "")), "{}");
    assert_reply(call(&owner_, "ListDeadLetterSourceQueues", ON("dead", "")), "{\"queueUrls\":[\"" URL("s2") "\"]}");
    assert_reply(call(&owner_, "DeleteQueue", ON("s2", "")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("s3", "")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("dead", "")), "{}");
}

/* ---- attributes, tags, permissions ----------------------------------------------------------------------------- */

static void one_bad_attribute_changes_nothing(void **state)
{
    (void)state;
    make("q", NULL);
    assert_reply(call(&owner_, "GetQueueAttributes", ON("q", "")), "{}");
    assert_reply(call(&owner_, "SetQueueAttributes", ON("q", "")),
        "MissingRequiredParameterException The request must contain the parameter Attributes.");
    assert_reply(call(&owner_, "SetQueueAttributes",
                     ON("q", ",\"Attributes\":{\"DelaySeconds\":\"5\",\"VisibilityTimeout\":\"-5\"}")),
        "InvalidAttributeValue Invalid value for the parameter VisibilityTimeout.");
    assert_reply(call(&owner_, "SetQueueAttributes",
                     ON("q", ",\"Attributes\":{\"MessageRetentionPeriod\":\"60\",\"MaximumMessageSize\":\"2048\"}")),
        "{}");
    assert_reply(call(&owner_, "GetQueueAttributes",
                     ON("q", ",\"AttributeNames\":[\"DelaySeconds\",\"MaximumMessageSize\","
                             "\"MessageRetentionPeriod\",\"VisibilityTimeout\"]")),
        "{\"Attributes\":{\"VisibilityTimeout\":\"30\",\"MaximumMessageSize\":\"2048\",\"MessageRetentionPeriod\":"
        "\"60\","
        "\"DelaySeconds\":\"0\"}}");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

static void tags(void **state)
{
    (void)state;
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"q\",\"tags\":{\"b\":\"2\",\"a\":\"\"}}"),
        "{\"QueueUrl\":\"" URL("q") "\"}");
    assert_reply(call(&owner_, "ListQueueTags", ON("q", "")), "{\"Tags\":{\"a\":\"\",\"b\":\"2\"}}");
    assert_reply(call(&owner_, "TagQueue", ON("q", ",\"Tags\":{\"a\":\"1\",\"c\":\"3\"}")), "{}");
    assert_reply(call(&owner_, "UntagQueue", ON("q", ",\"TagKeys\":[\"b\",\"x\"]")), "{}");
    assert_reply(call(&owner_, "ListQueueTags", ON("q", "")), "{\"Tags\":{\"a\":\"1\",\"c\":\"3\"}}");
    assert_reply(call(&owner_, "TagQueue", ON("q", "")),
        "MissingRequiredParameterException The request must contain the parameter Tags.");
    assert_reply(call(&owner_, "TagQueue", ON("q", ",\"Tags\":{}")),
        "MissingRequiredParameterException The request must contain the parameter Tags.");
    assert_reply(call(&owner_, "UntagQueue", ON("q", ",\"TagKeys\":[\"a\",\"c\"]")), "{}");
    assert_reply(call(&owner_, "ListQueueTags", ON("q", "")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

#define PERMISSION(label, accounts, actions)                                                                           \
    ",\"Label\":\"" label "\",\"AWSAccountIds\":[" accounts "],\"Actions\":[" actions "]"
#define INVALID "InvalidParameterValueException Value "

static const struct refusal_case {
    const char *arguments, *reply;
} refusals[] = {
    { PERMISSION("a b", "\"" OTHER "\"", "\"SendMessage\""),
        INVALID "a b for parameter Label is invalid. Reason: Can only "
                "include alphanumeric characters, hyphens, or underscores. 1 "
                "to 80 in length." },
    { PERMISSION("l", "\"x\"", "\"SendMessage\""),
        INVALID "[x] for parameter PrincipalId is invalid. Reason: Unable to verify." },
    { PERMISSION("l", "", "\"SendMessage\""),
        "MissingRequiredParameterException The request must contain the parameter AWSAccountIds." },
    { PERMISSION("l", "\"" OTHER "\"", ""),
        "MissingRequiredParameterException The request must contain the parameter Actions." },
    { PERMISSION("l", "\"" OTHER "\"", "\"Fly\""),
        INVALID "SQS:Fly for parameter ActionName is invalid. Reason: Please "
                "refer to the appropriate WSDL for a list of valid actions. " },
    { PERMISSION("l", "\"" OTHER "\"", "\"SendMessageBatch\""), INVALID
        "SQS:SendMessageBatch for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a "
        "list of valid actions. " },
    { PERMISSION("l", "\"" OTHER "\"", "\"DeleteQueue\""),
        INVALID "SQS:DeleteQueue for parameter ActionName is invalid. "
                "Reason: Only the queue owner is allowed to invoke this action." },
    { PERMISSION("l", "\"" OTHER "\"", "\"*\",\"*\",\"*\",\"*\",\"*\",\"*\",\"*\",\"*\""),
        "OverLimit 8 Actions were found, maximum allowed is 7." },
};

static void permissions(void **state)
{
    (void)state;
    make("q", NULL);
    for (size_t i = 0; i < ARRAY_COUNT(refusals); i++) {
        struct slice json = arena_printf(&arena, ON("q", "%s") "%c", refusals[i].arguments, 0);
        assert_reply(call(&owner_, "AddPermission", json.data), refusals[i].reply);
    }
    assert_reply(call(&owner_, "AddPermission", ON("q", PERMISSION("one", "\"" OTHER "\"", "\"SendMessage\""))), "{}");
    assert_reply(call(&owner_, "GetQueueAttributes", ON("q", ",\"AttributeNames\":[\"Policy\"]")),
        "{\"Attributes\":{\"Policy\":\"{\\\"Version\\\":\\\"2008-10-17\\\",\\\"Id\\\":\\\"" ARN(
            "q") "/SQSDefaultPolicy\\\",\\\"Statement\\\":[{\\\"Sid\\\":\\\"one\\\",\\\"Effect\\\":\\\"Allow\\\","
                 "\\\"Principal\\\":{\\\"AWS\\\":\\\"arn:aws:iam::" OTHER
                 ":root\\\"},\\\"Action\\\":\\\"SQS:SendMessage\\\",\\\"Resource\\\":\\\"" ARN("q") "\\\"}]}\"}}");
    assert_reply(call(&owner_, "AddPermission", ON("q", PERMISSION("one", "\"" OTHER "\"", "\"*\""))),
        INVALID "one for parameter Label is invalid. Reason: Already exists.");
    assert_reply(call(&owner_, "RemovePermission", ON("q", ",\"Label\":\"x\"")),
        INVALID "x for parameter Label is invalid. Reason: can't find label on existing policy.");
    assert_reply(call(&owner_, "RemovePermission", ON("q", ",\"Label\":\"one\"")), "{}");
    assert_reply(call(&owner_, "GetQueueAttributes", ON("q", ",\"AttributeNames\":[\"Policy\"]")), "{}");
    assert_reply(call(&owner_, "RemovePermission", ON("q", ",\"Label\":\"one\"")),
        INVALID "one for parameter Label is invalid. Reason: can't find label.");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

/* ---- who may --------------------------------------------------------------------------------------------------- */

static void other_accounts_need_a_policy(void **state)
{
    static const char denied[] =
        "AccessDeniedException User: arn:aws:iam::" OTHER ":root is not authorized to perform: ";
    (void)state;
    make("q", NULL);
    assert_reply(call(&other, "GetQueueAttributes", ON("q", "")),
        "AccessDeniedException User: arn:aws:iam::" OTHER
        ":root is not authorized to perform: sqs:getqueueattributes on "
        "resource: " ARN("q") " because no resource-based policy allows the sqs:getqueueattributes action");
    assert_reply(call(&other, "GetQueueUrl", "{\"QueueName\":\"q\"}"), NO_QUEUE); /* looked for in its own account */
    assert_starts(
        call(&other, "GetQueueUrl", "{\"QueueName\":\"q\",\"QueueOwnerAWSAccountId\":\"" ACCOUNT "\"}"), denied);
    assert_reply(call(&owner_, "AddPermission", ON("q", PERMISSION("l", "\"" OTHER "\"", "\"*\""))), "{}");
    assert_reply(call(&other, "GetQueueAttributes", ON("q", "")), "{}");
    assert_reply(call(&other, "GetQueueUrl", "{\"QueueName\":\"q\",\"QueueOwnerAWSAccountId\":\"" ACCOUNT "\"}"),
        "{\"QueueUrl\":\"" URL("q") "\"}");
    static const char *const owner_only[][2] = { { "DeleteQueue", "" }, { "TagQueue", ",\"Tags\":{\"a\":\"b\"}" },
        { "UntagQueue", ",\"TagKeys\":[\"a\"]" }, { "ListQueueTags", "" },
        { "SetQueueAttributes", ",\"Attributes\":{\"DelaySeconds\":\"1\"}" },
        { "AddPermission", PERMISSION("m", "\"" OTHER "\"", "\"*\"") }, { "RemovePermission", ",\"Label\":\"l\"" } };
    for (size_t i = 0; i < ARRAY_COUNT(owner_only); i++) {
        struct slice json = arena_printf(&arena, ON("q", "%s") "%c", owner_only[i][1], 0);
        assert_starts(call(&other, owner_only[i][0], json.data), denied);
    }
    assert_reply(call(&owner_, "RemovePermission", ON("q", ",\"Label\":\"l\"")), "{}");
    assert_starts(call(&other, "GetQueueAttributes", ON("q", "")), denied);
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

#define POLICY(effect, action, condition)                                                                              \
    ",\"Attributes\":{\"Policy\":\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"" effect \
    "\\\",\\\"Principal\\\":\\\"*\\\",\\\"Action\\\":\\\"" action "\\\",\\\"Resource\\\":\\\"*\\\"" condition "}]}\"}"

static void a_deny_stops_the_owner_but_does_not_lock_it_out(void **state)
{
    (void)state;
    make("q", NULL);
    assert_reply(call(&owner_, "SetQueueAttributes", ON("q", POLICY("Deny", "sqs:*", ""))), "{}");
    assert_starts(call(&owner_, "ListQueueTags", ON("q", "")), "AccessDeniedException ");
    assert_starts(call(&owner_, "DeleteQueue", ON("q", "")), "AccessDeniedException ");
    assert_reply(call(&owner_, "GetQueueAttributes", ON("q", "")), "{}");
    assert_reply(call(&owner_, "SetQueueAttributes", ON("q", ",\"Attributes\":{\"Policy\":\"\"}")), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

/* The front gives an unsigned request no account. */
static const char *call_unsigned(const char *op, const char *json)
{
    static const struct who nobody = { "", "eu-west-1", PROTOCOL_JSON, "/", "http://localhost:4566" };
    return call(&nobody, op, json);
}

static void unsigned_requests_need_a_policy_for_everybody(void **state)
{
    (void)state;
    make("q", NULL);
    assert_starts(call_unsigned("GetQueueAttributes", ON("q", "")),
        "AccessDeniedException User: anonymous is not authorized to perform: sqs:getqueueattributes on resource: ");
    assert_reply(call_unsigned("GetQueueAttributes", "{\"QueueUrl\":\"q\"}"), NO_QUEUE);
    assert_starts(call_unsigned("ListQueues", "{}"), "AccessDeniedException ");
    assert_starts(call_unsigned("CreateQueue", "{\"QueueName\":\"mine\"}"), "AccessDeniedException ");
    assert_reply(call(&owner_, "SetQueueAttributes", ON("q", POLICY("Allow", "sqs:*", ""))), "{}");
    assert_reply(call_unsigned("GetQueueAttributes", ON("q", "")), "{}");
    assert_starts(call_unsigned("DeleteQueue", ON("q", "")), "AccessDeniedException ");
    assert_reply(call(&owner_, "DeleteQueue", ON("q", "")), "{}");
}

static void conditions_see_the_request(void **state)
{
    static const char condition[] = ",\\\"Condition\\\":{\\\"Bool\\\":{\\\"aws:SecureTransport\\\":\\\"false\\\"}}";
    const struct who tls = { ACCOUNT, "eu-west-1", PROTOCOL_JSON, "/", "https://localhost:4566" };
    (void)state;
    make("q", NULL);
    struct slice json = arena_printf(&arena, ON("q", POLICY("Deny", "sqs:*", "%s")) "%c", condition, 0);
    assert_reply(call(&owner_, "SetQueueAttributes", json.data), "{}");
    assert_starts(call(&owner_, "ListQueueTags", ON("q", "")), "AccessDeniedException ");
    assert_reply(call(&tls, "ListQueueTags", ON("q", "")), "{}");
    assert_reply(call(&tls, "DeleteQueue", ON("q", "")), "{}");
}

/* ---- after a restart ------------------------------------------------------------------------------------------- */

static void everything_is_there_again(void **state)
{
    (void)state;
    make("dead", NULL);
    make("q", REDRIVE("dead") ",\"DelaySeconds\":\"9\"");
    make("gone", NULL);
    assert_reply(call(&owner_, "TagQueue", ON("q", ",\"Tags\":{\"a\":\"1\"}")), "{}");
    assert_reply(call(&owner_, "AddPermission", ON("q", PERMISSION("l", "\"" OTHER "\"", "\"*\""))), "{}");
    assert_reply(call(&owner_, "DeleteQueue", ON("gone", "")), "{}");
    const char *before = call(&owner_, "GetQueueAttributes", ON("q", ",\"AttributeNames\":[\"All\"]"));
    for (int snapshot = 0; snapshot < 2; snapshot++) {
        owners_close(snapshot);
        assert_int_equal(sqs_catalog_count(), 0);
        open_server();
        assert_reply(call(&owner_, "GetQueueAttributes", ON("q", ",\"AttributeNames\":[\"All\"]")), before);
        assert_reply(call(&owner_, "ListQueues", "{}"), "{\"QueueUrls\":[\"" URL("dead") "\",\"" URL("q") "\"]}");
        assert_reply(call(&owner_, "ListQueueTags", ON("q", "")), "{\"Tags\":{\"a\":\"1\"}}");
        assert_reply(call(&owner_, "ListDeadLetterSourceQueues", ON("dead", "")), "{\"queueUrls\":[\"" URL("q") "\"]}");
        assert_reply(call(&other, "GetQueueAttributes", ON("q", "")), "{}");
    }
}

/* ---- quotas ---------------------------------------------------------------------------------------------------- */

static void a_name_rests_when_quotas_are_on(void **state)
{
    (void)state;
    sqs_quotas.is_aws = true;
    make("rests", NULL);
    assert_reply(call(&owner_, "DeleteQueue", ON("rests", "")), "{}");
    assert_reply(call(&owner_, "CreateQueue", "{\"QueueName\":\"rests\"}"),
        "QueueDeletedRecently You must wait 60 seconds after deleting a queue before you can create another with the "
        "same "
        "name.");
    sqs_quotas.is_aws = false;
    make("rests", NULL);
    assert_reply(call(&owner_, "DeleteQueue", ON("rests", "")), "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_find_delete),
        cmocka_unit_test(names_and_types),
        cmocka_unit_test(queues_exist_only_in_regions_with_plain_names),
        cmocka_unit_test(sentences_of_the_protocol),
        cmocka_unit_test(names_of_system_attributes),
        cmocka_unit_test(batches_are_checked_before_the_owner),
        cmocka_unit_test(urls_of_every_form_reach_one_queue),
        cmocka_unit_test(list_in_pages),
        cmocka_unit_test(dead_letter_sources),
        cmocka_unit_test(one_bad_attribute_changes_nothing),
        cmocka_unit_test(tags),
        cmocka_unit_test(permissions),
        cmocka_unit_test(other_accounts_need_a_policy),
        cmocka_unit_test(a_deny_stops_the_owner_but_does_not_lock_it_out),
        cmocka_unit_test(unsigned_requests_need_a_policy_for_everybody),
        cmocka_unit_test(conditions_see_the_request),
        cmocka_unit_test(a_name_rests_when_quotas_are_on),
        cmocka_unit_test(everything_is_there_again),
    };
    return cmocka_run_group_tests(tests, start, end);
}
