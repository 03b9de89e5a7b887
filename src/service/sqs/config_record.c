/* The config as bytes of records and snapshots, and back: see config.h "Format". */
#include "service/sqs/config.h"
#include "base/limits.h"
#include "service/sqs/memory.h"
#include "service/sqs/pack.h"

enum config_field { /* identity in logs: never reuse a number */
    FIELD_DELAY = 1,
    FIELD_MAX_MESSAGE = 2,
    FIELD_RETENTION = 3,
    FIELD_WAIT = 4,
    FIELD_VISIBILITY = 5,
    FIELD_KMS_REUSE = 6,
    FIELD_FLAGS = 7,
    FIELD_DEDUP_SCOPE = 8,
    FIELD_DEDUP_SCOPE_BORN = 9,
    FIELD_THROUGHPUT = 10,
    FIELD_KMS_KEY = 16,
    FIELD_POLICY = 17,
    FIELD_REDRIVE_TEXT = 18,
    FIELD_REDRIVE_TARGET = 19,
    FIELD_REDRIVE_COUNT = 20,
    FIELD_ALLOW_TEXT = 21,
    FIELD_ALLOW_PERMISSION = 22,
    FIELD_ALLOW_SOURCE = 23, /* repeated */
    FIELD_TAG = 24,          /* repeated: (varint size, key), value; by key */
};
enum flags { FLAG_FIFO = 1, FLAG_CONTENT_DEDUP = 2, FLAG_NO_MANAGED_SSE = 4 };

/* ---- encode ---------------------------------------------------------------------------------------------------- */

static void put_number(struct buf *b, enum config_field id, uint64_t value, uint64_t standard)
{
    if (value == standard)
        return;
    pack_u64(b, (uint64_t)id << 1);
    pack_u64(b, value);
}

static void put_text(struct buf *b, enum config_field id, struct slice text)
{
    if (slice_is_none(text))
        return;
    pack_u64(b, (uint64_t)id << 1 | 1);
    pack_bytes(b, text);
}

static void put_tag(struct buf *b, const struct sqs_tag *tag)
{
    struct buf prefix; /* how long the size of the key is must be known first */
    buf_init(&prefix);
    pack_u64(&prefix, tag->key.size);
    pack_u64(b, FIELD_TAG << 1 | 1);
    pack_u64(b, prefix.size + tag->key.size + tag->value.size);
    buf_add(b, buf_slice(&prefix));
    buf_add(b, tag->key);
    buf_add(b, tag->value);
    buf_deinit(&prefix);
}

void sqs_config_encode(struct buf *b, const struct sqs_config *c)
{
    const struct sqs_config *standard = &sqs_config_default;
    put_number(b, FIELD_DELAY, c->delay_s, standard->delay_s);
    put_number(b, FIELD_MAX_MESSAGE, c->max_message_bytes, standard->max_message_bytes);
    put_number(b, FIELD_RETENTION, c->retention_s, standard->retention_s);
    put_number(b, FIELD_WAIT, c->wait_s, standard->wait_s);
    put_number(b, FIELD_VISIBILITY, c->visibility_s, standard->visibility_s);
    put_number(b, FIELD_KMS_REUSE, c->kms_reuse_s, standard->kms_reuse_s);
    put_number(b, FIELD_FLAGS,
        (uint64_t)(c->is_fifo ? FLAG_FIFO : 0) | (c->is_content_dedup ? FLAG_CONTENT_DEDUP : 0) |
            (c->is_managed_sse ? 0 : FLAG_NO_MANAGED_SSE),
        0);
    put_number(b, FIELD_DEDUP_SCOPE, c->dedup_scope, 0);
    put_number(b, FIELD_DEDUP_SCOPE_BORN, c->dedup_scope_born, 0);
    put_number(b, FIELD_THROUGHPUT, c->throughput_limit, 0);
    put_text(b, FIELD_KMS_KEY, c->kms_key);
    put_text(b, FIELD_POLICY, c->policy_text);
    if (c->redrive.is_set) {
        put_text(b, FIELD_REDRIVE_TEXT, c->redrive.text);
        put_text(b, FIELD_REDRIVE_TARGET, c->redrive.target_arn);
        put_number(b, FIELD_REDRIVE_COUNT, c->redrive.max_receive_count, 0);
    }
    if (c->redrive_allow.is_set) {
        put_text(b, FIELD_ALLOW_TEXT, c->redrive_allow.text);
        put_number(b, FIELD_ALLOW_PERMISSION, c->redrive_allow.permission, 0);
        for (size_t i = 0; i < c->redrive_allow.source_count; i++)
            put_text(b, FIELD_ALLOW_SOURCE, c->redrive_allow.source_arns[i]);
    }
    for (size_t i = 0; i < c->tag_count; i++)
        put_tag(b, &c->tags[i]);
}

/* ---- decode ---------------------------------------------------------------------------------------------------- */

struct place { /* what the first pass counts and the second fills */
    size_t tags, sources;
};

static bool count_lists(struct slice bytes, struct place *place)
{
    struct unpack u = unpack_of(bytes);
    while (unpack_has_more(&u)) {
        uint64_t tag = unpack_u64(&u);
        if (tag & 1)
            unpack_bytes(&u);
        else
            unpack_u64(&u);
        place->tags += tag == (FIELD_TAG << 1 | 1);
        place->sources += tag == (FIELD_ALLOW_SOURCE << 1 | 1);
    }
    return !u.is_bad && place->tags <= SQS_TAGS_MAX && place->sources <= SQS_REDRIVE_SOURCES_MAX;
}

