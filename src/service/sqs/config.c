#include "service/sqs/config.h"
#include "base/text.h"
#include "codec/json.h"
#include "service/sqs/catalog.h"
#include "service/sqs/policy_text.h"
#include "service/sqs/sqs.h"

const struct sqs_config sqs_config_default = {
    .max_message_bytes = SQS_MESSAGE_BYTES_MAX,
    .retention_s = SQS_RETENTION_S_DEFAULT,
    .visibility_s = SQS_VISIBILITY_S_DEFAULT,
    .kms_reuse_s = SQS_KMS_REUSE_S_DEFAULT,
    .is_managed_sse = true,
};

/* ---- the rows -------------------------------------------------------------------------------------------------- */

struct row;
struct setting { /* one sqs_config_set */
    struct sqs_config *draft;
    const struct sqs_config_subject *subject;
    struct sqs_fault *f;
    bool is_sse_asked, is_throughput_asked;
};
typedef struct error set_fn(struct setting *s, const struct row *row, struct slice value);
/* False: the attribute has no value, so it is not listed. */
typedef bool get_fn(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value);
typedef bool equal_fn(const struct sqs_config *a, const struct sqs_config *b, const struct row *row);

struct row {
    struct slice name;
    uint16_t offset; /* in struct sqs_config, or in struct sqs_config_facts */
    bool is_fifo;    /* only FIFO queues have it */
    set_fn *set;     /* NULL: read only */
    get_fn *get;
    equal_fn *equal;
    uint32_t min, max;
    const char *choices[2];
};

static set_fn set_number, set_flag, set_choice, set_fifo, set_key, set_sse, set_policy, set_redrive, set_allow;
static get_fn get_number, get_flag, get_choice, get_text, get_key_reuse, get_arn, get_time, get_count;
static equal_fn equal_number, equal_byte, equal_text, equal_redrive, equal_allow;

#define AT(member) offsetof(struct sqs_config, member)
#define FACT(member) offsetof(struct sqs_config_facts, member)
#define NUMBER(at) .offset = AT(at), .set = set_number, .get = get_number, .equal = equal_number
#define TEXT(at, set_) .offset = AT(at), .set = set_, .get = get_text, .equal = equal_text
#define NAME(literal)                                                                                                  \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct row rows[] = {
    { NAME("QueueArn"), .get = get_arn },
    { NAME("ApproximateNumberOfMessages"), .offset = FACT(visible), .get = get_count },
    { NAME("ApproximateNumberOfMessagesNotVisible"), .offset = FACT(in_flight), .get = get_count },
    { NAME("ApproximateNumberOfMessagesDelayed"), .offset = FACT(delayed), .get = get_count },
    { NAME("CreatedTimestamp"), .offset = FACT(created_ms), .get = get_time },
    { NAME("LastModifiedTimestamp"), .offset = FACT(changed_ms), .get = get_time },
    { NAME("VisibilityTimeout"), NUMBER(visibility_s), .max = SQS_VISIBILITY_S_MAX },
    { NAME("MaximumMessageSize"), NUMBER(max_message_bytes), .min = SQS_MESSAGE_BYTES_MIN,
        .max = SQS_MESSAGE_BYTES_MAX },
    { NAME("MessageRetentionPeriod"), NUMBER(retention_s), .min = SQS_RETENTION_S_MIN, .max = SQS_RETENTION_S_MAX },
    { NAME("DelaySeconds"), NUMBER(delay_s), .max = SQS_DELAY_S_MAX },
    { NAME("ReceiveMessageWaitTimeSeconds"), NUMBER(wait_s), .max = SQS_WAIT_S_MAX },
    { NAME("Policy"), TEXT(policy_text, set_policy) },
    { NAME("RedrivePolicy"), .offset = AT(redrive.text), .set = set_redrive, .get = get_text, .equal = equal_redrive },
    { NAME("RedriveAllowPolicy"), .offset = AT(redrive_allow.text), .set = set_allow, .get = get_text,
        .equal = equal_allow },
    { NAME("KmsMasterKeyId"), TEXT(kms_key, set_key) },
    { NAME("KmsDataKeyReusePeriodSeconds"), .offset = AT(kms_reuse_s), .set = set_number, .get = get_key_reuse,
        .equal = equal_number, .min = SQS_KMS_REUSE_S_MIN, .max = SQS_KMS_REUSE_S_MAX },
    { NAME("SqsManagedSseEnabled"), .offset = AT(is_managed_sse), .set = set_sse, .get = get_flag,
        .equal = equal_byte },
    { NAME("FifoQueue"), .offset = AT(is_fifo), .is_fifo = true, .set = set_fifo, .get = get_flag,
        .equal = equal_byte },
    { NAME("ContentBasedDeduplication"), .offset = AT(is_content_dedup), .is_fifo = true, .set = set_flag,
        .get = get_flag, .equal = equal_byte },
    { NAME("DeduplicationScope"), .offset = AT(dedup_scope), .is_fifo = true, .set = set_choice, .get = get_choice,
        .equal = equal_byte, .choices = { "queue", "messageGroup" } },
    { NAME("FifoThroughputLimit"), .offset = AT(throughput_limit), .is_fifo = true, .set = set_choice,
        .get = get_choice, .equal = equal_byte, .choices = { "perQueue", "perMessageGroupId" } },
};
enum { ROW_COUNT = ARRAY_COUNT(rows) };

