/* Queue attributes: set, refuse, list, compare; tags; records. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/sqs/catalog.h"
#include "service/sqs/config.h"
#include "service/sqs/pack.h"
#include "service/sqs/sqs.h"

#define ACCOUNT "000000000000"
#define ARN(name) "arn:aws:sqs:eu-west-1:" ACCOUNT ":" name
#define GOOD_POLICY                                                                                                    \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\","                            \
    "\"Action\":\"sqs:SendMessage\",\"Resource\":\"*\"}]}"
#define REDRIVE(target, count) "{\"deadLetterTargetArn\":\"" target "\",\"maxReceiveCount\":" count "}"

static struct arena arena;
static struct sqs_fault fault;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 16 * 1024 * 1024);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_deinit(&arena);
    sqs_catalog_remove_log(UINT16_MAX);
    return 0;
}

/* ---- helpers --------------------------------------------------------------------------------------------------- */

enum { PAIRS_MAX = 8 };
struct attributes {
    const char *pairs[PAIRS_MAX * 2];
};

static struct values values_of(const struct attributes *a)
{
    struct pair *pairs = ARENA_ARRAY(&arena, struct pair, PAIRS_MAX);
    struct values v = { .items = pairs, .is_set = true };
    for (; v.count < PAIRS_MAX && a->pairs[2 * v.count]; v.count++)
        pairs[v.count] =
            (struct pair){ .key = slice_str(a->pairs[2 * v.count]), .text = slice_str(a->pairs[2 * v.count + 1]) };
    return v;
}

static struct error set(struct sqs_config *draft, const char *name, bool is_new, const struct attributes *a)
{
    const struct sqs_config_subject subject = {
        .region = SLICE("eu-west-1"), .account = SLICE(ACCOUNT), .name = slice_str(name), .is_new = is_new
    };
    struct values v = values_of(a);
    fault = (struct sqs_fault){ .arena = &arena };
    return sqs_config_set(draft, &subject, &v, &fault);
}

static const struct sqs_config_facts facts = {
    .arn = { ARN("q"), sizeof(ARN("q")) - 1 },
    .created_ms = 1700000000123,
    .changed_ms = 1700000009999,
    .visible = 3,
    .in_flight = 2,
    .delayed = 1,
};

/* The value of one attribute; "-" if it is not listed. */
static const char *value_of(const struct sqs_config *config, const char *name)
{
    struct slice asked = slice_str(name);
    const struct values names = { .items = &asked, .count = 1, .is_set = true };
    struct values listed;
    assert_int_equal(sqs_config_list(config, &facts, &names, &listed, &fault).code, 0);
    if (listed.count == 0)
        return "-";
    assert_int_equal(listed.count, 1);
    const struct pair *pair = listed.items;
    assert_true(slice_equal(pair->key, asked));
    return arena_printf(&arena, "%.*s%c", SLICE_ARG(pair->text), 0).data;
}

static void assert_fault(struct error e, uint32_t code, const char *text)
{
    assert_int_equal(e.code, code);
    if (!text)
        return;
    if (!slice_equal(fault.text, slice_str(text)))
        fail_msg("%.*s", SLICE_ARG(fault.text));
}

/* ---- set one, list it ------------------------------------------------------------------------------------------ */