static void take_number(struct sqs_config *c, uint64_t id, uint32_t value)
{
    switch (id) {
    case FIELD_DELAY:
        c->delay_s = value;
        break;
    case FIELD_MAX_MESSAGE:
        c->max_message_bytes = value;
        break;
    case FIELD_RETENTION:
        c->retention_s = value;
        break;
    case FIELD_WAIT:
        c->wait_s = value;
        break;
    case FIELD_VISIBILITY:
        c->visibility_s = value;
        break;
    case FIELD_KMS_REUSE:
        c->kms_reuse_s = value;
        break;
    case FIELD_FLAGS:
        c->is_fifo = value & FLAG_FIFO;
        c->is_content_dedup = value & FLAG_CONTENT_DEDUP;
        c->is_managed_sse = !(value & FLAG_NO_MANAGED_SSE);
        break;
    case FIELD_DEDUP_SCOPE:
        c->dedup_scope = value == SQS_DEDUP_GROUP;
        break;
    case FIELD_DEDUP_SCOPE_BORN:
        c->dedup_scope_born = value == SQS_DEDUP_GROUP;
        break;
    case FIELD_THROUGHPUT:
        c->throughput_limit = value == SQS_THROUGHPUT_GROUP;
        break;
    case FIELD_REDRIVE_COUNT:
        c->redrive.max_receive_count = value;
        break;
    case FIELD_ALLOW_PERMISSION:
        c->redrive_allow.permission = value <= SQS_REDRIVE_BY_QUEUE ? (uint8_t)value : SQS_REDRIVE_DENY_ALL;
        break;
    default: /* of a newer version */
        break;
    }
}

static bool take_tag(struct sqs_config *c, struct slice bytes)
{
    struct unpack u = unpack_of(bytes);
    struct slice key = unpack_bytes(&u);
    struct slice value = unpack_raw(&u, (size_t)(u.end - u.at));
    if (u.is_bad)
        return false;
    c->tags[c->tag_count++] = (struct sqs_tag){ key, value };
    return true;
}

static bool take_text(struct sqs_config *c, uint64_t id, struct slice text)
{
    switch (id) {
    case FIELD_KMS_KEY:
        c->kms_key = text;
        break;
    case FIELD_POLICY:
        c->policy_text = text;
        break;
    case FIELD_REDRIVE_TEXT:
        c->redrive.is_set = true;
        c->redrive.text = text;
        break;
    case FIELD_REDRIVE_TARGET:
        c->redrive.target_arn = text;
        break;
    case FIELD_ALLOW_TEXT:
        c->redrive_allow.is_set = true;
        c->redrive_allow.text = text;
        break;
    case FIELD_ALLOW_SOURCE:
        c->redrive_allow.source_arns[c->redrive_allow.source_count++] = text;
        break;
    case FIELD_TAG:
        return take_tag(c, text);
    default:
        break;
    }
    return true;
}

static bool take_fields(struct sqs_config *c, struct slice bytes)
{
    struct unpack u = unpack_of(bytes);
    while (unpack_has_more(&u)) {
        uint64_t tag = unpack_u64(&u);
        if (tag & 1) {
            if (!take_text(c, tag >> 1, unpack_bytes(&u)))
                return false;
        } else {
            uint64_t value = unpack_u64(&u);
            take_number(c, tag >> 1, value > UINT32_MAX ? UINT32_MAX : (uint32_t)value);
        }
    }
    return !u.is_bad && c->redrive.is_set == !slice_is_none(c->redrive.target_arn);
}

/* A policy that was accepted once and cannot be parsed now is kept, and closes the queue to strangers. */
static void compile_policy(struct sqs_config *c)
{
    struct slice sentence;
    struct arena arena;
    if (slice_is_none(c->policy_text))
        return;
    arena_init(&arena, 64 * KIB);
    if (failed(policy_parse(c->policy_text, &c->policy, &sentence, &arena))) {
        c->policy = NULL;
        c->is_policy_unreadable = true;
    }
    arena_deinit(&arena);
}

struct error sqs_config_decode(struct slice bytes, struct sqs_config **ret_config)
{
    struct place place = { 0 };
    if (!count_lists(bytes, &place))
        return ERROR_OF(ERR_CORRUPT);
    size_t lists = place.tags * sizeof(struct sqs_tag) + place.sources * sizeof(struct slice);
    struct sqs_config *c = memory_new(sizeof(*c) + lists + bytes.size + 1);
    *c = sqs_config_default;
    c->tags = (struct sqs_tag *)(c + 1);
    c->redrive_allow.source_arns = (struct slice *)(c->tags + place.tags);
    char *copy = (char *)(c->redrive_allow.source_arns + place.sources);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    if (!take_fields(c, slice_of(copy, bytes.size))) {
        memory_free(c);
        return ERROR_OF(ERR_CORRUPT);
    }
    compile_policy(c);
    *ret_config = c;
    return OK;
}

void sqs_config_free(struct sqs_config *config)
{
    if (!config)
        return;
    policy_free(config->policy);
    memory_free(config);
}