static const struct row *row_find(struct slice name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (slice_equal(rows[i].name, name))
            return &rows[i];
    return NULL;
}

bool sqs_config_has_attribute(struct slice name)
{
    return row_find(name) != NULL;
}

static struct error fail_unknown(struct sqs_fault *f, struct slice name)
{
    return sqs_fault(f, SQS_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.*s.", SLICE_ARG(name));
}

static struct error fail_value(struct setting *s, const struct row *row)
{
    return sqs_fault(s->f, SQS_INVALID_ATTRIBUTE_VALUE, "Invalid value for the parameter %.*s.", SLICE_ARG(row->name));
}

static struct error fail_value_because(struct setting *s, const struct row *row, const char *reason)
{
    return sqs_fault(s->f, SQS_INVALID_ATTRIBUTE_VALUE, "Invalid value for the parameter %.*s. Reason: %s",
        SLICE_ARG(row->name), reason);
}

/* ---- numbers, flags, choices ----------------------------------------------------------------------------------- */

static void *place(const struct sqs_config *c, const struct row *row)
{
    return (char *)c + row->offset;
}

static struct error set_number(struct setting *s, const struct row *row, struct slice value)
{
    uint64_t number;
    if (!text_parse_u64(value, &number) || number < row->min || number > row->max)
        return fail_value(s, row);
    *(uint32_t *)place(s->draft, row) = (uint32_t)number;
    return OK;
}

static bool parse_flag(struct slice value, bool *ret)
{
    bool is_true = slice_equal_nocase(value, SLICE("true"));
    if (!is_true && !slice_equal_nocase(value, SLICE("false")))
        return false;
    *ret = is_true;
    return true;
}

static struct error set_flag(struct setting *s, const struct row *row, struct slice value)
{
    return parse_flag(value, place(s->draft, row)) ? OK : fail_value(s, row);
}

static struct error set_choice(struct setting *s, const struct row *row, struct slice value)
{
    s->is_throughput_asked |= row->offset == AT(throughput_limit);
    for (uint8_t i = 0; i < 2; i++) {
        if (slice_equal_nocase(value, slice_str(row->choices[i]))) {
            *(uint8_t *)place(s->draft, row) = i;
            return OK;
        }
    }
    return fail_value(s, row);
}

static bool get_number(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)facts;
    *ret_value = arena_printf(arena, "%u", *(const uint32_t *)place(c, row));
    return true;
}

static bool get_flag(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)facts;
    (void)arena;
    *ret_value = *(const bool *)place(c, row) ? SLICE("true") : SLICE("false");
    return true;
}

static bool get_choice(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)facts;
    (void)arena;
    *ret_value = slice_str(row->choices[*(const uint8_t *)place(c, row)]);
    return true;
}

static bool get_text(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)facts;
    (void)arena;
    *ret_value = *(const struct slice *)place(c, row);
    return !slice_is_none(*ret_value);
}