static const struct set_case {
    const char *queue, *name, *value;
    const char *listed; /* NULL: refused */
    uint32_t code;
    const char *text;
} sets[] = {
    { "q", "DelaySeconds", "0", "0", 0, NULL },
    { "q", "DelaySeconds", "900", "900", 0, NULL },
    { "q", "DelaySeconds", "007", "7", 0, NULL },
    { "q", "DelaySeconds", "901", NULL, SQS_INVALID_ATTRIBUTE_VALUE, "Invalid value for the parameter DelaySeconds." },
    { "q", "DelaySeconds", "-1", NULL, SQS_INVALID_ATTRIBUTE_VALUE, "Invalid value for the parameter DelaySeconds." },
    { "q", "DelaySeconds", "x", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "DelaySeconds", "1.5", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "DelaySeconds", "", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "MaximumMessageSize", "1024", "1024", 0, NULL },
    { "q", "MaximumMessageSize", "1048576", "1048576", 0, NULL },
    { "q", "MaximumMessageSize", "1023", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "MaximumMessageSize", "1048577", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "MessageRetentionPeriod", "60", "60", 0, NULL },
    { "q", "MessageRetentionPeriod", "1209600", "1209600", 0, NULL },
    { "q", "MessageRetentionPeriod", "59", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "MessageRetentionPeriod", "1209601", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "ReceiveMessageWaitTimeSeconds", "20", "20", 0, NULL },
    { "q", "ReceiveMessageWaitTimeSeconds", "21", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "VisibilityTimeout", "0", "0", 0, NULL },
    { "q", "VisibilityTimeout", "43200", "43200", 0, NULL },
    { "q", "VisibilityTimeout", "43201", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "VisibilityTimeout", "99999999999999999999", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "KmsDataKeyReusePeriodSeconds", "60", "60", 0, NULL },
    { "q", "KmsDataKeyReusePeriodSeconds", "300", "-", 0, NULL },
    { "q", "KmsDataKeyReusePeriodSeconds", "59", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "KmsMasterKeyId", "testKeyId", "testKeyId", 0, NULL },
    { "q", "KmsMasterKeyId", "", "-", 0, NULL },
    { "q", "SqsManagedSseEnabled", "False", "false", 0, NULL },
    { "q", "SqsManagedSseEnabled", "TRUE", "true", 0, NULL },
    { "q", "SqsManagedSseEnabled", "1", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    /* names */
    { "q", "Colour", "red", NULL, SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute Colour." },
    { "q", "All", "x", NULL, SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute All." },
    { "q", "QueueArn", "x", NULL, SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute QueueArn." },
    { "q", "CreatedTimestamp", "1", NULL, SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute CreatedTimestamp." },
    { "q", "ApproximateNumberOfMessages", "1", NULL, SQS_INVALID_ATTRIBUTE_NAME, NULL },
    { "q", "delayseconds", "1", NULL, SQS_INVALID_ATTRIBUTE_NAME, NULL },
    /* FIFO */
    { "q.fifo", "FifoQueue", "True", "true", 0, NULL },
    { "q.fifo", "ContentBasedDeduplication", "TRUE", "true", 0, NULL },
    { "q.fifo", "ContentBasedDeduplication", "perhaps", NULL, SQS_INVALID_ATTRIBUTE_VALUE,
        "Invalid value for the parameter ContentBasedDeduplication." },
    { "q.fifo", "DeduplicationScope", "messageGroup", "messageGroup", 0, NULL },
    { "q.fifo", "DeduplicationScope", "MESSAGEGROUP", "messageGroup", 0, NULL },
    { "q.fifo", "DeduplicationScope", "group", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q.fifo", "FifoThroughputLimit", "perQueue", "perQueue", 0, NULL },
    { "q.fifo", "FifoThroughputLimit", "perMessageGroupId", NULL, SQS_INVALID_ATTRIBUTE_VALUE,
        "Invalid value for the parameter FifoThroughputLimit. Reason: The perMessageGroupId value is allowed only when "
        "the "
        "value for DeduplicationScope is messageGroup." },
    { "q", "FifoQueue", "false", "-", 0, NULL },
    { "q", "ContentBasedDeduplication", "true", NULL, SQS_INVALID_ATTRIBUTE_NAME,
        "Unknown Attribute ContentBasedDeduplication." },
    { "q", "DeduplicationScope", "messageGroup", NULL, SQS_INVALID_ATTRIBUTE_NAME,
        "You can specify the DeduplicationScope only when FifoQueue is set to true." },
    { "q", "FifoThroughputLimit", "perQueue", NULL, SQS_INVALID_ATTRIBUTE_NAME,
        "You can specify the FifoThroughputLimit only when FifoQueue is set to true." },
    /* policy */
    { "q", "Policy", GOOD_POLICY, GOOD_POLICY, 0, NULL },
    { "q", "Policy", "", "-", 0, NULL },
    { "q", "Policy", "{not json", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "Policy",
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sqs:*\",\"Resource\":\"*\"}}",
        NULL, SQS_INVALID_ATTRIBUTE_VALUE,
        "Invalid value for the parameter Policy. Reason: Every statement must have a Principal." },
    /* dead letters */
    { "q", "RedrivePolicy", "", "-", 0, NULL },
    { "q", "RedrivePolicy", REDRIVE(ARN("dlq"), "3"), REDRIVE(ARN("dlq"), "3"), 0, NULL },
    { "q", "RedrivePolicy", REDRIVE(ARN("dlq"), "\"1000\""), REDRIVE(ARN("dlq"), "\"1000\""), 0, NULL },
    { "q", "RedrivePolicy", "{not json", NULL, SQS_INVALID_ATTRIBUTE_VALUE,
        "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map." },
    { "q", "RedrivePolicy", "[]", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "RedrivePolicy", "{\"maxReceiveCount\":1}", NULL, SQS_INVALID_PARAMETER,
        "Value {\"maxReceiveCount\":1} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain "
        "mandatory attribute: deadLetterTargetArn." },
    { "q", "RedrivePolicy", "{\"deadLetterTargetArn\":\"" ARN("d") "\"}", NULL, SQS_INVALID_PARAMETER, NULL },
    { "q", "RedrivePolicy", REDRIVE(ARN("d"), "0"), NULL, SQS_INVALID_PARAMETER,
        "Value " REDRIVE(
            ARN("d"), "0") " for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: "
                           "0, valid values are from 1 to 1000 both inclusive." },
    { "q", "RedrivePolicy", REDRIVE(ARN("d"), "1001"), NULL, SQS_INVALID_PARAMETER, NULL },
    { "q", "RedrivePolicy", REDRIVE(ARN("d"), "\"invalid\""), NULL, SQS_INVALID_PARAMETER, NULL },
    { "q", "RedrivePolicy", REDRIVE("arn:aws:sns:eu-west-1:" ACCOUNT ":t", "1"), NULL, SQS_INVALID_PARAMETER, NULL },
    { "q", "RedrivePolicy", REDRIVE("dummy", "42"), NULL, SQS_INVALID_PARAMETER,
        "Value " REDRIVE(
            "dummy", "42") " for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn." },
    { "q", "RedrivePolicy", "{\"deadLetterTargetArn\":\"" ARN("d") "\",\"maxReceiveCount\":1,\"x\":1}", NULL,
        SQS_INVALID_PARAMETER, NULL },
    { "q", "RedriveAllowPolicy", "", "-", 0, NULL },
    { "q", "RedriveAllowPolicy", "{\"redrivePermission\":\"denyAll\"}", "{\"redrivePermission\":\"denyAll\"}", 0,
        NULL },
    { "q", "RedriveAllowPolicy", "{\"redrivePermission\":\"some\"}", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "RedriveAllowPolicy", "{}", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "RedriveAllowPolicy", "{x", NULL, SQS_INVALID_ATTRIBUTE_VALUE, NULL },
    { "q", "RedriveAllowPolicy", "{\"redrivePermission\":\"byQueue\"}", NULL, SQS_INVALID_PARAMETER, NULL },
    { "q", "RedriveAllowPolicy", "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"x\"]}", NULL,
        SQS_INVALID_PARAMETER, NULL },
    { "q", "RedriveAllowPolicy", "{\"redrivePermission\":\"allowAll\",\"sourceQueueArns\":[\"" ARN("s") "\"]}", NULL,
        SQS_INVALID_PARAMETER, NULL },
};

static void one_attribute(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
        struct sqs_config draft = sqs_config_default;
        const struct attributes a = { { sets[i].name, sets[i].value } };
        struct error e = set(&draft, sets[i].queue, true, &a);
        if (e.code != sets[i].code)
            fail_msg("row %zu: %u %.*s", i, e.code, SLICE_ARG(fault.text));
        assert_fault(e, sets[i].code, sets[i].text);
        if (sets[i].listed)
            assert_string_equal(value_of(&draft, sets[i].name), sets[i].listed);
    }
}

static void the_type_cannot_change(void **state)
{
    struct sqs_config standard = sqs_config_default, fifo = sqs_config_default;
    const struct attributes yes = { { "FifoQueue", "true" } }, no = { { "FifoQueue", "false" } };
    static const char text[] =
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
    (void)state;
    assert_fault(set(&fifo, "q.fifo", true, &yes), 0, NULL);
    assert_fault(set(&fifo, "q.fifo", false, &no), SQS_INVALID_ATTRIBUTE_VALUE, text);
    assert_fault(set(&fifo, "q.fifo", false, &yes), 0, NULL);
    assert_fault(set(&standard, "q", true, &no), 0, NULL);
    assert_fault(set(&standard, "q", false, &yes), SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute FifoQueue.");
    assert_fault(set(&standard, "q", false, &no), SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute FifoQueue.");
}

static void high_throughput_needs_the_group_scope(void **state)
{
    struct sqs_config draft = sqs_config_default;
    const struct attributes both = { { "FifoThroughputLimit", "perMessageGroupId", "DeduplicationScope",
        "messageGroup" } };
    const struct attributes back = { { "DeduplicationScope", "queue" } };
    (void)state;
    assert_fault(set(&draft, "q.fifo", true, &both), 0, NULL);
    assert_int_equal(draft.dedup_scope_born, SQS_DEDUP_GROUP);
    assert_fault(set(&draft, "q.fifo", false, &back), SQS_INVALID_ATTRIBUTE_VALUE,
        "Invalid value for the parameter DeduplicationScope. Reason: The perMessageGroupId value is allowed only when "
        "the "
        "value for DeduplicationScope is messageGroup.");
}

static void the_scope_at_birth_stays(void **state)
{
    struct sqs_config draft = sqs_config_default;
    const struct attributes born = { { "FifoQueue", "true" } }, later = { { "DeduplicationScope", "messageGroup" } };
    (void)state;
    assert_fault(set(&draft, "q.fifo", true, &born), 0, NULL);
    assert_fault(set(&draft, "q.fifo", false, &later), 0, NULL);
    assert_int_equal(draft.dedup_scope, SQS_DEDUP_GROUP);
    assert_int_equal(draft.dedup_scope_born, SQS_DEDUP_QUEUE);
}

static void encryption(void **state)
{
    static const char clash[] =
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
    struct sqs_config draft = sqs_config_default;
    const struct attributes key = { { "KmsMasterKeyId", "testKeyId" } };
    const struct attributes both = { { "KmsMasterKeyId", "testKeyId", "SqsManagedSseEnabled", "true" } };
    const struct attributes swapped = { { "SqsManagedSseEnabled", "true", "KmsMasterKeyId", "testKeyId" } };
    const struct attributes sse = { { "SqsManagedSseEnabled", "true" } };
    const struct attributes cleared = { { "KmsMasterKeyId", "", "KmsDataKeyReusePeriodSeconds", "300" } };
    (void)state;
    assert_string_equal(value_of(&draft, "SqsManagedSseEnabled"), "true");
    assert_fault(set(&draft, "q", false, &key), 0, NULL);
    assert_string_equal(value_of(&draft, "SqsManagedSseEnabled"), "false");
    assert_string_equal(value_of(&draft, "KmsDataKeyReusePeriodSeconds"), "300");
    struct sqs_config copy = draft;
    assert_fault(set(&copy, "q", false, &sse), SQS_INVALID_ATTRIBUTE_NAME, clash);
    copy = sqs_config_default;
    assert_fault(set(&copy, "q", false, &both), SQS_INVALID_ATTRIBUTE_NAME, clash);
    copy = sqs_config_default;
    assert_fault(set(&copy, "q", false, &swapped), SQS_INVALID_ATTRIBUTE_NAME, clash);
    assert_fault(set(&draft, "q", false, &cleared), 0, NULL);
    assert_string_equal(value_of(&draft, "KmsMasterKeyId"), "-");
    assert_string_equal(value_of(&draft, "KmsDataKeyReusePeriodSeconds"), "-");
    assert_string_equal(value_of(&draft, "SqsManagedSseEnabled"), "false");
    assert_fault(set(&draft, "q", false, &sse), 0, NULL);
    assert_string_equal(value_of(&draft, "SqsManagedSseEnabled"), "true");
}

/* ---- policies that are too much -------------------------------------------------------------------------------- */

static struct slice policy_with(size_t statements, size_t actions, size_t principals, size_t conditions)
{
    struct buf b;
    buf_init(&b);
    buf_add_lit(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[");
    for (size_t s = 0; s < statements; s++) {
        buf_add(&b, s ? SLICE(",") : SLICE(""));
        buf_add_lit(&b, "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[");
        for (size_t i = 0; i < principals; i++)
            buf_printf(&b, "%s\"%012zu\"", i ? "," : "", i);
        buf_add_lit(&b, "]},\"Action\":[");
        for (size_t i = 0; i < actions; i++)
            buf_printf(&b, "%s\"sqs:a%zu\"", i ? "," : "", i);
        buf_add_lit(&b, "],\"Resource\":\"*\",\"Condition\":{\"StringLike\":{");
        for (size_t i = 0; i < conditions; i++)
            buf_printf(&b, "%s\"aws:k%zu\":\"v\"", i ? "," : "", i);
        buf_add_lit(&b, "}}}");
    }
    buf_add_lit(&b, "]}");
    struct slice text = arena_copy(&arena, buf_slice(&b));
    buf_deinit(&b);
    return text;
}

static void limits_of_policies(void **state)
{
    static const struct {
        size_t statements, actions, principals, conditions;
        const char *text;
    } cases[] = {
        { 20, 1, 1, 0, NULL },
        { 21, 1, 1, 0, "21 statements were found in the submitted policy, max allowed is 20" },
        { 1, 7, 1, 0, NULL },
        { 1, 8, 1, 0, "8 Actions were found, maximum allowed is 7." },
        { 2, 7, 25, 5, NULL },
        { 3, 7, 17, 1, "51 Principals were found, maximum allowed is 50." },
        { 2, 1, 1, 6, "12 Conditions were found, maximum allowed is 10." },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sqs_config draft = sqs_config_default;
        struct slice text =
            policy_with(cases[i].statements, cases[i].actions, cases[i].principals, cases[i].conditions);
        fault = (struct sqs_fault){ .arena = &arena };
        assert_fault(sqs_config_set_policy(&draft, text, &fault), cases[i].text ? SQS_OVER_LIMIT : 0, cases[i].text);
    }
    struct sqs_config draft = sqs_config_default;
    char *large = arena_alloc(&arena, 8193);
    memset(large, ' ', 8193);
    memcpy(large, GOOD_POLICY, sizeof(GOOD_POLICY) - 1);
    assert_fault(sqs_config_set_policy(&draft, slice_of(large, 8192), &fault), 0, NULL);
    assert_fault(sqs_config_set_policy(&draft, slice_of(large, 8193), &fault), SQS_INVALID_ATTRIBUTE_VALUE, NULL);
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

static struct values list(const struct sqs_config *config, const char *const *names, size_t count)
{
    struct slice asked[8];
    struct values listed;
    for (size_t i = 0; i < count; i++)
        asked[i] = slice_str(names[i]);
    const struct values v = { .items = asked, .count = count, .is_set = true };
    fault = (struct sqs_fault){ .arena = &arena };
    assert_int_equal(sqs_config_list(config, &facts, &v, &listed, &fault).code, 0);
    return listed;
}

static void all_of_a_standard_queue(void **state)
{
    static const char *const expected[][2] = { { "QueueArn", ARN("q") }, { "ApproximateNumberOfMessages", "3" },
        { "ApproximateNumberOfMessagesNotVisible", "2" }, { "ApproximateNumberOfMessagesDelayed", "1" },
        { "CreatedTimestamp", "1700000000" }, { "LastModifiedTimestamp", "1700000009" }, { "VisibilityTimeout", "30" },
        { "MaximumMessageSize", "1048576" }, { "MessageRetentionPeriod", "345600" }, { "DelaySeconds", "0" },
        { "ReceiveMessageWaitTimeSeconds", "0" }, { "SqsManagedSseEnabled", "true" } };
    static const char *const all[] = { "All", "QueueArn" };
    (void)state;
    struct values listed = list(&sqs_config_default, all, 2);
    const struct pair *pairs = listed.items;
    assert_int_equal(listed.count, ARRAY_COUNT(expected));
    for (size_t i = 0; i < listed.count; i++) {
        assert_true(slice_equal(pairs[i].key, slice_str(expected[i][0])));
        assert_true(slice_equal(pairs[i].text, slice_str(expected[i][1])));
    }
}

static void a_fifo_queue_lists_four_more(void **state)
{
    static const char *const all[] = { "All" }, *const fifo[] = { "FifoQueue", "ContentBasedDeduplication",
        "DeduplicationScope", "FifoThroughputLimit" };
    static const char *const expected[] = { "true", "false", "queue", "perQueue" };
    struct sqs_config draft = sqs_config_default;
    const struct attributes a = { { "FifoQueue", "true" } };
    (void)state;
    assert_fault(set(&draft, "q.fifo", true, &a), 0, NULL);
    assert_int_equal(list(&draft, all, 1).count, 12 + 4);
    struct values listed = list(&draft, fifo, 4);
    const struct pair *pairs = listed.items;
    assert_int_equal(listed.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_equal(pairs[i].text, slice_str(expected[i])));
    assert_int_equal(list(&sqs_config_default, fifo, 4).count, 0);
}

static void nothing_asked_and_unknown_asked(void **state)
{
    struct slice asked = SLICE("Colour");
    const struct values names = { .items = &asked, .count = 1, .is_set = true };
    struct values listed;
    (void)state;
    assert_int_equal(list(&sqs_config_default, NULL, 0).count, 0);
    assert_fault(sqs_config_list(&sqs_config_default, &facts, &names, &listed, &fault), SQS_INVALID_ATTRIBUTE_NAME,
        "Unknown Attribute Colour.");
}

/* ---- create again ---------------------------------------------------------------------------------------------- */

static const struct compare_case {
    const char *queue;
    struct attributes first, second;
    const char *differs; /* NULL: the same queue */
} compares[] = {
    { "q", { { NULL } }, { { NULL } }, NULL },
    { "q", { { "VisibilityTimeout", "17", "DelaySeconds", "3" } }, { { NULL } }, NULL },
    { "q", { { "VisibilityTimeout", "17", "DelaySeconds", "3" } }, { { "VisibilityTimeout", "017" } }, NULL },
    { "q", { { NULL } }, { { "VisibilityTimeout", "30" } }, NULL },
    { "q", { { NULL } }, { { "VisibilityTimeout", "31" } }, "VisibilityTimeout" },
    { "q", { { NULL } }, { { "DelaySeconds", "0", "MessageRetentionPeriod", "60" } }, "MessageRetentionPeriod" },
    { "q", { { "Policy", GOOD_POLICY } }, { { "Policy", GOOD_POLICY } }, NULL },
    { "q", { { NULL } }, { { "Policy", GOOD_POLICY } }, "Policy" },
    { "q", { { "RedrivePolicy", REDRIVE(ARN("d"), "3") } }, { { "RedrivePolicy", REDRIVE(ARN("d"), " \"3\"") } },
        NULL },
    { "q", { { "RedrivePolicy", REDRIVE(ARN("d"), "3") } }, { { "RedrivePolicy", REDRIVE(ARN("d"), "4") } },
        "RedrivePolicy" },
    { "q", { { "RedriveAllowPolicy", "{\"redrivePermission\":\"denyAll\"}" } },
        { { "RedriveAllowPolicy", "{ \"redrivePermission\" : \"denyAll\" }" } }, NULL },
    { "q", { { NULL } }, { { "RedriveAllowPolicy", "{\"redrivePermission\":\"denyAll\"}" } }, "RedriveAllowPolicy" },
    { "q", { { "KmsMasterKeyId", "k" } }, { { "KmsMasterKeyId", "k" } }, NULL },
    { "q", { { NULL } }, { { "KmsMasterKeyId", "" } }, NULL },
    { "q", { { NULL } }, { { "SqsManagedSseEnabled", "false" } }, "SqsManagedSseEnabled" },
    { "q.fifo", { { "FifoQueue", "true" } }, { { "FifoQueue", "True" } }, NULL },
    { "q.fifo", { { "FifoQueue", "true" } }, { { "ContentBasedDeduplication", "true", "FifoQueue", "true" } },
        "ContentBasedDeduplication" },
};

static void creating_again_names_what_differs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(compares); i++) {
        struct sqs_config stored = sqs_config_default, draft = sqs_config_default;
        struct values passed = values_of(&compares[i].second);
        assert_fault(set(&stored, compares[i].queue, true, &compares[i].first), 0, NULL);
        assert_fault(set(&draft, compares[i].queue, true, &compares[i].second), 0, NULL);
        struct error e = sqs_config_compare(&stored, &draft, &passed, &fault);
        if (!compares[i].differs) {
            assert_fault(e, 0, NULL);
            continue;
        }
        struct slice text =
            arena_printf(&arena, "A queue already exists with the same name and a different value for attribute %s%c",
                compares[i].differs, 0);
        assert_fault(e, SQS_QUEUE_NAME_EXISTS, text.data);
    }
}

/* ---- dead-letter targets --------------------------------------------------------------------------------------- */

static void put_queue(const char *name, const struct attributes *a)
{
    struct sqs_config config = sqs_config_default;
    const struct sqs_catalog_key key = { SLICE(ACCOUNT), SLICE("eu-west-1"), slice_str(name) };
    assert_fault(set(&config, name, true, a), 0, NULL);
    sqs_catalog_put(&key, 1, 1, &config, 1);
}

static struct error check_target(const char *name, const char *redrive)
{
    const struct sqs_config_subject subject = {
        .region = SLICE("eu-west-1"), .account = SLICE(ACCOUNT), .name = slice_str(name)
    };
    struct sqs_config draft = sqs_config_default;
    const struct attributes a = { { "RedrivePolicy", redrive } };
    assert_fault(set(&draft, name, true, &a), 0, NULL);
    return sqs_config_check_target(&draft, &subject, &fault);
}

static void targets_are_looked_up(void **state)
{
    static const struct {
        const char *source, *redrive, *reason;
    } cases[] = {
        { "q", REDRIVE(ARN("open"), "1"), NULL },
        { "q.fifo", REDRIVE(ARN("open.fifo"), "1"), NULL },
        { "q", REDRIVE(ARN("absent"), "1"), "Dead letter target does not exist." },
        { "q", REDRIVE(ARN("open.fifo"), "1"), "Dead-letter queue must be same type of queue as the source." },
        { "q.fifo", REDRIVE(ARN("open"), "1"), "Dead-letter queue must be same type of queue as the source." },
        { "q", REDRIVE("arn:aws:sqs:us-east-1:" ACCOUNT ":open", "1"),
            "Dead letter target must be in the same region as the source." },
        { "q", REDRIVE("arn:aws:sqs:eu-west-1:111122223333:open", "1"),
            "Dead letter target owner should be same as the source." },
        { "open", REDRIVE(ARN("open"), "1"), "Dead letter target must not be the source itself." },
        { "q", REDRIVE(ARN("closed"), "1"),
            "The redrive allow policy of the dead letter target does not allow this source queue." },
        { "q", REDRIVE(ARN("some"), "1"), NULL },
        { "r", REDRIVE(ARN("some"), "1"),
            "The redrive allow policy of the dead letter target does not allow this source queue." },
    };
    const struct attributes open = { { NULL } }, fifo = { { "FifoQueue", "true" } };
    const struct attributes closed = { { "RedriveAllowPolicy", "{\"redrivePermission\":\"denyAll\"}" } };
    const struct attributes some = { { "RedriveAllowPolicy",
        "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"" ARN("x") "\",\"" ARN("q") "\"]}" } };
    (void)state;
    put_queue("open", &open);
    put_queue("open.fifo", &fifo);
    put_queue("closed", &closed);
    put_queue("some", &some);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct error e = check_target(cases[i].source, cases[i].redrive);
        if (!cases[i].reason) {
            assert_fault(e, 0, NULL);
            continue;
        }
        struct slice text = arena_printf(&arena, "Value %s for parameter RedrivePolicy is invalid. Reason: %s%c",
            cases[i].redrive, cases[i].reason, 0);
        assert_fault(e, SQS_INVALID_PARAMETER, text.data);
    }
    sqs_catalog_remove_log(UINT16_MAX);
}

/* ---- tags ------------------------------------------------------------------------------------------------------ */

static struct error tag(struct sqs_config *draft, const struct attributes *a)
{
    struct values v = values_of(a);
    fault = (struct sqs_fault){ .arena = &arena };
    return sqs_config_tag(draft, &v, SLICE("q"), &fault);
}

static void assert_tags(const struct sqs_config *draft, const char *expected)
{
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < draft->tag_count; i++)
        buf_printf(&b, "%.*s=%.*s;", SLICE_ARG(draft->tags[i].key), SLICE_ARG(draft->tags[i].value));
    assert_true(slice_equal(buf_slice(&b), slice_str(expected)));
    buf_deinit(&b);
}

static void tags_are_sorted_and_overwritten(void **state)
{
    struct sqs_config draft = sqs_config_default;
    struct slice gone[] = { SLICE("b"), SLICE("never there") };
    const struct values keys = { .items = gone, .count = 2, .is_set = true };
    const struct attributes first = { { "team", "red", "b", "", "\xc3\xbc", "<\xc3\xa4>" } },
                            second = { { "team", "blue" } };
    (void)state;
    assert_fault(tag(&draft, &first), 0, NULL);
    assert_tags(&draft, "b=;team=red;\xc3\xbc=<\xc3\xa4>;");
    assert_fault(tag(&draft, &second), 0, NULL);
    sqs_config_untag(&draft, &keys, &arena);
    assert_tags(&draft, "team=blue;\xc3\xbc=<\xc3\xa4>;");
}

static void limits_of_tags(void **state)
{
    char text[2 * 257 + 1];
    (void)state;
    for (size_t i = 0; i < 257; i++)
        memcpy(text + 2 * i, "\xc3\xbc", 2); /* two bytes, one character */
    text[2 * 257] = 0;
    const struct {
        size_t key_chars, value_chars;
        bool is_good;
    } cases[] = { { 1, 0, true }, { 128, 256, true }, { 129, 1, false }, { 1, 257, false }, { 0, 1, false } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sqs_config draft = sqs_config_default;
        struct pair pair = { .key = slice_of(text, 2 * cases[i].key_chars),
            .text = slice_of(text, 2 * cases[i].value_chars) };
        const struct values v = { .items = &pair, .count = 1, .is_set = true };
        fault = (struct sqs_fault){ .arena = &arena };
        assert_fault(
            sqs_config_tag(&draft, &v, SLICE("q"), &fault), cases[i].is_good ? 0 : SQS_INVALID_PARAMETER, NULL);
    }
    struct sqs_config draft = sqs_config_default;
    for (size_t i = 0; i < 50; i++) {
        struct pair pair = { .key = arena_printf(&arena, "k%zu", i), .text = SLICE("v") };
        const struct values v = { .items = &pair, .count = 1, .is_set = true };
        assert_fault(sqs_config_tag(&draft, &v, SLICE("q"), &fault), 0, NULL);
    }
    const struct attributes more = { { "one more", "v" } }, again = { { "k7", "new" } };
    struct sqs_config copy = draft;
    assert_fault(tag(&copy, &more), SQS_INVALID_PARAMETER, "Too many tags added for queue q.");
    assert_fault(tag(&draft, &again), 0, NULL);
    assert_int_equal(draft.tag_count, 50);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

static struct slice encode(const struct sqs_config *config)
{
    struct buf b;
    buf_init(&b);
    sqs_config_encode(&b, config);
    struct slice bytes = arena_copy(&arena, buf_slice(&b));
    buf_deinit(&b);
    return bytes;
}

static void make_full(struct sqs_config *draft)
{
    const struct attributes a = { { "DelaySeconds", "1", "MaximumMessageSize", "2048", "KmsMasterKeyId", "key",
        "Policy", GOOD_POLICY, "RedrivePolicy", REDRIVE(ARN("d.fifo"), "7"), "RedriveAllowPolicy",
        "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"" ARN("a.fifo") "\",\"" ARN("b.fifo") "\"]}",
        "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId" } };
    const struct attributes tags = { { "a", "1", "b", "" } };
    *draft = sqs_config_default;
    assert_fault(set(draft, "q.fifo", true, &a), 0, NULL);
    assert_fault(tag(draft, &tags), 0, NULL);
}

static void the_default_takes_no_bytes(void **state)
{
    struct sqs_config *back;
    (void)state;
    assert_int_equal(encode(&sqs_config_default).size, 0);
    assert_int_equal(sqs_config_decode(SLICE(""), &back).code, 0);
    assert_int_equal(back->retention_s, 345600);
    assert_true(back->is_managed_sse);
    assert_int_equal(back->tag_count, 0);
    sqs_config_free(back);
    sqs_config_free(NULL);
}

static void a_config_survives_its_record(void **state)
{
    static const char *const all[] = { "All" };
    struct sqs_config draft, *back;
    (void)state;
    make_full(&draft);
    struct slice bytes = encode(&draft);
    assert_int_equal(sqs_config_decode(bytes, &back).code, 0);
    struct values before = list(&draft, all, 1), after = list(back, all, 1);
    const struct pair *x = before.items, *y = after.items;
    assert_int_equal(before.count, after.count);
    for (size_t i = 0; i < before.count; i++) {
        assert_true(slice_equal(x[i].key, y[i].key));
        assert_true(slice_equal(x[i].text, y[i].text));
    }
    assert_tags(back, "a=1;b=;");
    assert_non_null(back->policy);
    assert_false(back->is_policy_unreadable);
    assert_int_equal(back->dedup_scope_born, SQS_DEDUP_GROUP);
    assert_int_equal(back->redrive.max_receive_count, 7);
    assert_true(slice_equal(back->redrive.target_arn, SLICE(ARN("d.fifo"))));
    assert_true(sqs_redrive_is_allowed(&back->redrive_allow, SLICE(ARN("b.fifo"))));
    assert_false(sqs_redrive_is_allowed(&back->redrive_allow, SLICE(ARN("c.fifo"))));
    assert_true(slice_equal(encode(back), bytes));
    sqs_config_free(back);
}

static void cut_and_flipped_records_do_not_crash(void **state)
{
    struct sqs_config draft, *back;
    (void)state;
    make_full(&draft);
    struct slice bytes = encode(&draft);
    for (size_t size = 0; size < bytes.size; size++) {
        char *exact = memcpy(arena_alloc(&arena, size + 1), bytes.data, size);
        if (sqs_config_decode(slice_of(exact, size), &back).code == 0)
            sqs_config_free(back);
    }
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        char *flipped = memcpy(arena_alloc(&arena, bytes.size), bytes.data, bytes.size);
        flipped[bit / 8] ^= (char)(1 << bit % 8);
        if (sqs_config_decode(slice_of(flipped, bytes.size), &back).code == 0)
            sqs_config_free(back);
    }
}

static void unknown_fields_are_skipped(void **state)
{
    struct sqs_config *back;
    struct buf b;
    (void)state;
    buf_init(&b);
    pack_u64(&b, 1 << 1);
    pack_u64(&b, 5);
    pack_u64(&b, 999 << 1);
    pack_u64(&b, UINT64_MAX);
    pack_u64(&b, 1000 << 1 | 1);
    pack_bytes(&b, SLICE("of a newer version"));
    assert_int_equal(sqs_config_decode(buf_slice(&b), &back).code, 0);
    assert_int_equal(back->delay_s, 5);
    sqs_config_free(back);
    buf_deinit(&b);
}

static void an_unreadable_policy_is_kept_and_marked(void **state)
{
    struct sqs_config draft = sqs_config_default, *back;
    (void)state;
    draft.policy_text = SLICE("{\"of a later\":\"language\"}");
    assert_int_equal(sqs_config_decode(encode(&draft), &back).code, 0);
    assert_true(back->is_policy_unreadable);
    assert_null(back->policy);
    assert_true(slice_equal(back->policy_text, draft.policy_text));
    sqs_config_free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_attribute),
        cmocka_unit_test(the_type_cannot_change),
        cmocka_unit_test(high_throughput_needs_the_group_scope),
        cmocka_unit_test(the_scope_at_birth_stays),
        cmocka_unit_test(encryption),
        cmocka_unit_test(limits_of_policies),
        cmocka_unit_test(all_of_a_standard_queue),
        cmocka_unit_test(a_fifo_queue_lists_four_more),
        cmocka_unit_test(nothing_asked_and_unknown_asked),
        cmocka_unit_test(creating_again_names_what_differs),
        cmocka_unit_test(targets_are_looked_up),
        cmocka_unit_test(tags_are_sorted_and_overwritten),
        cmocka_unit_test(limits_of_tags),
        cmocka_unit_test(the_default_takes_no_bytes),
        cmocka_unit_test(a_config_survives_its_record),
        cmocka_unit_test(cut_and_flipped_records_do_not_crash),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(an_unreadable_policy_is_kept_and_marked),
    };
    return cmocka_run_group_tests(tests, start, end);
}
