/* config.h: everything that can be set on one queue: attributes, policy, dead letters, encryption, tags.
 *
 *      record ──decode──> the queue's config (immutable, one block)
 *                              │ draft (views, in a call's arena)
 *      attributes, tags ──set──┴──> draft ──encode──> record QUEUE_CREATED / QUEUE_CHANGED ──apply──> decode ...
 *
 * A change is always the whole config: the record holds the effect, never what was asked.
 * Owner    a queue's config: the holder of its log's token. A draft: its call.
 * Memory   sqs_config_decode makes one heap block (and the compiled policy); sqs_config_free gives both back:
 *          called only by apply, restore and state_free. Drafts are plain values whose slices live in the call's
 *          arena or in the queue.
 * Fails    sqs_config_set*: the error rows of contract 1.3/1.4 with their sentences; on failure the draft is not
 *          to be used. sqs_config_decode: ERR_CORRUPT.
 * Format   a sequence of fields in rising order: varint (id << 1 | is_bytes), then varint or (varint size, bytes).
 *          Defaults are not written, unknown ids are skipped: a newer field does not break an older reader.
 */
#ifndef MILLRACE_SERVICE_SQS_CONFIG_H
#define MILLRACE_SERVICE_SQS_CONFIG_H

#include "api/shape.h"
#include "auth/policy.h"
#include "base/buf.h"
#include "base/error.h"
#include "service/sqs/fault.h"
#include "service/sqs/limits.h"

enum sqs_dedup_scope { SQS_DEDUP_QUEUE, SQS_DEDUP_GROUP };
enum sqs_throughput_limit { SQS_THROUGHPUT_QUEUE, SQS_THROUGHPUT_GROUP };
enum sqs_redrive_permission { SQS_REDRIVE_ALLOW_ALL, SQS_REDRIVE_DENY_ALL, SQS_REDRIVE_BY_QUEUE };

struct sqs_redrive { /* RedrivePolicy: where its messages go */
    bool is_set;
    uint32_t max_receive_count;
    struct slice target_arn; /* a view of `text` or of the arena */
    struct slice text;       /* as it was set */
};
struct sqs_redrive_allow { /* RedriveAllowPolicy: whose messages may come */
    bool is_set;
    uint8_t permission; /* enum sqs_redrive_permission; ALLOW_ALL when not set */
    uint8_t source_count;
    struct slice *source_arns;
    struct slice text;
};
struct sqs_tag {
    struct slice key, value;
};

struct sqs_config {
    uint32_t delay_s;
    uint32_t max_message_bytes;
    uint32_t retention_s;
    uint32_t wait_s;
    uint32_t visibility_s;
    uint32_t kms_reuse_s;

    bool is_fifo;
    bool is_content_dedup;
    bool is_managed_sse;
    bool is_policy_unreadable; /* the log holds one that this version cannot parse: strangers stay out */
    uint8_t dedup_scope;       /* as the attribute says */
    uint8_t dedup_scope_born;  /* as it was at creation: this one decides (contract 2.2) */
    uint8_t throughput_limit;
    uint8_t tag_count;

    struct slice kms_key;     /* none: not set */
    struct slice policy_text; /* none: not set; verbatim */
    struct policy *policy;    /* compiled; NULL in drafts whose policy was just set, and without a policy */
    struct sqs_redrive redrive;
    struct sqs_redrive_allow redrive_allow;
    struct sqs_tag *tags; /* by key, bytewise */
};

extern const struct sqs_config sqs_config_default;

/* ---- drafts ---- */

/* Who is being changed; read only. Dead-letter rules look the target up in the catalogue. */
struct sqs_config_subject {
    struct slice region, account, name;
    bool is_new; /* CreateQueue: FifoQueue may be set */
};

/* Sets the attributes (map of text) one after the other, then checks them together. A failed draft is thrown away. */
struct error sqs_config_set(struct sqs_config *draft, const struct sqs_config_subject *subject,
    const struct values *attributes, struct sqs_fault *f);
/* CreateQueue again: would it be the same queue? `draft` is the default with `attributes` set on it, so all is in its
 * normal form. Of each attribute that was passed the stored value must be equal; the first that differs is named. */
struct error sqs_config_compare(const struct sqs_config *stored, const struct sqs_config *draft,
    const struct values *attributes, struct sqs_fault *f);
/* The target of the draft's RedrivePolicy, by the catalogue: exists, same account, region, type, allows the source. */
struct error sqs_config_check_target(
    const struct sqs_config *draft, const struct sqs_config_subject *subject, struct sqs_fault *f);

/* Tags: adds or overwrites; removes. `draft->tags` becomes an array of the arena. */
struct error sqs_config_tag(
    struct sqs_config *draft, const struct values *tags, struct slice queue_name, struct sqs_fault *f);
void sqs_config_untag(struct sqs_config *draft, const struct values *keys, struct arena *arena);
/* Replaces the policy by a checked text; none removes it. */
struct error sqs_config_set_policy(struct sqs_config *draft, struct slice text, struct sqs_fault *f);

/* May messages of `source_arn` come into a queue with this policy? */
bool sqs_redrive_is_allowed(const struct sqs_redrive_allow *allow, struct slice source_arn);

/* ---- what GetQueueAttributes says ---- */

struct sqs_config_facts { /* what a queue knows beside its config */
    struct slice arn;
    uint64_t created_ms, changed_ms;
    uint64_t visible, in_flight, delayed;
};
/* names: list of text; "All" is every attribute that has a value; a map of text. SQS_INVALID_ATTRIBUTE_NAME. */
struct error sqs_config_list(const struct sqs_config *config, const struct sqs_config_facts *facts,
    const struct values *names, struct values *ret_attributes, struct sqs_fault *f);

bool sqs_config_has_attribute(struct slice name); /* a queue attribute, settable or not */

/* ---- records ---- */

void sqs_config_encode(struct buf *b, const struct sqs_config *config);
struct error sqs_config_decode(struct slice bytes, struct sqs_config **ret_config);
void sqs_config_free(struct sqs_config *config); /* NULL is fine */

#endif