static bool equal_number(const struct sqs_config *a, const struct sqs_config *b, const struct row *row)
{
    return *(const uint32_t *)place(a, row) == *(const uint32_t *)place(b, row);
}

static bool equal_byte(const struct sqs_config *a, const struct sqs_config *b, const struct row *row)
{
    return *(const uint8_t *)place(a, row) == *(const uint8_t *)place(b, row);
}

static bool equal_text(const struct sqs_config *a, const struct sqs_config *b, const struct row *row)
{
    return slice_equal(*(const struct slice *)place(a, row), *(const struct slice *)place(b, row));
}

/* The type is a fact of the name: asked for at creation, never changed. */
static struct error set_fifo(struct setting *s, const struct row *row, struct slice value)
{
    bool is_fifo;
    if (!parse_flag(value, &is_fifo))
        return fail_value(s, row);
    if (is_fifo == s->draft->is_fifo)
        return OK;
    return fail_value_because(s, row, "Modifying queue type is not supported.");
}

/* ---- encryption ------------------------------------------------------------------------------------------------ */

static struct error set_key(struct setting *s, const struct row *row, struct slice value)
{
    if (value.size > SQS_KMS_KEY_BYTES_MAX || !text_is_xml_chars(value))
        return fail_value(s, row);
    s->draft->kms_key = value.size ? value : SLICE_NONE;
    if (value.size)
        s->draft->is_managed_sse = false; /* and it stays off when the key is cleared: contract 1.6 */
    return OK;
}

static struct error set_sse(struct setting *s, const struct row *row, struct slice value)
{
    bool is_on;
    if (!parse_flag(value, &is_on))
        return fail_value(s, row);
    s->is_sse_asked |= is_on;
    s->draft->is_managed_sse = is_on;
    return OK;
}

static bool get_key_reuse(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    if (slice_is_none(c->kms_key) && c->kms_reuse_s == SQS_KMS_REUSE_S_DEFAULT)
        return false;
    return get_number(c, facts, row, arena, ret_value);
}

/* ---- policy ---------------------------------------------------------------------------------------------------- */

struct error sqs_config_set_policy(struct sqs_config *draft, struct slice text, struct sqs_fault *f)
{
    if (text.size)
        TRY(sqs_policy_text_check(text, f));
    draft->policy_text = text.size ? text : SLICE_NONE;
    draft->policy = NULL;
    draft->is_policy_unreadable = false;
    return OK;
}

static struct error set_policy(struct setting *s, const struct row *row, struct slice value)
{
    (void)row;
    return sqs_config_set_policy(s->draft, value, s->f);
}

/* ---- dead letters: where messages go --------------------------------------------------------------------------- */

static struct error fail_redrive(struct setting *s, const struct row *row, struct slice value, const char *reason)
{
    return sqs_fault(s->f, SQS_INVALID_PARAMETER, "Value %.*s for parameter %.*s is invalid. Reason: %s",
        SLICE_ARG(value), SLICE_ARG(row->name), reason);
}

/* A number, or one in quotes, as older consoles wrote it. */
static struct error read_count(struct json_reader *r, struct slice *ret_text)
{
    return json_peek(r) == JSON_STRING ? json_read_string(r, ret_text) : json_read_number(r, ret_text);
}

struct redrive_text {
    struct slice target, count;
    bool has_other;
};

static struct error read_redrive(struct slice value, struct redrive_text *text, struct arena *arena)
{
    struct json_reader r;
    struct slice key;
    json_reader_init(&r, value, arena);
    TRY(json_enter_object(&r));
    while (json_next_key(&r, &key)) {
        if (slice_equal(key, SLICE("deadLetterTargetArn"))) {
            TRY(json_read_string(&r, &text->target));
        } else if (slice_equal(key, SLICE("maxReceiveCount"))) {
            TRY(read_count(&r, &text->count));
        } else {
            text->has_other = true;
            TRY(json_skip(&r));
        }
    }
    return json_end(&r);
}

static struct error set_redrive(struct setting *s, const struct row *row, struct slice value)
{
    struct redrive_text text = { SLICE_NONE, SLICE_NONE, false };
    uint64_t count;
    s->draft->redrive = (struct sqs_redrive){ 0 };
    if (value.size == 0)
        return OK;
    if (value.size > SQS_REDRIVE_TEXT_BYTES_MAX || failed(read_redrive(value, &text, s->f->arena)))
        return fail_value_because(s, row, "Redrive policy is not a valid JSON map.");
    if (text.has_other)
        return fail_redrive(
            s, row, value, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].");
    if (slice_is_none(text.target))
        return fail_redrive(s, row, value, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.");
    if (slice_is_none(text.count))
        return fail_redrive(s, row, value, "Redrive policy does not contain mandatory attribute: maxReceiveCount.");
    if (!text_parse_u64(text.count, &count) || count < 1 || count > SQS_MAX_RECEIVE_COUNT_MAX)
        return sqs_fault(s->f, SQS_INVALID_PARAMETER,
            "Value %.*s for parameter %.*s is invalid. Reason: Invalid value for maxReceiveCount: %.*s, valid values "
            "are "
            "from 1 to %d both inclusive.",
            SLICE_ARG(value), SLICE_ARG(row->name), SLICE_ARG(text.count), SQS_MAX_RECEIVE_COUNT_MAX);
    struct slice region, account, name;
    if (!sqs_arn_parse(text.target, &region, &account, &name))
        return fail_redrive(s, row, value, "Invalid value for deadLetterTargetArn.");
    s->draft->redrive = (struct sqs_redrive){
        .is_set = true, .max_receive_count = (uint32_t)count, .target_arn = text.target, .text = value
    };
    return OK;
}

static bool equal_redrive(const struct sqs_config *a, const struct sqs_config *b, const struct row *row)
{
    (void)row;
    return a->redrive.is_set == b->redrive.is_set && a->redrive.max_receive_count == b->redrive.max_receive_count &&
           slice_equal(a->redrive.target_arn, b->redrive.target_arn);
}

static struct error fail_target(const struct sqs_config *draft, struct sqs_fault *f, const char *reason)
{
    return sqs_fault_value(f, draft->redrive.text, "RedrivePolicy", reason);
}

struct error sqs_config_check_target(
    const struct sqs_config *draft, const struct sqs_config_subject *subject, struct sqs_fault *f)
{
    struct sqs_catalog_key target;
    struct sqs_catalog_facts facts;
    if (!draft->redrive.is_set)
        return OK;
    if (!sqs_arn_parse(draft->redrive.target_arn, &target.region, &target.account, &target.name))
        return fail_target(draft, f, "Invalid value for deadLetterTargetArn.");
    if (!slice_equal(target.account, subject->account))
        return fail_target(draft, f, "Dead letter target owner should be same as the source.");
    if (!slice_equal(target.region, subject->region))
        return fail_target(draft, f, "Dead letter target must be in the same region as the source.");
    if (slice_equal(target.name, subject->name))
        return fail_target(draft, f, "Dead letter target must not be the source itself.");
    struct slice source = sqs_arn(f->arena, subject->region, subject->account, subject->name);
    if (!sqs_catalog_find(&target, source, &facts))
        return fail_target(draft, f, "Dead letter target does not exist.");
    if (facts.is_fifo != draft->is_fifo)
        return fail_target(draft, f, "Dead-letter queue must be same type of queue as the source.");
    if (!facts.is_allowed)
        return fail_target(
            draft, f, "The redrive allow policy of the dead letter target does not allow this source queue.");
    return OK;
}

/* ---- dead letters: whose messages may come --------------------------------------------------------------------- */

static const char *const permissions[] = { "allowAll", "denyAll", "byQueue" };

static struct error read_sources(struct json_reader *r, struct sqs_redrive_allow *allow, size_t *count)
{
    struct slice arn;
    TRY(json_enter_array(r));
    while (json_next_element(r)) {
        TRY(json_read_string(r, &arn));
        if (*count < SQS_REDRIVE_SOURCES_MAX)
            allow->source_arns[*count] = arn;
        ++*count;
    }
    return r->error;
}

static struct error read_allow(struct slice value, struct sqs_redrive_allow *allow, struct slice *permission,
    size_t *source_count, struct arena *arena)
{
    struct json_reader r;
    struct slice key;
    json_reader_init(&r, value, arena);
    TRY(json_enter_object(&r));
    while (json_next_key(&r, &key)) {
        if (slice_equal(key, SLICE("redrivePermission")))
            TRY(json_read_string(&r, permission));
        else if (slice_equal(key, SLICE("sourceQueueArns")))
            TRY(read_sources(&r, allow, source_count));
        else
            return ERROR_OF(ERR_BAD);
    }
    return json_end(&r);
}

static struct error check_sources(
    struct setting *s, const struct row *row, struct slice value, const struct sqs_redrive_allow *allow, size_t count)
{
    bool is_by_queue = allow->permission == SQS_REDRIVE_BY_QUEUE;
    struct slice region, account, name;
    if (is_by_queue && count == 0)
        return fail_redrive(s, row, value,
            "Amazon SQS can't create the redrive allow policy. When you specify the byQueue permission type, you must "
            "also specify one or more sourceQueueArns values.");
    if (!is_by_queue && count > 0)
        return fail_redrive(s, row, value,
            "Amazon SQS can't create the redrive allow policy. To specify one or more source queue ARNs, you must set "
            "redrivePermission to byQueue.");
    if (count > SQS_REDRIVE_SOURCES_MAX)
        return fail_redrive(s, row, value,
            "Amazon SQS can't create the redrive allow policy. The maximum number of source queue ARNs you can specify "
            "is "
            "10.");
    for (size_t i = 0; i < count; i++)
        if (!sqs_arn_parse(allow->source_arns[i], &region, &account, &name))
            return fail_redrive(s, row, value, "A value of sourceQueueArns is not the ARN of a queue.");
    return OK;
}

static struct error set_allow(struct setting *s, const struct row *row, struct slice value)
{
    /* the apostrophe is the real service's */
    static const char unsupported[] =
        "Amazon SQS can't create the redrive allow policy, as it\xe2\x80\x99s in an unsupported format.";
    s->draft->redrive_allow = (struct sqs_redrive_allow){ 0 };
    if (value.size == 0)
        return OK;
    struct sqs_redrive_allow allow = { .is_set = true, .text = value };
    struct slice permission = SLICE_NONE;
    size_t count = 0, index = 0;
    allow.source_arns = ARENA_ARRAY(s->f->arena, struct slice, SQS_REDRIVE_SOURCES_MAX);
    if (value.size > SQS_REDRIVE_TEXT_BYTES_MAX || failed(read_allow(value, &allow, &permission, &count, s->f->arena)))
        return fail_value_because(s, row, unsupported);
    while (index < ARRAY_COUNT(permissions) && !slice_equal(permission, slice_str(permissions[index])))
        index++;
    if (index == ARRAY_COUNT(permissions))
        return fail_value_because(s, row, unsupported);
    allow.permission = (uint8_t)index;
    TRY(check_sources(s, row, value, &allow, count));
    allow.source_count = (uint8_t)count;
    s->draft->redrive_allow = allow;
    return OK;
}

static bool equal_allow(const struct sqs_config *a, const struct sqs_config *b, const struct row *row)
{
    const struct sqs_redrive_allow *x = &a->redrive_allow, *y = &b->redrive_allow;
    (void)row;
    if (x->is_set != y->is_set || x->permission != y->permission || x->source_count != y->source_count)
        return false;
    for (size_t i = 0; i < x->source_count; i++)
        if (!slice_equal(x->source_arns[i], y->source_arns[i]))
            return false;
    return true;
}

bool sqs_redrive_is_allowed(const struct sqs_redrive_allow *allow, struct slice source_arn)
{
    if (allow->permission != SQS_REDRIVE_BY_QUEUE)
        return allow->permission == SQS_REDRIVE_ALLOW_ALL;
    for (size_t i = 0; i < allow->source_count; i++)
        if (slice_equal(allow->source_arns[i], source_arn))
            return true;
    return false;
}

/* ---- set and compare ------------------------------------------------------------------------------------------- */

static struct error fail_not_fifo(struct setting *s, const struct row *row, struct slice value)
{
    if (row->set == set_fifo && s->subject->is_new)
        return set_fifo(s, row, value); /* "false" is what a standard queue is: tools say so at creation */
    if (row->set == set_fifo || row->set == set_flag)
        return fail_unknown(s->f, row->name);
    return sqs_fault(s->f, SQS_INVALID_ATTRIBUTE_NAME, "You can specify the %.*s only when FifoQueue is set to true.",
        SLICE_ARG(row->name));
}

static struct error check_together(struct setting *s)
{
    const struct sqs_config *draft = s->draft;
    if (s->is_sse_asked && !slice_is_none(draft->kms_key))
        return sqs_fault(s->f, SQS_INVALID_ATTRIBUTE_NAME,
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS "
            "SSE.");
    if (draft->throughput_limit == SQS_THROUGHPUT_GROUP && draft->dedup_scope != SQS_DEDUP_GROUP) {
        const struct row *row =
            row_find(s->is_throughput_asked ? SLICE("FifoThroughputLimit") : SLICE("DeduplicationScope"));
        return fail_value_because(s, row,
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.");
    }
    return OK;
}

struct error sqs_config_set(struct sqs_config *draft, const struct sqs_config_subject *subject,
    const struct values *attributes, struct sqs_fault *f)
{
    struct setting s = { .draft = draft, .subject = subject, .f = f };
    const struct pair *pairs = attributes->items;
    if (subject->is_new)
        draft->is_fifo = slice_ends(subject->name, SLICE(".fifo"));
    for (size_t i = 0; i < attributes->count; i++) {
        const struct row *row = row_find(pairs[i].key);
        struct slice value = slice_is_none(pairs[i].text) ? SLICE("") : pairs[i].text;
        if (!row || !row->set)
            return fail_unknown(f, pairs[i].key);
        if (row->is_fifo && !draft->is_fifo)
            TRY(fail_not_fifo(&s, row, value));
        else
            TRY(row->set(&s, row, value));
    }
    TRY(check_together(&s));
    if (subject->is_new)
        draft->dedup_scope_born = draft->dedup_scope;
    return OK;
}

struct error sqs_config_compare(const struct sqs_config *stored, const struct sqs_config *draft,
    const struct values *attributes, struct sqs_fault *f)
{
    const struct pair *pairs = attributes->items;
    for (size_t i = 0; i < attributes->count; i++) {
        const struct row *row = row_find(pairs[i].key);
        ASSERT(row && row->equal); /* it was set on the draft */
        if (!row->equal(stored, draft, row))
            return sqs_fault(f, SQS_QUEUE_NAME_EXISTS,
                "A queue already exists with the same name and a different value for attribute %.*s",
                SLICE_ARG(row->name));
    }
    return OK;
}

/* ---- tags ------------------------------------------------------------------------------------------------------ */

/* Characters, not bytes: of valid UTF-8, as every binder delivers it. */
static size_t count_chars(struct slice s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.size; i++)
        count += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return count;
}

static struct error check_tag(const struct pair *tag, struct sqs_fault *f)
{
    if (tag->key.size == 0 || count_chars(tag->key) > SQS_TAG_KEY_CHARS_MAX)
        return sqs_fault(
            f, SQS_INVALID_PARAMETER, "Tag keys must be between 1 and %d characters in length.", SQS_TAG_KEY_CHARS_MAX);
    if (count_chars(tag->text) > SQS_TAG_VALUE_CHARS_MAX)
        return sqs_fault(f, SQS_INVALID_PARAMETER, "Tag values must be between 0 and %d characters in length.",
            SQS_TAG_VALUE_CHARS_MAX);
    if (!text_is_xml_chars(tag->key) || !text_is_xml_chars(tag->text))
        return sqs_fault(f, SQS_INVALID_PARAMETER, "Tags must not contain control characters.");
    return OK;
}

/* The place of the key in the sorted tags, or where it would go. */
static size_t tag_place(const struct sqs_tag *tags, size_t count, struct slice key, bool *ret_found)
{
    size_t place_ = 0;
    while (place_ < count && slice_compare(tags[place_].key, key) < 0)
        place_++;
    *ret_found = place_ < count && slice_equal(tags[place_].key, key);
    return place_;
}

struct error sqs_config_tag(
    struct sqs_config *draft, const struct values *tags, struct slice queue_name, struct sqs_fault *f)
{
    const struct pair *pairs = tags->items;
    struct sqs_tag *out = ARENA_ARRAY(f->arena, struct sqs_tag, SQS_TAGS_MAX);
    size_t count = draft->tag_count;
    if (count)
        memcpy(out, draft->tags, count * sizeof(*out));
    for (size_t i = 0; i < tags->count; i++) {
        TRY(check_tag(&pairs[i], f));
        bool is_found;
        size_t at = tag_place(out, count, pairs[i].key, &is_found);
        if (!is_found) {
            if (count == SQS_TAGS_MAX)
                return sqs_fault(
                    f, SQS_INVALID_PARAMETER, "Too many tags added for queue %.*s.", SLICE_ARG(queue_name));
            memmove(out + at + 1, out + at, (count - at) * sizeof(*out));
            count++;
        }
        out[at] = (struct sqs_tag){ pairs[i].key, slice_is_none(pairs[i].text) ? SLICE("") : pairs[i].text };
    }
    draft->tags = out;
    draft->tag_count = (uint8_t)count;
    return OK;
}

void sqs_config_untag(struct sqs_config *draft, const struct values *keys, struct arena *arena)
{
    const struct slice *names = keys->items;
    size_t count = draft->tag_count;
    if (count == 0)
        return;
    struct sqs_tag *out = ARENA_ARRAY(arena, struct sqs_tag, count);
    memcpy(out, draft->tags, count * sizeof(*out));
    for (size_t i = 0; i < keys->count; i++) {
        bool is_found;
        size_t at = tag_place(out, count, names[i], &is_found);
        if (is_found)
            memmove(out + at, out + at + 1, (--count - at) * sizeof(*out));
    }
    draft->tags = out;
    draft->tag_count = (uint8_t)count;
}

/* ---- GetQueueAttributes ---------------------------------------------------------------------------------------- */

static bool get_arn(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)c;
    (void)row;
    (void)arena;
    *ret_value = facts->arn;
    return true;
}

static uint64_t fact(const struct sqs_config_facts *facts, const struct row *row)
{
    return *(const uint64_t *)((const char *)facts + row->offset);
}

static bool get_time(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)c;
    *ret_value = arena_printf(arena, "%llu", (unsigned long long)(fact(facts, row) / 1000));
    return true;
}

static bool get_count(const struct sqs_config *c, const struct sqs_config_facts *facts, const struct row *row,
    struct arena *arena, struct slice *ret_value)
{
    (void)c;
    *ret_value = arena_printf(arena, "%llu", (unsigned long long)fact(facts, row));
    return true;
}

struct error sqs_config_list(const struct sqs_config *config, const struct sqs_config_facts *facts,
    const struct values *names, struct values *ret_attributes, struct sqs_fault *f)
{
    bool is_wanted[ROW_COUNT] = { false };
    const struct slice *asked = names->items;
    for (size_t i = 0; i < names->count; i++) {
        if (slice_equal(asked[i], SLICE("All"))) {
            memset(is_wanted, true, sizeof(is_wanted));
            continue;
        }
        const struct row *row = row_find(asked[i]);
        if (!row)
            return fail_unknown(f, asked[i]);
        is_wanted[row - rows] = true;
    }
    struct values attributes = { .items = ARENA_ARRAY(f->arena, struct pair, ROW_COUNT) };
    struct pair *out = attributes.items;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!is_wanted[i] || (rows[i].is_fifo && !config->is_fifo))
            continue;
        struct pair *pair = &out[attributes.count];
        if (rows[i].get(config, facts, &rows[i], f->arena, &pair->text)) {
            pair->key = rows[i].name;
            attributes.count++;
        }
    }
    attributes.is_set = true;
    *ret_attributes = attributes;
    return OK;
}
